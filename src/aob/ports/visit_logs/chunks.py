"""Port `LogChunks`: lines of handlers in chunks that all processes of a home read, by run and in one order."""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

CHUNK_BYTES: Final = 256 * 1024
RUN_BYTES: Final = 8 * 1024 * 1024
"""Of a run the last chunks are kept, with at most so many bytes together."""
RUN_CHUNKS: Final = 50_000
"""And at most so many."""


class Chunk(msgspec.Struct, frozen=True):
    """Lines of a run by one writer, each with its newline. `first` is the number of the first of them: the writer
    numbers its lines of a run upwards, without a gap inside a chunk, and uses no number twice. `dropped`: so many lines
    before it could not be kept. Without `data` its own lines could not."""

    run: str
    tenant: str
    writer: str
    first: int
    lines: int
    data: bytes
    dropped: int = 0


class KeptChunk(msgspec.Struct, frozen=True):
    """A chunk as it is kept. `number` counts those of a run from 1 on; `upto_lines` are the lines of the run until its
    end. Without `data` its lines are gone."""

    number: int
    writer: str
    first: int
    lines: int
    dropped: int
    upto_lines: int
    data: bytes


class LogChunks(Protocol):
    """The chunks of one home. What one process adds, the others read."""

    async def add(self, chunks: Sequence[Chunk]) -> None:
        """Keep chunks, those of a run in this order; durable on return. One that is there already, by run, writer and
        first line, stays as it is: a repeat adds nothing. Of each run the last are kept, up to `RUN_BYTES` and
        `RUN_CHUNKS`. Raises Unavailable: then all are there or none."""

    async def read(self, run: str, after: int) -> list[KeptChunk]:
        """The next chunks of a run after a number, in order: some of them, none when there are no more. Whoever has
        read a number has read all before it, or they are gone."""

    async def having(self, runs: Sequence[str]) -> list[str]:
        """Those of some runs that have chunks, in the same order."""

    async def remove(self, run: str) -> None:
        """Remove the chunks of a run, with their bytes. Idempotent."""
