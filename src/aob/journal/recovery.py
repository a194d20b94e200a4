"""Recovers a shard from heads, segments and the journal rows after the last cut. Folds events, decides nothing. A
stream with an unreadable history is excluded and reported; an unreadable row stops the start, because its content is
unknown. A row accepted as lost is empty: streams alive at that time are quarantined."""

import asyncio
from collections.abc import AsyncIterator, Callable, Set
from typing import Any, Final

import msgspec

from aob.core.errors import AobError, Unavailable, said
from aob.core.event import partition_of
from aob.core.opening import Opening
from aob.journal.law.law import Law, law_for
from aob.journal.law.stream import Chunk, Stream
from aob.journal.log import logger
from aob.journal.pages import StatePages
from aob.journal.parts import GAP, SEGMENT_CORRUPT, Part, chunk_crc, file_of, parts_of, row_corrupt, segment_chunks
from aob.ports.blobs import GONE
from aob.ports.store import FILE_CORRUPT, MOVED, Head, JournalRow, Segment, Store, TicketRow, TimerRow, every_timer

ROWS_AT_ONCE: Final = 500
SEGMENTS_AT_ONCE: Final = 64
AT_A_STRETCH: Final = 1_000  # events folded, or streams scanned, between yields to the event loop
HISTORY_GAP: Final = "history_gap"
OWN: Final = frozenset({SEGMENT_CORRUPT, FILE_CORRUPT, HISTORY_GAP, *GONE})
"""Error codes that concern the history of one stream only."""


class Recovered(msgspec.Struct):
    """A recovered shard."""

    row: int
    at_ms: int
    cut: int
    since: int  # number of events after the cut
    streams: dict[str, Stream]  # streams with something to do, or not known to be idle
    away: dict[str, None]  # the other live streams: loaded on demand
    timers: list[TimerRow]
    tickets: list[TicketRow] = []
    tickets_whole: bool = True  # each of them has its row
    again: list[tuple[str, Any]] = []
    """Commands without a caller that will be decided again, by stream; includes workers' reports."""
    unreadable: dict[str, str] = {}  # streams with an unreadable history, and why
    begun_in_lost: set[str] = set()
    """Those that began in a row accepted as lost: they can never be read."""
    aside: dict[str, str] = {}
    """Streams of `streams` to quarantine, and why: their events in a lost row are not known."""


async def recover(
    store: Store, shard: int, laws: list[Law], *, every: bool = False, foreign: Set[int] = frozenset(),
    opening: Opening | None = None, place: str = "",
) -> Recovered:  # fmt: skip
    """The streams that have not ended, folded up to the last row; with `every` also idle ones. None of `foreign`
    partitions, except runs that ended here after the last cut. Updates `opening`. Raises Unavailable `row_corrupt`,
    with the `place` of the store."""
    opening = opening or Opening()
    row, at_ms, cut = await store.last()
    found = Recovered(row, at_ms, cut, 0, {}, {}, [])
    every = every or not await store.tickets_whole()
    reading = _Reading(store, place or file_of(shard), found, laws)
    holding = await store.holding()
    if foreign:
        reading.elsewhere = lambda name: partition_of(name, holding.partitions) in foreign
    if came := {extent.partition for extent in holding.extents if extent.epoch and not extent.last_row}:
        reading.came = lambda name: partition_of(name, holding.partitions) in came
    opening.begin("runs", await store.live_count())
    for law in laws:
        async for head in _live(store, law.kind):
            opening.done += 1
            if law.spread and reading.elsewhere(head.stream):
                continue
            if not every and law.rests_as(head):
                found.away[head.stream] = None
            else:
                await reading.begin(head.stream, law)
    await _read_tail(reading, opening)
    opening.begin("state", len(found.streams))
    for name, stream in list(found.streams.items()):
        if stream.seq:
            await reading.end(name, stream)
        else:
            del found.streams[name]
        opening.done += 1
        if not opening.done % AT_A_STRETCH:
            await asyncio.sleep(0)
    opening.begin("timers")
    async for timer in every_timer(store):
        if timer.stream not in found.unreadable and not reading.left(timer.stream):
            found.timers.append(timer)
        opening.done += 1
    await _tickets(store, found, opening)
    found.tickets = [row for row in found.tickets if not reading.left(row.stream)] if foreign else found.tickets
    return found


