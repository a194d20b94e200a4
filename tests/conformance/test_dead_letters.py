"""Every backend of the port `DeadLetters` does what the port says, alone and in the commit of its log."""

from pathlib import Path

import msgspec
import pytest

from aob.backends.memory.event_log import MemoryDeadLetters, MemoryEventLog
from aob.backends.sqlite.event_log import SqliteEventLog
from aob.core.errors import Unavailable
from aob.ports.dead_letters import DeadLetters, DeadQuery, LogWithLetters
from aob.testing.conformance.dead_letters import DeadLettersSuite, LogWithLettersSuite, letter, refused
from aob.testing.conformance.event_log import T0_MS, group


class TestMemory(DeadLettersSuite):
    async def make(self) -> DeadLetters:
        return MemoryDeadLetters()


class TestMemoryWithItsLog(LogWithLettersSuite):
    async def make(self) -> LogWithLetters:
        return MemoryEventLog()


class _Folder:
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "gate.db"


class TestSqlite(_Folder, DeadLettersSuite):
    async def make(self) -> DeadLetters:
        return SqliteEventLog(self.path).letters

    async def reopen(self, dead: DeadLetters) -> DeadLetters:
        await dead.close()
        return SqliteEventLog(self.path).letters


class TestSqliteWithItsLog(_Folder, LogWithLettersSuite):
    async def make(self) -> LogWithLetters:
        return SqliteEventLog(self.path)

    async def reopen(self, log: LogWithLetters) -> LogWithLetters:
        await log.close()
        return SqliteEventLog(self.path)

    async def test_a_commit_that_fails_leaves_neither_events_nor_letters(self) -> None:
        log = await self.make()
        await log.commit([group(count=2)], [refused(letter())])
        broken = msgspec.structs.replace(letter(), type=None)  # what the table refuses
        with pytest.raises(Unavailable):
            await log.commit([group(count=5)], [refused(letter(), broken)])
        assert (await log.totals("acme"), await log.end()) == ((2, 0, 0), (1, T0_MS))
        assert len(await log.letters.page(DeadQuery("acme"))) == 1
        row = group(count=1)
        assert await log.commit([row], [refused(letter())]) == [(2,)]
        assert (row.row, row.first) == (2, 2)
        await log.close()
