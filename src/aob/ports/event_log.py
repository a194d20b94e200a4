"""Port `EventLog`: what the gate has let through, and how many it saw. Durable when answered.

One row holds all that one tenant's callers sent in one commit: the accepted lines as they came, the gate's notes
beside them, and the counts. A log has partitions, one in a home; rows are dense in each, from 1, and offsets are dense
per tenant in each, from 0. Between two partitions there is no order. What was refused: `aob.ports.dead_letters`.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Group(msgspec.Struct):
    """What one commit adds for one tenant. `lines`: the accepted events, one JSON object a line, in order; `notes`: the
    gate's encoded notes on each; `count` their number; `duplicate` and `rejected` how many were not accepted."""

    tenant: str
    at_ms: int
    lines: bytes
    notes: bytes
    count: int
    duplicate: int = 0
    rejected: int = 0
    partition: int = 0


class Row(msgspec.Struct, array_like=True):
    """A group as it was written: its row in its partition and the offset of its first event there."""

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
    """Where a group lies: its row in its partition, and the offset of its first event there."""

    row: int
    first: int
    partition: int = 0


class EventLog(Protocol):
    """One owner appends; any number may read. Raises Unavailable when the disk is full or the log cannot be reached; it
    is then unknown whether the groups were written, all or none: who appends reads before it goes on."""

    partitions: int
    """How many it has, from its first day on."""

    async def append(self, groups: Sequence[Group]) -> list[Place]:
        """Write all groups or none, durably, in order; a place for each. Times of the rows of a partition never go
        back."""
        ...

    async def rows(self, after: int, limit: int = 100, tenant: str = "", partition: int = 0) -> list[Row]:
        """Rows of a partition after a row, in order; of one tenant, or of all. Not more than about 16 MiB of lines at
        once."""
        ...

    async def row_at(self, tenant: str, offset: int, partition: int = 0) -> int:
        """The row of a partition that holds an offset of a tenant; 0 when there is none yet."""
        ...

    async def row_before(self, at_ms: int, partition: int = 0) -> int:
        """The last row of a partition that was written at or before an instant; 0 for none."""
        ...

    async def end(self, partition: int = 0) -> tuple[int, int]:
        """The last row of a partition and its time in ms; (0, 0) when empty."""
        ...

    async def totals(self, tenant: str) -> tuple[int, int, int]:
        """Accepted, duplicate and rejected of a tenant, over all partitions."""
        ...

    async def close(self) -> None:
        """Let go of everything. Calling it twice is fine."""
        ...


async def ends_of(log: EventLog) -> tuple[int, ...]:
    """The last row of each partition."""
    return tuple([(await log.end(partition))[0] for partition in range(log.partitions)])


async def rows_behind(log: EventLog, after: Sequence[int], limit: int = 100, tenant: str = "") -> list[Row]:
    """Rows of all partitions, each after its row in a vector, in order within each: a reader goes on behind them."""
    found: list[Row] = []
    for partition, row in enumerate(after):
        if len(found) < limit:
            found += await log.rows(row, limit - len(found), tenant, partition)
    return found


def advanced(after: Sequence[int], rows: Sequence[Row]) -> tuple[int, ...]:
    """The vector of a reader that has read these rows, too."""
    at = list(after)
    for row in rows:
        at[row.partition] = max(at[row.partition], row.row)
    return tuple(at)
