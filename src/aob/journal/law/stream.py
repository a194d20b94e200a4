"""A stream in memory: its state, how far it is, and its events that no segment holds yet."""

from typing import Any

import msgspec

from aob.core.event import seed_of


class Chunk(msgspec.Struct, array_like=True, gc=False):
    """The events of one decision as they lie in a journal row: `base` is the index of the first in its row, `crc` the
    checksum of all this (-1 for what was written without one), `offset` the byte of the row's data at which they begin
    (-1: not known; no segment holds it)."""

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
    seq: int = 0
    kept_from: int = 0
    chunks: list[Chunk] = []
    status: str = ""
    tenant: str = "default"
    lazy: bool = False
    ended: bool = False
    derived: Any = None
    timed: bool = False
    touched: int = 0
    """When it was decided on or read last."""

    def __post_init__(self) -> None:
        self.seed = seed_of(self.name)


_segment = msgspec.json.Decoder(list[Chunk])


def segment_data(chunks: list[Chunk]) -> bytes:
    """Chunks as the data of a segment."""
    return b"[" + b",".join([b"[%d,%d,%d,%b,%d]" % (c.row, c.base, c.at_ms, c.data, c.crc) for c in chunks]) + b"]"


def chunks_of(data: bytes) -> list[Chunk]:
    """The chunks that a segment holds."""
    return _segment.decode(data)
