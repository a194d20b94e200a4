"""Port `EventLog`: what the gate has let through, what it refused, and how many it saw. Durable when answered.

One row holds all that one tenant's callers sent in one commit: the accepted lines as they came, the gate's notes
beside them, the counts, and the refused ones with their reasons. Offsets are dense per tenant and begin at 0.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec


class DeadLetter(msgspec.Struct, array_like=True):
    """A refused event: its number (given by the log, dense per tenant), when, what it called itself, why (JSON list of
    `Reason`), the line as it came (at most 256 KiB), and what became of it since."""

    number: int
    at_ms: int
    type: str
    source: str
    id: str
    reasons: bytes
    line: bytes
    state: Literal["open", "replayed", "discarded"] = "open"
    note: str = ""


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
    dead: Sequence[DeadLetter] = ()
    settled: Sequence[tuple[int, str, str]] = ()
    """Dead letters whose state changes with this commit: (number, state, note)."""


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
    """Where a group lies: its row, the offset of its first event, and the numbers of its dead letters."""

    row: int
    first: int
    dead: tuple[int, ...] = ()


class DeadQuery(msgspec.Struct, frozen=True):
    """Which dead letters: by state, type, the rule of their first reason (see `rule_of`), below a number."""

    tenant: str
    state: str = ""
    type: str = ""
    reason: str = ""
    before: int = 0
    limit: int = 50


def rule_of(letter: DeadLetter) -> str:
    """What a dead letter is grouped by: the rule of its first reason, or the stage where none is named."""
    try:
        first = msgspec.json.decode(letter.reasons)[0]
        return str(first.get("rule") or first.get("stage") or "")
    except (msgspec.MsgspecError, LookupError, AttributeError):
        return ""


class EventLog(Protocol):
    """One owner appends; any number may read. Raises Unavailable when the disk is full or the log cannot be reached;
    nothing of the call is then written."""

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

    async def dead(self, query: DeadQuery) -> list[DeadLetter]:
        """Dead letters, newest first."""
        ...

    async def dead_letter(self, tenant: str, number: int) -> DeadLetter | None:
        """One dead letter."""
        ...

    async def dead_counts(self, tenant: str, state: str = "open") -> list[tuple[str, str, int]]:
        """How many there are by (type, rule of the first reason), most first, at most 200."""
        ...

    async def close(self) -> None:
        """Let go of everything. Calling it twice is fine."""
        ...
