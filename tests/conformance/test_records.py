"""Every `Records` backend against the one suite."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from aob.backends.file_records import FileRecords
from aob.backends.memory.records import MemoryRecords
from aob.backends.postgres.database import Database
from aob.backends.postgres.members import PostgresRecords
from aob.core.errors import Unavailable
from aob.ports.cluster import Records
from aob.testing.conformance.records import RecordsSuite
from tests.servers.fixtures import Schema, dropped, made_schema


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class TestMemory(RecordsSuite):
    async def make(self) -> Records:
        return MemoryRecords(now_ms)


class TestFile(RecordsSuite):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "records.json"

    async def make(self) -> Records:
        return FileRecords(self.path, now_ms)

    async def test_nothing_is_on_the_disk_before_the_first_write(self, records: Records) -> None:
        await records.changed()
        assert not self.path.exists()
        await records.write("settings", b"one", 0, "ann")
        assert self.path.stat().st_mode & 0o777 == 0o600
        assert [path.name for path in self.path.parent.iterdir()] == ["records.json"]

    async def test_one_process_after_the_other(self, records: Records) -> None:
        written = await records.write("settings", b"one", 0, "ann")
        later = FileRecords(self.path, now_ms)
        assert await later.read("settings") == written
        await later.write("settings", b"two", 1, "ann")
        assert (await self.present(records, "settings")).data == b"two"

    async def test_a_damaged_file_is_an_error_and_not_an_empty_one(self, records: Records) -> None:
        await records.write("settings", b"one", 0, "ann")
        self.path.write_bytes(self.path.read_bytes()[:-20])
        with pytest.raises(Unavailable, match="cannot be read"):
            await records.read("settings")
        with pytest.raises(Unavailable):
            await records.write("settings", b"two", 0, "ann")


@pytest.fixture(scope="module")
def schema(postgres_url: str) -> Iterator[Schema]:
    made = made_schema(postgres_url, 1)
    yield made
    dropped(made)


class TestPostgres(RecordsSuite):
    @pytest.fixture(autouse=True)
    async def databases(self, schema: Schema) -> AsyncIterator[None]:
        self.database, self.other = await Database.open(schema.url), await Database.open(schema.url)
        self.owner = await Database.open(schema.owner_url)
        self.name = f'"{schema.name}"'
        await self.owner.run(f"truncate {self.name}.record")
        yield
        for database in (self.database, self.other, self.owner):
            await database.close()

    async def make(self) -> Records:
        return PostgresRecords(self.database)

    async def another(self, records: Records) -> Records:
        return PostgresRecords(self.other)

    async def test_the_service_writes_by_the_function_alone(self, records: Records) -> None:
        await records.write("settings", b"one", 0, "ann")
        for statement in (f"delete from {self.name}.record", f"update {self.name}.record set by = 'me'"):
            with pytest.raises(Unavailable) as refused:
                await self.database.run(statement)
            assert refused.value.code == "store_rights"

    async def test_whoever_saw_a_number_has_seen_all_writes_before_it(self, records: Records) -> None:
        """A write whose number is smaller cannot become visible later: the lock orders them."""
        async with self.owner.transaction() as slow:
            await slow.execute(f"select {self.name}.put_record('slow', 'a', 0, 'ann', 1)".encode())
            fast = asyncio.create_task(PostgresRecords(self.other).write("fast", b"b", 0, "ann"))
            done, _ = await asyncio.wait({fast}, timeout=0.1)
            assert not done
            assert await records.changed() == 0
        await fast
        assert {each.name for each in await records.every("")} == {"slow", "fast"}
