"""The law of partitions: streams `partition/P.EPOCH`, each one record of a partition that left or reached a shard. The
record and the begin or end of the partition's extent are one commit. A shard refuses the runs of a partition that has
left it; those that ended here stay readable."""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import msgspec

from aob.core.errors import NotFound
from aob.core.event import Message, MessageMark
from aob.journal.law import Beside, RecordLaw, Stream, Verdict
from aob.journal.parts import segment_crc
from aob.ports.store import Batch, Entry, Extent, Head, Segment, TicketRow, TimerRow, Value
from aob.ports.topics import GroupMark, TopicEnd

PREFIX: Final = "partition/"
ROW_BITS: Final = 40  # A copied chunk names the shard of its row above so many bits: `(shard + 1) << ROW_BITS | row`


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


class Step(Beside):
    """A command: one of the three commits of a move, or a repair of an extent. The record names no time; the extent's
    open end is the row of the commit: `first_row` 0, or `last_row` -1."""

    record: Moving | None = None
    extent: Extent | None = None
    heads: Sequence[Head] = ()
    segments: Sequence[Segment] = ()
    timers: Sequence[TimerRow] = ()
    tickets: Sequence[TicketRow] = ()
    values: Sequence[Value] = ()
    outbox: Sequence[Message] = ()
    sent: Sequence[MessageMark] = ()
    received: Sequence[MessageMark] = ()
    dropped: Sequence[str] = ()
    """Live streams that another shard has taken."""
    delivered: Sequence[MessageMark] = ()
    record_ends: Sequence[TopicEnd] = ()
    """Where its topics end: their records stay where they were written."""
    marks: Sequence[GroupMark] = ()
    entries: Sequence[Entry] = ()

    def fill(self, batch: Batch) -> None:
        extent, row = self.extent, batch.row
        if extent is not None:
            first = extent.first_row or row
            last = max(1, row - (not batch.count)) if extent.last_row < 0 else extent.last_row
            batch.extents = [*batch.extents, msgspec.structs.replace(extent, first_row=first, last_row=last)]
        for segment in self.segments:
            segment.row = row
            segment.crc = segment_crc(segment.stream, segment.first_seq, segment.count, row)
        batch.heads, batch.segments = [*batch.heads, *self.heads], [*batch.segments, *self.segments]
        batch.timers, batch.tickets = [*batch.timers, *self.timers], [*batch.tickets, *self.tickets]
        batch.values, batch.outbox = [*batch.values, *self.values], [*batch.outbox, *self.outbox]
        batch.sent, batch.received = [*batch.sent, *self.sent], [*batch.received, *self.received]
        batch.entries = [*batch.entries, *self.entries]
        batch.moved, batch.delivered = [*batch.moved, *self.dropped], [*batch.delivered, *self.delivered]
        batch.record_ends = [*batch.record_ends, *self.record_ends]
        batch.marks = [*batch.marks, *self.marks]


class PartitionLaw(RecordLaw):
    """The law of partitions."""

    kind = "partition"
    prefix = PREFIX
    decoder = msgspec.json.Decoder(list[Moving])

    def decide(self, stream: Stream, command: Any, now_ms: int) -> Verdict:
        """A step of a move; its record is written once."""
        if type(command) is not Step:
            raise NotFound("this moves no partition")
        if command.record is None:
            return Verdict([], {}, command)
        if stream.state is not None:
            return Verdict([], {})
        command.record.at_ms = now_ms
        return Verdict([command.record], {}, command)

    def head(self, stream: Stream) -> Head:
        record: Moving = stream.state
        what = "moved" if isinstance(record, PartitionMoved) else "taken"
        return Head(stream.name, "partition", "", what, "COMPLETED", "", record.at_ms, record.at_ms, 1)

    async def restore(self, stream: Stream) -> None:
        """Nothing is derived; it has no tenant."""
        stream.tenant = ""


def stream_of(partition: int, epoch: int) -> str:
    """The stream of the record that moves a partition under an epoch."""
    return f"{PREFIX}{partition}.{epoch}"


def row_elsewhere(shard: int, row: int) -> int:
    """The number of a shard's row in a chunk that another shard stores."""
    return row if row >> ROW_BITS else (shard + 1) << ROW_BITS | row


def place_of(row: int, here: int) -> tuple[int, int]:
    """The shard and row of a number in a chunk that the shard `here` stores."""
    return ((row >> ROW_BITS) - 1, row & (1 << ROW_BITS) - 1) if row >> ROW_BITS else (here, row)