async def _read_tail(reading: "_Reading", opening: Opening) -> None:
    """The journal rows after the last cut."""
    place, after = reading.place, reading.found.cut
    opening.begin("journal", max(0, reading.found.row - after))
    folded = 0
    async for journal_row in _tail(reading.store, after):
        if journal_row.row != after + 1:
            raise row_corrupt(place, after + 1, "it is missing")
        after = journal_row.row
        reading.found.since += journal_row.count
        opening.done += 1
        if not journal_row.count and journal_row.sound:
            await reading.lost(journal_row.row)
            continue
        base = offset = 0
        for part in parts_of(journal_row, place):
            offset = journal_row.data.find(part.events, offset)
            base += await reading.part(part, journal_row, base, offset)
            offset += len(bytes(part.events))
        folded += base
        if folded > AT_A_STRETCH:
            folded = 0
            await asyncio.sleep(0)


async def _live(store: Store, kind: str) -> AsyncIterator[Head]:
    after = ("", "")
    while page := await store.live(kind, after):
        for head in page:
            yield head
        after = (page[-1].status, page[-1].stream)


async def _tickets(store: Store, found: Recovered, opening: Opening) -> None:
    """Reads tickets from their rows; files of an earlier release have none, but all their streams are in memory."""
    found.tickets_whole = await store.tickets_whole()
    if not found.tickets_whole:
        found.tickets = [row for stream in found.streams.values() for row in stream.law.tickets(stream)]
        return
    after = ("", "")
    opening.begin("tickets")
    while page := await store.tickets(after):
        opening.done += len(page)
        found.tickets += [row for row in page if row.stream not in found.unreadable]
        after = (page[-1].stream, page[-1].id)


class _Reading:
    """The streams of a shard during recovery."""

    def __init__(self, store: Store, place: str, found: Recovered, laws: list[Law]) -> None:
        self.store, self.place, self.found, self._laws = store, place, found, laws
        self._lost = 0
        self._short: dict[str, int] = {}  # runs with events in a lost row, and how far later rows go
        self.elsewhere: Callable[[str], bool] = lambda name: False  # whether a name's partition is another shard's
        self.came: Callable[[str], bool] = lambda name: False
        """Whether it came here: rows of before it left may be in this journal, and all are in the segments it
        brought."""
        self._gone: dict[str, bool] = {}  # streams of such partitions, and whether they left with them

    def left(self, name: str) -> bool:
        """Whether a stream is another shard's, judged by its name."""
        law = law_for(self._laws, name) if self.elsewhere(name) else None
        return law is not None and law.spread

    async def _went(self, name: str) -> bool:
        """Whether a stream left with its partition: it did not end here."""
        if name not in self._gone:
            head = await self.store.head(name)
            self._gone[name] = head is None or not head.ended_ms or head.kind == MOVED
        return self._gone[name]

    async def begin(self, name: str, law: Law) -> Stream | None:
        """A stream from its segments; None if they cannot be read."""
        stream = Stream(name, law, law.fresh(name))
        try:
            await _segments(self.store, stream)
        except Exception as error:
            self._left_out(stream, error)
            return None
        self.found.streams[name] = stream
        return stream

    async def part(self, part: Part, row: JournalRow, base: int, offset: int) -> int:
        """Folds a part of a row, whose events begin at byte `offset`. Returns its number of events."""
        name = part.stream
        if name == GAP:
            return part.count
        law = law_for(self._laws, name)
        stream = self.found.streams.get(name)
        if law is not None and stream is None and name not in self.found.unreadable:
            if law.spread and self.elsewhere(name) and await self._went(name):
                return part.count
            stream = await self._opened(name, law, part)
        if stream is not None and stream.law.kind == "run" and self._lost and part.seq > stream.seq:
            return self._cut_short(stream, part)
        if stream is not None:
            try:
                return _apply(stream, part, row, base, offset, tolerant=bool(self._lost) and stream.law.kind != "run")
            except Exception as error:
                self._left_out(stream, error)
        return part.count

    async def _opened(self, name: str, law: Law, part: Part) -> Stream | None:
        self.found.away.pop(name, None)
        if part.seq or self.came(name):
            return await self.begin(name, law)
        stream = self.found.streams[name] = Stream(name, law, law.fresh(name))
        return stream

    async def lost(self, row: int) -> None:
        """A row accepted as lost: it may have held events of any stream."""
        self._lost = row
        for name in list(self.found.away):
            if (law := law_for(self._laws, name)) is not None:
                await self._opened(name, law, Part(name, 1, msgspec.Raw(b"[]")))
        reason = f"journal row {row}, which may have told of it, was lost"
        self.found.aside |= {name: reason for name, each in self.found.streams.items() if each.law.kind == "run"}

    def _cut_short(self, stream: Stream, part: Part) -> int:
        """A run with events in a lost row keeps its state before it. One that began in that row is dropped."""
        count, name = part.count, stream.name
        reason = f"journal row {self._lost}, which told of it, was lost"
        if stream.seq:
            self.found.aside[name], self._short[name] = reason, max(self._short.get(name, 0), part.seq + count)
        else:
            self.found.streams.pop(name, None)
            self.found.unreadable[name] = reason
            self.found.begun_in_lost.add(name)
        return count

    async def end(self, name: str, stream: Stream) -> None:
        """A stream is fully folded: rebuild its derived data."""
        stream.seq = max(stream.seq, self._short.get(name, 0))
        try:
            await stream.law.restore(stream)
            stream.status, stream.ended = stream.law.changes(stream, []).status, stream.law.over(stream)
        except Exception as error:
            self._left_out(stream, error)

    def _left_out(self, stream: Stream, error: Exception) -> None:
        """Excludes one unreadable stream, unless it is vital."""
        known = isinstance(error, AobError)
        if (isinstance(error, AobError) and error.code not in OWN) or stream.law.vital:
            raise error
        reason = error.detail if isinstance(error, AobError) else f"{type(error).__name__}: {said(error)}"
        logger().error("stream_unreadable", stream=stream.name, why=reason, exc_info=None if known else error)
        self.found.streams.pop(stream.name, None)
        self.found.unreadable[stream.name] = reason


