"""Graphs of LangGraph as agents: one thread a key, interrupts as tickets, attempts that go on where they were."""

import operator
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

import aob
from aob.core.errors import Invalid
from tests.organisation.test_agents_ask_people import ANN, tickets
from tests.organisation.test_agents_at_work import home, records, send, values


class State(TypedDict):
    ask: str
    said: Annotated[list[str], operator.add]


def chain(*nodes: Any) -> StateGraph[State]:
    graph = StateGraph(State)
    before = START
    for node in nodes:
        graph.add_node(node.__name__, node)
        graph.add_edge(before, node.__name__)
        before = node.__name__
    return graph


def says(state: State) -> dict[str, Any]:
    return {"said": [f"seen {state['ask']}"]}


def agent(graph: Any, **more: Any) -> Any:
    made = {"name": "graph", "consumes": ["orders"], "produces": ["out"], "output": "out", **more}
    return aob.agent(input=lambda record: {"ask": record.data, "said": []}, **made)(graph)


async def test_records_of_a_key_go_on_with_its_thread_and_other_keys_have_their_own(tmp_path: Path) -> None:
    for life in (1, 2):
        async with home(tmp_path, agent(chain(says))) as app:
            await send(app, "ann", f"a{life}")
            await send(app, "bob", f"b{life}")
            found = values(await records(app, "out", 2 * life))
            last = {each["ask"]: each["said"] for each in found}
            assert last[f"a{life}"] == [f"seen a{n + 1}" for n in range(life)]
            assert last[f"b{life}"] == [f"seen b{n + 1}" for n in range(life)]
            thread = await app.record_saver("graph").aget_tuple({"configurable": {"thread_id": "ann"}})
            assert thread is not None
            assert thread.checkpoint["channel_values"]["said"][-1] == f"seen a{life}"


async def test_an_interrupt_is_a_ticket_and_its_answer_goes_on_also_after_a_restart(tmp_path: Path) -> None:
    done: list[str] = []

    async def pays(state: State, config: RunnableConfig) -> dict[str, Any]:
        ctx = config["configurable"]["ctx"]
        if (await ctx.intend("pay", {"of": state["ask"]})).granted:
            done.append(state["ask"])
            await ctx.settle("paid")
        return {"said": ["paid"]}

    def asks(state: State) -> dict[str, Any]:
        first = interrupt({"question": "may I?", "form": {"limit": "integer"}})
        second = interrupt("sure?")
        return {"said": [f"{first['values']['limit']} {second['choice']}"]}

    graph = agent(chain(pays, asks, says))
    async with home(tmp_path, graph) as app:
        await send(app, "ann", "x")
        (ticket,) = await tickets(app, 1)
        assert (ticket["text"], ticket["form"], ticket["agent"]) == ("may I?", {"limit": "integer"}, "graph")
    async with home(tmp_path, graph) as app:
        await app.views.answer(ANN, ticket["ticket_id"], "approve", values={"limit": 5})
        async for _ in app.views.core.feed.commits(0):
            found = await app.views.tickets(ANN)
            if found and found[0]["text"] == "sure?":
                break
        await app.views.answer(ANN, found[0]["ticket_id"], "reject")
        assert values(await records(app, "out", 1)) == [{"ask": "x", "said": ["paid", "5 reject", "seen x"]}]
    assert done == ["x"]


async def test_interrupts_of_a_fan_out_are_tickets_of_their_own_and_each_goes_on_with_its_answer(
    tmp_path: Path,
) -> None:
    def left(state: State) -> dict[str, Any]:
        return {"said": [f"left {interrupt('left?')['choice']}"]}

    def right(state: State) -> dict[str, Any]:
        return {"said": [f"right {interrupt('right?')['choice']}"]}

    graph = StateGraph(State)
    for node in (left, right):
        graph.add_node(node.__name__, node)
        graph.add_edge(START, node.__name__)
    async with home(tmp_path, agent(graph)) as app:
        await send(app, "ann", "x")
        one, two = await tickets(app, 2)
        assert (one["text"], two["text"]) == ("left?", "right?")
        await app.views.answer(ANN, two["ticket_id"], "reject")
        await app.views.answer(ANN, one["ticket_id"], "approve")
        assert values(await records(app, "out", 1)) == [{"ask": "x", "said": ["left approve", "right reject"]}]


async def test_a_failed_attempt_goes_on_behind_the_nodes_that_are_done(tmp_path: Path) -> None:
    ran: list[str] = []

    def first(state: State) -> dict[str, Any]:
        ran.append("first")
        return {"said": ["first"]}

    def second(state: State) -> dict[str, Any]:
        ran.append("second")
        if ran.count("second") == 1:
            raise ValueError("not yet")
        return {"said": ["second"]}

    async with home(tmp_path, agent(chain(first, second), backoff="1ms")) as app:
        await send(app, "ann", "x")
        assert values(await records(app, "out", 1)) == [{"ask": "x", "said": ["first", "second"]}]
    assert ran == ["first", "second", "second"]


@pytest.mark.parametrize("policy", ["rollback", "interrupt", "poison"])
async def test_what_came_to_nothing_is_in_no_later_thread_unless_it_was_interrupted(
    tmp_path: Path, policy: Any
) -> None:
    def may_ask(state: State) -> dict[str, Any]:
        if state["ask"] == "old":
            if policy == "poison":
                raise ValueError("never")
            interrupt("may I?")
        return {"said": ["end"]}

    waits = {"attempts": 1} if policy == "poison" else {"while_waiting": policy}
    async with home(tmp_path, agent(chain(says, may_ask), **waits)) as app:
        await send(app, "ann", "good")
        await records(app, "out", 1)
        await send(app, "ann", "old")
        if policy != "poison":
            await tickets(app, 1)
        await send(app, "ann", "new")
        told = values(await records(app, "out", 2))[-1]["said"]
        kept = ["seen old"] if policy == "interrupt" else []
        assert told == ["seen good", "end", *kept, "seen new", "end"]


async def test_a_thread_keeps_its_head_however_many_steps_a_record_takes(tmp_path: Path) -> None:
    def steps(state: State) -> dict[str, Any]:
        return {"said": ["."]}

    graph = chain(steps)
    graph.add_conditional_edges("steps", lambda state: "steps" if len(state["said"]) % 40 else "__end__")
    async with home(tmp_path, agent(graph)) as app:
        for count in (1, 2):
            await send(app, "ann", f"n{count}")
            assert len(values(await records(app, "out", count))[-1]["said"]) == 40 * count
        saver = app.record_saver("graph")
        assert len([each async for each in saver.alist({"configurable": {"thread_id": "ann"}})]) < 70


def test_a_compiled_graph_is_refused_with_the_reason() -> None:
    with pytest.raises(Invalid, match="InMemorySaver"):
        agent(chain(says).compile(checkpointer=InMemorySaver()))
    with pytest.raises(Invalid, match="builder"):
        agent(chain(says).compile())
    with pytest.raises(Invalid, match="no agent"):
        agent(7)
