"""Port `LogChunks` on Postgres: a row a chunk, its bytes a blob of its tenant. Numbers of a run commit in order."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from aob.backends.postgres.database import Database
from aob.core.value import digest_of
from aob.ports.visit_logs import RUN_BYTES, RUN_CHUNKS, Chunk, KeptChunk

PAGE: Final = 8  # chunks that one read gives at most


class PostgresLogChunks:
    """The chunks of the cluster of a schema. Whoever opened the database closes it. Tests keep fewer."""

    def __init__(self, database: Database, *, run_bytes: int = RUN_BYTES, run_chunks: int = RUN_CHUNKS) -> None:
        self._database, self._kept = database, (run_bytes, run_chunks)
        self._sql = database.statements("logs.sql")

    async def add(self, chunks: Sequence[Chunk]) -> None:
        if not chunks:
            return
        datas = [_named(chunk) + chunk.data for chunk in chunks]
        told = [
            {"run": chunk.run, "tenant": chunk.tenant, "writer": chunk.writer, "first": chunk.first,
             "lines": chunk.lines, "dropped": chunk.dropped, "digest": digest_of(data).hex()}
            for chunk, data in zip(chunks, datas, strict=True)
        ]  # fmt: skip
        await self._database.row(self._sql["add"], (msgspec.json.encode(told).decode(), datas, *self._kept))

    async def read(self, run: str, after: int) -> list[KeptChunk]:
        return [_kept(row) for row in await self._database.rows(self._sql["read"], (run, after, PAGE))]

    async def having(self, runs: Sequence[str]) -> list[str]:
        found = {str(row[0]) for row in await self._database.rows(self._sql["having"], (list(runs),))}
        return [run for run in runs if run in found]

    async def remove(self, run: str) -> None:
        await self._database.row(self._sql["remove"], (run,))


def _named(chunk: Chunk) -> bytes:
    """The first line of its bytes: two chunks have never the same ones."""
    return msgspec.json.encode({"run": chunk.run, "writer": chunk.writer, "first": chunk.first}) + b"\n"


def _kept(row: tuple[Any, ...]) -> KeptChunk:
    number, writer, first, lines, dropped, upto_lines, data = row
    kept = b"" if data is None else bytes(data).partition(b"\n")[2]  # None: removed by hand
    return KeptChunk(number, writer, first, lines, dropped, upto_lines, kept)
