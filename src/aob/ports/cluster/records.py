"""Port `Records`: small named records that all processes of a home share: its settings, its secrets. Each is written
whole, over the version that its writer has read."""

from typing import Final, Protocol

import msgspec

from aob.core.errors import Conflict, Invalid, Problem, TooLarge

DATA_MAX: Final = 64 * 1024
NAME_MAX: Final = 200
PAST_MAX: Final = 100
"""Versions of a record that are kept at most, the present one among them."""


class Record(msgspec.Struct, frozen=True):
    """A version of a record: who wrote it, and when by the clock of the store. One without data was removed; versions
    go on."""

    name: str
    version: int
    data: bytes
    by: str
    at_ms: int


class Records(Protocol):
    """The records of one home. Every process of it reads what any of them has written."""

    async def changed(self) -> int:
        """A number that is greater after each write of any record. Cheap: it is asked each second."""

    async def read(self, name: str) -> Record | None:
        """The present version, also of one that was removed; None for one that never was."""

    async def every(self, start: str) -> list[Record]:
        """The present version of all whose names begin so, by name, without those that were removed."""

    async def write(self, name: str, data: bytes, after: int, by: str, past: int = PAST_MAX) -> Record:
        """Write the next version, with which `past` versions are kept; empty data removes the record. Raises Conflict
        `version_differs` when the present version is not `after` (0: there is none), TooLarge."""

    async def past(self, name: str) -> list[Record]:
        """The kept versions, newest first."""

    async def close(self) -> None:
        """Close all resources. Idempotent."""


def check_record(name: str, data: bytes, past: int) -> None:
    """Raises for a record that no backend takes."""
    if not 0 < len(name) <= NAME_MAX or not name.isascii() or not name.isprintable():
        raise Invalid("a record cannot have this name", [Problem("/name", f"{name[:40]!r}", "bad_name")])
    if not 0 < past <= PAST_MAX:
        raise Invalid("a record keeps its versions", [Problem("/past", f"{past} is not from 1 to {PAST_MAX}")])
    if len(data) > DATA_MAX:
        raise TooLarge(f"{len(data):,} bytes of {name} are over the limit of {DATA_MAX:,}")


def version_differs(name: str, after: int, present: int) -> Conflict:
    """The error of a write over a version that is not the present one."""
    why = f"{name} has version {present}, not {after}: another has written it meanwhile"
    return Conflict(why, code="version_differs", hint="read it again, and write over that version", version=present)
