"""A batch under construction: what its decisions write, and what is released once it is durable."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from aob.core.value import ROW_MAX
from aob.journal.law.law import Beside, Changes
from aob.journal.law.stream import Stream, segment_data
from aob.journal.messages import Mail
from aob.journal.parts import pointers_crc, seal, segment_crc
from aob.ports.store import Batch, Head, Pointer, Segment, TicketRow, TimerRow, Value

Key = tuple[str, str]
R = TypeVar("R", TicketRow, TimerRow)
SEGMENTS_COST: Final = 4_096
SEGMENT_COST: Final = 16
"""How much the segments of one commit may cost: each costs its number of events plus `SEGMENT_COST`. A commit of many
events may write more, twice what its own events will cost, so that segments keep up with any load and a cut ends."""
SEGMENT_EVENTS: Final = 256  # A live stream with this many new events gets a segment
POINTERS_MAX: Final = 16
"""A stream that ended within so many decisions is not copied: pointers to them take a tenth of the space."""


class Told(msgspec.Struct, eq=False, gc=False):
    """One decision of a commit: the stream, its first sequence number, its events, its changes."""

    stream: Stream
    seq: int
    base: int
    events: list[Any]
    changes: Changes


class Committed(msgspec.Struct, eq=False):
    """One commit: its row, time and decisions in order, and the bytes of its events. Readers of commits fill
    `milestones`."""

    row: int
    at_ms: int
    told: list[Told]
    size: int = 0
    milestones: list[Any] | None = None


class Draft:
    """Decisions of one commit, in order."""

    __slots__ = (
        "ahead", "answers", "appends", "asked", "at_ms", "begun", "beside", "blobs", "count", "counts", "cut", "ended",
        "heads", "held_until", "mail", "parts", "row", "seal", "segmented", "size", "timed", "told", "values",
    )  # fmt: skip

    def __init__(self, row: int, at_ms: int) -> None:
        self.row, self.at_ms, self.seal = row, at_ms, seal(row, at_ms)
        self.count = self.cut = 0
        self.begun = self.ahead = 0  # effects begun before this is durable, and those still running
        self.held_until = 0.0
        self.size = 1
        self.parts: list[bytes] = []
        self.told: list[Any] = []
        self.timed: list[Changes] = []
        self.asked: list[Any] = []
        self.answers: list[tuple[Any, Any]] = []
        self.heads: dict[str, Stream] = {}
        self.counts: dict[int, int] = {}
        self.values: list[Value] = []
        self.blobs: list[tuple[str, bytes, bytes]] = []
        self.ended: list[Stream] = []
        self.segmented: list[tuple[Stream, int, int]] = []
        self.beside: list[Beside] = []
        self.mail: Mail | None = None
        self.appends: Any = None
        """What it appends to topics: see `aob.journal.topics`."""

    def answer(self) -> None:
        """Answers the callers."""
        for asked, answer in self.answers:
            if asked.future.done():
                continue
            if isinstance(answer, Exception):
                asked.future.set_exception(answer)
            else:
                asked.future.set_result(answer)

    def keep(self, tenant: str, values: dict[bytes, bytes]) -> None:
        """Values outside the record: rows of the same commit, or blobs that are durable before it."""
        for digest, data in values.items():
            if len(data) <= ROW_MAX:
                self.values.append(Value(tenant, digest, data))
            else:
                self.blobs.append((tenant, digest, data))


class Cutter:
    """Chooses the streams that get a segment in the next commit: ended ones, long ones, and all for a cut."""

    def __init__(self) -> None:
        self.due: dict[str, Stream] = {}
        self.target = self.since = 0
        """The row of the cut in progress (0: none), and the number of events after it, or else after the last cut."""
        self.queue: list[Stream] = []

    def begin(self, row: int, streams: dict[str, Stream]) -> None:
        """Starts a cut: every stream with events outside segments gets one, a few in each commit; streams with a lazily
        written head get their head too, so that recovery finds them."""
        self.target, self.since = row, 0
        self.queue = list(streams.values())

    def take(self, draft: Draft, limit: int = SEGMENTS_COST) -> list[Segment]:
        """Segments to write with this draft; sets its `cut` if they include the last stream of a cut. Due streams and
        the streams of a cut each have their own limit, so neither delays the other."""
        segments: list[Segment] = []
        taken: set[str] = set()
        self.since += draft.count
        room = left = max(limit, 2 * draft.count * (1 + SEGMENT_COST))
        while self.due and left > 0:
            name = next(iter(self.due))
            left -= self._add(draft, segments, taken, self.due.pop(name))
        while self.queue and room > 0:
            stream = self.queue.pop()
            room -= 1 if stream.name in taken else self._add(draft, segments, taken, stream)
            if stream.lazy and not stream.ended:
                draft.heads[stream.name] = stream
        if self.target and not self.queue:
            draft.cut, self.target = self.target, 0
        return segments

    @staticmethod
    def _add(draft: Draft, segments: list[Segment], taken: set[str], stream: Stream) -> int:
        """Adds the segment of a stream, if it has events to write; returns its cost."""
        if not stream.chunks:
            return 1
        name, first, count, row = stream.name, stream.kept_from, stream.seq - stream.kept_from, stream.chunks[-1].row
        if (
            stream.ended
            and not first
            and len(stream.chunks) <= POINTERS_MAX
            and all(c.offset >= 0 for c in stream.chunks)
        ):
            pointers = [Pointer(c.row, c.base, c.offset, len(bytes(c.data)), c.crc) for c in stream.chunks]
            segments.append(Segment(name, 0, count, row, b"", pointers_crc(name, count, row, pointers), pointers))
        else:
            data = segment_data(stream.chunks)
            segments.append(Segment(name, first, count, row, data, segment_crc(name, first, count, row)))
        taken.add(stream.name)
        draft.segmented.append((stream, len(stream.chunks), stream.seq))
        return SEGMENT_COST + count


def _last(changes: Iterable[tuple[Sequence[R] | None, Sequence[Key] | None]]) -> tuple[list[R], list[Key]]:
    """Merges changes of rows by (stream, id): the rows to write, and the removed keys."""
    rows: dict[Key, R] = {}
    gone: dict[Key, None] = {}
    for put, done in changes:
        for row in put or ():
            rows[(row.stream, row.id)] = row
            gone.pop((row.stream, row.id), None)
        for key in done or ():
            rows.pop(key, None)
            gone[key] = None
            if not key[1]:
                rows = {at: row for at, row in rows.items() if at[0] != key[0]}
    return list(rows.values()), list(gone)


def build(epoch: int, draft: Draft, segments: list[Segment], rows: Sequence[TicketRow] = ()) -> Batch:
    """Converts the draft to a batch for the store. `rows` are open tickets without a row."""
    timers, done = _last((changes.timers, changes.timers_done) for changes in draft.timed)
    tickets, answered = _last([(rows, None), *((each.tickets, each.tickets_done) for each in draft.timed)])
    heads: list[Head] = [stream.law.head(stream) for stream in draft.heads.values()]
    batch = Batch(
        epoch, draft.row, draft.at_ms, draft.count, b"[" + b",".join(draft.parts) + b"]",
        msgspec.json.encode(draft.counts), heads, segments, timers, done, draft.values, draft.cut, tickets, answered,
    )  # fmt: skip
    for each in draft.beside:
        each.fill(batch)
    return batch
