"""Every event log answers as the one in memory does, on one random script: commits over partitions and days, letters,
reads of every kind, a new owner in between."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aob.backends.memory.event_log import MemoryEventLog
from aob.backends.postgres.database import Database
from aob.backends.postgres.event_log import DAY_MS, PostgresEventLog
from aob.backends.sqlite.event_log import SqliteEventLog
from aob.ports.dead_letters import DeadQuery, Letters, LogWithLetters
from aob.ports.event_log import Row, rows_between
from aob.testing.conformance.dead_letters import letter
from aob.testing.conformance.event_log import T0_MS
from tests.servers.fixtures import Schema, dropped, made_schema

PARTITIONS = 3
DAYS_MADE = T0_MS // DAY_MS + 1, T0_MS // DAY_MS + 2
"""Days that have a partition of the table; rows of others lie in the default one."""
fields = attrgetter(*Row.__struct_fields__)

TENANT = st.sampled_from(["acme", "umbra", "z"])
PART = st.integers(0, PARTITIONS - 1)
AT = st.builds(lambda day, ms: T0_MS + day * DAY_MS + ms, st.integers(-1, 4), st.integers(0, 3))
ROW = st.tuples(TENANT, AT, st.integers(0, 3), st.integers(0, 2), st.integers(0, 2), PART)
TYPE = st.sampled_from(["a", "b", "\0", "\ue000"])
LETTERS = st.tuples(
    TENANT, st.lists(st.tuples(TYPE, st.sampled_from(["r", "s"])), max_size=3),
    st.lists(st.tuples(st.integers(1, 5), st.sampled_from(["replayed", "discarded"]), TYPE), max_size=2),
)  # fmt: skip
SOME = st.sampled_from(["", "acme", "umbra", "nobody"])
MOVE = st.one_of(
    st.tuples(st.just("commit"), st.lists(ROW, max_size=5), st.lists(LETTERS, max_size=2)),
    st.tuples(st.just("commit"), st.lists(ROW, min_size=3, max_size=12), st.just([])),
    st.tuples(st.just("rows"), st.integers(-1, 6), st.integers(0, 5), SOME, PART),
    st.tuples(st.just("each"), st.dictionaries(PART, st.integers(0, 5)), st.integers(0, 4), SOME),
    st.tuples(st.just("between"), st.integers(0, 3), SOME, st.integers(1, 9)),
    st.tuples(st.just("at"), TENANT, st.integers(-1, 9), PART),
    st.tuples(st.just("before"), AT),
    st.tuples(st.just("page"), st.builds(DeadQuery, TENANT, st.sampled_from(["", "open", "replayed"]),
                                         st.one_of(st.just(""), TYPE), st.sampled_from(["", "r"]), st.integers(0, 4),
                                         st.integers(0, 4))),
    st.tuples(st.just("counts"), TENANT, st.sampled_from(["", "open", "replayed"])),
    st.tuples(st.just("again")),
)  # fmt: skip


async def told(log: LogWithLetters, move: tuple[Any, ...]) -> Any:
    """What a log answers to a move."""
    match move:
        case ("commit", rows, letters):
            made = [
                Row(0, t, at, 0, n, d, r, b"\n".join([b"{}"] * n), b"n%d" % n, part) for t, at, n, d, r, part in rows
            ]
            dead = [
                Letters(tenant, [letter(*each) for each in refused], changes) for tenant, refused, changes in letters
            ]
            return await log.commit(made, dead), [fields(row) for row in made]
        case ("rows", after, limit, tenant, part):
            return [fields(row) for row in await log.rows(after, limit, tenant, part)]
        case ("each", after, limit, tenant):
            return sorted(fields(row) for row in await log.rows_of_each(after, limit, tenant))
        case ("between", after, tenant, limit):
            found = rows_between(log, [after] * PARTITIONS, await log.last_rows(), tenant, limit)
            return [fields(row) async for row in found]
        case ("at", tenant, offset, part):
            return await log.row_at(tenant, offset, part)
        case ("before", at_ms):
            return await log.rows_before(at_ms)
        case ("page", query):
            return await log.letters.page(query)
        case ("counts", tenant, state):
            return await log.letters.counts(tenant, state)
    return None


async def answers(
    made: Callable[[], LogWithLetters], script: list[tuple[Any, ...]], reader: LogWithLetters | None = None
) -> list[Any]:
    """What a log answers to a script; `again` opens it as a new process does. A reader that is another process reads
    each second time."""
    log, found = made(), list[Any]()
    for turn, move in enumerate(script):
        if move[0] == "again":
            await log.close()
            log = made()
        reads = log if reader is None or turn % 2 else reader
        found.append(await told(log if move[0] == "commit" else reads, move))
        found.append([await reads.end(part) for part in range(PARTITIONS)])
        found.append([await reads.totals(tenant, part) for tenant in ("acme", "z") for part in (None, 1)])
    await log.close()
    return found


@pytest.fixture(scope="module")
def schema(postgres_url: str) -> Iterator[tuple[Schema, psycopg.Connection[Any]]]:
    """One schema for all scripts, and its owner, who empties it in between."""
    made = made_schema(postgres_url, 1)
    with psycopg.connect(made.owner_url.partition("?")[0], autocommit=True) as owner:
        owner.execute(f"select {made.name}.make_days(%s, %s)".encode(), DAYS_MADE)
        yield made, owner
    dropped(made)


@given(st.lists(MOVE, max_size=14))
@settings(max_examples=60)
def test_sqlite_answers_as_memory_does(script: list[tuple[Any, ...]]) -> None:
    memory = MemoryEventLog(PARTITIONS)
    with tempfile.TemporaryDirectory() as folder:
        made = asyncio.run(answers(lambda: SqliteEventLog(Path(folder) / "gate.db", partitions=PARTITIONS), script))
    assert made == asyncio.run(answers(lambda: memory, script))


DAYS = [("acme", T0_MS + day * DAY_MS, 0, 0, 0, 0) for day in (0, 0, 3, 4)]


@given(script=st.lists(MOVE, max_size=14))
@example([("commit", DAYS, []), ("rows", -1, 3, "", 0)])  # the third row begins a day, and is the last one asked for
@settings(max_examples=60)
def test_postgres_answers_as_memory_does(
    schema: tuple[Schema, psycopg.Connection[Any]], script: list[tuple[Any, ...]]
) -> None:
    memory, (made, owner) = MemoryEventLog(PARTITIONS), schema
    for table in ("event", "event_day", "dead", "dead_end"):
        owner.execute(f"delete from {made.name}.{table}".encode())

    async def of_postgres() -> list[Any]:
        db = await Database.open(made.url, size=2)
        try:
            reader = PostgresEventLog(db, partitions=PARTITIONS)
            return await answers(lambda: PostgresEventLog(db, partitions=PARTITIONS), script, reader)
        finally:
            await db.close()

    assert asyncio.run(of_postgres()) == asyncio.run(answers(lambda: memory, script))
