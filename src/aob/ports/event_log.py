"""Port `EventLog`: what the gate has let through, and how many it saw. Durable when answered.

One row holds all that one tenant's callers sent in one commit: the accepted lines as they came, the gate's notes
beside them, and the counts. Offsets are dense per tenant and begin at 0. What was refused: `aob.ports.dead_letters`.
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


class Row(msgspec.Struct, array_like=True):
    """A group as it was written: its row number (dense over all tenants, from 1) and the offset of its first event."""

    row: int
    tenant: str
    at_ms: int
    first: int
    count: int
    duplicate: int
    rejected: int
    lines: bytes
    notes: bytes


class Place(msgspec.Struct, frozen=True):
    """Where a group lies: its row, and the offset of its first event."""

    row: int
    first: int


class EventLog(Protocol):
    """One owner appends; any number may read. Raises Unavailable when the disk is full or the log cannot be reached; it
    is then unknown whether the groups were written, all or none: who appends reads before it goes on."""

    async def append(self, groups: Sequence[Group]) -> list[Place]:
        """Write all groups or none, durably, in order; a place for each. Times of rows never go back."""
        ...

    async def rows(self, after: int, limit: int = 100, tenant: str = "") -> list[Row]:
        """Rows after a row, in order; of one tenant, or of all. Not more than about 16 MiB of lines at once."""
        ...

    async def row_at(self, tenant: str, offset: int) -> int:
        """The row that holds an offset of a tenant; 0 when there is none yet."""
        ...

    async def row_before(self, at_ms: int) -> int:
        """The last row that was written at or before an instant; 0 for none."""
        ...

    async def end(self) -> tuple[int, int]:
        """The last row and its time in ms; (0, 0) when empty."""
        ...

    async def totals(self, tenant: str) -> tuple[int, int, int]:
        """Accepted, duplicate and rejected of a tenant, over all of its rows."""
        ...

    async def close(self) -> None:
        """Let go of everything. Calling it twice is fine."""
        ...
