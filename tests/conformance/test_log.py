"""Topics over every store against the one suite, and against the reference on random scripts."""

import asyncio
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aob.backends.memory.log import MemoryLog
from aob.backends.memory.store import MemoryStore
from aob.backends.postgres.store import PostgresStore
from aob.backends.sqlite.store import SqliteStore
from aob.core.errors import AobError, Unavailable
from aob.ports.log import Topics
from aob.testing.conformance.log import AT_MS, TENANT, TOPIC, LogSuite, event
from tests.conformance.one_shard import OneShard
from tests.servers.on_postgres import OnPostgres

FILE = "shard-0.db"


class TestReference(LogSuite):
    async def make(self, folder: Path, now_ms: Callable[[], int]) -> Topics:
        return MemoryLog(now_ms)

    async def again(self, log: Topics, folder: Path, now_ms: Callable[[], int]) -> Topics:
        return log


class OfShard(LogSuite):
    """The topics of a shard."""

    async def close(self, log: Topics) -> None:
        assert isinstance(log, OneShard)
        await log.close()

    async def mended(self, log: Topics) -> None:
        assert isinstance(log, OneShard)
        assert await log.journal.mended()


class TestMemory(OfShard):
    async def make(self, folder: Path, now_ms: Callable[[], int]) -> Topics:
        self.store = MemoryStore()
        return await OneShard.over(self.store, now_ms)

    async def again(self, log: Topics, folder: Path, now_ms: Callable[[], int]) -> Topics:
        return await OneShard.over(self.store, now_ms)


class TestSqlite(OfShard):
    async def make(self, folder: Path, now_ms: Callable[[], int]) -> Topics:
        return await OneShard.over(await SqliteStore.open(folder / FILE), now_ms)

    async def again(self, log: Topics, folder: Path, now_ms: Callable[[], int]) -> Topics:
        return await self.make(folder, now_ms)

    def full(self, log: Topics) -> AbstractContextManager[None]:
        assert isinstance(log, OneShard)
        return no_room(log)


class TestPostgres(OnPostgres, OfShard):
    async def make(self, folder: Path, now_ms: Callable[[], int]) -> Topics:
        return await OneShard.over(PostgresStore(self.db, 0), now_ms)

    async def again(self, log: Topics, folder: Path, now_ms: Callable[[], int]) -> Topics:
        return await self.make(folder, now_ms)

    async def test_people_read_records_with_sql(self) -> None:
        log = await self.make(Path(), lambda: AT_MS)
        await log.append(TENANT, TOPIC, 3, [event("a"), event("b", b'"\\u0000"', subject="order-7")])
        async with self.db.connection() as reader:
            found = await (await reader.execute(
                f'select tenant, topic, partition, "offset", record ->> 0, record ->> 4 '
                f"from {self.schema.name}.topic_records".encode()
            )).fetchall()  # fmt: skip
        assert found == [(TENANT, TOPIC, 3, 0, "a", ""), (TENANT, TOPIC, 3, 1, "b", "order-7")]
        await self.close(log)


@contextmanager
def no_room(log: OneShard) -> Iterator[None]:
    assert isinstance(log.store, SqliteStore)
    writer = log.store._writer
    pages = writer.execute("pragma page_count").fetchone()[0]
    writer.execute(f"pragma max_page_count = {pages}")
    yield
    writer.execute("pragma max_page_count = 1000000")


async def test_appends_at_the_same_time_share_a_commit(tmp_path: Path) -> None:
    log = await OneShard.over(await SqliteStore.open(tmp_path / FILE), lambda: AT_MS)
    await asyncio.gather(*(log.append(TENANT, TOPIC, n % 64, [event(str(n))]) for n in range(500)))
    assert log.journal.stats["commits"] <= 5
    await log.close()


