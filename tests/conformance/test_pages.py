"""Every backend of the port `Pages` does what the port says."""

from pathlib import Path

import pytest

from aob.backends.memory.pages import MemoryPages
from aob.backends.sqlite.pages import SqlitePages
from aob.ports.pages import Pages
from aob.testing.conformance.pages import PagesSuite


class TestMemory(PagesSuite):
    async def make(self) -> Pages:
        return MemoryPages()


class TestSqlite(PagesSuite):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "metrics.db"

    async def make(self) -> Pages:
        return SqlitePages(self.path)

    async def reopen(self, pages: Pages) -> Pages:
        await pages.close()
        return SqlitePages(self.path)

    async def test_a_file_that_is_not_readable_is_set_aside(self) -> None:
        self.path.write_bytes(b"this is not a database, and never was one" * 100)
        pages = SqlitePages(self.path)
        assert await pages.marks() == {}
        await pages.save(await pages.take(0), {"events": 1}, {})
        assert self.path.with_name("metrics.db.broken").exists()
        await pages.close()