async def load_stream(store: Store, law: Law, name: str, pages: StatePages | None = None) -> Stream | None:
    """One stream from its state page, if it has a valid one, and its segments; None if it has none. A stream is evicted
    only once segments hold all of it, so they are the whole history of one not in memory."""
    stream = Stream(name, law, law.fresh(name))
    paged = pages is not None and await pages.restore(store, stream)
    begun = stream.seq
    try:
        await _segments(store, stream)
        if not stream.seq:
            return None
        await law.restore(stream)
        stream.status, stream.ended = law.changes(stream, []).status, law.over(stream)
    except Exception:
        if pages is None or not paged:
            raise
        await pages.refuse(name)
        return await load_stream(store, law, name, pages)
    if pages is not None:
        pages.stats["folded"] += stream.seq - begun
    return stream


async def _segments(store: Store, stream: Stream) -> None:
    while segments := await store.segments(stream.name, stream.seq, SEGMENTS_AT_ONCE):
        for segment in segments:
            _fold_segment(stream, segment, await segment_chunks(store, segment))
    stream.kept_from = stream.seq


def _fold_segment(stream: Stream, segment: Segment, chunks: list[Chunk]) -> None:
    if segment.first_seq > stream.seq:
        raise _missing(stream, segment.first_seq)
    seq = segment.first_seq
    for chunk in chunks:
        events = stream.law.decode(chunk.data)
        _fold(stream, seq, events)
        seq += len(events)
    stream.seq = max(stream.seq, segment.first_seq + segment.count)  # fewer were read if a loss was accepted


async def _tail(store: Store, cut: int) -> AsyncIterator[JournalRow]:
    after = cut
    while rows := await store.journal(after, ROWS_AT_ONCE):
        for row in rows:
            yield row
        after = rows[-1].row


def _apply(stream: Stream, part: Part, row: JournalRow, base: int, offset: int, *, tolerant: bool) -> int:
    """Folds new events of a part. Returns its number of events. `tolerant` accepts a gap before it."""
    events = stream.law.decode(part.events)
    if part.seq > stream.seq and tolerant:
        stream.seq = part.seq
    if part.seq > stream.seq:
        raise _missing(stream, part.seq)
    if part.seq + len(events) > stream.seq:
        _fold(stream, part.seq, events)
        chunk = Chunk(row.row, base, row.at_ms, part.events.copy(), offset=offset)
        chunk.crc = chunk_crc(stream.name, chunk)
        stream.chunks.append(chunk)
    return len(events)


def _missing(stream: Stream, until: int) -> Unavailable:
    why = f"{stream.name}: events {stream.seq} to {until} are missing"
    return Unavailable(why, code=HISTORY_GAP, hint="run `aob doctor`; restore from a backup")


def _fold(stream: Stream, seq: int, events: list[Any]) -> None:
    stream.law.fold(stream, events[max(0, stream.seq - seq) :])
    stream.seq = max(stream.seq, seq + len(events))