async def test_a_caller_that_gave_up_holds_nobody_up(tmp_path: Path) -> None:
    log = await OneShard.over(await SqliteStore.open(tmp_path / FILE), lambda: AT_MS)
    first = asyncio.create_task(log.append(TENANT, TOPIC, 0, [event("a")]))
    second = asyncio.create_task(log.append(TENANT, TOPIC, 0, [event("b")]))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert [each.record.id for each in await log.read(TENANT, TOPIC, 0, 0)][-1] == "b"
    await log.close()


async def test_people_read_records_with_sql(tmp_path: Path) -> None:
    log = await OneShard.over(await SqliteStore.open(tmp_path / FILE), lambda: AT_MS)
    await log.append(TENANT, TOPIC, 3, [event("a"), event("b", subject="order-7", depth=2)])
    await log.close()
    asked = "select topic, partition, offset, id, subject, data ->> 'n', depth, tenant from topic_records"
    with sqlite3.connect(tmp_path / FILE) as sql:
        rows = sql.execute(asked).fetchall()
    sql.close()
    assert rows == [(TOPIC, 3, 0, "a", "", 1, 1, TENANT), (TOPIC, 3, 1, "b", "order-7", 1, 2, TENANT)]


@pytest.mark.parametrize("damage", [
    "data = cast(replace(data, 'order.placed', 'order.plaxed') as blob)", "data = 'text'", "count = 2", "at_ms = 'x'",
])  # fmt: skip
async def test_a_record_that_is_not_what_was_written_is_not_given_out(tmp_path: Path, damage: str) -> None:
    log = await OneShard.over(await SqliteStore.open(tmp_path / FILE), lambda: AT_MS)
    for n in range(3):
        await log.append(TENANT, TOPIC, 0, [event(str(n))])
    await log.close()
    with sqlite3.connect(tmp_path / FILE) as sql:
        sql.execute(f"update record_row set {damage} where first = 1")
    sql.close()
    log = await OneShard.over(await SqliteStore.open(tmp_path / FILE), lambda: AT_MS)
    with pytest.raises(Unavailable, match="from 1 on") as told:
        await log.read(TENANT, TOPIC, 0, 1)
    assert told.value.code == "row_corrupt"
    assert [each.offset for each in await log.read(TENANT, TOPIC, 0, 2)] == [2]
    await log.close()


# -- the same answers as the reference ----------------------------------------------------------------------------

EVENTS = st.lists(st.builds(event, st.sampled_from("abc"), st.sampled_from([b"1", b"1", b"2"])), max_size=3)
PLACE = st.tuples(st.sampled_from(["t", "u", ""]), st.integers(0, 1))
MOVE = st.one_of(
    st.tuples(st.just("append"), PLACE, EVENTS, st.booleans()),
    st.tuples(st.just("read"), PLACE, st.integers(-1, 6), st.integers(0, 4)),
    st.tuples(st.just("open"), PLACE, st.none(), st.none()),
)


async def answers(suite: LogSuite, folder: Path, script: list[tuple[Any, ...]]) -> list[Any]:
    """What a log answers to each move of a script; another process may open it in between."""
    log = await suite.make(folder, lambda: AT_MS)
    told: list[Any] = []
    for verb, place, one, two in script:
        try:
            if verb == "append":
                told.append(await log.append(TENANT, *place, one, keyed=two))
            elif verb == "read":
                told.append([(each.offset, each.record.id) for each in await log.read(TENANT, *place, one, two)])
            else:
                log = await suite.again(log, folder, lambda: AT_MS)
        except AobError as error:
            told.append(error.code)
        told.append(await log.topics(TENANT))
    await suite.close(log)
    return told


@given(st.lists(MOVE, max_size=8))
@settings(max_examples=40, deadline=None)
def test_a_shard_answers_as_the_reference_does(script: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        expected = asyncio.run(answers(TestReference(), Path(folder), script))
        assert asyncio.run(answers(TestMemory(), Path(folder), script)) == expected
        assert asyncio.run(answers(TestSqlite(), Path(folder), script)) == expected
