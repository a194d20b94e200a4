"""Every backend of the port `EventLog` does what the port says."""

from pathlib import Path

import pytest

from aob.backends.memory.event_log import MemoryEventLog
from aob.backends.sqlite.event_log import SqliteEventLog
from aob.core.errors import Unavailable
from aob.ports.event_log import EventLog
from aob.testing.conformance.event_log import EventLogSuite, group


class TestMemory(EventLogSuite):
    async def make(self) -> EventLog:
        return MemoryEventLog()


class TestSqlite(EventLogSuite):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "gate.db"

    async def make(self) -> EventLog:
        return SqliteEventLog(self.path)

    async def reopen(self, log: EventLog) -> EventLog:
        await log.close()
        return SqliteEventLog(self.path)

    async def test_reading_makes_no_file(self) -> None:
        log = SqliteEventLog(self.path)
        assert await log.rows(0) == []
        assert not self.path.exists()
        await log.close()

    async def test_a_commit_that_fails_writes_nothing_and_the_next_one_goes_on(self) -> None:
        log = SqliteEventLog(self.path)
        await log.append([group(count=2)])
        broken = group(count=1)
        broken.tenant = None  # type: ignore[assignment]  # what the table refuses
        with pytest.raises(Unavailable):
            await log.append([group(count=5), broken])
        assert await log.totals("acme") == (2, 0, 0)
        (place,) = await log.append([group(count=1)])
        assert (place.row, place.first) == (2, 2)
        await log.close()
