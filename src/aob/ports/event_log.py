"""Port `EventLog`: the events that the gate accepted, and counts of all it received. Durable on return. One row holds
what one tenant's callers sent in one commit: the accepted lines as received, the gate's notes, and the counts. A home
has one log with partitions; rows are dense in each, from 1, and offsets are dense per tenant in each, from 0. There is
no order between partitions. For refused events see `aob.ports.dead_letters`."""

from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from heapq import heapify, heappop, heapreplace
from typing import Final, Protocol
from zlib import crc32

import msgspec

LOG_TAKEN: Final = "log_taken"  # the code of writing after another owner has taken the log: a retry cannot help
ROWS_BYTES_MAX: Final = 16 * 1024 * 1024  # bytes of lines of one read
EACH_MIN: Final = 32  # rows of each of several partitions in one read: a log looks for the first of them, not for more
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


def crc_of(row: Row) -> int:
    """The checksum of a row, which logs store beside it."""
    head = f"{row.row},{row.tenant},{row.at_ms},{row.first},{row.count},{row.duplicate},{row.rejected},".encode()
    return crc32(row.lines, crc32(row.notes, crc32(head)))


class EventLog(Protocol):
    """One owner appends; any number may read. Raises Unavailable when the disk is full or the log cannot be reached; it
    is then unknown whether the rows were written, all or none: the owner must `take` it again and read before it goes
    on."""

    partitions: int
    """The number of partitions; it never changes."""

    async def take(self) -> None:
        """Become the owner, before anything is read. An older owner's appends raise Unavailable `log_taken` from this
        moment and write nothing. The owner that asks again fences its own commits of unknown outcome: what they write
        is there on return, or never; it is refused likewise if another has taken the log since. A log that only one
        process can open has nobody to fence."""

    async def append(self, rows: Sequence[Row]) -> None:
        """Write all rows or none, durably, in order, and set `row`, `first` and `at_ms` of each: times of a partition
        never decrease. Nothing else is kept of a row of a subclass."""

    async def rows(self, after: int, limit: int = 100, tenant: str = "", partition: int = 0) -> list[Row]:
        """Return rows of a partition after a row, in order; of one tenant, or of all. At most about 16 MiB of lines."""

    async def rows_of_each(self, after: Mapping[int, int], limit: int, tenant: str = "") -> list[Row]:
        """Return up to `limit` rows of each partition after a row of it, in order within each; none of a partition only
        if it has none. At most about 16 MiB of lines."""

    async def row_at(self, tenant: str, offset: int, partition: int = 0) -> int:
        """The row of a partition that holds an offset of a tenant; 0 if there is none yet."""

    async def row_before(self, at_ms: int, partition: int = 0) -> int:
        """The last row of a partition written at or before an instant; 0 for none."""

    async def rows_before(self, at_ms: int) -> tuple[int, ...]:
        """The same of each partition."""

    async def end(self, partition: int = 0) -> tuple[int, int]:
        """The last row of a partition and its time in ms; (0, 0) when empty."""

    async def last_rows(self) -> tuple[int, ...]:
        """The last row of each partition."""

    async def totals(self, tenant: str, partition: int | None = None) -> tuple[int, int, int]:
        """Accepted, duplicate and rejected of a tenant, in a partition or in all."""

    async def close(self) -> None:
        """Close all resources. Idempotent."""


async def rows_between(
    log: EventLog, after: Sequence[int], until: Sequence[int], tenant: str = "", limit: int = 200
) -> AsyncIterator[Row]:
    """Rows of all partitions after one vector and up to another, of a tenant or all: in the order in which they were
    written, as far as their times say it. About `limit` rows are in memory, or `EACH_MIN` of each partition."""
    at, read = list(after), [deque[Row]() for _ in after]
    more = [partition for partition, row in enumerate(at) if row < until[partition]]
    while more:
        each = max(limit // len(more), EACH_MIN if len(more) > 1 else 1)
        asked = {part: at[part] for part in more if at[part] < until[part] and len(read[part]) < each}
        at = [until[part] if part in asked else row for part, row in enumerate(at)]
        for row in await log.rows_of_each(asked, each, tenant) if asked else ():
            if row.row <= until[row.partition]:
                read[row.partition].append(row)
                at[row.partition] = row.row
        more = [partition for partition in more if read[partition]]
        next_of = [(read[partition][0].at_ms, partition) for partition in more]
        heapify(next_of)
        while next_of:
            first = next_of[0][1]
            yield read[first].popleft()
            if read[first]:
                heapreplace(next_of, (read[first][0].at_ms, first))
            elif at[first] < until[first]:
                break
            else:
                heappop(next_of)


def advanced(after: Sequence[int], row: Row) -> tuple[int, ...]:
    """The vector of a reader after it has read a row."""
    return (*after[: row.partition], row.row, *after[row.partition + 1 :])
