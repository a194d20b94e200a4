"""Port `EventLog`: the events that the gate accepted, and counts of all it received. Durable on return.

One row holds what one tenant's callers sent in one commit: the accepted lines as received, the gate's notes, and the
counts. A home has one log with partitions; rows are dense in each, from 1, and offsets are dense per tenant in each,
from 0. There is no order between partitions. For refused events see `aob.ports.dead_letters`.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Group(msgspec.Struct):
    """One commit's addition for one tenant. `lines`: the accepted events, one JSON object a line, in order; `notes`:
    the gate's encoded notes on each; `count` their number; `duplicate` and `rejected`: how many were not accepted."""

    tenant: str
    at_ms: int
    lines: bytes
    notes: bytes
    count: int
    duplicate: int = 0
    rejected: int = 0
    partition: int = 0


class Row(msgspec.Struct, array_like=True):
    """A written group: its row in its partition and the offset of its first event there."""

    row: int
    tenant: str
    at_ms: int
    first: int
    count: int
    duplicate: int
    rejected: int
    lines: bytes
    notes: bytes
    partition: int = 0


class Place(msgspec.Struct, frozen=True):
    """The location of a group: its row in its partition, and the offset of its first event there."""

    row: int
    first: int
    partition: int = 0


class EventLog(Protocol):
    """One owner appends; any number may read. Raises Unavailable when the disk is full or the log cannot be reached; it
    is then unknown whether the groups were written, all or none: the owner must read before it goes on."""

    partitions: int
    """The number of partitions; it never changes."""

    async def append(self, groups: Sequence[Group]) -> list[Place]:
        """Write all groups or none, durably, in order; returns a place for each. Row times of a partition never
        decrease."""

    async def rows(self, after: int, limit: int = 100, tenant: str = "", partition: int = 0) -> list[Row]:
        """Return rows of a partition after a row, in order; of one tenant, or of all. At most about 16 MiB of lines."""

    async def row_at(self, tenant: str, offset: int, partition: int = 0) -> int:
        """The row of a partition that holds an offset of a tenant; 0 if there is none yet."""

    async def row_before(self, at_ms: int, partition: int = 0) -> int:
        """The last row of a partition written at or before an instant; 0 for none."""

    async def end(self, partition: int = 0) -> tuple[int, int]:
        """The last row of a partition and its time in ms; (0, 0) when empty."""

    async def totals(self, tenant: str) -> tuple[int, int, int]:
        """Accepted, duplicate and rejected of a tenant, over all partitions."""

    async def close(self) -> None:
        """Close all resources. Idempotent."""


async def ends_of(log: EventLog) -> tuple[int, ...]:
    """The last row of each partition."""
    return tuple([(await log.end(partition))[0] for partition in range(log.partitions)])


async def rows_behind(log: EventLog, after: Sequence[int], limit: int = 100) -> list[Row]:
    """Rows of all partitions, each after its row in a vector, in order within each."""
    found: list[Row] = []
    for partition, row in enumerate(after):
        if len(found) < limit:
            found += await log.rows(row, limit - len(found), partition=partition)
    return found


def advanced(after: Sequence[int], rows: Sequence[Row]) -> tuple[int, ...]:
    """The vector of a reader after it has read these rows."""
    at = list(after)
    for row in rows:
        at[row.partition] = max(at[row.partition], row.row)
    return tuple(at)
