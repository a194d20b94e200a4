"""The live numbers of all tenants. Folds commits of the event log before an ingest is answered. State is a snapshot
(pages) and the rows after it; recovery uses the same fold. A changed metric is filled from the log in the background
and replaces the old one at once, between two events."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from aob.core.errors import Unavailable
from aob.core.event import Positions
from aob.core.metric import warm
from aob.core.opening import Opening
from aob.gate import Commit
from aob.metrics.contracts import Contracts
from aob.metrics.live.backfill import Backfill
from aob.metrics.live.live_host import ROWS_AT_ONCE, LiveHost, Memory
from aob.metrics.live.restating import Restating
from aob.metrics.live.snapshots import Snapshots
from aob.ports.event_log import EventLog, Row
from aob.ports.logger import Logger
from aob.ports.pages import OwnedPages

WAIT_S: Final = 10.0  # how long a read waits for its position

log: Final = Logger("aob.metrics")


class Live(LiveHost):
    """All tenants. Recover the contracts first, then enter it; `written` is called for each group of a commit."""

    def __init__(
        self, events: EventLog, pages: OwnedPages, contracts: Contracts, memory: Memory, now_ms: Callable[[], int]
    ) -> None:
        super().__init__(events, contracts, memory, now_ms)
        self.positions = Positions(Positions.EVENTS, 1, events.partitions)
        """The home's generation: positions of another one are refused."""
        self.heard: list[Callable[[Sequence[Commit]], None]] = []
        """Called after each fold, in log order, with the groups that it was of: one tenant's of one commit. They have
        moved the same metrics."""
        self.opening = Opening()  # the progress of recovery
        self.recovered_events = 0
        self.born_ms = now_ms()
        self.keeping, self.filling, self.restating = Snapshots(self, pages), Backfill(self), Restating(self)
        self.changed, self.restate = self.keeping.changed, self.restating.soon
        self._arrived: list[tuple[tuple[int, ...], asyncio.Future[None]]] = []
        self._warming: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Live":
        await self._recover()
        self.contracts.changed.append(self.filling.changed)
        self.keeping.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._warming is not None:
            await asyncio.gather(self._warming, return_exceptions=True)
        await self.filling.close()
        await self.restating.close()
        await self.keeping.close()

    def warm(self) -> None:
        """Load the library of sketches in a thread, before the first sketch exceeds exact counting."""
        if self._warming is None:
            self._warming = asyncio.create_task(_warmed(), name="aob-metrics-warm")

    def written(self, groups: Sequence[Commit]) -> None:
        """Groups of one tenant, each of another partition, are durable: folds them together and notifies subscribers.
        Never waits."""
        if self._warming is None:
            self.warm()
        self._fold(groups)
        if waiting := self._arrived:
            self._arrived = [(rows, future) for rows, future in waiting if not self._reached(rows)]
            for rows, future in waiting:
                if self._reached(rows) and not future.done():
                    future.set_result(None)
        tenant = groups[0].tenant
        if self.tenants[tenant].fold.restating:
            self.restating.soon(tenant)

    def position(self, rows: Sequence[int] = ()) -> str:
        """The folded position, or that of rows of each partition, as a token."""
        return self.positions.written(dict(enumerate(rows or self.at)))

    def _reached(self, rows: Sequence[int]) -> bool:
        return all(row <= at for row, at in zip(rows, self.at, strict=True))

    async def reach(self, position: str) -> None:
        """Waits until a position is folded. Raises Unavailable `position_ahead` on timeout."""
        rows = self.positions.rows(position)
        if self._reached(rows):
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        arrival = rows, future
        self._arrived.append(arrival)
        try:
            async with asyncio.timeout(WAIT_S):
                await future
        except TimeoutError:
            why = f"this position was not reached within {WAIT_S:.0f} s"
            hint = "use a position that an answer of this server gave you"
            raise Unavailable(why, code="position_ahead", retry_after_s=1, hint=hint) from None
        finally:
            if arrival in self._arrived:
                self._arrived.remove(arrival)

    # -- recovery ---------------------------------------------------------------------------------------------------

    async def _recover(self) -> None:
        behind = await self.keeping.recover()
        ends = await self.events.last_rows()
        self.opening.begin("events", max(0, sum(ends) - sum(self.at)))
        async for row in self.rows(self.ends, ends):
            self._again(row)
            self.opening.done += 1
            if not self.opening.done % ROWS_AT_ONCE:
                await asyncio.sleep(0)
        for tenant in behind:
            await self.filling.fill(tenant, self.numbers(tenant).contracts)
        for tenant, numbers in self.tenants.items():
            if numbers.fold.restating:
                self.restating.soon(tenant)

    def _again(self, row: Row) -> None:
        events = self.reread(row)
        self.numbers(row.tenant).accepted += row.count - len(events)
        self.memory.remember(row.tenant, events)
        self.recovered_events += row.count
        self._fold([Commit.of_row(row, events, again=True)])

    def _fold(self, groups: Sequence[Commit]) -> None:
        tenant, row = groups[0].tenant, groups[0].row
        numbers, moved = self.numbers(tenant), frozenset[str]()
        for group in groups:
            numbers.accepted += len(group.events)
            numbers.duplicate += group.duplicate
            numbers.rejected += group.rejected
        events = groups[0].events if len(groups) == 1 else [event for group in groups for event in group.events]
        try:
            moved = numbers.add(events, {group.partition: group.row for group in groups})
        except Exception:  # the same at the next start; the rest of the groups is counted
            log.exception("fold_failed", tenant=tenant, row=row)
        for metric, fault in numbers.faults().items():
            log.error("metric_fault", tenant=tenant, metric=metric, row=row, fault=fault)
        for group in groups:
            group.moved = moved
            self.at[group.partition] = group.row
        self.keeping.changed(len(events) + len(groups))
        for hear in self.heard:
            try:
                hear(groups)
            except Exception:  # one listener's error does not affect the others
                log.exception("hearing_failed", tenant=tenant, row=row)


async def _warmed() -> None:
    with suppress(ImportError):  # not installed: a metric that needs it reports that
        await asyncio.to_thread(warm)
