"""A database's connections: errors that say what is away, and a pool that is whole again after a restart."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psycopg
import pytest

from aob.backends.postgres import database
from aob.backends.postgres.database import Database
from aob.backends.postgres.members.leases import PostgresLeases
from aob.backends.postgres.store import PostgresStore
from aob.core.errors import AobError, Conflict, Unavailable
from aob.ports.store import Batch
from tests.servers.fixtures import Schema
from tests.servers.postgres import server


@pytest.fixture
async def db(postgres_schema: Schema) -> AsyncIterator[Database]:
    db = await Database.open(postgres_schema.url, size=3, purpose="tests", lock_ms=50, statement_ms=300)
    yield db
    await db.close()
    await db.close()


def code(error: pytest.ExceptionInfo[AobError]) -> str:
    assert error.value.hint
    return error.value.code


async def test_statements_are_named_and_know_their_schema(db: Database) -> None:
    text = db.statements("cluster.sql")["cluster"]
    assert f'from "{db.schema}".cluster' in text
    assert "{" not in text


async def test_the_servers_list_shows_the_purpose(db: Database) -> None:
    assert await db.row("select current_setting('application_name')") == ("aob tests",)


async def test_limits_hold_for_each_statement(db: Database) -> None:
    with pytest.raises(Unavailable) as caught:
        await db.row("select pg_sleep(5)")
    assert code(caught) == "store_locked"
    assert await db.row("select 1") == (1,)


async def test_a_lock_that_is_held_is_told(db: Database, postgres_schema: Schema) -> None:
    async with db.transaction() as c:
        await c.execute("select pg_advisory_xact_lock(77)")
        with pytest.raises(Unavailable) as caught:
            await db.row("select pg_advisory_xact_lock(77)")
    assert code(caught) == "store_locked"
    assert await db.row("select 1 from pg_locks where objid = 77") is None


async def test_what_is_missing_or_forbidden_is_told(db: Database) -> None:
    for text, told in (("select * from nowhere.nothing", "store_schema"), ("select pg_read_file('x')", "store_rights"),
                       ("select 1 / 0", "store_failed")):  # fmt: skip
        with pytest.raises(Unavailable) as caught:
            await db.rows(text)  # type: ignore[arg-type]
        assert code(caught) == told


async def test_what_is_there_already_is_a_conflict(postgres_schema: Schema) -> None:
    owner = await Database.open(postgres_schema.owner_url, size=1)
    try:
        with pytest.raises(Conflict):
            await owner.run(f"insert into {owner.schema}.shard (id) values (0)")  # type: ignore[arg-type]
    finally:
        await owner.close()


async def test_a_lost_connection_is_told_and_the_next_one_works(db: Database, postgres_url: str) -> None:
    async def lose() -> None:
        async with db.connection() as c:
            pid = c.info.backend_pid
            with psycopg.connect(postgres_url, autocommit=True) as owner:
                owner.execute("select pg_terminate_backend(%s, 5000)", (pid,))
            await c.execute("select 1")

    with pytest.raises(Unavailable) as caught:
        await lose()
    assert code(caught) == "store_away"
    assert caught.value.fields["unknown"] is True
    assert await db.row("select 1") == (1,)


async def test_a_server_that_accepts_everything_and_says_nothing(
    postgres_schema: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "ANSWER_S", 0.0)
    db = await Database.open(postgres_schema.url, size=1, statement_ms=300)

    async def ask() -> None:
        async with db.transaction() as c:
            pid = c.info.backend_pid
            os.kill(pid, signal.SIGSTOP)
            try:
                await c.execute("select 1")
            finally:
                os.kill(pid, signal.SIGCONT)

    try:
        with pytest.raises(Unavailable) as caught:
            await ask()
        assert (code(caught), caught.value.fields["unknown"]) == ("store_away", True)
        assert await db.row("select 1") == (1,)
    finally:
        await db.close()


async def test_values_go_by_place_and_by_name(db: Database) -> None:
    assert await db.row("select %s::int, %s::text", (1, "a")) == (1, "a")
    assert await db.row("select %(one)s::int", {"one": 1}) == (1,)


async def test_after_a_close_it_says_so(postgres_schema: Schema) -> None:
    db = await Database.open(postgres_schema.url, size=1)
    await db.close()
    with pytest.raises(Unavailable) as caught:
        await db.row("select 1")
    assert caught.value.code == "closing"


async def test_a_pool_that_is_used_up_says_so(postgres_schema: Schema) -> None:
    db = await Database.open(postgres_schema.url, size=1, wait_s=0.05)
    try:
        async with db.connection():
            with pytest.raises(Unavailable) as caught:
                await db.row("select 1")
            assert code(caught) == "store_away"
    finally:
        await db.close()


@pytest.mark.usefixtures("postgres_url")  # a run without servers has none of its own either
async def test_a_server_that_was_away_is_used_again() -> None:
    with server() as one:
        db = await Database.open(one.url, size=3, wait_s=0.2)
        try:
            await asyncio.gather(*(db.row("select pg_sleep(0.05)") for _ in range(3)))
            one.stop(signal.SIGINT)
            with pytest.raises(Unavailable) as caught:
                await db.row("select 1")
            assert code(caught) == "store_away"
            one.start()
            async with asyncio.timeout(30):
                while True:
                    try:
                        assert await db.row("select 1") == (1,)
                        break
                    except Unavailable:
                        continue
            async with asyncio.timeout(30):
                assert await asyncio.gather(*(db.row("select 1") for _ in range(20))) == [(1,)] * 20
        finally:
            await db.close()


async def test_slow_reads_hold_up_no_commit_and_no_lease(postgres_schema: Schema) -> None:
    """Whoever shares a pool between both loses its leases to slow reads, and with them its work, as
    https://github.com/skypilot-org/skypilot/pull/10372 did."""
    db = await Database.open(postgres_schema.url)
    store, leases = PostgresStore(db, 0), PostgresLeases(db, 10_000)
    epoch = await store.take()
    with psycopg.connect(postgres_schema.owner_url.partition("?")[0]) as owner:
        owner.execute("select pg_advisory_xact_lock(78)")
        reads = [asyncio.create_task(db.row("select pg_advisory_xact_lock_shared(78)")) for _ in range(20)]
        waits = "select count(*) from pg_locks where locktype = 'advisory' and objid = 78 and not granted"
        while owner.execute(waits).fetchone() != (database.POOL_MAX - database.KEPT,):  # noqa: ASYNC110
            await asyncio.sleep(0)  # there is no signal of it
        assert await store.commit(Batch(epoch, 1, 5, 1, b"x")) == 1
        assert (await leases.renew("one")).now_ms
        assert not any(each.done() for each in reads)
    await asyncio.gather(*reads)
    await db.close()


async def test_a_task_that_is_told_to_end_while_it_is_given_a_connection_ends(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool waits by asyncio.wait_for, which loses a cancellation that comes together with the connection until
    Python 3.12: a process that was told to end in that moment went on for ever."""
    given, real = asyncio.Event(), db._pool.connection

    @asynccontextmanager
    async def losing() -> AsyncIterator[database.Connection]:
        given.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        async with real() as connection:
            yield connection

    async def keeps() -> None:
        await db.row("select 1")
        raise AssertionError("goes on")

    with monkeypatch.context() as patch:
        patch.setattr(db._pool, "connection", losing)
        task = asyncio.create_task(keeps())
        await given.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await db.row("select 1") == (1,), "the connection is back"
