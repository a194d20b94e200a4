"""The reference store behind a simulated disk and line, and pages of state on that disk: they fail at random."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any, Final

from aob.backends.memory.pages import MemoryPages
from aob.backends.memory.store import MemoryStore
from aob.core.errors import Unavailable
from aob.core.event import Message
from aob.ports.store import Batch, Head, StaleEpoch, TicketRow, TimerRow
from aob.testing.world.options import Options

RATES: Final = {"take": 1, "last": 0.25, "journal": 0.25, "value": 0.25, "holding": 0, "segments": 0, "all_segments": 0}


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

    def __getattr__(self, name: str) -> Any:
        """All other methods of the port: those in `RATES` fail at a share of the rate of commits, or while away."""
        inner = getattr(self.inner, name)

        async def relayed(*args: Any, **named: Any) -> Any:
            await (self._reached(name, self.options.commit_fails * RATES[name]) if name in RATES else self._alive())
            return await inner(*args, **named)

        return relayed

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

    async def live(self, kind: str, after: tuple[str, str] = ("", ""), limit: int = 1_000) -> list[Head]:
        await self._reached("live")
        return await self.inner.live(kind, after, min(limit, 3))

    async def timers(self, until_ms: int, limit: int = 1_000, after: TimerRow | None = None) -> list[TimerRow]:
        await self._reached("timers")
        return await self.inner.timers(until_ms, min(limit, 3), after)

    async def tickets(self, after: tuple[str, str] = ("", ""), limit: int = 1_000) -> list[TicketRow]:
        await self._reached("timers")
        return await self.inner.tickets(after, min(limit, 3))

    async def outbox(self, after: tuple[int, int, int, int] | None = None, limit: int = 1_000) -> list[Message]:
        await self._reached("outbox")
        return await self.inner.outbox(after, min(limit, 3))

    async def close(self) -> None:
        """Nothing to close."""


class SpoiltPages(MemoryPages):
    """One life's view of the pages that all lives share: what is read is gone, damaged or one of before, at random."""

    def __init__(self, inner: MemoryPages, dice: Random, rate: float) -> None:
        self.__dict__ = inner.__dict__
        self._faults = dice, rate

    async def page(self, tenant: str, name: str) -> bytes | None:
        """One page, or what is left of it."""
        found = await super().page(tenant, name)
        dice, rate = self._faults
        if found is None or dice.random() >= rate:
            return found
        at = dice.randrange(len(found))
        flipped = found[:at] + bytes([found[at] ^ 1 << dice.randrange(8)]) + found[at + 1 :]
        return dice.choice([None, found[:at], flipped])
