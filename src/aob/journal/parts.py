"""The parts of a journal row and of a segment in bytes, each with a crc32 that is checked on read. A part is the events
of one decision: `[stream, first seq, [event, ...], crc]`. Earlier releases wrote no crc. The events of a removed stream
are replaced by a gap, `["", count, [], crc]`, so that later events keep their index."""

from collections.abc import Sequence, Set
from typing import Final
from zlib import crc32

import msgspec

from aob.core.errors import Unavailable
from aob.core.event import seed_of
from aob.journal.law.stream import Chunk, chunks_of
from aob.journal.log import logger
from aob.ports.store import JournalRow, Pointer, Segment, Store

UNCHECKED: Final = -1
ROW_CORRUPT: Final = "row_corrupt"
SEGMENT_CORRUPT: Final = "segment_corrupt"


GAP: Final = ""  # the stream name of a gap


class Part(msgspec.Struct, array_like=True):
    """The events of one decision in a journal row."""

    stream: str
    seq: int
    events: msgspec.Raw
    crc: int = UNCHECKED

    @property
    def sound(self) -> bool:
        """Whether the checksum matches."""
        return self.crc in (UNCHECKED, crc32(self.events, seed_of(self.stream)) ^ self.seq)

    @property
    def count(self) -> int:
        """How many events it holds, or held."""
        return len(_raws.decode(self.events)) if self.stream != GAP else self.seq


_raws = msgspec.json.Decoder(list[msgspec.Raw])
_parts = msgspec.json.Decoder(list[Part])


def parts_of(row: JournalRow, place: str) -> list[Part]:
    """The parts of a row of the journal at a place. Raises Unavailable `row_corrupt`, with a remedy, if a checksum
    differs."""
    if not row.sound:
        raise row_corrupt(place, row.row, "the checksum of its head differs")
    try:
        parts = _parts.decode(row.data)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise row_corrupt(place, row.row, str(error)) from None
    for part in parts:
        if not part.sound:
            raise row_corrupt(place, row.row, f"the checksum of {part.stream[:64]!r} differs")
    return parts


def without(row: JournalRow, place: str, gone: Set[str]) -> bytes:
    """The data of a row without the events of some streams. Raises Unavailable `row_corrupt`."""
    kept: list[Part] = []
    held = 0
    for part in parts_of(row, place):
        if part.stream == GAP or part.stream in gone:
            held += part.count
            continue
        if held:
            kept.append(_gap(held))
        kept.append(part)
        held = 0
    return msgspec.json.encode([*kept, _gap(held)] if held else kept)


def _gap(count: int) -> Part:
    events = b"[]"
    return Part(GAP, count, msgspec.Raw(events), crc32(events, seed_of(GAP)) ^ count)


GAP_OF_ONE: Final = msgspec.json.encode(_gap(1))
"""The part of a row whose commit has no events."""


def readable_parts(row: JournalRow) -> list[Part]:
    """The readable parts of a row, for display only, never for decisions."""
    try:
        return _parts.decode(row.data)
    except (msgspec.MsgspecError, UnicodeError) as error:
        logger().error("row_unreadable", row=row.row, why=str(error)[:200])
        return []


def file_of(shard: int) -> str:
    """The file of a shard, in a home that has files."""
    return f"shard-{shard}.db"


def row_corrupt(place: str, row: int, why: str) -> Unavailable:
    """The error for a corrupt journal row: of a file, or of a shard in a database."""
    mend = f"restore {place} from a backup, or lose what the row held: aob restore --accept-loss {place}:{row}"
    if not place.endswith(".db"):
        mend = "restore the database from a backup, then: aob restore --accept-loss store"
    why = f"{place}: journal row {row} is not what was written ({why[:200]})"
    return Unavailable(why, code=ROW_CORRUPT, row=row, hint=mend)


def seal(row: int, at_ms: int) -> int:
    """The row and time of a commit as a number to combine with its checksums, so that neither can change alone."""
    return (row ^ row >> 32 ^ at_ms) & 0xFFFFFFFF


def chunk_crc(stream: str, chunk: Chunk) -> int:
    """The checksum of a chunk: of its events, its stream and its place."""
    return crc32(chunk.data, seed_of(stream)) ^ chunk.base ^ seal(chunk.row, chunk.at_ms)


def segment_crc(stream: str, first_seq: int, count: int, row: int) -> int:
    """The checksum of a segment's fields; each chunk has its own."""
    return crc32(b"%b,%d,%d,%d" % (stream.encode(), first_seq, count, row))


def pointers_crc(stream: str, count: int, row: int, pointers: Sequence[Pointer]) -> int:
    """The checksum of the pointers to a whole stream, and of its segment's fields."""
    return crc32(msgspec.msgpack.encode(pointers), segment_crc(stream, 0, count, row))


async def segment_chunks(store: Store, segment: Segment) -> list[Chunk]:
    """The chunks of a segment. Raises Unavailable `segment_corrupt` if a checksum differs."""
    if segment.pointers:
        return await _pointed(store, segment)
    crc = segment_crc(segment.stream, segment.first_seq, segment.count, segment.row)
    why = "" if segment.crc in (UNCHECKED, crc) else "its checksum differs"
    try:
        chunks: list[Chunk] = [] if why else chunks_of(segment.data)
    except (msgspec.MsgspecError, UnicodeError) as error:
        chunks, why = [], str(error)[:200]
    if not all(chunk.crc in (UNCHECKED, chunk_crc(segment.stream, chunk)) for chunk in chunks):
        why = "the checksum of its events differs"
    if why:
        raise _corrupt(segment, why)
    return chunks


async def _pointed(store: Store, segment: Segment) -> list[Chunk]:
    if segment.crc != pointers_crc(segment.stream, segment.count, segment.row, segment.pointers):
        raise _corrupt(segment, "the checksum of its pointers differs")
    chunks: list[Chunk] = []
    for at, (at_ms, data) in zip(segment.pointers, segment.pieces, strict=True):
        chunk = Chunk(at.row, at.base, at_ms, msgspec.Raw(data), at.crc)
        chunks.append(chunk if _is_at(segment.stream, chunk, at) else await _moved(store, segment, at))
    return chunks


async def _moved(store: Store, segment: Segment, at: Pointer) -> Chunk:
    """The target of a pointer in a row rewritten since, without removed streams: an event's index in its row never
    changes."""
    for row in await store.journal(at.row - 1, 1):
        base = 0
        for part in readable_parts(row) if row.row == at.row else ():
            if base == at.base and part.stream == segment.stream:
                chunk = Chunk(at.row, base, row.at_ms, part.events.copy(), at.crc)
                if _is_at(segment.stream, chunk, at):
                    return chunk
            base += part.count
    raise _corrupt(segment, f"journal row {at.row} does not hold them")


def _is_at(stream: str, chunk: Chunk, at: Pointer) -> bool:
    return chunk_crc(stream, chunk) == at.crc


def _corrupt(segment: Segment, why: str) -> Unavailable:
    return Unavailable(
        f"{segment.stream}: the segment of its events from {segment.first_seq} is not what was written ({why})",
        code=SEGMENT_CORRUPT, hint="restore the file of its shard, or its database, from a backup",
    )  # fmt: skip
