"""What a saver promises, sync and async, on every store."""

import asyncio
import datetime
from collections import deque
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import WRITES_IDX_MAP, CheckpointTuple
from langgraph.checkpoint.serde.types import ERROR, INTERRUPT

from aob.core.errors import Invalid, TooLarge
from tests.langgraph.both import Both, config, thread_name

VALUES: dict[str, Any] = {
    "text": "a" * 5_000, "none": None, "bytes": bytes(range(256)), "list": [1, "b", None, b"c", ["d"], {"e": 1}],
    "empty list": [], "empty dict": {}, "dict": {"a": [1, 2], "b": None, "long": "x" * 200},
    "int keys": {1: 2, (3, 4): 5},
    "messages": [HumanMessage("hi", id="1"), AIMessage("ho" * 100, id="2")], "set": {1, 2},
    "deque": deque([1], maxlen=3),
    "when": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), "uuid": UUID(int=7), "decimal": Decimal("1.10"),
    "tuple": (1, 2), "nested": {"a": {"b": [{"c": "d" * 100}]}}, "same": ["z" * 100] * 3, "grüße\n|:/": "ü",
}  # fmt: skip


async def test_values_of_all_kinds_come_back(saver: Both) -> None:
    thread = thread_name()
    id = await saver.put(thread, VALUES)
    found = (await saver.get(thread, id)).checkpoint["channel_values"]
    assert {name: value for name, value in found.items() if name != "tuple"} == {
        name: value for name, value in VALUES.items() if name not in ("tuple",)
    } | {"deque": deque([1])}
    assert list(found["tuple"]) == [1, 2]
    assert [type(each) for each in found["messages"]] == [HumanMessage, AIMessage]


async def test_the_newest_is_found_and_each_has_its_parent(saver: Both) -> None:
    thread, parent, ids = thread_name(), "", list[str]()
    for n in range(3):
        parent = await saver.put(thread, {"n": n}, parent)
        ids.append(parent)
    newest = await saver.get(thread)
    assert newest.config == config(thread, ids[2])
    assert newest.parent_config == config(thread, ids[1])
    assert newest.checkpoint["channel_values"] == {"n": 2}
    assert (await saver.get(thread, ids[0])).parent_config is None
    assert await saver.get_tuple(thread, "1f000000-0000-6000-8000-000000000000") is None
    assert await saver.get_tuple(thread_name()) is None


async def test_what_did_not_change_is_read_from_where_it_was_written(saver: Both) -> None:
    thread = thread_name()
    first = await saver.put(thread, {"big": ["x" * 1_000], "n": 1})
    second = await saver.put(thread, {"big": ["x" * 1_000], "n": 2}, first, versions={"big": 1, "n": 2}, new={"n": 2})
    assert (await saver.get(thread, second)).checkpoint["channel_values"] == {"big": ["x" * 1_000], "n": 2}
    lost = await saver.put(thread, {"big": ["y"], "n": 3}, "1e000000", versions={"big": 1, "n": 3}, new={"n": 3})
    assert (await saver.get(thread, lost)).checkpoint["channel_values"] == {"big": ["y"], "n": 3}


async def test_writes_come_in_the_order_in_which_a_run_applies_them(saver: Both) -> None:
    thread = thread_name()
    id = await saver.put(thread, {})
    await saver.write(thread, id, "task-a", ("x", 3), ("y", ["long" * 100]), path="~__pregel_pull, b")
    await saver.write(thread, id, "task-b", ("x", 1), ("x", 2), path="~__pregel_pull, a")
    await saver.write(thread, id, "task-0", ("x", 0))
    found = await saver.get(thread, id)
    assert found.pending_writes == [
        ("task-0", "x", 0), ("task-b", "x", 1), ("task-b", "x", 2), ("task-a", "x", 3), ("task-a", "y", ["long" * 100]),
    ]  # fmt: skip
    assert (await saver.list(config(thread)))[0].pending_writes == found.pending_writes


