"""What users of LangGraph's own savers reported (issues of langchain-ai/langgraph and langgraphjs, and advisories),
tried on ours: each name says what must be so."""

import operator
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send, interrupt

from aob.langgraph import AobSaver, AobStore
from tests.langgraph.both import Both, config, made, thread_name
from tests.langgraph.test_home import asking

INJECTED = ["x') or 1=1 --", "a.b", "$[0]", "'", '"', "step\\", "ünï", "a\nb", "__proto__", "x}"]


class State(TypedDict, total=False):
    """A list that grows, and a number."""

    said: Annotated[list[Any], operator.add]
    n: int


def graph_of(saver: AobSaver, *nodes: tuple[str, Any], **options: Any) -> Any:
    """A compiled graph of nodes behind one another."""
    graph = StateGraph(State)
    before = START
    for name, node in nodes:
        graph.add_node(name, node)
        graph.add_edge(before, name)
        before = name
    return graph.compile(checkpointer=saver, **options)


async def invoked(saver: Both, graph: Any, given: Any, told: Any) -> Any:
    """What a run of a graph gives, by the kind of methods of this saver."""
    if saver.sync:
        return graph.invoke(given, told)
    return await graph.ainvoke(given, told)


async def test_a_list_that_is_read_slowly_holds_nobody_up(saver: Both) -> None:  # langgraph 8558
    thread = thread_name()
    first = await saver.put(thread, {"x": 1})
    second = await saver.put(thread, {"x": 2}, first)
    slow = saver.saver.alist(config(thread))
    assert (await anext(slow)).checkpoint["id"] == second
    third = await saver.put(thread, {"x": 3}, second)
    assert (await saver.get(thread)).checkpoint["id"] == third
    assert [each.checkpoint["id"] async for each in slow] == [first]


async def test_metadata_of_old_graphs_with_messages_is_taken(saver: Both) -> None:  # langgraph 5769, 8942
    thread = thread_name()
    await saver.put(thread, {}, metadata={"writes": {"node": {"messages": [AIMessage("hi")]}}, "step": 3})
    metadata: Any = (await saver.get(thread)).metadata
    assert (metadata["step"], "writes" in metadata) == (3, False)


async def test_texts_with_nul_are_kept_in_values_and_harmless_in_metadata(saver: Both) -> None:  # langgraph 1878
    thread = thread_name()
    id = await saver.put(thread, {"x": "a\0b", "l": ["c\0d" * 50]}, metadata={"note": "e\0f"})
    await saver.write(thread, id, "task", ("x", "g\0h"))
    found = await saver.get(thread)
    assert found.checkpoint["channel_values"] == {"x": "a\0b", "l": ["c\0d" * 50]}
    assert found.pending_writes == [("task", "x", "g\0h")]
    assert (await saver.list(config(thread), filter={"note": "ef"})) != []


async def test_a_config_without_metadata_or_with_none_is_taken(saver: Both) -> None:  # langgraph 5557, 5677
    thread = thread_name()
    for metadata in (None, {}, {"user": "ada"}):
        told: Any = {**config(thread), "metadata": metadata}
        await saver._call("put", told, made({}), {"source": "loop"}, {})
        await saver.get(thread)
    assert (await saver.get(thread)).metadata["user"] == "ada"  # type: ignore[typeddict-item]


async def test_a_key_of_a_filter_is_a_key_and_nothing_else(saver: Both) -> None:  # CVE-2025-8709, -64104, -67644
    thread = thread_name()
    id = await saver.put(thread, {}, metadata=dict.fromkeys(INJECTED, "wanted"))
    other = await saver.put(thread, {}, id, metadata={"step": 1})
    memory = AobStore(saver.saver._door, saver.saver._calls)
    await memory.aput((thread,), "k", dict.fromkeys(INJECTED, 1))
    for key in INJECTED:
        assert await saver.ids(thread, filter={key: "wanted"}) == [id]
        assert await saver.ids(thread, filter={key: "' or '1'='1"}) == []
        assert [each.key for each in await memory.asearch((thread,), filter={key: 1})] == ["k"]
        assert await memory.asearch((thread,), filter={key: {"$ne": 1}}) == []
    assert await saver.ids(thread) == [other, id]


async def test_one_of_a_filtered_list_is_one_that_matches(saver: Both) -> None:  # langgraphjs 582, 2504
    thread = thread_name()
    first = await saver.put(thread, {}, metadata={"tenant_id": "acme"})
    await saver.put(thread, {}, first, metadata={"tenant_id": "globex"})
    assert await saver.ids(thread, filter={"tenant_id": "acme"}, limit=1) == [first]
    empty: Any = {"configurable": {}}
    found = await saver.list(empty, filter={"tenant_id": "acme"})  # langgraphjs 578
    assert first in [each.checkpoint["id"] for each in found]


async def test_what_open_gives_is_a_saver_by_itself(file_url: str) -> None:  # langgraph 2042, 1761, 495
    saver = AobSaver.open(file_url)
    graph = graph_of(saver, ("a", lambda state: {"n": 1}))
    assert graph.invoke({"n": 0}, config("t"))["n"] == 1
    assert (await graph.ainvoke({"n": 0}, config("t")))["n"] == 1
    assert len([*graph.get_state_history(config("t"))]) == 6
    saver.close()


