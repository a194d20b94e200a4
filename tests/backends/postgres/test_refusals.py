"""Set-ups that are refused at start, each with the line that mends it, on a real server that is set up so."""

import secrets
import time
from collections.abc import Iterator

import psycopg
import pytest

from aob.backends.postgres import cluster
from aob.backends.postgres.address import read_address
from aob.backends.postgres.cluster import Cluster, join
from aob.backends.postgres.database import Database
from aob.core.errors import AobError, Conflict, Invalid, Unavailable
from tests.servers.fixtures import PASSWORD, SERVICE, Schema, dropped, made_schema
from tests.servers.ports import free_port
from tests.servers.postgres import Server


@pytest.fixture
def schema(own_server: Server) -> Iterator[Schema]:
    made = made_schema(own_server.url)
    yield made
    dropped(made)


def ordered(url: str, *statements: str) -> None:
    """Statements of the owner, each a transaction of its own."""
    with psycopg.connect(url, autocommit=True) as owner:
        for each in statements:
            owner.execute(each.encode())


def settled(url: str, name: str, value: str) -> None:
    """The server has the setting now, in each session that begins from here on."""
    ordered(url, f"alter system set {name} = {value}", "select pg_reload_conf()")
    while True:
        with psycopg.connect(url) as owner:
            if owner.execute(f"show {name}".encode()).fetchone() == (value,):
                return


async def started(url: str, known: bytes = b"") -> Cluster:
    """What a start does with the database."""
    db = await Database.open(url, size=1)
    try:
        return await join(db, known)
    finally:
        await db.close()


async def refused(url: str, code: str, *words: str, known: bytes = b"") -> AobError:
    """The error of a start: it has a hint, names the database, and never shows a password."""
    with pytest.raises(AobError) as caught:
        await started(url, known)
    error = caught.value
    assert (error.code, bool(error.hint)) == (code, True), str(error)
    for word in words:
        assert word in str(error)
    password = read_address(url).password
    assert not password or password not in str(error)
    return error


async def test_a_sound_server_is_not_refused(schema: Schema) -> None:
    found = await started(schema.url)
    assert found.id == (await started(schema.url, found.id)).id
    assert (found.shards, found.owner, abs(found.skew_s) < 1) == (16, False, True)


@pytest.mark.parametrize("name", ["fsync", "full_page_writes"])
async def test_a_server_that_forgets_in_a_crash(own_server: Server, schema: Schema, name: str) -> None:
    settled(own_server.url, name, "off")
    try:
        await refused(schema.url, "store_unsafe", f"{name} = off", f"alter system set {name} = on")
    finally:
        settled(own_server.url, name, "on")
    await started(schema.url)


@pytest.mark.parametrize("value", ["off", "local", "remote_write"])
async def test_commits_that_do_not_wait(own_server: Server, schema: Schema, value: str) -> None:
    ordered(own_server.url, f"alter role {SERVICE} set synchronous_commit = {value}")
    try:
        await refused(schema.url, "store_unsafe", f"synchronous_commit = {value}", "alter role")
    finally:
        ordered(own_server.url, f"alter role {SERVICE} reset synchronous_commit")
    await started(schema.url)


async def test_commits_that_wait_longer_are_fine(own_server: Server, schema: Schema) -> None:
    ordered(own_server.url, f"alter role {SERVICE} set synchronous_commit = remote_apply")
    await started(schema.url)
    ordered(own_server.url, f"alter role {SERVICE} reset synchronous_commit")


async def test_a_server_that_only_reads(own_server: Server, schema: Schema) -> None:
    ordered(own_server.url, f"alter role {SERVICE} set default_transaction_read_only = on")
    await refused(schema.url, "store_read_only", "primary")
    ordered(own_server.url, f"alter role {SERVICE} reset default_transaction_read_only")


async def test_an_old_server(schema: Schema, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "SERVER_MIN", 10_000_000)
    await refused(schema.url, "store_old", "PostgreSQL 1")


async def test_another_encoding(own_server: Server) -> None:
    ordered(
        own_server.url, "create database latin encoding 'LATIN1' locale 'C' locale_provider 'libc' template template0"
    )
    await refused(own_server.url.replace("/postgres", "/latin"), "store_unsafe", "LATIN1", "createdb --encoding=UTF8")


