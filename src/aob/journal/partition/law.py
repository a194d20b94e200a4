"""The law of partitions: streams `partition/P.EPOCH`, each one record of a partition that left a shard or came to it.

The record and the extent that it begins or ends are one commit. A shard refuses the runs of a partition that has left
it; those that ended here stay readable.
"""

from typing import Any, Final, TypeAlias
from zlib import crc32

import msgspec

from aob.core.errors import NotFound
from aob.core.event import seed_of
from aob.journal.law import Changes, Law, Stream, Verdict
from aob.ports.store import Head

PREFIX: Final = "partition/"
ROW_BITS: Final = 40
"""A chunk that was copied names the shard of its row above so many bits: `(shard + 1) << ROW_BITS | row`."""


class PartitionMoved(msgspec.Struct, array_like=True, tag=1):
    """A partition left for the shard `target`, which owns it under this epoch; with it went these live runs."""

    partition: int
    epoch: int
    target: int
    at_ms: int
    streams: list[str]


class PartitionTaken(msgspec.Struct, array_like=True, tag=2):
    """A partition came from the shard `source`, with these live runs. `remembered` is what the platform's numbers
    remember of them, by tenant."""

    partition: int
    epoch: int
    source: int
    at_ms: int
    streams: list[str]
    remembered: dict[str, dict[str, Any]] = {}


Moving: TypeAlias = PartitionMoved | PartitionTaken


class PartitionLaw(Law):
    """The law of partitions. A record is all that its stream ever holds."""

    kind = "partition"
    prefix = PREFIX
    decoder = msgspec.json.Decoder(list[Moving])

    def fresh(self, name: str) -> Moving | None:
        """No record."""
        return None

    def decide(self, stream: Stream, command: Any, now_ms: int) -> Verdict:
        """Partitions are moved by whoever holds the files of both shards, never by a command."""
        raise NotFound("this moves no partition")

    def fold(self, stream: Stream, events: list[Moving]) -> None:
        """The record is the state."""
        stream.state = events[-1]

    def changes(self, stream: Stream, events: list[Any]) -> Changes:
        """It is over with its record."""
        return Changes(None, "COMPLETED", over=True)

    def over(self, stream: Stream) -> bool:
        """It is."""
        return stream.state is not None

    def head(self, stream: Stream) -> Head:
        """A row for lists of moves."""
        return head_of(stream.name, stream.state)

    async def restore(self, stream: Stream) -> None:
        """Nothing is derived; it is nobody's."""
        stream.tenant = ""


def head_of(name: str, record: Moving) -> Head:
    """The row that lists show of a record."""
    what = "moved" if isinstance(record, PartitionMoved) else "taken"
    return Head(name, "partition", "", what, "COMPLETED", "", record.at_ms, record.at_ms, 1)


def stream_of(partition: int, epoch: int) -> str:
    """The stream of the record by which a partition goes under an epoch."""
    return f"{PREFIX}{partition}.{epoch}"


def row_data(name: str, record: Moving) -> bytes:
    """A journal row that holds only this record."""
    data = msgspec.json.encode([record])
    return b'[["%b",0,%b,%d]]' % (name.encode(), data, crc32(data, seed_of(name)))


def row_elsewhere(shard: int, row: int) -> int:
    """How a row of a shard stands in a chunk that another shard keeps."""
    return row if row >> ROW_BITS else (shard + 1) << ROW_BITS | row


def place_of(row: int, here: int) -> tuple[int, int]:
    """The shard and the row that stand in a chunk which the shard `here` keeps."""
    return ((row >> ROW_BITS) - 1, row & (1 << ROW_BITS) - 1) if row >> ROW_BITS else (here, row)


def written_here(row: int) -> bool:
    """Whether what a chunk holds lies in the journal of the shard that keeps it."""
    return not row >> ROW_BITS
