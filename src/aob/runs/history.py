"""All events of one run, in order, from its segments and from memory: what a timeline and a replay read."""

from typing import Any

import msgspec

from aob.journal import Stream
from aob.journal.stream import chunks_of
from aob.runs.core import Core
from aob.runs.feed import Fact


async def history(core: Core, stream: Stream) -> list[Fact]:
    """Committed events of a stream, oldest first. A run of a million events is a million facts: read it once."""
    facts: list[Fact] = []
    for segment in await core.store.segments(stream.name):
        if segment.first_seq < len(facts):
            del facts[segment.first_seq :]
        for chunk in chunks_of(segment.data):
            _extend(facts, stream, chunk.row, chunk.base, chunk.at_ms, chunk.data)
    live = core.journal.streams.get(stream.name)
    if live is not None:
        have = facts[-1] if facts else None
        for chunk in list(live.chunks):
            newer = have is None or (chunk.row, chunk.base) > (have.row, have.index)
            if newer and chunk.row <= core.journal.durable_row:
                _extend(facts, stream, chunk.row, chunk.base, chunk.at_ms, chunk.data)
    return facts


def _extend(facts: list[Fact], stream: Stream, row: int, base: int, at_ms: int, data: msgspec.Raw) -> None:
    events: list[Any] = stream.law.decode(data)
    first = len(facts)
    for index, event in enumerate(events):
        facts.append(Fact(row, base + index, at_ms, stream.name, first + index, event, stream.tenant))
