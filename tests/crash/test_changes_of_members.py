"""Members that join, hand over and are killed, one after the other, under load: callers who ask nothing twice, readers
of a fanout, and starts that are noted outside as they are answered, as is what handlers did."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from aob.client import AsyncClient
from tests.crash.callers import Callers, called
from tests.crash.cluster import KEY, Cluster, Member, comes
from tests.crash.test_coordinators import SHARDS, loaded, two
from tests.crash.test_coordinators import schema as schema
from tests.crash.test_kill_on_postgres import Load
from tests.network.test_fanout import Frame, Stream
from tests.servers.fixtures import Schema

pytestmark = pytest.mark.timeout(240)
READERS = 3
Event = tuple[str, int]


class Told:
    """A stream of everything, which is read on and on."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while await self.stream.next():
            pass

    async def all_once(self, wanted: set[Event], before: list[Frame]) -> None:
        """It has told these events, after what stood before, each once and each run's in its order."""
        seen, events = 0, list[Event]()

        def complete() -> bool:
            nonlocal seen
            fresh = ([*before, *self.stream.frames])[seen:]
            seen += len(fresh)
            events.extend(each for frame in fresh if (each := (frame.data["run"], frame.data["seq"])) in wanted)
            return len(events) >= len(wanted) or self.reading.done()

        await comes(complete)
        assert Counter(events) == Counter(wanted)
        orders: dict[str, list[int]] = {}
        for run_id, seq in events:
            orders.setdefault(run_id, []).append(seq)
        assert all(order == sorted(order) for order in orders.values())


class Busy:
    """What goes on while members change, and what is looked at afterwards."""

    def __init__(self, made: Cluster, client: AsyncClient, load: Load, callers: Callers) -> None:
        self.made, self.client, self.load, self.callers = made, client, load, callers

    async def until(self, more: int) -> None:
        """So many more of each are answered."""
        await asyncio.gather(self.load.until(more), self.callers.until(more))

    async def other_than(self, main: Member) -> Member:
        """A living member that is not the main process."""
        return next(each for each in self.made.members if each is not main and each.process.returncode is None)


@asynccontextmanager
async def busy(folder: Path, schema: Schema, *, keys: bool) -> AsyncIterator[Busy]:
    """Two members, an api, a fanout and those who ask them. At the end: nothing acknowledged is lost, each visit has
    succeeded once, no caller was refused anything, each reader was told everything once."""
    load = Load()
    async with two(folder, schema) as (made, client), AsyncExitStack() as stack:
        url = await made.fanout(*made.members)
        readers = [await Stream.open(url, "/v1/runs/events", KEY) for _ in range(READERS)]
        for reader in readers:
            await stack.enter_async_context(reader)
            await reader.placed()
        told = [Told(each) for each in readers]
        async with loaded(client, load, lanes=2), called(made.urls[0], keys=keys) as callers:
            yield Busy(made, client, load, callers)
        await load.settled(client, made.ledger)
        await load.ended_well(client, callers.ids)
        half = (await told[0].stream.has(30))[:30]
        resumed = await stack.enter_async_context(await Stream.open(url, "/v1/runs/events", KEY, half[-1].id))
        wanted = {(run_id, seq) for run_id, seqs in load.told.items() for seq in seqs}
        for each in told:
            await each.all_once(wanted, [])
        await Told(resumed).all_once(wanted, half)


async def test_members_that_join_and_hand_over_lose_nothing_and_give_no_caller_an_error(
    tmp_path: Path, schema: Schema
) -> None:
    async with busy(tmp_path, schema, keys=False) as it:
        await it.until(15)
        await it.made.member("three")
        assert len((await it.made.spread(SHARDS))["three"]) == 1, "one that joins gets its part"
        await it.until(10)
        main = await it.made.main()
        for ended in (await it.other_than(main), main):
            ended.process.terminate()
            assert await ended.process.wait() == 0
            await it.until(15)
            await it.made.spread(SHARDS)
        pids = {line.partition(" ")[0] for line in it.made.ledger.read_text().splitlines()}
        assert pids == {str(member.pid) for member in it.made.members}, "runs were on all"


async def test_members_that_are_killed_lose_nothing_and_cost_callers_a_wait(tmp_path: Path, schema: Schema) -> None:
    async with busy(tmp_path, schema, keys=True) as it:
        await it.until(15)
        main = await it.made.main()
        other = await it.other_than(main)
        other.process.kill()
        ready = await it.callers.http.get("/health/ready")
        assert ready.status_code == 200, "some shards have their owner"
        await it.until(15)
        assert list(await it.made.spread(SHARDS)) == [main.name]
        third = await it.made.member("three")
        await it.made.spread(SHARDS)
        main.process.kill()
        await it.until(15)
        assert list(await it.made.spread(SHARDS)) == [third.name]
        numbers = await it.made.member("numbers", "metrics")
        await it.made.main(numbers)
        assert (await numbers.state())["shards"] == [0], "the role metrics has the first shard until it is killed"
        await it.until(10)
        numbers.process.kill()
        await it.until(10)
        assert await it.made.main() is third
