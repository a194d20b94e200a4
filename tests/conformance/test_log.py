"""Every `Log` backend against the one suite, SQLite against memory on random scripts, and what only a file can do."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aob.backends.memory.log import MemoryLog
from aob.backends.postgres.database import Database
from aob.backends.postgres.log import PostgresLog
from aob.backends.sqlite.log import SqliteLog
from aob.core.errors import AobError
from aob.ports.log import Appended, Log
from aob.testing.conformance.log import AT_MS, TOPIC, LogSuite, event, ids
from tests.servers.fixtures import Schema, dropped, made_schema
from tests.servers.on_postgres import OnPostgres

FILE = "events.db"


class TestMemory(LogSuite):
    async def make(self, folder: Path, now_ms: Callable[[], int]) -> Log:
        return MemoryLog(now_ms)

    async def again(self, log: Log, folder: Path, now_ms: Callable[[], int]) -> Log:
        return log


class TestSqlite(LogSuite):
    async def make(self, folder: Path, now_ms: Callable[[], int]) -> Log:
        return SqliteLog(folder / FILE, now_ms)

    async def again(self, log: Log, folder: Path, now_ms: Callable[[], int]) -> Log:
        return SqliteLog(folder / FILE, now_ms)

    def full(self, log: Log) -> AbstractContextManager[None]:
        return no_room(log)


class TestPostgres(OnPostgres, LogSuite):
    async def make(self, folder: Path, now_ms: Callable[[], int]) -> Log:
        return PostgresLog(self.db, now_ms)

    async def again(self, log: Log, folder: Path, now_ms: Callable[[], int]) -> Log:
        return PostgresLog(self.db, now_ms)

    async def test_appends_at_the_same_time_share_a_commit(self) -> None:
        log = PostgresLog(self.db, lambda: AT_MS)
        await asyncio.gather(*(log.append(TOPIC, n % 64, [event(str(n))], keyed=n % 2 == 0) for n in range(500)))
        assert log.commits <= 3
        await log.close()

    async def test_a_refused_append_affects_no_other_of_its_commit(self) -> None:
        log = PostgresLog(self.db, lambda: AT_MS)
        await log.append(TOPIC, 0, [event("a")], keyed=True)
        told = await asyncio.gather(
            log.append(TOPIC, 0, [event("b"), event("a", b"2"), event("c")], keyed=True),
            log.append(TOPIC, 0, [event("c"), event("a")], keyed=True),
            log.append(TOPIC, 0, [event("c", b"3")], keyed=True),
            log.append(TOPIC, 0, [event("x"), event("y")]),
            log.append(TOPIC, 0, [event("b")], keyed=True),
            return_exceptions=True,
        )
        assert [each.code if isinstance(each, AobError) else each for each in told] == [
            "event_exists", [Appended(1), Appended(0, True)], "event_exists", [Appended(2), Appended(3)], [Appended(4)],
        ]  # fmt: skip
        assert (log.commits, ids(await log.read(TOPIC, 0, 0))) == (2, ["a", "c", "x", "y", "b"])
        await log.close()

    async def test_people_read_records_with_sql(self) -> None:
        log = PostgresLog(self.db, lambda: AT_MS)
        await log.append(TOPIC, 3, [event("a"), event("b", subject="order-7")])
        async with self.db.connection() as reader:
            found = await (await reader.execute(
                f'select topic, partition, "offset", record ->> 0, record ->> 4 from {self.schema.name}.topic_records'
            )).fetchall()  # fmt: skip
        assert found == [(TOPIC, 3, 0, "a", ""), (TOPIC, 3, 1, "b", "order-7")]
        await log.close()


@contextmanager
def no_room(log: Log) -> Iterator[None]:
    assert isinstance(log, SqliteLog)
    writer = log._file.writer
    assert writer is not None
    pages = writer.execute("pragma page_count").fetchone()[0]
    writer.execute(f"pragma max_page_count = {pages}")
    yield
    writer.execute("pragma max_page_count = 1000000")


async def test_appends_at_the_same_time_share_a_sync(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / FILE, lambda: AT_MS)
    await asyncio.gather(*(log.append(TOPIC, n % 64, [event(str(n))]) for n in range(500)))
    assert log.commits <= 3
    await log.close()


async def test_a_log_that_is_only_read_makes_no_file(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / FILE, lambda: AT_MS)
    assert (await log.topics(), await log.read(TOPIC, 0, 0)) == ([], [])
    await log.close()
    assert not os.listdir(tmp_path)


async def test_a_caller_that_gave_up_holds_nobody_up(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / FILE, lambda: AT_MS)
    first = asyncio.create_task(log.append(TOPIC, 0, [event("a")]))
    second = asyncio.create_task(log.append(TOPIC, 0, [event("b")]))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second)[0].offset == 1
    await log.close()


async def test_people_read_events_with_sql(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / FILE, lambda: AT_MS)
    await log.append(TOPIC, 3, [event("a"), event("b", subject="order-7", depth=2)])
    await log.close()
    with sqlite3.connect(tmp_path / FILE) as sql:
        rows = sql.execute("select topic, partition, offset, id, subject, data ->> 'n', depth from events").fetchall()
    sql.close()
    assert rows == [(TOPIC, 3, 0, "a", "", 1, 1), (TOPIC, 3, 1, "b", "order-7", 1, 2)]


APPENDER = """
import asyncio, sys, time
from pathlib import Path
from aob.backends.sqlite.log import SqliteLog
from aob.testing.conformance.log import TOPIC, event