def test_a_serializer_of_ones_own_is_used(file_url: str, tmp_path: Path) -> None:  # langgraph 8116
    class Turned:
        """No cipher to use."""

        def encrypt(self, plain: bytes) -> tuple[str, bytes]:
            return "turned", bytes(each ^ 0x55 for each in plain)

        def decrypt(self, name: str, data: bytes) -> bytes:
            return bytes(each ^ 0x55 for each in data)

    with AobSaver.open(file_url, serde=EncryptedSerializer(Turned())) as saver:
        graph = graph_of(saver, ("a", lambda state: {"said": ["the secret " * 20]}))
        told = graph.invoke({"said": []}, config("t"))
        assert graph.get_state(config("t")).values["said"] == told["said"]
    assert b"the secret" not in (tmp_path / "threads.db").read_bytes()


async def test_a_subgraph_goes_on_where_it_waited(saver: Both) -> None:  # langgraph 4796, 6792, 7561
    ran: list[str] = []

    def said(name: str) -> Any:
        def node(state: State) -> State:
            ran.append(name)
            return {"said": [name]}

        return node

    def ask(state: State) -> State:
        return {"said": [interrupt("well?")]}

    inner = StateGraph(State)
    inner.add_node("first", said("first"))
    inner.add_node("ask", ask)
    inner.add_edge(START, "first")
    inner.add_edge("first", "ask")
    for explicit in (False, True):
        ran.clear()
        thread = thread_name()
        graph = graph_of(saver.saver, ("before", said("before")), ("inner", inner.compile()), ("after", said("after")))
        waits = await invoked(saver, graph, {"said": []}, config(thread))
        assert [each.value for each in waits["__interrupt__"]] == ["well?"]
        told = config(thread, (await saver.get(thread)).checkpoint["id"]) if explicit else config(thread)
        done = await invoked(saver, graph, Command(resume="yes"), told)
        assert done["said"][-2:] == ["yes", "after"]
        assert ran == ["before", "first", "after"], "what was done before it waited is done again"


async def test_a_subgraph_with_a_memory_of_its_own_runs_each_time(saver: Both) -> None:  # langgraph 3206
    inner = StateGraph(State)
    inner.add_node("count", lambda state: {"said": [len(state.get("said", []))]})
    inner.add_edge(START, "count")
    counting = inner.compile(checkpointer=True)
    seen: list[Any] = []

    def call(state: State) -> State:
        seen.append(counting.invoke({"said": ["in"]})["said"])
        return {"n": len(seen)}

    async def acall(state: State) -> State:
        seen.append((await counting.ainvoke({"said": ["in"]}))["said"])
        return {"n": len(seen)}

    thread = thread_name()
    graph = graph_of(saver.saver, ("call", call if saver.sync else acall))
    for n in range(21):
        assert (await invoked(saver, graph, {"n": 0}, config(thread)))["n"] == n + 1
    assert [len(each) for each in seen] == [2 * (n + 1) for n in range(21)], "its state is from the run before"


async def test_a_step_in_the_past_is_changed_and_run_from(saver: Both) -> None:
    thread = thread_name()
    graph = graph_of(saver.saver, ("a", lambda state: {"said": ["a"], "n": 1}), ("b", lambda state: {"said": ["b"]}))
    await invoked(saver, graph, {"said": ["in"]}, config(thread))
    history = [each async for each in graph.aget_state_history(config(thread))]
    assert [each.values.get("said") for each in history] == [["in", "a", "b"], ["in", "a"], ["in"], []]
    forked = await graph.aupdate_state(history[1].config, {"said": ["changed"]})
    done = await invoked(saver, graph, None, forked)
    assert done["said"] == ["in", "a", "changed", "b"]
    old = await graph.aget_state(history[0].config)
    assert old.values["said"] == ["in", "a", "b"], "the old branch is as it was"


async def test_parallel_tasks_that_ended_are_not_run_again_when_one_failed(saver: Both) -> None:
    ran: list[int] = []
    broken = [True]

    def work(state: State) -> State:
        ran.append(state["n"])
        if state["n"] == 2 and broken[0]:
            raise ValueError("broken")
        return {"said": [state["n"]]}

    graph = StateGraph(State)
    graph.add_node("work", work)
    graph.add_conditional_edges(START, lambda state: [Send("work", {"n": n}) for n in range(4)])
    compiled, thread = graph.compile(checkpointer=saver.saver), thread_name()
    with pytest.raises(ValueError, match="broken"):
        await invoked(saver, compiled, {"said": []}, config(thread))
    kept = {task for task, channel, _ in (await saver.get(thread)).pending_writes or [] if channel == "said"}
    ended, broken[0] = len(kept), False
    again = len(ran)
    done = await invoked(saver, compiled, None, config(thread))
    assert done["said"] == [0, 1, 2, 3], "in the order in which a run without the failure has them"
    assert len(ran) - again == 4 - ended


def test_another_process_answers_what_this_one_asked(file_url: str) -> None:
    program = """
import sys
from langgraph.types import Command
from aob.langgraph import AobSaver
from tests.langgraph.test_home import asking
with AobSaver.open(sys.argv[1]) as saver:
    graph = asking().compile(checkpointer=saver)
    print(graph.invoke(Command(resume="fine"), {"configurable": {"thread_id": "t"}})["said"])
"""
    with AobSaver.open(file_url) as saver:
        assert asking().compile(checkpointer=saver).invoke({"said": []}, config("t"))["said"] == ["before"]
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, file_url], capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert (told.stdout, told.stderr) == ("['before', 'fine']\n", "")
