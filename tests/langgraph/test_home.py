"""Threads of graphs in a home: in one shard, in several, in other processes, and where partitions move."""

import asyncio
import operator
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

import aob
from aob.backends.sqlite.store import SqliteStore
from aob.compose.shards import Owners
from aob.compose.threads import OneShard
from aob.core.errors import Conflict, Unavailable
from aob.core.policy import LOCAL
from aob.langgraph import AobSaver, Calls
from tests.compose.shard_home import sharded
from tests.langgraph.both import config, made, thread_name

THREADS = [f"thread-{n}" for n in range(24)]


class State(TypedDict):
    said: Annotated[list[str], operator.add]


def asking() -> Any:
    """A graph that says something, and asks a person."""
    graph = StateGraph(State)
    graph.add_node("say", lambda state: {"said": ["before"]})
    graph.add_node("ask", lambda state: {"said": [interrupt("well?")]})
    graph.add_edge(START, "say")
    graph.add_edge("say", "ask")
    return graph


async def put(saver: AobSaver, thread: str, count: int, parent: str = "") -> str:
    """A checkpoint whose list has so many items."""
    checkpoint = made({"list": [f"{thread} {n} " * 20 for n in range(count)]}, {"list": count})
    await saver.aput(config(thread, parent), checkpoint, {"step": count}, {"list": count})
    await saver.aput_writes(config(thread, checkpoint["id"]), [("list", [f"{thread} {count} " * 20])], "task")
    return str(checkpoint["id"])


async def check(saver: AobSaver, thread: str, count: int) -> None:
    """The newest checkpoint of a thread has so many items, and its writes."""
    found = await saver.aget_tuple(config(thread))
    assert found is not None
    assert found.checkpoint["channel_values"]["list"] == [f"{thread} {n} " * 20 for n in range(count)]
    assert found.pending_writes == [("task", "list", [f"{thread} {count} " * 20])]


async def moved(owners: Owners, shards: int) -> None:
    """So many shards own the partitions."""
    while (await owners.moves.set_shards(LOCAL, shards))["left"]:
        pass


@pytest.mark.every_store
async def test_a_graph_waits_for_a_person_in_a_home_and_goes_on_in_its_next_life(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        graph = asking().compile(checkpointer=app.saver())
        told = await graph.ainvoke({"said": []}, config("t"))
        assert [each.value for each in told["__interrupt__"]] == ["well?"]
    async with aob.open(tmp_path) as app:
        graph = asking().compile(checkpointer=app.saver())
        assert (await graph.ainvoke(Command(resume="fine"), config("t")))["said"] == ["before", "fine"]
        assert [each async for each in app.saver().alist(config("other"))] == []


async def test_threads_are_routed_to_their_shards_and_move_with_their_partitions(tmp_path: Path) -> None:
    async with sharded(tmp_path, 1, processes="one") as owners:
        saver, going = owners.running.saver(), dict[str, str]()
        for thread in THREADS:
            going[thread] = await put(saver, thread, 1)
        others = asyncio.create_task(until_moved(saver, going))
        await moved(owners, 2)
        assert await others > 1
        for thread in THREADS:
            await check(saver, thread, 2)
            going[thread] = await put(saver, thread, 3, going[thread])
        stores = [owners.running.views.core.store, *(each.running.views.core.store for each in owners.others)]  # type: ignore[union-attr]
        held = [await store.entry_streams() for store in stores]
        assert all(held)
        assert sorted(name for names in held for name in names) == sorted(f"thread/default/{each}" for each in THREADS)
        assert sorted(await owners.running.threads.names()) == sorted(THREADS)
        await moved(owners, 1)
        for thread in THREADS:
            await check(saver, thread, 3)
            await put(saver, thread, 4, going[thread])
            await check(saver, thread, 4)
        assert len(await owners.running.views.core.store.entry_streams()) == len(THREADS)
    left = await SqliteStore.open(tmp_path / "shard-1.db")
    assert await left.entry_streams() == [], "the shard that they left has a copy"
    await left.close()


async def until_moved(saver: AobSaver, going: dict[str, str]) -> int:
    """Every thread goes on while partitions move; returns how many did."""
    for thread in THREADS:
        going[thread] = await put(saver, thread, 2, going[thread])
    return len(THREADS)


async def test_threads_of_a_shard_in_another_process(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2) as owners:
        saver = owners.running.saver()
        await asyncio.gather(*(put(saver, thread, 2) for thread in THREADS))
        for thread in THREADS:
            await check(saver, thread, 2)
        assert len([each async for each in saver.alist(None)]) == len(THREADS)
        await saver.adelete_thread(THREADS[0])
        await saver.acopy_thread(THREADS[1], THREADS[0])
        assert sorted(await owners.running.threads.names()) == sorted(THREADS)
        assert 0 < len(await owners.running.views.core.store.entry_streams()) < len(THREADS)


async def test_tenants_have_their_own_threads_and_a_loop_is_not_blocked_by_itself(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        saver, thread = app.saver(), thread_name()
        theirs = AobSaver(OneShard(app.held, "acme"), Calls(asyncio.get_running_loop()))
        await put(saver, thread, 1)
        assert await theirs.aget_tuple(config(thread)) is None
        await put(theirs, thread, 3)
        await check(saver, thread, 1)
        assert await asyncio.to_thread(saver.get_tuple, config(thread)) == await saver.aget_tuple(config(thread))
        await theirs.adelete_thread(thread)
        await check(saver, thread, 1)
        with pytest.raises(Conflict, match="async method"):
            saver.get_tuple(config(thread))
    with pytest.raises(Unavailable, match="closed"):
        await asyncio.to_thread(saver.get_tuple, config(thread))
