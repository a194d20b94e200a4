"""A home whose database is behind a real PgBouncer in transaction mode: what was answered is there, also when the
server ends its sessions under load."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest

from aob.client import AsyncClient
from tests.crash.test_kill_on_postgres import Load, loaded, upped
from tests.servers.fixtures import Schema, dropped, made_schema
from tests.servers.pgbouncer import pooler
from tests.servers.ports import free_port
from tests.servers.postgres import NoServerError, Server

pytestmark = pytest.mark.timeout(120)
ROUNDS: Final = 3


@pytest.fixture
def through(own_server: Server) -> Iterator[Schema]:
    """A schema whose services go through a pooler with three sessions."""
    made = made_schema(own_server.url, 2)
    try:
        with pooler(made.url, size=3) as url:
            yield made._replace(url=url)
    except NoServerError as why:
        pytest.skip(str(why))
    dropped(made)


def sessions_ended(owner_url: str) -> int:
    """All sessions of the pooler on the server end now, whatever they do; how many there were."""
    with psycopg.connect(owner_url.partition("?")[0], autocommit=True) as owner:
        found = owner.execute(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity "
            "where usename = 'aob_service' and application_name like 'aob home%'"
        ).fetchone()
    return found[0] if found else 0


async def test_sessions_that_end_under_load_lose_nothing(tmp_path: Path, through: Schema) -> None:
    home, port, load, ended = tmp_path / "home", free_port(), Load(), 0
    async with loaded(home, port, through, load, goes_on=True):
        for _ in range(ROUNDS):
            await load.until(15)
            ended += await asyncio.to_thread(sessions_ended, through.owner_url)
        await load.until(15)
    assert ended, "no session was ended"
    async with upped(home, port, through), AsyncClient.of_home(home) as client:
        await load.settled(client, tmp_path / "ledger")
