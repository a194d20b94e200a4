"""A database whose administrators have settings and habits of their own: what statements rely on is the same, what was
closed while idle is not noticed, and after a fail-over the server that takes writes is found.

Each of these stopped somebody: sessions ended when idle (https://github.com/psycopg/psycopg/issues/584), connections
that stay with a server that takes no writes any more (https://github.com/keycloak/keycloak/issues/22422), several hosts
in one URL (https://github.com/timgit/pg-boss/issues/447)."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest

from aob.backends.postgres.address import read_address
from aob.backends.postgres.cluster import join
from aob.backends.postgres.database import Database
from aob.backends.postgres.members.leases import PostgresLeases
from aob.backends.postgres.members.records import PostgresRecords
from aob.backends.postgres.steps import RELIED_ON, rights
from aob.core.errors import Unavailable
from tests.servers.fixtures import SERVICE, Schema, dropped, made_schema
from tests.servers.pgbouncer import pooler
from tests.servers.postgres import Server, server

OTHERS = {
    "default_transaction_isolation": "serializable", "default_transaction_deferrable": "on", "array_nulls": "off",
    "standard_conforming_strings": "off", "quote_all_identifiers": "on", "transform_null_equals": "on",
    "client_encoding": "LATIN1", "bytea_output": "escape", "datestyle": "SQL, DMY", "timezone": "Asia/Kathmandu",
    "intervalstyle": "sql_standard", "search_path": "nowhere", "extra_float_digits": "-15", "idle_session_timeout": "1",
    "idle_in_transaction_session_timeout": "1", "statement_timeout": "1", "lock_timeout": "1", "row_security": "off",
}  # fmt: skip
"""Settings of a role as somebody may have made them."""


@pytest.fixture
def schema(own_server: Server) -> Iterator[Schema]:
    made = made_schema(own_server.url)
    yield made
    ordered(own_server.url, f"alter role {SERVICE} reset all")
    dropped(made)


def ordered(url: str, *statements: str) -> None:
    """Statements of the owner, each a transaction of its own."""
    with psycopg.connect(url, autocommit=True) as owner:
        for each in statements:
            owner.execute(each.encode())


async def test_what_statements_rely_on_holds_whatever_is_set_for_the_role(own_server: Server, schema: Schema) -> None:
    ordered(own_server.url, *(f"alter role {SERVICE} set {name} = '{value}'" for name, value in OTHERS.items()))
    db = await Database.open(schema.url)
    try:
        await join(db)
        for name, value in {**RELIED_ON, "client_encoding": "UTF8", "idle_session_timeout": "0"}.items():
            assert await db.row("select current_setting(%s)", (name,)) == (value,), name
        assert await db.row("select %s::text, %s::text[]", ("Ωμέγα 🙂", [None, "null"])) == ("Ωμέγα 🙂", [None, "null"])
        records = PostgresRecords(db)
        written = await asyncio.gather(*(records.write(f"r{n}", b"x", 0, "tests") for n in range(8)))
        assert len(written) == 8, "writers wait for each other, and none fails"
    finally:
        await db.close()


@pytest.mark.parametrize("name", sorted(RELIED_ON))
async def test_behind_a_pooler_another_setting_is_refused_and_db_init_sets_it(
    own_server: Server, schema: Schema, name: str
) -> None:
    ordered(own_server.url, f"alter role {SERVICE} set {name} = '{OTHERS[name]}'")
    with pooler(schema.url) as through:
        db = await Database.open(through)
        with pytest.raises(Unavailable) as caught:
            await join(db)
        await db.close()
    assert caught.value.code == "store_unsafe"
    assert f'alter role "{SERVICE}" set {name} = ' in caught.value.hint
    ordered(own_server.url, *rights(schema.name, SERVICE))
    with pooler(schema.url) as through:
        db = await Database.open(through)
        await join(db)
        await db.close()


async def test_connections_that_were_closed_while_idle_are_not_given_out(own_server: Server, schema: Schema) -> None:
    db = await Database.open(schema.url, size=3, purpose="idle")
    try:
        for _ in range(3):
            await asyncio.gather(*(db.row("select pg_sleep(0.01)") for _ in range(3)))
            with psycopg.connect(own_server.url, autocommit=True) as owner:
                of_ours = "from pg_stat_activity where application_name = 'aob idle'"
                owner.execute(f"select pg_terminate_backend(pid, 5000) {of_ours}".encode())
            assert await asyncio.gather(*(db.row("select 1") for _ in range(6))) == [(1,)] * 6
    finally:
        await db.close()


async def test_a_setting_that_changes_closes_no_connection(own_server: Server, schema: Schema) -> None:
    db = await Database.open(schema.url, size=1)
    try:
        pid = await db.row("select pg_backend_pid()")
        ordered(own_server.url, "alter system set timezone = 'Asia/Kathmandu'", "select pg_reload_conf()")
        while (await db.row("show timezone")) != ("Asia/Kathmandu",):
            pass
        assert await db.row("select pg_backend_pid()") == pid
    finally:
        ordered(own_server.url, "alter system reset timezone", "select pg_reload_conf()")
        await db.close()


async def test_of_several_hosts_the_one_that_takes_writes_is_used(own_server: Server, schema: Schema) -> None:
    here = read_address(schema.url)
    with server() as other:
        assert made_schema(other.url).name != schema.name
        several = schema.url.replace(
            f"127.0.0.1:{own_server.port}", f"127.0.0.1:{own_server.port},127.0.0.1:{other.port}"
        )
        assert read_address(several).shown == here.shown.replace(
            f":{own_server.port}", f":{own_server.port},127.0.0.1:{other.port}"
        )
        db = await Database.open(several, size=3)
        leases = PostgresLeases(db, 1_000)
        try:
            await asyncio.gather(*(leases.leave("nobody") for _ in range(3)))
            ordered(own_server.url, "alter system set default_transaction_read_only = on", "select pg_reload_conf()")
            with pytest.raises(Unavailable) as caught:
                await until_refused(leases)
            assert caught.value.code == "store_read_only"
            while {*await asyncio.gather(*(port(db) for _ in range(9)))} != {other.port}:
                with suppress(Unavailable):  # one that was being made is told at its first write
                    await asyncio.gather(*(leases.leave("nobody") for _ in range(9)))
            ordered(other.url, "alter system set default_transaction_read_only = on", "select pg_reload_conf()")
            with pytest.raises(Unavailable) as refused:
                await Database.open(several)
            assert refused.value.code == "store_away"
            assert "fail-over" in refused.value.hint
        finally:
            ordered(own_server.url, "set default_transaction_read_only = off",
                    "alter system reset default_transaction_read_only", "select pg_reload_conf()")  # fmt: skip
            await db.close()


async def until_refused(leases: PostgresLeases) -> None:
    """Writes, until the server takes none."""
    while True:
        await leases.leave("nobody")


async def port(db: Database) -> int:
    """Of the server that answers."""
    row = await db.row("select inet_server_port()")
    assert row is not None
    return int(row[0])
