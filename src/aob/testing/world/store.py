"""The reference store behind a simulated disk and line, both of which fail at random."""

import asyncio
from collections.abc import Callable, Sequence
from random import Random

from aob.backends.memory.store import MemoryStore
from aob.core.answers import JsonObject
from aob.core.errors import Unavailable
from aob.core.event import Message, MessageMark
from aob.ports.store import (
    Batch,
    EndedQuery,
    Head,
    HeadQuery,
    Holding,
    JournalRow,
    Leftover,
    Removal,
    Segment,
    StaleEpoch,
    TicketRow,
    TimerRow,
)
from aob.testing.world.options import Options


class SimStore:
    """One owner's handle: the port `Store` with faults; listings come in small pages."""

    def __init__(self, inner: MemoryStore, dice: Random, options: Options, told: Callable[[str], None]) -> None:
        self.inner, self.options, self.dead = inner, options, False
        self._dice, self._told = dice, told
        self._away_until = 0.0

    # -- faults -----------------------------------------------------------------------------------------------------

    async def _alive(self) -> None:
        if self.dead:
            await asyncio.get_running_loop().create_future()

    def _chance(self, rate: float) -> bool:
        return rate > 0 and self._dice.random() < rate

    async def _reached(self, what: str, rate: float = 0.0) -> None:
        """Raises Unavailable while the store is down, or when it fails now."""
        await self._alive()
        now = asyncio.get_running_loop().time()
        if self._chance(rate):
            self._away_until = now + self.options.trouble_ms * (0.5 + self._dice.random()) / 1_000
            self._told(f"store away ({what})")
        if now < self._away_until:
            raise Unavailable("the simulated disk is full", code="disk_full")

    async def _slow(self) -> None:
        if self._chance(self.options.commit_slow):
            await asyncio.sleep(self._dice.random() * self.options.slow_ms / 1_000)
            await self._alive()

    # -- the port ---------------------------------------------------------------------------------------------------

    async def take(self) -> int:
        await self._reached("take", self.options.commit_fails)
        return await self.inner.take()

    async def commit(self, batch: Batch) -> int | StaleEpoch:
        """Write the batch; it may fail before, be slow before and after, or lose its reply."""
        await self._slow()
        await self._reached(f"commit {batch.row}", self.options.commit_fails)
        answer = await self.inner.commit(batch)
        if isinstance(answer, StaleEpoch):
            self._told(f"commit {batch.row} fenced: epoch {batch.epoch} is not {answer.held_epoch}")
            return answer
        await self._slow()
        if self._chance(self.options.commit_replies_lost):
            self._told(f"commit {batch.row} written, reply lost")
            raise Unavailable("the simulated line broke after the write", code="store_failed")
        return answer

    async def last(self) -> tuple[int, int, int]:
        await self._reached("last", self.options.commit_fails / 4)
        return await self.inner.last()

    async def journal(self, after: int, limit: int = 1_000) -> list[JournalRow]:
        await self._reached("journal", self.options.commit_fails / 4)
        return await self.inner.journal(after, limit)

    async def head(self, stream: str) -> Head | None:
        await self._alive()
        return await self.inner.head(stream)

    async def heads_of(self, streams: Sequence[str]) -> dict[str, Head]:
        await self._alive()
        return await self.inner.heads_of(streams)

    async def heads(self, query: HeadQuery) -> list[Head]:
        await self._alive()
        return await self.inner.heads(query)

    async def live(self, kind: str, after: tuple[str, str] = ("", ""), limit: int = 1_000) -> list[Head]:
        await self._reached("live")
        return await self.inner.live(kind, after, min(limit, 3))

    async def ended(self, query: EndedQuery) -> list[Head]:
        await self._alive()
        return await self.inner.ended(query)

    async def removed(self, stream: str) -> Removal | None:
        await self._alive()
        return await self.inner.removed(stream)

    async def leftovers(self, before_ms: int, limit: int = 1_000, since_ms: int = 0) -> list[Leftover]:
        await self._alive()
        return await self.inner.leftovers(before_ms, limit, since_ms)

    async def all_segments(self, after: tuple[str, int], limit: int) -> list[Segment]:
        await self._reached("segments")
        return await self.inner.all_segments(after, limit)

    async def segments(self, stream: str, after: int = 0, limit: int = 1_000_000) -> list[Segment]:
        await self._reached("segments")
        return await self.inner.segments(stream, after, limit)

    async def timers(self, until_ms: int, limit: int = 1_000, after: TimerRow | None = None) -> list[TimerRow]:
        await self._reached("timers")
        return await self.inner.timers(until_ms, min(limit, 3), after)

    async def tickets(self, after: tuple[str, str] = ("", ""), limit: int = 1_000) -> list[TicketRow]:
        await self._reached("timers")
        return await self.inner.tickets(after, min(limit, 3))

    async def live_count(self) -> int:
        await self._alive()
        return await self.inner.live_count()

    async def holder(self, id: str) -> str:
        await self._alive()
        return await self.inner.holder(id)

    async def tickets_whole(self) -> bool:
        await self._alive()
        return await self.inner.tickets_whole()

    async def holding(self) -> Holding:
        await self._reached("holding")
        return await self.inner.holding()

    async def outbox(self, after: tuple[int, int, int, int] | None = None, limit: int = 1_000) -> list[Message]:
        await self._reached("outbox")
        return await self.inner.outbox(after, min(limit, 3))

    async def message_marks(self) -> tuple[list[MessageMark], list[MessageMark]]:
        await self._alive()
        return await self.inner.message_marks()

    async def value(self, tenant: str, digest: bytes) -> bytes | None:
        await self._reached("value", self.options.commit_fails / 4)
        return await self.inner.value(tenant, digest)

    async def rows(self, view: str, limit: int = 1_000) -> list[JsonObject]:
        await self._alive()
        return await self.inner.rows(view, limit)

    async def close(self) -> None:
        """Nothing to close."""
