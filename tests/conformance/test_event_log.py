"""Every backend of the port `EventLog` does what the port says."""

from pathlib import Path

import pytest

from aob.backends.memory.event_log import MemoryEventLog
from aob.backends.sqlite.event_log import SqliteEventLog
from aob.core.errors import Conflict, Unavailable
from aob.ports.event_log import EventLog
from aob.testing.conformance.event_log import PARTITIONS, EventLogSuite, PartitionedEventLogSuite, group, places


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
        assert await places(log, group(count=1)) == [(2, 2)]
        await log.close()


class TestMemoryOfThree(PartitionedEventLogSuite):
    async def make(self, partitions: int) -> EventLog:
        return MemoryEventLog(partitions)


class TestSqliteOfThree(PartitionedEventLogSuite):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "gate.db"

    async def make(self, partitions: int) -> EventLog:
        return SqliteEventLog(self.path, partitions=partitions)

    async def reopen(self, log: EventLog) -> EventLog:
        await log.close()
        return SqliteEventLog(self.path, partitions=log.partitions)

    async def test_a_commit_over_partitions_that_fails_writes_nothing(self) -> None:
        log = SqliteEventLog(self.path, partitions=PARTITIONS)
        await log.append([group(count=2), group(count=2, partition=1)])
        broken = group(count=1, partition=2)
        broken.tenant = None  # type: ignore[assignment]  # what the table refuses
        with pytest.raises(Unavailable):
            await log.append([group(count=5), group(count=5, partition=1), broken])
        assert await log.totals("acme") == (4, 0, 0)
        assert await places(log, group(count=1, partition=1), group(count=1)) == [(2, 2), (2, 2)]
        await log.close()

    @pytest.mark.parametrize(("made", "asked"), [(1, 3), (3, 1), (3, 2)])
    async def test_the_number_of_partitions_is_that_of_the_first_day(self, made: int, asked: int) -> None:
        log = SqliteEventLog(self.path, partitions=made)
        await log.append([group()])
        await log.close()
        log = SqliteEventLog(self.path, partitions=asked)
        with pytest.raises(Conflict):
            await log.append([group()])
        await log.close()
