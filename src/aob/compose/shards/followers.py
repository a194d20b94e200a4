"""Followers in the main process of the owners' journals: each resumes at its own mark, and fails alone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from aob.compose.loop import end_tasks
from aob.compose.metrics import Wiring
from aob.compose.notices import Asked, Notices
from aob.compose.shards.journal_feed import Milestones
from aob.compose.shards.local import Shard
from aob.compose.wire import DOWN, LOST
from aob.core.errors import AobError, Unavailable
from aob.core.event import WHOLE
from aob.core.policy import Caller
from aob.metrics.platform import Slice
from aob.ports.logger import Logger
from aob.runs import Fact

NOBODY: Final = Caller("aob", "aob", frozenset())  # the caller of requests between the processes of a home
BEGUN_S: Final = 10.0  # how long a start waits until the runs of all shards can be read
AWAY: Final = "store_away"
AGAIN_S: Final = 1.0  # pause after a follower fails
ELSEWHERE: Final = frozenset(("not_owner", "shard_unowned"))  # another process will have the shard
ELSEWHERE_S: Final = 0.1

log: Final = Logger("aob.compose")


class Followers:
    """Follow the owners once they are there; close it before they go."""

    def __init__(self, wiring: Wiring, notices: Notices) -> None:
        self._wiring, self._people = wiring, notices
        self._tasks: dict[int, list[asyncio.Task[None]]] = {}
        self._begun: dict[int, asyncio.Event] = {}
        self._rows: dict[int, int] = {}  # by shard, the row up to which its milestones were handled here

    async def begin(self, shards: Sequence[Shard], *, wait: bool = True) -> None:
        """Follow these, and wait until their runs can be read."""
        for shard in shards:
            self.follow(shard)
        if not wait:
            return
        with suppress(TimeoutError):  # an owner that died meanwhile is awaited in the background
            async with asyncio.timeout(BEGUN_S):
                await asyncio.gather(*(self._begun[shard.number].wait() for shard in shards if shard.up))

    def follow(self, shard: Shard) -> None:
        """Follow one more."""
        self._begun[shard.number] = asyncio.Event()
        self._tasks[shard.number] = [
            asyncio.create_task(_for_ever(shard, follow), name=f"aob-follow-{shard.number}")
            for follow in (self._numbers, self._milestones, self._notices)
        ]

    async def drop(self, number: int) -> None:
        """Stop following one, where it stands."""
        await end_tasks(*self._tasks.pop(number, ()))

    async def close(self) -> None:
        """Stop following."""
        for number in list(self._tasks):
            await self.drop(number)

    async def _numbers(self, shard: Shard) -> None:
        platform = self._wiring.platform
        after, runs = platform.place(shard.number)
        async for told in _items(shard, "numbers", after=after, runs=runs):
            platform.take(shard.number, msgspec.convert(told, Slice))

    async def _milestones(self, shard: Shard) -> None:
        """Hand on the milestones of a shard from the first start on; a webhook that falls behind reads by itself."""
        wiring, number = self._wiring, shard.number
        async for item in _items(shard, "milestones", after=self._rows.get(number, WHOLE)):
            told = msgspec.convert(item, Milestones)
            if number not in self._rows:
                self._rows[number] = told.end
                wiring.runs_are_there(number, RemoteRuns(shard), told.end)
                self._begun[number].set()
            elif told.row > self._rows[number] or told.facts:
                wiring.milestones(number, told.read(), told.row)
                self._rows[number] = told.row

    async def _notices(self, shard: Shard) -> None:
        async def find(run_id: str, ticket_id: str) -> Asked | None:
            return msgspec.convert(await shard.call("ticket_of", None, run_id, ticket_id), Asked | None)

        async for item in _items(shard, "milestones", after=self._people.place(shard.number)):
            told = msgspec.convert(item, Milestones)
            await self._people.begin(shard.number, told.end)
            await self._people.take(shard.number, told.read(), min(told.row, told.end), find)


class RemoteRuns:
    """The milestones of runs of another process: `RunReads`."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def read(self, after: int) -> tuple[Sequence[Fact], int, int]:
        """One batch after a row. Raises Unavailable while their owner is down."""
        told = msgspec.convert(await self._shard.call("read_milestones", None, after), Milestones)
        return told.read(), told.row, told.end


async def _items(shard: Shard, verb: str, **place: Any) -> AsyncIterator[Any]:
    feed = shard.stream(verb, NOBODY, **place)
    try:
        async for item in feed:
            yield item
    finally:
        close = getattr(feed, "aclose", None)
        if close is not None:
            await close()


async def _for_ever(shard: Shard, follow: Callable[[Shard], Awaitable[None]]) -> None:
    while True:
        await shard.ready()
        try:
            await follow(shard)
        except Exception as error:
            if isinstance(error, Unavailable) and error.code == AWAY:
                log.warning("follower_waits", shard=shard.number, detail=error.detail)
                await asyncio.sleep(AGAIN_S)
            elif isinstance(error, Unavailable) and error.code in ELSEWHERE:
                await asyncio.sleep(ELSEWHERE_S)
            elif not isinstance(error, Unavailable) or error.code not in (LOST, DOWN):
                known = error.code if isinstance(error, AobError) else ""
                log.error("follower_broke", shard=shard.number, code=known, exc_info=error)
                await asyncio.sleep(AGAIN_S)
