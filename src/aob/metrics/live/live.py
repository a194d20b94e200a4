"""The live numbers of all tenants: groups of the event log in, what moved out. Folded before an ingest is answered.

State is a snapshot (pages) and the rows after it; recovery goes through the same fold. A changed metric is filled from
the log beside the old one and takes its place at once, between two events.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Final

from aob.core.errors import Unavailable
from aob.core.event import Positions
from aob.core.ingest import Event
from aob.core.metric import warm
from aob.core.opening import Opening
from aob.gate import Commit
from aob.metrics.contracts import Contracts
from aob.metrics.live.filling import Filling
from aob.metrics.live.keeping import Keeping
from aob.metrics.live.restating import Restating
from aob.metrics.live.tenant import Numbers, fold_hash
from aob.metrics.live.whole import Memory
from aob.ports.event_log import EventLog, Row, ends_of, rows_behind
from aob.ports.logger import Logger
from aob.ports.pages import OwnedPages

ROWS_AT_ONCE: Final = 200
WAIT_S: Final = 10.0
"""How long a read waits for the position that it asks for."""

log: Final = Logger("aob.metrics")


class Live:
    """All tenants. Recover the contracts first, then enter it; `written` is called for each group of a commit."""

    def __init__(
        self, events: EventLog, pages: OwnedPages, contracts: Contracts, memory: Memory, now_ms: Callable[[], int]
    ) -> None:
        self.events, self.contracts, self.memory, self.now_ms = events, contracts, memory, now_ms
        self.tenants: dict[str, Numbers] = {}
        self.at = [0] * events.partitions
        """How far each partition of the log is folded."""
        self.positions = Positions(Positions.EVENTS, 1, events.partitions)
        """Which life of its home this is: positions of another one are refused."""
        self.heard: list[Callable[[Commit], None]] = []
        """Called after each group is folded, in the order of the log."""
        self.moved: list[Callable[[str, frozenset[str]], None]] = []
        """Called when numbers have moved that no group moved."""
        self.opening = Opening()
        """How far recovery has come."""
        self.recovered_events = 0
        self.born_ms = now_ms()
        self.keeping, self.filling, self.restating = Keeping(self, pages), Filling(self), Restating(self)
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
        """Load the library of sketches beside the loop, before the first sketch outgrows what is counted exactly."""
        if self._warming is None:
            self._warming = asyncio.create_task(_warmed(), name="aob-metrics-warm")

    def numbers(self, tenant: str) -> Numbers:
        """The numbers of a tenant; fresh ones for one that has none yet."""
        found = self.tenants.get(tenant)
        if found is None:
            found = self.tenants[tenant] = Numbers(tenant, self.contracts.own(tenant), self.contracts.platform)
            found.filled_by = fold_hash(found.contracts)
            found.forget(self.now_ms())  # what is old goes to large tiles at once
        return found

    def written(self, group: Commit) -> None:
        """A group is durable: fold it, and let everybody know. Never waits."""
        if self._warming is None:
            self.warm()
        self._fold(group)
        if self._arrived:
            self._arrive()
        if self.tenants[group.tenant].fold.restating:
            self.restating.soon(group.tenant)

    @property
    def row(self) -> int:
        """How far the only partition is folded; readers of the past know no other log yet."""
        (row,) = self.at
        return row

    def position(self) -> str:
        """What is folded, as a token."""
        if len(self.at) == 1:
            return self.positions.token(self.at[0])
        return self.positions.written(dict(enumerate(self.at)))

    def _reached(self, rows: Sequence[int]) -> bool:
        return all(row <= at for row, at in zip(rows, self.at, strict=True))

    def tell_moved(self, tenant: str, metrics: frozenset[str]) -> None:
        """Numbers have moved that no group of events moved: the platform's, or those that were made again."""
        for tell in self.moved:
            tell(tenant, metrics)

    async def reach(self, position: str) -> None:
        """Waits until a position is folded. Raises Unavailable `position_ahead` when it does not come."""
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
            raise Unavailable(
                f"this position was not reached within {WAIT_S:.0f} s", code="position_ahead", retry_after_s=1,
                hint="use a position that an answer of this server gave you",
            ) from None  # fmt: skip
        finally:
            if arrival in self._arrived:
                self._arrived.remove(arrival)

    async def rows(self, after: int, until: int, tenant: str = "", partition: int = 0) -> AsyncIterator[Row]:
        """Rows of the log behind one row and up to another, of a tenant or all; others have their turn between."""
        while after < until:
            found = await self.events.rows(after, ROWS_AT_ONCE, tenant, partition)
            if not found:
                return
            for row in found:
                if row.row > until:
                    return
                yield row
                after = row.row

    # -- recovery ---------------------------------------------------------------------------------------------------

    async def _recover(self) -> None:
        behind = await self.keeping.recover()
        begin = sum(self.at)
        self.opening.begin("events", max(0, sum(await ends_of(self.events)) - begin))
        while rows := await rows_behind(self.events, self.at, ROWS_AT_ONCE):
            for row in rows:
                self._again(row)
            self.opening.done = sum(self.at) - begin
            await asyncio.sleep(0)
        for tenant in behind:
            await self.filling.fill(tenant, self.numbers(tenant).contracts)
        for tenant, numbers in self.tenants.items():
            if numbers.fold.restating:
                self.restating.soon(tenant)

    def reread(self, row: Row) -> list[Event]:
        """The events of a row of the log; none of one that cannot be read, which is set aside with its reason."""
        try:
            return self.memory.gate(row.tenant).reread(row.lines, row.notes, row.first)
        except Exception as error:  # whatever lies in it: it stops no start, no fill, and no neighbour
            reason = f"{type(error).__name__}: {error}"
            if self.numbers(row.tenant).set_aside(row.row, row.count, reason):
                log.error("row_set_aside", tenant=row.tenant, row=row.row, events=row.count, reason=reason)
                self.keeping.changed()
            return []

    def _again(self, row: Row) -> None:
        events = self.reread(row)
        self.numbers(row.tenant).accepted += row.count - len(events)
        self.memory.remember(row.tenant, events)
        self.recovered_events += row.count
        self._fold(Commit.of_row(row, events, again=True))

    def _fold(self, group: Commit) -> None:
        numbers = self.numbers(group.tenant)
        numbers.accepted += len(group.events)
        numbers.duplicate += group.duplicate
        numbers.rejected += group.rejected
        try:
            group.moved = numbers.add(group.events, group.row)
        except Exception:  # then and at the next start alike; what else it holds is counted
            log.exception("fold_failed", tenant=group.tenant, row=group.row)
        for metric, fault in numbers.faults().items():
            log.error("metric_fault", tenant=group.tenant, metric=metric, row=group.row, fault=fault)
        self.at[group.partition] = group.row
        self.keeping.changed(len(group.events) + 1)
        for hear in self.heard:
            try:
                hear(group)
            except Exception:  # who hears it does not keep others from hearing it
                log.exception("hearing_failed", tenant=group.tenant, row=group.row)

    def _arrive(self) -> None:
        waiting = self._arrived
        self._arrived = [(rows, future) for rows, future in waiting if not self._reached(rows)]
        for rows, future in waiting:
            if self._reached(rows) and not future.done():
                future.set_result(None)


async def _warmed() -> None:
    with suppress(ImportError):  # it is not installed: only a metric that needs it says so
        await asyncio.to_thread(warm)
