"""Reading a shard back: heads, segments, and the journal rows after the last cut. Folds events, decides nothing."""

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from aob.core.errors import Unavailable
from aob.journal.law import Law
from aob.journal.stream import Chunk, Stream, chunks_of
from aob.ports.store import JournalRow, Segment, Store, TimerRow

ROWS_AT_ONCE: Final = 500
SEGMENTS_AT_ONCE: Final = 64
TIMERS_MAX: Final = 1_000_000


class Recovered(msgspec.Struct):
    """A shard as it was read back."""

    row: int
    at_ms: int
    cut: int
    streams: dict[str, Stream]
    timers: list[TimerRow]
    again: list[tuple[str, Any]] = []
    """Commands by stream that nobody waits for and that will be decided again: reports of workers among them."""


class Part(msgspec.Struct, array_like=True):
    """The events of one decision in a journal row."""

    stream: str
    seq: int
    events: msgspec.Raw


_parts = msgspec.json.Decoder(list[Part])


async def recover(store: Store, shard: int, laws: list[Law]) -> Recovered:
    """Every stream that has not ended, folded up to the last row."""
    row, at_ms, cut = await store.last(shard)
    streams: dict[str, Stream] = {}
    for law in laws:
        for head in await store.live(law.kind):
            stream = Stream(head.stream, law, law.fresh(head.stream))
            await _segments(store, stream)
            streams[head.stream] = stream
    async for journal_row in _tail(store, shard, cut):
        base = 0
        for part in _parts.decode(journal_row.data):
            law_or_none = _law_of(laws, part.stream)
            if law_or_none is None:
                continue
            known = streams.get(part.stream)
            if known is None:
                known = streams[part.stream] = Stream(part.stream, law_or_none, law_or_none.fresh(part.stream))
                if part.seq:
                    await _segments(store, known)
            base += _apply(known, part, journal_row, base)
    for name, stream in list(streams.items()):
        if stream.seq == 0:
            del streams[name]
            continue
        await stream.law.restore(stream)
        stream.status, stream.ended = stream.law.changes(stream, []).status, stream.law.over(stream)
    return Recovered(row, at_ms, cut, streams, await store.timers(2**62, TIMERS_MAX))


async def load_stream(store: Store, law: Law, name: str) -> Stream | None:
    """One stream from its segments; None when it has none. A stream leaves memory only once segments hold all of it,
    so for one that is not in memory they are the whole history."""
    stream = Stream(name, law, law.fresh(name))
    await _segments(store, stream)
    if not stream.seq:
        return None
    await law.restore(stream)
    stream.status, stream.ended = law.changes(stream, []).status, law.over(stream)
    return stream


def _law_of(laws: list[Law], name: str) -> Law | None:
    return next((law for law in laws if name.startswith(law.prefix)), None)


async def _segments(store: Store, stream: Stream) -> None:
    while segments := await store.segments(stream.name, stream.seq, SEGMENTS_AT_ONCE):
        _fold_segments(stream, segments)
    stream.kept_from = stream.seq


def _fold_segments(stream: Stream, segments: list[Segment]) -> None:
    for segment in segments:
        if segment.first_seq > stream.seq:
            raise Unavailable(
                f"{stream.name}: events {stream.seq} to {segment.first_seq} are missing",
                code="history_gap", hint="run `aob doctor`; restore from a backup",
            )  # fmt: skip
        seq = segment.first_seq
        for chunk in chunks_of(segment.data):
            events = stream.law.decode(chunk.data)
            _fold(stream, seq, events)
            seq += len(events)


async def _tail(store: Store, shard: int, cut: int) -> AsyncIterator[JournalRow]:
    after = cut
    while rows := await store.journal(shard, after, ROWS_AT_ONCE):
        for row in rows:
            yield row
        after = rows[-1].row


def _apply(stream: Stream, part: Part, row: JournalRow, base: int) -> int:
    """Folds what the stream does not know yet; the number of events of the part."""
    events = stream.law.decode(part.events)
    if part.seq > stream.seq:
        raise Unavailable(
            f"{stream.name}: events {stream.seq} to {part.seq} are missing",
            code="history_gap", hint="run `aob doctor`; restore from a backup",
        )  # fmt: skip
    if part.seq + len(events) > stream.seq:
        _fold(stream, part.seq, events)
        stream.chunks.append(Chunk(row.row, base, row.at_ms, part.events.copy()))
    return len(events)


def _fold(stream: Stream, seq: int, events: list[Any]) -> None:
    stream.law.fold(stream, events[max(0, stream.seq - seq) :])
    stream.seq = max(stream.seq, seq + len(events))
