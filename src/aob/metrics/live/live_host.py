"""The numbers of all tenants over the log of events: what snapshots, fills and restatements work on."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from aob.core.ingest import Event, Gate
from aob.metrics.contracts import Contracts
from aob.metrics.live.tenant import Numbers, fold_hash
from aob.ports.event_log import NUMBERS, EventLog, Row, rows_between
from aob.ports.logger import Logger

ROWS_AT_ONCE: Final = 200
CHUNK_EVENTS: Final = 2_000  # events of rows scanned in a thread in one go

log: Final = Logger("aob.metrics")


class Memory(Protocol):
    """The gate's deduplication memory: part of the snapshot, because it is owned together with the fold."""

    def gate(self, tenant: str) -> Gate: ...

    def remember(self, tenant: str, events: Sequence[Event]) -> None: ...

    async def settled(self) -> bool: ...

    def pages(self, *, full: bool = False) -> Iterator[tuple[tuple[str, str], bytes | None]]: ...

    def load(self, tenant: str, pages: Mapping[str, bytes]) -> bool: ...

    def clear(self) -> None: ...


class LiveHost:
    """The numbers of each tenant, and the log they are folded from. `changed` counts events that no snapshot has,
    `restate` schedules a restatement for a tenant."""

    changed: Callable[..., None]
    restate: Callable[[str], None]

    def __init__(self, events: EventLog, contracts: Contracts, memory: Memory, now_ms: Callable[[], int]) -> None:
        self.events, self.contracts, self.memory, self.now_ms = events, contracts, memory, now_ms
        self.tenants: dict[str, Numbers] = {}
        self.at = [0] * events.partitions  # how far each partition of the log is folded
        self.moved: list[Callable[[str, frozenset[str]], None]] = []
        """Called when numbers moved without a group of events."""

    def numbers(self, tenant: str) -> Numbers:
        """The numbers of a tenant; new ones if it has none yet."""
        found = self.tenants.get(tenant)
        if found is None:
            found = self.tenants[tenant] = Numbers(tenant, self.contracts.own(tenant), self.contracts.platform)
            found.filled_by = fold_hash(found.contracts)
            found.forget(self.now_ms())  # moves old data to large tiles at once
        return found

    @property
    def ends(self) -> tuple[int, ...]:
        """How far each partition of the log is folded."""
        return tuple(self.at)

    def tell_moved(self, tenant: str, metrics: frozenset[str]) -> None:
        """Reports numbers that moved without a group of events: the platform's, or rebuilt ones."""
        for tell in self.moved:
            tell(tenant, metrics)

    def rows(self, after: Sequence[int], until: Sequence[int], tenant: str = "") -> AsyncIterator[Row]:
        """Rows of the log after one vector and up to another, of a tenant or all."""
        return rows_between(self.events, after, until, tenant, ROWS_AT_ONCE)

    async def chunks(self, after: Sequence[int], until: Sequence[int], tenant: str) -> AsyncIterator[list[Row]]:
        """The same rows in lists of a few thousand events."""
        held, count = list[Row](), 0
        async for row in self.rows(after, until, tenant):
            held.append(row)
            count += row.count
            if count >= CHUNK_EVENTS:
                yield held
                held, count = [], 0
        if held:
            yield held

    def reread(self, row: Row) -> list[Event]:
        """The events of a row of the log; none if it cannot be read: it is excluded with its reason."""
        try:
            return self.memory.gate(row.tenant).reread(row.lines, row.notes, row.number)
        except Exception as error:  # an unreadable row must not stop a start or a fill
            reason = f"{type(error).__name__}: {error}"
            if self.numbers(row.tenant).quarantine(row.row + row.partition * NUMBERS, row.count, reason):
                log.error("row_set_aside", tenant=row.tenant, row=row.row, events=row.count, reason=reason)
                self.changed()
            return []