async def main():
    log = SqliteLog(Path(sys.argv[1]), lambda: 1)
    for n in range(1_000_000):
        await log.append(TOPIC, 0, [event(str(n))])
        print(n, flush=True)

asyncio.run(main())
"""


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", APPENDER, str(tmp_path / FILE)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        for _ in range(20):
            child.stdout.readline()
        os.kill(child.pid, signal.SIGKILL)
        acknowledged = [*range(20), *map(int, child.stdout.read().split())]

    async def kept() -> list[str]:
        log = SqliteLog(tmp_path / FILE, lambda: AT_MS)
        found = ids(await log.read(TOPIC, 0, 0, 100_000))
        await log.close()
        return found

    found = asyncio.run(kept())
    assert found[: len(acknowledged)] == [str(n) for n in acknowledged]
    assert len(found) - len(acknowledged) <= 1


# -- the same answers as the reference ----------------------------------------------------------------------------

EVENTS = st.lists(
    st.builds(event, st.sampled_from("abc"), st.sampled_from([b"1", b"1", b"2"]), tenant=st.sampled_from(["x", "y"])),
    max_size=3,
)
PLACE = st.tuples(st.sampled_from(["t", "u", ""]), st.integers(0, 1))
MOVE = st.one_of(
    st.tuples(st.just("append"), PLACE, EVENTS, st.booleans(), st.integers(0, 1)),
    st.tuples(st.just("read"), PLACE, st.integers(-1, 6), st.integers(0, 4), st.integers(0, 1)),
)


async def answers(suite: LogSuite, folder: Path, script: list[tuple[Any, ...]]) -> list[Any]:
    """What a log answers to each move of a script, by two users of it."""
    first = await suite.make(folder, lambda: AT_MS)
    handles = [first, await suite.again(first, folder, lambda: AT_MS)]
    told: list[Any] = []
    for verb, place, one, two, which in script:
        try:
            if verb == "append":
                told.append(await handles[which].append(*place, one, keyed=two))
            else:
                told.append(await handles[which].read(*place, one, two))
        except AobError as error:
            told.append(error.code)
        told.append((await handles[1 - which].topics(), await handles[1 - which].end(*place)))
    for log in handles:
        await log.close()
    return told


@given(st.lists(MOVE, max_size=8))
@settings(max_examples=40, deadline=None)
def test_sqlite_answers_as_memory_does(script: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        expected = asyncio.run(answers(TestMemory(), Path(one), script))
        assert asyncio.run(answers(TestSqlite(), Path(two), script)) == expected


@pytest.fixture(scope="module")
def schema(postgres_url: str) -> Iterator[tuple[Schema, psycopg.Connection[Any]]]:
    """One schema for all scripts, and its owner, who empties it in between."""
    made = made_schema(postgres_url, 1)
    with psycopg.connect(made.owner_url.partition("?")[0], autocommit=True) as owner:
        yield made, owner
    dropped(made)


@given(script=st.lists(MOVE, max_size=8))
@settings(max_examples=40, deadline=None)
def test_postgres_answers_as_memory_does(
    schema: tuple[Schema, psycopg.Connection[Any]], script: list[tuple[Any, ...]]
) -> None:
    suite, (made, owner) = TestPostgres(), schema
    for table in ("topic", "topic_end", "topic_batch", "topic_key"):
        owner.execute(f"delete from {made.name}.{table}".encode())

    async def of_postgres() -> list[Any]:
        suite.db = await Database.open(made.url, size=2)
        try:
            return await answers(suite, Path(), script)
        finally:
            await suite.db.close()

    assert asyncio.run(of_postgres()) == asyncio.run(answers(TestMemory(), Path(), script))
