"""Events of one run in order, from its segments and from memory, for timelines and replays."""

from collections.abc import AsyncIterator
from typing import Final

import msgspec

from aob.journal import Stream
from aob.journal.law import Chunk
from aob.runs import Core
from aob.runs.feed import Fact, events_of

SEGMENTS_AT_ONCE: Final = 16


async def history(core: Core, stream: Stream, after: int = -1, limit: int = 1 << 62) -> list[Fact]:
    """Committed events of a stream after a sequence number, oldest first, at most `limit`."""
    facts: list[Fact] = []
    async for fact in told(core, stream, after):
        facts.append(fact)
        if len(facts) >= limit:
            break
    return facts


async def told(core: Core, stream: Stream, after: int = -1) -> AsyncIterator[Fact]:
    """Committed events of a stream, one by one; never loads all events of a run at once."""
    seq = after + 1
    while True:
        segments = await core.store.segments(stream.name, seq, SEGMENTS_AT_ONCE)
        live = core.journal.streams.get(stream.name)
        if not segments and (live is None or live.kept_from <= seq):
            break  # else a segment was written in the meantime: its events are no longer in memory
        for segment in segments:
            first = segment.first_seq
            for chunk in await core.journal.chunks(segment):
                for fact in _facts(core, stream, chunk, first):
                    if fact.seq >= seq:
                        seq = fact.seq + 1
                        yield fact
                    first = fact.seq + 1
    if live is None:
        return
    first = live.kept_from
    for chunk in list(live.chunks):
        if chunk.row > core.journal.durable_row:
            return
        for fact in _facts(core, stream, chunk, first):
            if fact.seq >= seq:
                seq = fact.seq + 1
                yield fact
            first = fact.seq + 1


def _facts(core: Core, stream: Stream, chunk: Chunk, first: int) -> list[Fact]:
    data: msgspec.Raw = chunk.data
    events, positions = events_of(stream.law, data), core.feed.positions
    return [
        Fact(chunk.row, chunk.base + index, chunk.at_ms, stream.name, first + index, event, stream.tenant, positions)
        for index, event in enumerate(events)
    ]
