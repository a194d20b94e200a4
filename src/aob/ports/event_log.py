"""Port `EventLog`: the events that the gate accepted, and counts of all it received. Durable on return. One row holds
what one tenant's callers sent in one commit: the accepted lines as received, the gate's notes, and the counts. A home
has one log with partitions; rows are dense in each, from 1, and offsets are dense per tenant in each, from 0. There is
no order between partitions. For refused events see `aob.ports.dead_letters`."""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Final, Protocol

import msgspec

NUMBERS: Final = 1 << 40  # distance between the numbers of events of two partitions


class Row(msgspec.Struct, array_like=True):
    """One commit's addition for one tenant. `lines`: the accepted events, one JSON object a line, in order; `notes`:
    the gate's encoded notes on each; `count` their number; `duplicate` and `rejected`: how many were not accepted.
    `row`, its number in its partition, and `first`, the offset of its first event there, are set by the log."""

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

    @property
    def number(self) -> int:
        """The number of its first event, which no other event of the tenant has in any partition."""
        return self.first + self.partition * NUMBERS

    @property
    def size(self) -> int:
        """The bytes of its lines and notes."""
        return len(self.lines) + len(self.notes)


class EventLog(Protocol):
    """One owner appends; any number may read. Raises Unavailable when the disk is full or the log cannot be reached; it
    is then unknown whether the rows were written, all or none: the owner must read before it goes on."""

    partitions: int
    """The number of partitions; it never changes."""

    async def append(self, rows: Sequence[Row]) -> None:
        """Write all rows or none, durably, in order, and set `row`, `first` and `at_ms` of each: times of a partition
        never decrease. Nothing else is kept of a row of a subclass."""

    async def rows(self, after: int, limit: int = 100, tenant: str = "", partition: int = 0) -> list[Row]:
        """Return rows of a partition after a row, in order; of one tenant, or of all. At most about 16 MiB of lines."""

    async def row_at(self, tenant: str, offset: int, partition: int = 0) -> int:
        """The row of a partition that holds an offset of a tenant; 0 if there is none yet."""

    async def row_before(self, at_ms: int, partition: int = 0) -> int:
        """The last row of a partition written at or before an instant; 0 for none."""

    async def end(self, partition: int = 0) -> tuple[int, int]:
        """The last row of a partition and its time in ms; (0, 0) when empty."""

    async def totals(self, tenant: str, partition: int | None = None) -> tuple[int, int, int]:
        """Accepted, duplicate and rejected of a tenant, in a partition or in all."""

    async def close(self) -> None:
        """Close all resources. Idempotent."""


async def ends_of(log: EventLog) -> tuple[int, ...]:
    """The last row of each partition."""
    return tuple([(await log.end(partition))[0] for partition in range(log.partitions)])


async def rows_before(log: EventLog, at_ms: int) -> tuple[int, ...]:
    """The last row of each partition written at or before an instant."""
    return tuple([await log.row_before(at_ms, partition) for partition in range(log.partitions)])


async def rows_between(
    log: EventLog, after: Sequence[int], until: Sequence[int], tenant: str = "", limit: int = 200
) -> AsyncIterator[Row]:
    """Rows of all partitions after one vector and up to another, of a tenant or all: in the order in which they were
    written, as far as their times say it. About `limit` rows are in memory."""
    at, read = list(after), [deque[Row]() for _ in after]
    more = [partition for partition, row in enumerate(at) if row < until[partition]]
    while more:
        for partition in [each for each in more if not read[each]]:
            if at[partition] < until[partition]:
                found = await log.rows(at[partition], max(1, limit // len(more)), tenant, partition)
                read[partition] += (row for row in found if row.row <= until[partition])
                at[partition] = read[partition][-1].row if read[partition] else until[partition]
            if not read[partition]:
                more.remove(partition)
        if more:
            first = min(more, key=lambda each: (read[each][0].at_ms, each))
            yield read[first].popleft()
            while len(more) == 1 and read[first]:
                yield read[first].popleft()


def advanced(after: Sequence[int], row: Row) -> tuple[int, ...]:
    """The vector of a reader after it has read a row."""
    return (*after[: row.partition], row.row, *after[row.partition + 1 :])
