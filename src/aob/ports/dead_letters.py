"""Port `DeadLetters`: what the gate refused, with the reasons, and what became of it since. Durable when answered.

Numbers are dense per tenant and begin at 1. A log may keep them in the same place and write both in one commit
(`LogWithLetters`); a log that lies elsewhere, such as a broker, does not.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from aob.ports.event_log import EventLog, Group, Place


class DeadLetter(msgspec.Struct, array_like=True):
    """A refused event: its number (given when it is written), when, what it called itself, why (JSON list of
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


class Letters(msgspec.Struct, frozen=True):
    """What one commit changes for one tenant: the events that were refused, and those letters whose state changes, by
    (number, state, note)."""

    tenant: str
    refused: Sequence[DeadLetter] = ()
    settled: Sequence[tuple[int, str, str]] = ()


Numbers = tuple[int, ...]
"""The numbers of the refused events of one `Letters`, in order."""


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


class DeadLetters(Protocol):
    """The dead letters of all tenants. Raises Unavailable when they cannot be reached; after a write it is then unknown
    whether it was made."""

    async def write(self, letters: Sequence[Letters]) -> list[Numbers]:
        """Write all or none, durably. A settled number that is not there is ignored."""
        ...

    async def page(self, query: DeadQuery) -> list[DeadLetter]:
        """Dead letters, newest first."""
        ...

    async def letter(self, tenant: str, number: int) -> DeadLetter | None:
        """One dead letter."""
        ...

    async def counts(self, tenant: str, state: str = "open") -> list[tuple[str, str, int]]:
        """How many there are by (type, rule of the first reason), most first, at most 200."""
        ...

    async def close(self) -> None:
        """Let go of everything. Calling it twice is fine."""
        ...


class LogWithLetters(EventLog, Protocol):
    """A log that has the dead letters of its events beside it."""

    letters: DeadLetters

    async def commit(self, groups: Sequence[Group], letters: Sequence[Letters]) -> tuple[list[Place], list[Numbers]]:
        """Append the groups and write the letters, all or none, in one durable commit."""
        ...
