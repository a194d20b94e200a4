"""A stream in memory: its state, its progress, and its events that are not in a segment yet."""

from typing import Any

import msgspec

from aob.core.agent_name import placing
from aob.core.event import seed_of


class Chunk(msgspec.Struct, array_like=True, gc=False):
    """The events of one decision as in a journal row: `base` is the index of the first in its row, `crc` the checksum
    of all this (-1: written without one), `offset` the byte where they begin in the row's data (-1: unknown; not in
    segments)."""

    row: int
    base: int
    at_ms: int
    data: msgspec.Raw
    crc: int = -1
    offset: int = -1


class Stream(msgspec.Struct, gc=False, eq=False):
    """One stream of one law. Only the journal writes to it; others read `state` between awaits."""

    name: str
    law: Any
    state: Any
    seed: int = 0
    place: int = 0  # decides its partition
    seq: int = 0
    kept_from: int = 0
    chunks: list[Chunk] = []
    status: str = ""
    tenant: str = "default"
    lazy: bool = False
    ended: bool = False
    derived: Any = None
    timed: bool = False
    touched: int = 0  # time of the last decision or read
    removed_ms: int = 0  # of a fresh one: when an earlier stream of this name was removed

    def __post_init__(self) -> None:
        self.seed, self.place = seed_of(self.name), seed_of(placing(self.name))


_segment = msgspec.json.Decoder(list[Chunk])


def segment_data(chunks: list[Chunk]) -> bytes:
    """Encodes chunks as segment data."""
    return b"[" + b",".join([b"[%d,%d,%d,%b,%d]" % (c.row, c.base, c.at_ms, c.data, c.crc) for c in chunks]) + b"]"


def chunks_of(data: bytes) -> list[Chunk]:
    """Decodes the chunks of a segment."""
    return _segment.decode(data)
