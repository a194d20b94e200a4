"""Copies the history of a live stream to another shard; rows in the copy name their original shard."""

from collections.abc import AsyncIterator
from typing import Final

from aob.journal.law.stream import Chunk, segment_data
from aob.journal.partition.law import place_of, row_elsewhere
from aob.journal.parts import chunk_crc, segment_chunks
from aob.ports.store import Segment, Store

SEGMENTS_AT_ONCE: Final = 16


async def copied_history(store: Store, shard: int, name: str, to: int) -> AsyncIterator[tuple[Segment, list[Chunk]]]:
    """The segments of a whole stream for the shard `to`, each with its chunks; they get the row and checksum of the
    commit that writes them. Raises Unavailable `segment_corrupt`."""
    seq = 0
    while segments := await store.segments(name, seq, SEGMENTS_AT_ONCE):
        for segment in segments:
            chunks = await segment_chunks(store, segment)
            for chunk in chunks:
                at, number = place_of(chunk.row, shard)
                chunk.row = number if at == to else row_elsewhere(at, number)
                chunk.crc = chunk_crc(name, chunk)
            first, count = segment.first_seq, segment.count
            yield Segment(name, first, count, 0, segment_data(chunks)), chunks
            seq = first + count
