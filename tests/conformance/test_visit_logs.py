"""Every `VisitLogs` and every `LogChunks` backend against the one suite."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from aob.backends.memory.log_chunks import MemoryLogChunks
from aob.backends.postgres.database import Database
from aob.backends.postgres.members import PostgresLogChunks
from aob.core.errors import Unavailable
from aob.ports.visit_logs import LogChunks, VisitLogs
from aob.testing.conformance.visit_logs import LogChunksSuite, VisitLogsSuite, chunk, every
from aob.work.visit_logs import ChunkedLogs, Logs, chunked
from tests.servers.fixtures import Schema, dropped, made_schema


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine stores late."""
    monkeypatch.setattr(chunked, "FLUSH_S", 30.0)


class TestFolder(VisitLogsSuite):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> Iterator[None]:
        self.root, self.now, self.opened = tmp_path / "logs", itertools.count(1_000), list[Logs]()
        yield
        for logs in self.opened:
            logs.close()

    async def make(self) -> VisitLogs:
        self.opened.append(Logs(self.root, lambda: next(self.now), segment_max=2_000, segments_max=100))
        return self.opened[-1]


class ChunkedSuite(VisitLogsSuite):
    """Chunked logs, with chunks so small that a few lines fill one."""

    chunks: LogChunks

    async def start(self) -> None:
        self.now, self.opened = itertools.count(1_000), list[ChunkedLogs]()

    async def make(self) -> VisitLogs:
        logs = ChunkedLogs(self.chunks, lambda: next(self.now), chunk_bytes=1_000, wait_s=0.005, poll_s=0.01)
        logs.begin()
        self.opened.append(logs)
        return logs

    async def end(self) -> None:
        for logs in self.opened:
            await logs.close()


class TestMemoryLogs(ChunkedSuite):
    @pytest.fixture(autouse=True)
    async def memory(self) -> AsyncIterator[None]:
        self.chunks = MemoryLogChunks()
        await self.start()
        yield
        await self.end()


@pytest.fixture(scope="module")
def schema(postgres_url: str) -> Iterator[Schema]:
    made = made_schema(postgres_url, 1)
    yield made
    dropped(made)


@pytest.fixture
async def database(schema: Schema) -> AsyncIterator[Database]:
    owner = await Database.open(schema.owner_url, size=1)
    await owner.run(f'truncate "{schema.name}".log_chunk, "{schema.name}".blob')
    await owner.close()
    opened = await Database.open(schema.url)
    yield opened
    await opened.close()


class TestPostgresLogs(ChunkedSuite):
    @pytest.fixture(autouse=True)
    async def rows(self, database: Database) -> AsyncIterator[None]:
        self.chunks = PostgresLogChunks(database)
        await self.start()
        yield
        await self.end()


class TestMemoryChunks(LogChunksSuite):
    @pytest.fixture(autouse=True)
    def memory(self) -> None:
        self.kept = MemoryLogChunks()

    async def make(self) -> LogChunks:
        return self.kept


class TestPostgresChunks(LogChunksSuite):
    @pytest.fixture(autouse=True)
    def rows(self, database: Database, schema: Schema) -> None:
        self.database, self.name = database, f'"{schema.name}"'

    async def make(self) -> LogChunks:
        return PostgresLogChunks(self.database)

    async def blobs(self) -> int:
        (row,) = await self.database.rows(f"select count(*) from {self.name}.blob")
        return int(row[0])

    async def test_bytes_come_and_go_with_their_rows(self, chunks: LogChunks) -> None:
        await chunks.add([chunk("a", 0), chunk("a", 2), chunk("a", 0, run="run_2")])
        assert await self.blobs() == 3
        await chunks.remove("run_1")
        assert await self.blobs() == 1

    async def test_of_a_run_the_last_chunks_are_kept_and_all_are_counted(self) -> None:
        size = len(chunk("a", 0).data)
        for limits in ({"run_chunks": 3}, {"run_bytes": 4 * size}):  # each chunk has its name besides
            few = PostgresLogChunks(self.database, **limits)
            await few.remove("run_1")
            await few.add([chunk("a", first) for first in range(0, 10, 2)])
            for first in range(10, 20, 2):
                await few.add([chunk("a", first)])
            found = await every(few)
            assert [each.number for each in found] == [8, 9, 10]
            assert [each.upto_lines for each in found] == [16, 18, 20]
            assert await self.blobs() == 3

    async def test_a_chunk_whose_bytes_are_gone_is_told_without_them(self, chunks: LogChunks, schema: Schema) -> None:
        await chunks.add([chunk("a", 0), chunk("a", 2)])
        owner = await Database.open(schema.owner_url, size=1)
        first = f"select digest from {self.name}.log_chunk where first = 0"
        await owner.run(f"delete from {self.name}.blob where digest = ({first})")
        await owner.close()
        assert [(each.lines, bool(each.data)) for each in await every(chunks)] == [(2, False), (2, True)]

    async def test_the_service_writes_by_the_functions_alone(self, chunks: LogChunks) -> None:
        await chunks.add([chunk("a", 0)])
        for statement in (f"delete from {self.name}.log_chunk", f"update {self.name}.log_chunk set first = 9"):
            with pytest.raises(Unavailable) as refused:
                await self.database.run(statement)
            assert refused.value.code == "store_rights"
