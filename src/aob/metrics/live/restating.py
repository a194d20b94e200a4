"""What is told anew from the log while life goes on: tiles with values taken back, subjects that were touched too late.

All that a tenant waits for is gathered and told by one pass over its log, beside the loop; it takes its place piece by
piece. Passes of a tenant are far enough apart to take a twentieth of its time at most.
"""

import asyncio
import time
from typing import Final

from aob.core.accepted_event import SKEW_MAX_MS
from aob.core.errors import AobError
from aob.core.metric import Restatement
from aob.metrics.live.tenant import Numbers
from aob.metrics.live.whole import Whole, chunks
from aob.ports.event_log import Row
from aob.ports.logger import Logger

PASS_S: Final = 10.0
"""Seconds from the end of a pass over a large log to the next one."""
SHARE: Final = 20
"""A short pass may be followed sooner, after so many times as long as it took."""
GATHER_S: Final = 0.02
"""How long what is to be told anew is gathered before a pass begins."""
AGAIN_S: Final = 1.0
ROUNDS_MAX: Final = 4
"""How often one pass follows what came while it was made; what is still touched then waits for the next."""
PIECES: Final = 50
"""Tiles and subjects that take their place before others have their turn."""
WAIT_S: Final = 10.0
"""How long a read that asks for a position waits for what is told anew."""

log: Final = Logger("aob.metrics")


class Restating:
    """Passes of all tenants, one at a time for each."""

    def __init__(self, live: Whole) -> None:
        self._live = live
        self._passes: dict[str, asyncio.Task[None]] = {}
        self._waiters: dict[str, list[asyncio.Future[None]]] = {}
        self._next_s: dict[str, float] = {}
        self._told: dict[str, str] = {}

    async def close(self) -> None:
        """Leave off: it is begun again at the next start."""
        for task in self._passes.values():
            task.cancel()
        await asyncio.gather(*self._passes.values(), return_exceptions=True)

    def soon(self, tenant: str) -> None:
        """Something of a tenant is to be told anew."""
        running = self._passes.get(tenant)
        if running is None or running.done():  # one that has just ended looks no more
            self._passes[tenant] = asyncio.create_task(self._restate(tenant), name=f"aob-restate-{tenant}")

    async def settled(self, tenant: str, metric: str) -> None:
        """Waits until nothing of a metric is to be told anew, a while at most: its answer says when it still is."""
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
            except Exception as error:  # whatever it is, the old numbers stand, and it is tried again
                reason = error.detail if isinstance(error, AobError) else f"{type(error).__name__}: {error}"
                if self._told.get(tenant) != reason:  # once, however often it is tried
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
        """One pass over the log, and what came meanwhile."""
        live, fold = self._live, numbers.fold
        wanted = Restatement(fold)
        at = 0
        if wanted.own_time:
            at = await live.events.row_before(wanted.since_ms - SKEW_MAX_MS)
        for _ in range(ROUNDS_MAX):
            for _ in wanted.refresh():
                await asyncio.sleep(0)
            until = numbers.row
            await self._read(numbers.tenant, wanted, at, until)
            at = max(at, until)
            await asyncio.to_thread(wanted.work_out)
            more = True
            while more:
                if fold is not numbers.fold:
                    return  # filled anew meanwhile: its own pass follows
                more = wanted.apply(PIECES)
                live.keeping.changed()
                await asyncio.sleep(0)
            if not wanted.left:
                break
        moved = frozenset(name for metric in wanted.metrics for name in numbers.restated(metric))
        live.tell_moved(numbers.tenant, moved)

    async def _read(self, tenant: str, wanted: Restatement, at: int, until: int) -> None:
        """Let it look at rows of the log, beside the loop."""

        def look(rows: list[Row]) -> None:
            for row in rows:
                wanted.read(self._live.reread(row))

        async for rows in chunks(self._live.rows(at, until, tenant)):
            await asyncio.to_thread(look, rows)
