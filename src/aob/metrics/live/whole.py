"""What snapshots and fills ask of the live numbers they belong to: all tenants, the log, and who is told."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from aob.core.ingest import Event, Gate
from aob.metrics.contracts import Contracts
from aob.metrics.live.tenant import Numbers
from aob.ports.event_log import EventLog, Row

CHUNK_EVENTS: Final = 2_000
"""Events of rows that are looked at beside the loop in one go."""


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

    def pages(self, *, full: bool = False) -> Iterator[tuple[tuple[str, str], bytes | None]]:
        """Changed pages of what is remembered, or all of them; what changes between two is there next time."""
        ...

    def load(self, tenant: str, pages: Mapping[str, bytes]) -> bool:
        """What `dump` gave for a tenant; false when it cannot be read."""
        ...

    def clear(self) -> None:
        """Forget all: it will be told again, from the begin of the log."""
        ...


class Snapshots(Protocol):
    """Whoever writes snapshots."""

    def changed(self, events: int = 1) -> None:
        """So much was folded that no snapshot holds."""
        ...


class Restates(Protocol):
    """Whoever tells anew from the log."""

    def soon(self, tenant: str) -> None:
        """Something of a tenant is to be told anew."""
        ...


class Whole(Protocol):
    """The live numbers of all tenants."""

    events: EventLog
    contracts: Contracts
    tenants: dict[str, Numbers]
    at: list[int]
    now_ms: Callable[[], int]

    @property
    def memory(self) -> Memory:
        """The gate's memory of what has come."""
        ...

    @property
    def keeping(self) -> Snapshots:
        """Whoever writes snapshots."""
        ...

    @property
    def restating(self) -> Restates:
        """Whoever tells anew from the log."""
        ...

    def numbers(self, tenant: str) -> Numbers:
        """The numbers of a tenant."""
        ...

    @property
    def row(self) -> int:
        """How far the only partition of the log is folded."""
        ...

    def rows(self, after: int, until: int, tenant: str = "") -> AsyncIterator[Row]:
        """Rows of the log behind one row and up to another."""
        ...

    def reread(self, row: Row) -> list[Event]:
        """The events of a row; none of one that cannot be read."""
        ...

    def tell_moved(self, tenant: str, metrics: frozenset[str]) -> None:
        """Numbers have moved that no group of events moved."""
        ...