async def test_the_first_write_of_a_task_stands_and_a_special_one_is_written_over(saver: Both) -> None:
    thread = thread_name()
    id = await saver.put(thread, {})
    assert WRITES_IDX_MAP[INTERRUPT] < 0
    await saver.write(thread, id, "task", ("x", "first" * 20), (INTERRUPT, "old" * 20))
    await saver.write(thread, id, "task", ("x", "again" * 20), (INTERRUPT, "new" * 20), ("y", "more"))
    await saver.write(thread, id, "task", (ERROR, "broken"))
    told = sorted((await saver.get(thread, id)).pending_writes or [])
    assert told == sorted([
        ("task", ERROR, "broken"), ("task", INTERRUPT, "new" * 20), ("task", "x", "first" * 20), ("task", "y", "more"),
    ])  # fmt: skip


async def test_a_thread_keeps_twenty(saver: Both) -> None:
    thread, parent, ids = thread_name(), "", list[str]()
    for n in range(25):
        parent = await saver.put(thread, {"list": [f"item {each} " * 20 for each in range(n)]}, parent)
        await saver.write(thread, parent, "task", ("list", [f"item {n} " * 20]))
        ids.append(parent)
    assert await saver.ids(thread) == ids[:4:-1]
    for n in (5, 24):
        found = await saver.get(thread, ids[n])
        assert found.checkpoint["channel_values"]["list"] == [f"item {each} " * 20 for each in range(n)]
        assert found.pending_writes == [("task", "list", [f"item {n} " * 20])]


async def test_lists_filter_page_and_end(saver: Both) -> None:
    thread, ids, run = thread_name(), list[str](), thread_name()
    for n in range(5):
        about = {"step": n, "source": "input" if n % 2 else "loop", "who": {"a": run}, "none": None}
        ids.append(await saver.put(thread, {}, ids[-1] if ids else "", metadata=about))
    inner = await saver.put(thread, {}, ns="inner:1", metadata={"step": 9, "who": {"a": run}})
    assert await saver.ids(thread, filter={"source": "input"}) == [ids[3], ids[1]]
    assert await saver.ids(thread, filter={"who": {"a": run}, "step": 2}) == [ids[2]]
    assert await saver.ids(thread, filter={"missing": None}, limit=1) == [ids[4]]
    assert await saver.ids(thread, filter={"source": "update"}) == []
    assert await saver.ids(thread, before=config(thread, ids[2])) == [ids[1], ids[0]]
    assert await saver.ids(thread, before=config(thread, ids[3]), limit=1, filter={"source": "input"}) == [ids[1]]
    assert await saver.ids(thread, limit=2) == [ids[4], ids[3]]
    assert await saver.ids(thread, limit=0) == []
    everywhere = await saver.list({"configurable": {"thread_id": thread}})
    assert [each.checkpoint["id"] for each in everywhere] == [inner, *reversed(ids)]
    assert [each.checkpoint["id"] for each in await saver.list(config(thread, ids[1]))] == [ids[1]]
    of_all = await saver.list(None, filter={"who": {"a": run}}, limit=3)
    assert [each.checkpoint["id"] for each in of_all] == [inner, ids[4], ids[3]]
    assert of_all[0].config == config(thread, inner, "inner:1")


async def test_a_thread_is_removed_copied_and_pruned_alone(saver: Both) -> None:
    one, two, three = thread_name(), thread_name(), thread_name()
    first = await saver.put(one, {"x": ["long " * 100]})
    second = await saver.put(one, {"x": ["long " * 100, "more " * 100]}, first)
    await saver.write(one, second, "task", ("x", ["long " * 100]))
    await saver.put(one, {"y": ["long " * 100]}, ns="inner")
    await saver.put(two, {"x": ["long " * 100]})
    await saver.copy(one, three)
    await saver.copy(one, one)
    await saver.prune(one)
    assert await saver.ids(one) == [second]
    await saver.delete(one)
    assert await saver.list({"configurable": {"thread_id": one}}) == []
    assert (await saver.get(two)).checkpoint["channel_values"] == {"x": ["long " * 100]}
    assert await saver.ids(three) == [second, first]
    copied = await saver.get(three)
    assert copied.checkpoint["channel_values"] == {"x": ["long " * 100, "more " * 100]}
    assert copied.pending_writes == [("task", "x", ["long " * 100])]
    assert (await saver.get(three, ns="inner")).checkpoint["channel_values"] == {"y": ["long " * 100]}
    await saver.put(three, {"x": ["anew"]}, second)
    await saver.prune(three, strategy="delete")
    assert await saver.get_tuple(three) is None
    again = await saver.put(one, {"x": ["long " * 100]})
    assert (await saver.get(one, again)).checkpoint["channel_values"] == {"x": ["long " * 100]}
    with pytest.raises(Invalid, match="no strategy"):
        await saver.prune(two, strategy="keep_some")


