"""Recomputes from the log what cannot be updated in place: tiles with retracted values, subjects with late events. All
of a tenant is gathered and recomputed by one pass over its log, in a thread, and applied piece by piece. Passes of a
tenant take at most a twentieth of its time."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from aob.core.accepted_event import SKEW_MAX_MS
from aob.core.errors import AobError
from aob.core.metric import Restatement
from aob.metrics.live.live_host import LiveHost
from aob.metrics.live.tenant import Numbers
from aob.ports.event_log import Row
from aob.ports.logger import Logger

PASS_S: Final = 10.0  # seconds between passes over a large log
SHARE: Final = 20  # a short pass may be followed sooner, after this multiple of its duration
GATHER_S: Final = 0.02  # how long changes are gathered before a pass begins
AGAIN_S: Final = 1.0
ROUNDS_MAX: Final = 4  # how often one pass repeats for new changes; the rest waits for the next pass
PIECES: Final = 50  # tiles and subjects applied between yields to the event loop
WAIT_S: Final = 10.0  # how long a read with a position waits for restatements

log: Final = Logger("aob.metrics")


class Restating:
    """Passes of all tenants, one at a time for each."""

    def __init__(self, live: LiveHost) -> None:
        self._live = live
        self._passes: dict[str, asyncio.Task[None]] = {}
        self._waiters: dict[str, list[asyncio.Future[None]]] = {}
        self._next_s: dict[str, float] = {}
        self._told: dict[str, str] = {}

    async def close(self) -> None:
        """Cancels all passes; they begin again at the next start."""
        for task in self._passes.values():
            task.cancel()
        await asyncio.gather(*self._passes.values(), return_exceptions=True)

    def soon(self, tenant: str) -> None:
        """Schedules a pass for a tenant."""
        running = self._passes.get(tenant)
        if running is None or running.done():  # a task that has just ended does not check again
            self._passes[tenant] = asyncio.create_task(self._restate(tenant), name=f"aob-restate-{tenant}")

    async def settled(self, tenant: str, metric: str) -> None:
        """Waits, for a limited time, until a metric needs no restatement; its answer says if it still does."""
        numbers = self._live.numbers(tenant)
        until_s = time.monotonic() + WAIT_S
        while numbers.fold.waits(metric) and (left_s := until_s - time.monotonic()) > 0:
            self.soon(tenant)
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.setdefault(tenant, []).append(future)
            await asyncio.wait((future,), timeout=left_s)

    async def _restate(self, tenant: str) -> None:
        numbers = self._live.numbers(tenant)
        while numbers.fold.restating:
            await asyncio.sleep(max(GATHER_S, self._next_s.get(tenant, 0.0) - time.monotonic()))
            begun_s = time.monotonic()
            try:
                await self._pass(numbers)
            except Exception as error:  # on any error the old numbers stay, and it is retried
                reason = error.detail if isinstance(error, AobError) else f"{type(error).__name__}: {error}"
                if self._told.get(tenant) != reason:  # logged once, however often it is retried
                    log.warning("restating_failed", tenant=tenant, error=reason)
                    self._told[tenant] = reason
                self._next_s[tenant] = time.monotonic() + AGAIN_S
                continue
            self._told.pop(tenant, None)
            took_s = time.monotonic() - begun_s
            self._next_s[tenant] = time.monotonic() + min(PASS_S, SHARE * took_s)
            for future in self._waiters.pop(tenant, []):
                if not future.done():
                    future.set_result(None)

    async def _pass(self, numbers: Numbers) -> None:
        """One pass over the log, repeated for changes made meanwhile."""
        live, fold = self._live, numbers.fold
        wanted, moved = Restatement(fold), set[str]()
        at = (0,) * len(live.at)
        if wanted.own_time:
            at = await live.events.rows_before(wanted.since_ms - SKEW_MAX_MS)
        for _ in range(ROUNDS_MAX):
            for _ in wanted.refresh():
                await asyncio.sleep(0)
            until = tuple([max(row, numbers.rows.get(partition, 0)) for partition, row in enumerate(at)])
            await self._read(numbers.tenant, wanted, at, until)
            at = until
            await asyncio.to_thread(wanted.work_out)
            more = True
            while more:
                if fold is not numbers.fold:
                    return  # filled again meanwhile: its own pass follows
                more = wanted.apply(PIECES)
                for metric in wanted.metrics:  # at once: a read in between would be given what the cache has
                    moved |= numbers.restated(metric)
                live.changed()
                await asyncio.sleep(0)
            if not wanted.left:
                break
        live.tell_moved(numbers.tenant, frozenset(moved))

    async def _read(self, tenant: str, wanted: Restatement, at: Sequence[int], until: Sequence[int]) -> None:
        """Lets the restatement scan rows of the log, in a thread."""

        def look(rows: list[Row]) -> None:
            for row in rows:
                wanted.read(self._live.reread(row))

        async for rows in self._live.chunks(at, until, tenant):
            await asyncio.to_thread(look, rows)
