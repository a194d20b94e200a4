"""The interface of the live numbers for snapshots and fills: all tenants, the log, and notifications."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from aob.core.ingest import Event, Gate
from aob.metrics.contracts import Contracts
from aob.metrics.live.tenant import Numbers
from aob.ports.event_log import EventLog, Row

CHUNK_EVENTS: Final = 2_000  # events of rows scanned in a thread in one go


async def chunks(rows: AsyncIterator[Row]) -> AsyncIterator[list[Row]]:
    """Rows in lists of a few thousand events."""
    held: list[Row] = []
    count = 0
    async for row in rows:
        held.append(row)
        count += row.count
        if count >= CHUNK_EVENTS:
            yield held
            held, count = [], 0
    if held:
        yield held


class Memory(Protocol):
    """The gate's deduplication memory: part of the snapshot, because it is owned together with the fold."""

    def gate(self, tenant: str) -> Gate: ...

    def remember(self, tenant: str, events: Sequence[Event]) -> None: ...

    async def settled(self) -> bool: ...

    def pages(self, *, full: bool = False) -> Iterator[tuple[tuple[str, str], bytes | None]]: ...

    def load(self, tenant: str, pages: Mapping[str, bytes]) -> bool: ...

    def clear(self) -> None: ...


class Snapshots(Protocol):
    """Writes snapshots."""

    def changed(self, events: int = 1) -> None:
        """Counts folded events outside any snapshot."""
        ...


class Restates(Protocol):
    """Recomputes from the log."""

    def soon(self, tenant: str) -> None:
        """Schedules a restatement for a tenant."""
        ...


class LiveHost(Protocol):
    """The live numbers of all tenants."""

    events: EventLog
    contracts: Contracts
    tenants: dict[str, Numbers]
    at: list[int]
    now_ms: Callable[[], int]

    @property
    def memory(self) -> Memory: ...

    @property
    def keeping(self) -> Snapshots: ...

    @property
    def restating(self) -> Restates: ...

    def numbers(self, tenant: str) -> Numbers: ...

    @property
    def row(self) -> int: ...

    def rows(self, after: int, until: int, tenant: str = "") -> AsyncIterator[Row]: ...

    def reread(self, row: Row) -> list[Event]: ...

    def tell_moved(self, tenant: str, metrics: frozenset[str]) -> None: ...
