"""The live numbers of all tenants: groups of the event log in, what moved out. Folded before an ingest is answered.

State is a snapshot (pages) and the rows after it; recovery goes through the same fold. A changed metric is filled from
the log beside the old one and takes its place at once, between two events.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from aob.core.accepted_event import SKEW_MAX_MS
from aob.core.contract import ContractSet
from aob.core.errors import AobError, Unavailable
from aob.core.ingest import Event, Gate
from aob.metrics.contracts import Contracts
from aob.metrics.live.positions import place
from aob.metrics.live.tenant import Numbers, fold_hash
from aob.ports.event_log import EventLog, Row
from aob.ports.logger import Logger
from aob.ports.pages import Pages

ROWS_AT_ONCE: Final = 200
SNAPSHOT_EVENTS: Final = 200_000
"""Events after which a snapshot is written."""
SNAPSHOT_S: Final = 10.0
"""And seconds after a first change that none holds."""
WAIT_S: Final = 10.0
"""How long a read waits for the position that it asks for."""
LAYOUT: Final = 1
"""Snapshots of another layout are not read: the log is."""
SLICE_EVENTS: Final = 2_000
"""Events folded in the background before others have their turn."""

log: Final = Logger("aob.metrics")


class Written(msgspec.Struct, eq=False, gc=False):
    """A group of a commit as it was folded: its row, when it was committed, its events in order, its counts, and the
    metrics that moved."""

    row: int
    at_ms: int
    tenant: str
    first: int
    events: Sequence[Event]
    lines: bytes
    duplicate: int
    rejected: int
    moved: frozenset[str] = frozenset()
    refused: Sequence[str] = ()
    """The types of the refused ones, as far as they said one; none at recovery."""


class Memory(Protocol):
    """The gate's memory of what has come: part of the snapshot, because it is owned together with the fold."""

    def gate(self, tenant: str) -> Gate:
        """The gate of a tenant as its contracts are now."""
        ...

    def remember(self, tenant: str, events: Sequence[Event]) -> None:
        """These events are in the log (told at recovery, in its order)."""
        ...

    async def settled(self) -> bool:
        """Waits until all that was claimed so far is written; false when some of it could not be."""
        ...

    def dump(self, *, full: bool = False) -> Mapping[tuple[str, str], bytes | None]:
        """Changed pages of what is remembered, or all of them."""
        ...

    def load(self, tenant: str, pages: Mapping[str, bytes]) -> None:
        """What `dump` gave for a tenant."""
        ...


