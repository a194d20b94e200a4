"""Commands about topics: to append records, and to move the mark of a group. Neither is of a stream."""

from collections.abc import Sequence

import msgspec

from aob.ports.log import Record

Place = tuple[str, str, int]
"""Tenant, topic, partition."""
Known = tuple[int, bytes]
"""The offset of a keyed record, and the digest of its content."""


class Append(msgspec.Struct, eq=False):
    """Append these records. `keys` are theirs when they are keyed; `known` are those of these keys that the store has,
    as read in `life` of the memory of topics: in another one it is read again."""

    place: Place
    records: Sequence[Record]
    keys: Sequence[bytes] = ()
    known: dict[bytes, Known] = {}
    life: int = -1
    elsewhere: dict[bytes, Known] = {}
    """Those of these keys that shards have which had the partition before."""


class MoveMark(msgspec.Struct, eq=False):
    """Set a group in a partition to `low`, if it is at `before` now (None: wherever it is). `reset`: it may go back;
    then it is of the next generation, and nothing above `low` is done."""

    place: Place
    group: str
    low: int
    before: int | None = None
    life: int = -1
    reset: bool = False
