"""Every backend of the port `EventLog` does what the port says."""

from pathlib import Path

import psycopg
import pytest

from aob.backends.memory.event_log import MemoryEventLog
from aob.backends.postgres.event_log import PostgresEventLog
from aob.backends.sqlite.event_log import SqliteEventLog
from aob.core.errors import Conflict, Unavailable
from aob.ports.event_log import EventLog, Row
from aob.testing.conformance.event_log import (
    PARTITIONS,
    T0_MS,
    EventLogSuite,
    PartitionedEventLogSuite,
    group,
    places,
)
from tests.servers.on_postgres import OnPostgres


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


class TestPostgres(OnPostgres, EventLogSuite):
    async def make(self) -> EventLog:
        return PostgresEventLog(self.db, partitions=1)

    async def reopen(self, log: EventLog) -> EventLog:
        await log.close()
        return PostgresEventLog(self.db, partitions=1)

    async def beside(self, log: EventLog) -> EventLog:
        return PostgresEventLog(self.db, partitions=1)

    async def test_a_commit_that_fails_writes_nothing_and_the_next_one_goes_on(self) -> None:
        log = await self.make()
        await log.append([group(count=2)])
        broken = group(count=1)
        broken.tenant = None  # type: ignore[assignment]  # what the table refuses
        with pytest.raises(Unavailable):
            await log.append([group(count=5), broken])
        assert await log.totals("acme") == (2, 0, 0)
        assert await places(log, group(count=1)) == [(2, 2)]

    async def test_a_row_that_is_not_what_was_written_is_refused(self) -> None:
        log = await self.make()
        await log.append([group(count=2)])
        with psycopg.connect(self.schema.owner_url.partition("?")[0], autocommit=True) as owner:
            owner.execute(f"update {self.schema.name}.event set lines = lines || '!'::bytea".encode())
        with pytest.raises(Unavailable) as refused:
            await log.rows(0)
        assert refused.value.code == "row_corrupt"

    async def test_a_log_that_ends_before_what_it_acknowledged_takes_nothing_more(self) -> None:
        log = await self.make()
        for _ in range(3):
            await log.append([group(count=2)])
        with psycopg.connect(self.schema.owner_url.partition("?")[0], autocommit=True) as owner:
            owner.execute(f"delete from {self.schema.name}.event where row = 3".encode())
        for _ in range(2):
            with pytest.raises(Unavailable) as refused:
                await log.take()
            assert refused.value.code == "store_went_back"
            with pytest.raises(Unavailable):
                await log.append([group()])

    async def test_people_read_events_with_sql(self) -> None:
        log = await self.make()
        lines = b'{"id":"a","type":"sold","data":{"n":1}}\n{"id":"b\\u0000","type":"sold","data":null}'
        await log.append([group(count=0), Row(0, "acme", T0_MS, 0, 2, 0, 0, lines, b"")])
        async with self.db.connection() as reader:
            found = await (await reader.execute(
                f'select row, "offset", id, type, data::text from {self.schema.name}.events order by row, "offset"'
            )).fetchall()  # fmt: skip
        assert found == [(2, 0, "a", "sold", '{"n":1}'), (2, 1, "b\ufffd", "sold", "null")]

    async def test_the_service_writes_only_through_its_functions(self) -> None:
        log = await self.make()
        await log.append([group()])
        for statement in (
            "delete from {}.event", "update {}.event_owner set epoch = 0", "update {}.dead set state = ''",
            "insert into {}.event_day values (0, 0, 0)", "delete from {}.dead_end", "update {}.topic_end set next = 0",
            "delete from {}.topic_key", "delete from {}.topic_batch", "delete from {}.topic",
        ):  # fmt: skip
            with pytest.raises(Unavailable) as refused:
                await self.db.run(statement.format(self.schema.name))  # type: ignore[arg-type]
            assert refused.value.code == "store_rights", statement


class TestPostgresOfThree(OnPostgres, PartitionedEventLogSuite):
    async def make(self, partitions: int) -> EventLog:
        return PostgresEventLog(self.db, partitions=partitions)

    async def reopen(self, log: EventLog) -> EventLog:
        await log.close()
        return PostgresEventLog(self.db, partitions=log.partitions)