async def test_what_runs_wrote_is_removed_in_all_threads(saver: Both) -> None:
    one, two, run = thread_name(), thread_name(), thread_name()
    first = await saver.put(one, {"x": 1}, metadata={"run_id": "other"})
    await saver.put(one, {"x": 2}, first, metadata={"run_id": run})
    await saver.put(two, {"x": 3}, metadata={"run_id": run}, ns="inner")
    await saver.delete_runs(run, "nobody")
    await saver.delete_runs()
    assert await saver.ids(one) == [first]
    assert await saver.list({"configurable": {"thread_id": two}}) == []


async def test_a_delta_channel_is_made_of_the_writes_of_its_ancestors_after_pruning_too(saver: Both) -> None:
    thread, parent = thread_name(), ""
    for n in range(6):
        about = {"counters_since_delta_snapshot": {"d": [n % 3, n % 3]}}
        values = {"d": [n]} if n % 3 == 0 else {}
        parent = await saver.put(thread, values, parent, versions={"d": n + 1}, metadata=about)
        await saver.write(thread, parent, f"task{n}", ("d", n + 100), ("e", 0))
    for _ in range(2):
        told = await saver.history(thread, parent, "d")
        assert told == {"writes": [("task3", "d", 103), ("task4", "d", 104)], "seed": [3]}
        await saver.prune(thread)


async def test_names_that_no_store_takes_are_refused_and_strange_ones_are_not(saver: Both) -> None:
    for name in ("", "a\0b", "x" * 2_000, "\ud800"):
        with pytest.raises(Invalid):
            await saver.put(name, {})
    with pytest.raises(Invalid, match="no name"):
        await saver.put(thread_name(), {}, ns="a\0b")
    with pytest.raises(Invalid, match="thread_id"):
        await saver._call("get_tuple", {"configurable": {}})
    strange = f"a/b c%?#'\"ü\n{thread_name()}"
    await saver.put(strange, {"x": 1}, ns="a|b:c|d", metadata={"mark": strange})
    assert (await saver.get(strange, ns="a|b:c|d")).checkpoint["channel_values"] == {"x": 1}
    (found,) = await saver.list(None, filter={"mark": strange})
    assert found.config["configurable"]["thread_id"] == strange


async def test_a_number_names_a_thread_as_its_text_does(saver: Both) -> None:
    number: Any = int(thread_name()[2:10], 16)
    await saver.put(number, {"x": 1})
    assert (await saver.get(str(number))).checkpoint["channel_values"] == {"x": 1}


async def test_what_is_too_large_is_refused_and_ten_megabytes_are_not(saver: Both) -> None:
    thread = thread_name()
    first = await saver.put(thread, {"whole": "x" * 10_000_000, "list": ["y" * 100_000 + str(n) for n in range(10)]})
    with pytest.raises(TooLarge):
        await saver.put(thread, {"whole": b"x" * (65 * 2**20)}, first)
    found = await saver.get(thread)
    assert found.checkpoint["id"] == first
    assert len(found.checkpoint["channel_values"]["whole"]) == 10_000_000
    second = await saver.put(thread, {"whole": "small"}, first)
    assert (await saver.get(thread)).checkpoint["id"] == second


async def test_many_callers_of_one_thread_and_of_many(saver: Both) -> None:
    shared, own = thread_name(), [thread_name() for _ in range(8)]

    async def steps(thread: str, number: int) -> CheckpointTuple:
        parent = ""
        for n in range(3):
            parent = await saver.put(thread, {"list": [f"{number} {each} " * 20 for each in range(n + 1)]}, parent)
            await saver.write(thread, parent, f"task{number}", ("x", f"{number} " * 50))
        return await saver.get(thread, parent)

    found = await asyncio.gather(*(steps(thread, n) for n, thread in enumerate([*own, *[shared] * 5])))
    for number, each in enumerate(found):
        assert each.checkpoint["channel_values"]["list"] == [f"{number} {n} " * 20 for n in range(3)]
        assert each.pending_writes == [(f"task{number}", "x", f"{number} " * 50)]
