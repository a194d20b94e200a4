"""Behind a real PgBouncer in transaction mode: everything works that needs no session, and it is told."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from aob.backends.postgres.address import read_address
from aob.backends.postgres.cluster import join, make_days, read_days
from aob.backends.postgres.database import Database
from aob.backends.postgres.schema import init, upgrade
from aob.backends.postgres.steps import RELIED_ON, STEPS, Wanted
from aob.core.errors import Unavailable
from tests.servers.fixtures import Schema
from tests.servers.pgbouncer import pooler
from tests.servers.postgres import NoServerError


@pytest.fixture
def through(postgres_schema: Schema) -> Iterator[str]:
    owner = read_address(postgres_schema.owner_url)
    try:
        with pooler(postgres_schema.url, users=((owner.user, owner.password),)) as url:
            yield url
    except NoServerError as why:
        pytest.skip(str(why))


@pytest.fixture
def owners(postgres_schema: Schema, through: str) -> str:
    """The owner's URL through the pooler."""
    port = read_address(through).port
    return postgres_schema.owner_url.replace(f":{read_address(postgres_schema.url).port}/", f":{port}/")


async def test_it_is_named_and_refused_nothing(through: str, postgres_schema: Schema) -> None:
    db = await Database.open(through, size=4)
    try:
        assert (await join(db)).pooler
        await make_days(db, 0)
        assert len(await read_days(db)) >= 0
    finally:
        await db.close()
    straight = await Database.open(postgres_schema.url, size=1)
    assert not (await join(straight)).pooler
    await straight.close()


async def test_statements_of_many_go_through_few_sessions(through: str) -> None:
    db = await Database.open(through, size=8)
    try:

        async def one(number: int) -> int:
            async with db.transaction() as c:
                first = await (await c.execute("select pg_backend_pid()")).fetchone()
                again = await (await c.execute("select pg_backend_pid(), %s::int", (number,))).fetchone()
            assert first is not None
            assert again == (*first, number)
            return int(first[0])

        assert len(set(await asyncio.gather(*map(one, range(100))))) <= 2
    finally:
        await db.close()


async def test_the_limits_of_the_role_hold_behind_it(through: str, postgres_url: str) -> None:
    user = read_address(through).user
    db = await Database.open(through, size=1, statement_ms=1)
    try:
        assert await db.row("show statement_timeout") == ("30s",)
        assert await db.row("show lock_timeout") == ("10s",)
    finally:
        await db.close()
    with psycopg.connect(postgres_url) as owner:
        found = owner.execute("select rolconfig from pg_roles where rolname = %s", (user,)).fetchone()
    relied_on = [f"{name}={value}" for name, value in RELIED_ON.items()]
    assert found == (["statement_timeout=30000", "lock_timeout=10000", *relied_on],)


async def test_a_schema_is_made_and_brought_forward_through_it(owners: str) -> None:
    url = owners.replace(read_address(owners).schema, "t_through_pooler")
    made = await init(url, Wanted("aob_service"))
    assert made.steps == tuple(step.number for step in STEPS)
    assert (await upgrade(url)).steps == ()


async def test_a_session_it_gives_up_is_told(through: str, postgres_url: str) -> None:
    db = await Database.open(through, size=1)

    async def lose() -> None:
        async with db.transaction() as c:
            row = await (await c.execute("select pg_backend_pid()")).fetchone()
            assert row is not None
            with psycopg.connect(postgres_url, autocommit=True) as owner:
                owner.execute("select pg_terminate_backend(%s, 5000)", row)
            await c.execute("select 1")

    try:
        with pytest.raises(Unavailable) as caught:
            await lose()
        assert (caught.value.code, caught.value.fields["unknown"]) == ("store_away", True)
        assert await db.row("select 1") == (1,)
    finally:
        await db.close()


async def test_a_pooler_that_breaks_transactions_is_refused(postgres_schema: Schema) -> None:
    try:
        with pooler(postgres_schema.url, "statement") as url:
            db = await Database.open(url, size=1)
            try:
                with pytest.raises(Unavailable) as caught:
                    await join(db)
            finally:
                await db.close()
    except NoServerError as why:
        pytest.skip(str(why))
    assert (caught.value.code, "pool_mode = transaction" in caught.value.hint) == ("store_pooler", True)


async def test_a_pooler_of_sessions_is_as_good(postgres_schema: Schema) -> None:
    try:
        with pooler(postgres_schema.url, "session", size=4) as url:
            db = await Database.open(url, size=1)
            try:
                assert (await join(db)).pooler
            finally:
                await db.close()
    except NoServerError as why:
        pytest.skip(str(why))