@pytest.mark.parametrize("ahead_s", [2.5, -2.5, 86_400])
async def test_clocks_that_differ(schema: Schema, monkeypatch: pytest.MonkeyPatch, ahead_s: float) -> None:
    class Clock:
        @staticmethod
        def time() -> float:
            return time.time() + ahead_s

    monkeypatch.setattr(cluster, "time", Clock)
    await refused(schema.url, "clock_skew", "NTP", "ahead of" if ahead_s > 0 else "behind")


async def test_a_wrong_password_or_user(schema: Schema) -> None:
    address = read_address(schema.url)
    await refused(address.with_user(SERVICE, "guessed"), "store_login", "AOB_STORE")
    await refused(address.with_user("nobody_here", "guessed"), "store_login", "AOB_STORE")
    await refused(address.with_user(SERVICE, ""), "store_login", "password")


async def test_a_database_that_is_not_there(schema: Schema) -> None:
    await refused(schema.url.replace("/postgres?", "/elsewhere?"), "store_login", "elsewhere", "createdb")


async def test_a_role_that_may_not_connect(own_server: Server, schema: Schema) -> None:
    ordered(own_server.url, "create database closed", "revoke connect on database closed from public")
    await refused(schema.url.replace("/postgres?", "/closed?"), "store_login", "grant connect")


async def test_a_wrong_port_or_host(schema: Schema) -> None:
    address = read_address(schema.url)
    closed = f"127.0.0.1:{free_port()}"
    await refused(schema.url.replace(f"127.0.0.1:{address.port}", closed), "store_away", closed, "nothing listens")
    await refused(schema.url.replace("127.0.0.1", "no-such-host.invalid"), "store_away", "typing error")


async def test_a_server_without_tls(schema: Schema) -> None:
    await refused(f"{schema.url}&sslmode=require", "store_login", "sslmode")


async def test_parameters_of_the_url_that_there_are_not(schema: Schema) -> None:
    for wrong in ("sslmode=foo", "target_session_attrs=one", "service=none", "options=-czz", "channel_binding=require"):
        await refused(f"{schema.url}&{wrong}", "store_login", "URL")
    with pytest.raises(Invalid) as told:
        await Database.open(f"{schema.url}&colour=red")
    assert "`colour`" in str(told.value.problems)
    assert PASSWORD not in str(told.value.problems)


async def test_no_cluster_in_the_schema(own_server: Server, schema: Schema) -> None:
    await refused(schema.url.replace(schema.name, "nothing_here"), "store_missing", "aob db init")
    ordered(own_server.url, "create schema if not exists bare", f"grant usage on schema bare to {SERVICE}")
    await refused(schema.url.replace(schema.name, "bare"), "store_missing", "aob db init")


async def test_a_right_that_is_missing(own_server: Server, schema: Schema) -> None:
    name = schema.name
    for harm, mend in (
        (f"revoke usage on schema {name} from {SERVICE}", f"grant usage on schema {name} to {SERVICE}"),
        (f"revoke select on {name}.shard from {SERVICE}", f"grant select on {name}.shard to {SERVICE}"),
        (f"revoke execute on function {name}.days() from {SERVICE}",
         f"grant execute on function {name}.days() to {SERVICE}"),
    ):  # fmt: skip
        ordered(own_server.url, harm)
        await refused(schema.url, "store_rights", "aob db")
        ordered(own_server.url, mend)
        await started(schema.url)


async def test_another_cluster_than_the_homes(own_server: Server, schema: Schema) -> None:
    mine, theirs = await started(schema.url), made_schema(own_server.url)
    error = await refused(theirs.url, "other_cluster", mine.id.hex()[:12], known=mine.id)
    assert isinstance(error, Conflict)
    await refused(theirs.url, "other_cluster", known=secrets.token_bytes(16))
    dropped(theirs)


async def test_a_schema_that_was_made_anew_under_a_home(own_server: Server, schema: Schema) -> None:
    mine = await started(schema.url)
    ordered(own_server.url, f"update {schema.name}.cluster set id = decode(md5('x'), 'hex')")
    await refused(schema.url, "other_cluster", known=mine.id)


async def test_a_server_without_connections_left(own_server: Server, schema: Schema) -> None:
    ordered(own_server.url, f"alter role {SERVICE} connection limit 1")
    try:
        with psycopg.connect(read_address(schema.url).url), pytest.raises(Unavailable) as caught:
            await started(schema.url)
        assert (caught.value.code, bool(caught.value.hint)) == ("store_away", True)
    finally:
        ordered(own_server.url, f"alter role {SERVICE} connection limit -1")