class Live:
    """All tenants. Recover the contracts first, then enter it; `written` is called for each group of a commit."""

    def __init__(
        self, events: EventLog, pages: Pages, contracts: Contracts, memory: Memory, now_ms: Callable[[], int]
    ) -> None:
        self.events, self.pages, self.contracts, self.memory, self.now_ms = events, pages, contracts, memory, now_ms
        self.tenants: dict[str, Numbers] = {}
        self.row = 0
        self.heard: list[Callable[[Written], None]] = []
        """Called after each group is folded, in the order of the log."""
        self.moved: list[Callable[[str, frozenset[str]], None]] = []
        """Called when numbers of the platform have moved."""
        self.dumps: list[Callable[[], Mapping[tuple[str, str], bytes | None]]] = []
        """Further pages that belong to a snapshot."""
        self.marks: dict[str, int] = {}
        """How far other feeds were read into the platform's numbers."""
        self.recovered_events = 0
        self.saved_row = 0
        self._behind = 0
        self._whole = False
        """The last snapshot failed, so what it held is not known to be kept: the next one holds everything."""
        self._due, self._stop = asyncio.Event(), asyncio.Event()
        self._arrived: list[tuple[int, asyncio.Future[None]]] = []
        self._saver: asyncio.Task[None] | None = None
        self._fills: dict[str, asyncio.Task[None]] = {}
        self._recounts: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> "Live":
        await self._recover()
        self.contracts.changed.append(self._contracts_changed)
        self._saver = asyncio.create_task(self._save_often(), name="aob-metrics-snapshots")
        return self

    async def __aexit__(self, *exc: object) -> None:
        fills = [*self._fills.values(), *self._recounts.values()]
        for fill in fills:
            fill.cancel()
        await asyncio.gather(*fills, return_exceptions=True)
        self._stop.set()
        self._due.set()
        if self._saver is not None:
            await asyncio.gather(self._saver, return_exceptions=True)
            self._saver = None

    def numbers(self, tenant: str) -> Numbers:
        """The numbers of a tenant; fresh ones for one that has none yet."""
        found = self.tenants.get(tenant)
        if found is None:
            found = self.tenants[tenant] = Numbers(tenant, self.contracts.own(tenant), self.contracts.platform)
            found.filled_by = fold_hash(found.contracts)
        return found

    def written(self, group: Written) -> None:
        """A group is durable: fold it, and let everybody know. Never waits."""
        numbers = self.numbers(group.tenant)
        numbers.accepted += len(group.events)
        numbers.duplicate += group.duplicate
        numbers.rejected += group.rejected
        group.moved = numbers.add(group.events, group.row)
        self.row = group.row
        self._behind += len(group.events) + 1
        if self._behind >= SNAPSHOT_EVENTS or self._behind <= len(group.events) + 1:
            self._due.set()  # many events, or the first ones
        for hear in self.heard:
            hear(group)
        if self._arrived:
            self._arrive()
        if numbers.fold.wanted:
            self._recount_soon(group.tenant)

    def changed(self) -> None:
        """Something beside the log was folded: the next snapshot is due in a while."""
        self._behind += 1
        if self._behind == 1:
            self._due.set()

    def platform_moved(self, tenant: str, metrics: frozenset[str]) -> None:
        """Numbers of the platform have moved."""
        for tell in self.moved:
            tell(tenant, metrics)

    async def reach(self, position: str) -> None:
        """Waits until a position is folded. Raises Unavailable `position_ahead` when it does not come."""
        row, _ = place(position)
        if row <= self.row:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._arrived.append((row, future))
        try:
            async with asyncio.timeout(WAIT_S):
                await future
        except TimeoutError:
            raise Unavailable(
                f"this position was not reached within {WAIT_S:.0f} s", code="position_ahead", retry_after_s=1,
                hint="use a position that an answer of this server gave you",
            ) from None  # fmt: skip

    async def rows(self, after: int, until: int, tenant: str = "") -> AsyncIterator[Row]:
        """Rows of the log behind one row and up to another, of a tenant or all; others have their turn between."""
        while after < until:
            found = await self.events.rows(after, ROWS_AT_ONCE, tenant)
            if not found:
                return
            for row in found:
                if row.row > until:
                    return
                yield row
                after = row.row

    # -- recovery and snapshots -------------------------------------------------------------------------------------

    async def _recover(self) -> None:
        marks = await self.pages.marks()
        end, _ = await self.events.end()
        if marks.get("layout", LAYOUT) != LAYOUT or marks.get("events", 0) > end:
            await self.pages.clear()  # of another release, or of a log that is gone
            marks = {}
        self.row = self.saved_row = marks.get("events", 0)
        self.marks = {name: at for name, at in marks.items() if name not in ("events", "layout")}
        behind: list[str] = []
        for tenant in await self.pages.tenants():
            if not await self._load(tenant):
                behind.append(tenant)
        async for row in self.rows(self.row, end):
            self._again(row)
        for tenant in behind:
            await self._fill(tenant, self.numbers(tenant).contracts)
        for tenant, numbers in self.tenants.items():
            if numbers.fold.wanted:
                self._recount_soon(tenant)

    async def _load(self, tenant: str) -> bool:
        pages = await self.pages.load(tenant)
        numbers = self.numbers(tenant)
        self.memory.load(tenant, pages)
        if pages.get("plan", b"").decode() != numbers.filled_by:
            return False
        try:
            numbers.load(pages)
        except (msgspec.MsgspecError, ValueError, KeyError) as error:
            log.warning("snapshot_unreadable", tenant=tenant, error=str(error))
            return False
        return True

    def _again(self, row: Row) -> None:
        events = self.memory.gate(row.tenant).reread(row.lines, row.notes, row.first)
        self.memory.remember(row.tenant, events)
        numbers = self.numbers(row.tenant)
        numbers.accepted += row.count
        numbers.duplicate += row.duplicate
        numbers.rejected += row.rejected
        group = Written(row.row, row.at_ms, row.tenant, row.first, events, row.lines, row.duplicate, row.rejected)
        group.moved = numbers.add(events, row.row)
        self.row = row.row
        self.recovered_events += row.count
        self._behind += row.count + 1
        for hear in self.heard:
            hear(group)

    async def _save_often(self) -> None:
        while not self._stop.is_set():
            await self._due.wait()
            self._due.clear()
            if self._behind < SNAPSHOT_EVENTS and not self._stop.is_set():
                try:
                    async with asyncio.timeout(SNAPSHOT_S):
                        await self._due.wait()
                except TimeoutError:
                    pass
            try:
                await self.save()
            except AobError as error:
                log.warning("snapshot_failed", code=error.code, detail=error.detail)
                self._due.set()
                if not self._stop.is_set():
                    await asyncio.sleep(1)

    async def save(self) -> None:
        """Write what has changed since the last snapshot, all of one row."""
        if not self._behind:
            return
        now_ms = self.now_ms()
        row, behind, whole, self._whole = self.row, self._behind, self._whole, True
        pages: dict[tuple[str, str], bytes | None] = dict(self.memory.dump(full=whole))
        dropped: list[tuple[str, str]] = []
        for tenant, numbers in self.tenants.items():
            numbers.forget(now_ms)
            dropped += [(tenant, prefix) for prefix in numbers.renewed]
            pages |= {(tenant, name): data for name, data in numbers.dump(full=whole).items()}
            pages[(tenant, "plan")] = numbers.filled_by.encode()
        for dump in self.dumps:
            pages |= dump()
        marks = {**self.marks, "events": row, "layout": LAYOUT}
        # What the gate has claimed and not yet written must not be remembered as come when it cannot be written.
        if not await self.memory.settled():
            raise Unavailable("an append has failed meanwhile", code="store_failed")
        await self.pages.save(marks, pages, dropped)
        self._whole = False
        self._behind -= behind
        self.saved_row = row

    # -- contracts that change --------------------------------------------------------------------------------------

    async def _contracts_changed(self, tenant: str, before: ContractSet, after: ContractSet) -> list[str]:
        numbers = self.numbers(tenant)
        if fold_hash(after) == numbers.filled_by and tenant not in self._fills:
            numbers.adopt(after, None, None)
            return []
        new = [name for name, versions in after.metrics.items() if versions != before.metrics.get(name)]
        running = self._fills.pop(tenant, None)
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        if not numbers.accepted:
            numbers.restart(after)
            numbers.filled_by = fold_hash(after)
            return []
        numbers.filling = dict.fromkeys(new, 0.0)
        self._fills[tenant] = asyncio.create_task(self._filled(tenant, after), name=f"aob-fill-{tenant}")
        return sorted(new)

    async def _filled(self, tenant: str, contracts: ContractSet) -> None:
        while True:
            try:
                await self._fill(tenant, contracts)
                break
            except AobError as error:
                log.warning("fill_failed", tenant=tenant, code=error.code, detail=error.detail)
                await asyncio.sleep(1)
        self._fills.pop(tenant, None)

    async def _fill(self, tenant: str, contracts: ContractSet) -> None:
        """Fold the whole log of a tenant under contracts, then let them take the place of what was."""
        numbers = self.numbers(tenant)
        filled = Numbers(tenant, contracts, self.contracts.platform)
        gate = self.memory.gate(tenant)
        at, done = 0, 0
        while True:
            async for row in self.rows(at, self.row, tenant):
                events = gate.reread(row.lines, row.notes, row.first)
                for start in range(0, len(events), SLICE_EVENTS):
                    filled.add(events[start : start + SLICE_EVENTS], row.row)
                    await asyncio.sleep(0)
                at, done = row.row, done + row.count
                share = min(0.999, done / max(1, numbers.accepted))
                numbers.filling = dict.fromkeys(numbers.filling, share)
            # Nothing runs between this look and the change of places, so no row can come between.
            if at >= numbers.row:
                break
        filled.fold.forget(self.now_ms())
        numbers.adopt(contracts, filled.fold, filled.entities)
        numbers.filled_by = fold_hash(contracts)
        numbers.filling = {}
        self._behind += 1
        self._due.set()

    # -- what was taken back of metrics that cannot take back --------------------------------------------------------

    def _recount_soon(self, tenant: str) -> None:
        if tenant not in self._recounts:
            task = asyncio.create_task(self._recount(tenant), name=f"aob-recount-{tenant}")
            self._recounts[tenant] = task
            task.add_done_callback(lambda done: self._recounts.pop(tenant, None))

    async def _recount(self, tenant: str) -> None:
        """Count tiles anew from the log (`on_retract: refold`), one after the other, until none is left."""
        numbers = self.numbers(tenant)
        while spans := numbers.fold.wants_refold():
            fold, (metric, since, until) = numbers.fold, spans[0]
            try:
                events = await self._that_count(numbers, metric, since, until)
            except AobError as error:
                log.warning("recount_failed", tenant=tenant, metric=metric, code=error.code, detail=error.detail)
                await asyncio.sleep(1)
                continue
            if fold is numbers.fold:
                fold.refold(metric, since, until, events)
                self.platform_moved(tenant, numbers.restated(metric))
                self.changed()

    async def _that_count(self, numbers: Numbers, metric: str, since: int, until: int) -> list[Event]:
        """Every event in the log that may count for a metric in a span, and none that comes after it was asked."""
        contract = numbers.contracts.metric(metric)
        moved_in_time = contract is None or any(move.at for move in contract.moves)
        types = numbers.contracts.types_of(metric)
        gate = self.memory.gate(numbers.tenant)
        at = 0 if moved_in_time else await self.events.row_before(since - SKEW_MAX_MS)
        found: list[Event] = []
        while at < numbers.row:  # what came while the log was read is read as well
            last = numbers.row
            async for row in self.rows(at, last, numbers.tenant):
                for event in gate.reread(row.lines, row.notes, row.first):
                    if event.type in types and (moved_in_time or since <= event.at_ms < until):
                        found.append(event)
            at = last
        return found

    def filled(self, tenant: str) -> bool:
        """Whether no metric of a tenant is being filled."""
        return tenant not in self._fills

    def _arrive(self) -> None:
        waiting = self._arrived
        self._arrived = [(row, future) for row, future in waiting if row > self.row]
        for row, future in waiting:
            if row <= self.row and not future.done():
                future.set_result(None)
