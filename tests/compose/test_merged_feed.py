"""The feed of all runs over shards between which partitions moved: each run's events in order, whichever shard is
slow."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from aob.compose.layout import Layout, set_shards
from aob.compose.loop import end_tasks
from aob.compose.shards import feeds
from aob.compose.shards.feeds import Item, follow_all
from aob.compose.shards.local import RetiredShard
from aob.core.event import PARTITIONS, Position, partition_of
from aob.core.policy import LOCAL
from aob.ports.store import Extent, Holding
from tests.compose.shard_home import sharded
from tests.compose.test_shards_set import filled, go, quietly

RUN = "run_k3vr80cmxhbws1wt6tttz8c2cyj"
PARTITION = partition_of(RUN, PARTITIONS)
LEFT = 7  # the row in which the partition left the first shard
BEFORE = Layout.of(1)
AFTER = Layout.read(
    {
        0: Holding(PARTITIONS, 1, (Extent(PARTITION, 0, 1, LEFT, 1, released=True),)),
        1: Holding(PARTITIONS, 1, (Extent(PARTITION, 1, 3),)),
    },
    1, PARTITIONS,
)  # fmt: skip


class Scripted:
    """A shard that sends these rows, one event of the run each, behind what it waits for; row `LEFT` has no name."""

    owned = up = True
    state = "ok"

    def __init__(self, number: int, rows: list[int], behind: asyncio.Event, sends: asyncio.Event) -> None:
        self.number, self._rows, self._behind, self._sends = number, rows, behind, sends

    async def ready(self) -> None:
        """At once."""

    async def call(self, verb: str, who: Any, *args: Any, **named: Any) -> Any:
        """Its position."""
        return token(0)

    async def stream(self, verb: str, who: Any, *args: Any, **named: Any) -> AsyncIterator[Item]:
        await self._behind.wait()
        for row in self._rows:
            self._sends.set()
            name = "" if row == LEFT and not self.number else "event"
            yield token(row), name, {"run": RUN, "from": (self.number, row)} if name else {}
        await asyncio.Event().wait()


def token(row: int) -> str:
    """A position of one shard."""
    return Position.joined([(row, 0)])


async def told(layouts: list[Layout], slow: list[int]) -> list[tuple[int, int]]:
    """What a reader gets when the shard that the run left sends these rows after the other sent its own."""
    sends, at_once = asyncio.Event(), asyncio.Event()
    at_once.set()
    shards = [Scripted(0, slow, sends, asyncio.Event()), Scripted(1, [4, 5], at_once, sends)]

    def layout() -> Layout:
        return layouts.pop(0) if len(layouts) > 1 else layouts[0]

    feed = follow_all(layout, shards, set(), LOCAL, None, None)
    async with aclosing(feed), asyncio.timeout(20):  # type: ignore[type-var]
        wanted = 2 + sum(row != LEFT for row in slow)
        return [data["from"] for _ in range(wanted) for _, _, data in [await anext(feed)]]


@pytest.mark.parametrize("layouts", [[AFTER], [BEFORE, BEFORE, AFTER]])
async def test_a_run_goes_on_only_after_all_that_its_former_shard_wrote(
    layouts: list[Layout], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "MOVED_S", 0.001)
    assert await told(list(layouts), [1, 6, LEFT]) == [(0, 1), (0, 6), (1, 4), (1, 5)]


async def test_a_former_shard_that_tells_nothing_delays_but_does_not_stop_the_rest(
    monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(feeds, "MOVED_S", 0.001)
    monkeypatch.setattr(feeds, "BEFORE_S", 0.01)
    assert await told([AFTER], []) == [(1, 4), (1, 5)]


async def test_all_runs_are_read_in_order_from_the_beginning_of_a_home_whose_partitions_moved(tmp_path: Path) -> None:
    _, waiting = await filled(tmp_path)
    await set_shards(tmp_path, 2, quietly)
    async with sharded(tmp_path) as owners:
        await go(owners.verbs, waiting)
        seen: dict[str, list[int]] = {}
        ended = set[str]()
        begin = Position.joined([Position.BEGIN] * 2, await owners.verbs._shards[0].call("position", LOCAL))
        async with aclosing(owners.verbs.follow(LOCAL, position=begin)) as feed, asyncio.timeout(60):
            async for _, name, data in feed:
                seen.setdefault(data["run"], []).append(data["seq"])
                ended |= {data["run"]} if name == "run_finished" else set()
                if ended >= set(waiting):
                    break
    assert all(seen[run_id] == list(range(len(seen[run_id]))) for run_id in waiting)


async def test_a_reader_that_goes_away_ends_its_feed_of_a_shard_that_owns_nothing() -> None:
    ended = asyncio.Event()

    async def endless(who: Any) -> AsyncIterator[Any]:
        try:
            await asyncio.Event().wait()
            yield
        finally:
            ended.set()

    main: Any = None
    shard = RetiredShard(1, main, AFTER)
    shard._is_open, shard._inner = True, {"milestones": endless}
    reading = asyncio.ensure_future(anext(aiter(shard.stream("milestones", LOCAL))))
    await asyncio.wait({reading}, timeout=0.01)
    await end_tasks(reading)
    assert ended.is_set()
