"""Port `DeadLetters`: events that the gate refused, with the reasons and their later state. Durable on return. Numbers
are dense per tenant and begin at 1. A log may store them in the same place and write both in one commit
(`LogWithLetters`); a separate log, such as a broker, does not."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

from aob.ports.event_log import EventLog, Row


class DeadLetter(msgspec.Struct, array_like=True):
    """A refused event: its number (assigned when written), its time, its claimed type and id, the reasons (JSON list of
    `Reason`), the line as received (at most 256 KiB), and its later state."""

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
    """Changes of one commit for one tenant: refused events, and existing letters whose state changes, by (number,
    state, note)."""

    tenant: str
    refused: Sequence[DeadLetter] = ()
    settled: Sequence[tuple[int, str, str]] = ()


Numbers = tuple[int, ...]  # the numbers of the refused events of one `Letters`, in order


class DeadQuery(msgspec.Struct, frozen=True):
    """Selects dead letters by state, type and the rule of their first reason (see `rule_of`), below a number."""

    tenant: str
    state: str = ""
    type: str = ""
    reason: str = ""
    before: int = 0
    limit: int = 50


def rule_of(letter: DeadLetter) -> str:
    """The group of a dead letter: the rule of its first reason, or the stage if none is named."""
    try:
        first = msgspec.json.decode(letter.reasons)[0]
        return str(first.get("rule") or first.get("stage") or "")
    except (msgspec.MsgspecError, LookupError, AttributeError):
        return ""


class DeadLetters(Protocol):
    """The dead letters of all tenants. Raises Unavailable when they cannot be reached; whether a write was made is then
    unknown."""

    async def write(self, letters: Sequence[Letters]) -> list[Numbers]:
        """Write all or none, durably. A settled number that does not exist is ignored."""

    async def page(self, query: DeadQuery) -> list[DeadLetter]:
        """Dead letters, newest first."""

    async def letter(self, tenant: str, number: int) -> DeadLetter | None:
        """One dead letter."""

    async def counts(self, tenant: str, state: str = "open") -> list[tuple[str, str, int]]:
        """Return counts by (type, rule of the first reason), largest first, at most 200."""

    async def close(self) -> None:
        """Close all resources. Idempotent."""


class LogWithLetters(EventLog, Protocol):
    """A log that stores the dead letters of its events as well."""

    letters: DeadLetters

    async def commit(self, rows: Sequence[Row], letters: Sequence[Letters]) -> list[Numbers]:
        """Append the rows and write the letters, all or none, in one durable commit."""


class LettersFrom(NamedTuple):
    """Where dead letters are listed: the log of a replica, only to be read, and when the last commit was made that it
    has (unknown: None); or no replica, and `why` not."""

    log: LogWithLetters | None
    replayed_ms: int | None
    why: str = ""


class LetterLists(Protocol):
    """The replica that dead letters are listed from."""

    async def letters(self) -> LettersFrom:
        """Where to read now. What is read afterwards is at least as fresh as this says."""

    def failed(self, error: Exception) -> str:
        """It could not be read, and is not asked for a moment; returns why, in a word."""
