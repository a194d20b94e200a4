"""The law of partitions: streams `partition/P.EPOCH`, each one record of a partition that left or reached a shard.

The record and the begin or end of the partition's extent are one commit. A shard refuses the runs of a partition that
has left it; those that ended here stay readable."""

from typing import Any, Final, TypeAlias
from zlib import crc32

import msgspec

from aob.core.errors import NotFound
from aob.core.event import seed_of
from aob.journal.law import RecordLaw, Stream, Verdict
from aob.ports.store import Head

PREFIX: Final = "partition/"
ROW_BITS: Final = 40
"""A copied chunk names the shard of its row above so many bits: `(shard + 1) << ROW_BITS | row`."""


class PartitionMoved(msgspec.Struct, array_like=True, tag=1):
    """A partition left for the shard `target`, which owns it under this epoch, with these live runs."""

    partition: int
    epoch: int
    target: int
    at_ms: int
    streams: list[str]


class PartitionTaken(msgspec.Struct, array_like=True, tag=2):
    """A partition arrived from the shard `source`, with these live runs. `remembered` is the state of the platform
    metrics for them, by tenant."""

    partition: int
    epoch: int
    source: int
    at_ms: int
    streams: list[str]
    remembered: dict[str, dict[str, Any]] = {}


Moving: TypeAlias = PartitionMoved | PartitionTaken


class PartitionLaw(RecordLaw):
    """The law of partitions."""

    kind = "partition"
    prefix = PREFIX
    decoder = msgspec.json.Decoder(list[Moving])

    def decide(self, stream: Stream, command: Any, now_ms: int) -> Verdict:
        """Partitions are moved by the owner of both shards' files, never by a command."""
        raise NotFound("this moves no partition")

    def head(self, stream: Stream) -> Head:
        return head_of(stream.name, stream.state)

    async def restore(self, stream: Stream) -> None:
        """Nothing is derived; it has no tenant."""
        stream.tenant = ""


def head_of(name: str, record: Moving) -> Head:
    """The row of a record in lists."""
    what = "moved" if isinstance(record, PartitionMoved) else "taken"
    return Head(name, "partition", "", what, "COMPLETED", "", record.at_ms, record.at_ms, 1)


def stream_of(partition: int, epoch: int) -> str:
    """The stream of the record that moves a partition under an epoch."""
    return f"{PREFIX}{partition}.{epoch}"


def row_data(name: str, record: Moving) -> bytes:
    """A journal row that holds only this record."""
    data = msgspec.json.encode([record])
    return b'[["%b",0,%b,%d]]' % (name.encode(), data, crc32(data, seed_of(name)))


def row_elsewhere(shard: int, row: int) -> int:
    """The number of a shard's row in a chunk that another shard stores."""
    return row if row >> ROW_BITS else (shard + 1) << ROW_BITS | row


def place_of(row: int, here: int) -> tuple[int, int]:
    """The shard and row of a number in a chunk that the shard `here` stores."""
    return ((row >> ROW_BITS) - 1, row & (1 << ROW_BITS) - 1) if row >> ROW_BITS else (here, row)
