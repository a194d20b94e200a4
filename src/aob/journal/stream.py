"""A stream in memory: its state, how far it is, and its events that no segment holds yet."""

from typing import Any

import msgspec

from aob.core.event.ids import partition_of


class Chunk(msgspec.Struct, array_like=True, gc=False):
    """The events of one decision as they lie in a journal row: `base` is the index of the first in its row."""

    row: int
    base: int
    at_ms: int
    data: msgspec.Raw


class Stream:
    """One stream of one law. Only the journal writes to it; others read `state` between awaits."""

    __slots__ = (
        "chunks", "derived", "ended", "kept_from", "law", "lazy", "name", "partition", "seq", "state", "status",
        "tenant", "timed",
    )  # fmt: skip

    def __init__(self, name: str, law: Any, state: Any) -> None:
        self.name, self.law, self.state = name, law, state
        self.partition = partition_of(name)
        self.seq = 0
        self.kept_from = 0
        self.chunks: list[Chunk] = []
        self.status = ""
        self.tenant = "default"
        self.lazy = False
        self.ended = False
        self.derived: Any = None
        self.timed = False


_segment = msgspec.json.Decoder(list[Chunk])


def segment_data(chunks: list[Chunk]) -> bytes:
    """Chunks as the data of a segment."""
    return msgspec.json.encode(chunks)


def chunks_of(data: bytes) -> list[Chunk]:
    """The chunks that a segment holds."""
    return _segment.decode(data)
