"""A batch in the making: what its decisions write, and what leaves once it is durable."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from aob.core.value import ROW_MAX
from aob.journal.law.law import Changes
from aob.journal.law.stream import Stream, segment_data
from aob.journal.messages import Mail
from aob.journal.parts import pointers_crc, seal, segment_crc
from aob.journal.removal import Removals
from aob.ports.store import Batch, Head, Pointer, Segment, TicketRow, TimerRow, Value

Key = tuple[str, str]
R = TypeVar("R", TicketRow, TimerRow)
SEGMENTS_PER_BATCH: Final = 256
SEGMENT_EVENTS: Final = 256
"""A live stream's events become a segment when there are this many new ones."""
POINTERS_MAX: Final = 16
"""A stream that ended within so many decisions is not copied: a pointer to each of them is a tenth of what they are."""


class Told(msgspec.Struct, eq=False, gc=False):
    """What one decision of a commit tells: the stream, its first sequence number, its events, its changes."""

    stream: Stream
    seq: int
    base: int
    events: list[Any]
    changes: Changes


class Committed(msgspec.Struct, eq=False):
    """One commit: its row, its time, and what its decisions tell, in order; the bytes of its events. `milestones` are
    found by those who read commits."""

    row: int
    at_ms: int
    told: list[Told]
    size: int = 0
    milestones: list[Any] | None = None


class Draft:
    """Decisions of one commit, in order."""

    __slots__ = (
        "ahead", "answers", "asked", "at_ms", "begun", "blobs", "count", "counts", "cut", "ended", "heads",
        "held_until", "mail", "parts", "removals", "row", "seal", "segmented", "size", "timed", "told", "values",
    )  # fmt: skip

    def __init__(self, row: int, at_ms: int) -> None:
        self.row, self.at_ms, self.seal = row, at_ms, seal(row, at_ms)
        self.count = self.cut = 0
        self.begun = self.ahead = 0
        """Effects that began before this is durable, and those of them that nothing was heard of yet."""
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
        self.removals: list[Removals] = []
        self.mail: Mail | None = None

    def answer(self) -> None:
        """Whoever asked is told."""
        for asked, answer in self.answers:
            if asked.future.done():
                continue
            if isinstance(answer, Exception):
                asked.future.set_exception(answer)
            else:
                asked.future.set_result(answer)

    def keep(self, tenant: str, values: dict[bytes, bytes]) -> None:
        """Values beside the record: rows of the same commit, or blobs that are durable before it."""
        for digest, data in values.items():
            if len(data) <= ROW_MAX:
                self.values.append(Value(tenant, digest, data))
            else:
                self.blobs.append((tenant, digest, data))


class Cutter:
    """Which streams get a segment in the next commit: ended ones, long ones, and all of them for a cut."""

    def __init__(self) -> None:
        self.due: dict[str, Stream] = {}
        self.target = 0
        self.queue: list[Stream] = []

    def begin(self, row: int, streams: dict[str, Stream]) -> None:
        """A cut: every stream with events that no segment holds gets one, a few in each commit; one whose head is
        written lazily gets its head too, or recovery would not know of it."""
        self.target = row
        self.queue = [stream for stream in streams.values() if stream.chunks or (stream.lazy and not stream.ended)]

    def take(self, draft: Draft, limit: int = SEGMENTS_PER_BATCH) -> list[Segment]:
        """Segments to write with this draft; sets its `cut` when the last stream of a cut is among them."""
        segments: list[Segment] = []
        taken: set[str] = set()
        while self.due and len(segments) < limit:
            name = next(iter(self.due))
            self._add(draft, segments, taken, self.due.pop(name))
        while self.queue and len(segments) < limit:
            stream = self.queue.pop()
            if stream.name not in taken:
                self._add(draft, segments, taken, stream)
            if stream.lazy and not stream.ended:
                draft.heads[stream.name] = stream
        if self.target and not self.queue:
            draft.cut, self.target = self.target, 0
        return segments

    @staticmethod
    def _add(draft: Draft, segments: list[Segment], taken: set[str], stream: Stream) -> None:
        if not stream.chunks:
            return
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


def _last(changes: Iterable[tuple[Sequence[R] | None, Sequence[Key] | None]]) -> tuple[list[R], list[Key]]:
    """What many changes of rows by (stream, id) come to: the rows, and those that are done."""
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


def build(shard: int, epoch: int, draft: Draft, segments: list[Segment], rows: Sequence[TicketRow] = ()) -> Batch:
    """The draft as the value that a store commits. `rows` are open tickets that have no row yet."""
    timers, done = _last((changes.timers, changes.timers_done) for changes in draft.timed)
    tickets, answered = _last([(rows, None), *((each.tickets, each.tickets_done) for each in draft.timed)])
    heads: list[Head] = [stream.law.head(stream) for stream in draft.heads.values()]
    batch = Batch(
        shard, epoch, draft.row, draft.at_ms, draft.count, b"[" + b",".join(draft.parts) + b"]",
        msgspec.json.encode(draft.counts), heads, segments, timers, done, draft.values, draft.cut, tickets, answered,
    )  # fmt: skip
    for each in draft.removals:
        batch.removals = [*batch.removals, *each.streams]
        batch.rewritten = [*batch.rewritten, *each.rewritten]
        batch.leftovers = [*batch.leftovers, *each.leftovers]
        batch.settled = [*batch.settled, *each.settled]
        batch.dropped = [*batch.dropped, *each.dropped]
        batch.unless_after = each.unless_after if each.dropped else batch.unless_after
    return batch
