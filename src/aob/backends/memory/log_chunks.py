"""The port `LogChunks` in memory: the parts of a process that is the whole home share the object."""

from collections.abc import Sequence
from typing import Final

from aob.ports.visit_logs import RUN_BYTES, RUN_CHUNKS, Chunk, KeptChunk

PAGE: Final = 8


class MemoryLogChunks:
    """Chunks of runs, the last of each."""

    def __init__(self) -> None:
        self._kept: dict[str, list[KeptChunk]] = {}

    async def add(self, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            kept = self._kept.setdefault(chunk.run, [])
            if any((each.writer, each.first) == (chunk.writer, chunk.first) for each in kept):
                continue
            number, upto = (kept[-1].number, kept[-1].upto_lines) if kept else (0, 0)
            kept.append(KeptChunk(
                number + 1, chunk.writer, chunk.first, chunk.lines, chunk.dropped, upto + chunk.lines, chunk.data
            ))  # fmt: skip
            while len(kept) > RUN_CHUNKS or sum(len(each.data) for each in kept) > RUN_BYTES:
                del kept[0]

    async def read(self, run: str, after: int) -> list[KeptChunk]:
        return [each for each in self._kept.get(run, ()) if each.number > after][:PAGE]

    async def having(self, runs: Sequence[str]) -> list[str]:
        return [run for run in runs if run in self._kept]

    async def remove(self, run: str) -> None:
        self._kept.pop(run, None)
