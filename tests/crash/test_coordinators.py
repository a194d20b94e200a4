"""Several members of one home: killed, stopped, ended and joined under load. Starts are noted outside as they are
answered, and so is what handlers did."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from aob.backends.postgres.address import read_address
from aob.client import AsyncClient
from aob.testing.proxy import Proxy
from tests.crash.cluster import LEASE_S, Cluster, cluster
from tests.crash.test_kill_on_postgres import FLOW, Load, upped
from tests.servers.fixtures import Schema, dropped, made_schema
from tests.servers.ports import free_port

pytestmark = pytest.mark.timeout(120)
SHARDS = 4
LANES = 6


@pytest.fixture
def schema(postgres_url: str) -> Iterator[Schema]:
    made = made_schema(postgres_url, SHARDS)
    yield made
    dropped(made)


@asynccontextmanager
async def two(folder: Path, schema: Schema) -> AsyncIterator[tuple[Cluster, AsyncClient]]:
    """Two coordinators with two shards each, and a client of an api."""
    async with cluster(folder, schema) as made:
        ports = free_port(), free_port()
        *_, client = await asyncio.gather(
            made.member("one", port=ports[0]), made.member("two", port=ports[1]), made.api(*ports)
        )
        await made.spread(SHARDS)
        await client.push(FLOW)
        yield made, client


@asynccontextmanager
async def loaded(client: AsyncClient, load: Load, lanes: int = LANES) -> AsyncIterator[None]:
    """Lanes of starts that go on whatever happens."""
    tasks = [asyncio.create_task(load.lane(client, goes_on=True)) for _ in range(lanes)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_one_process_that_wants_the_whole_home_and_members_do_not_mix(
    tmp_path: Path, schema: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AOB_LEASE_S", str(LEASE_S))
    load = Load()
    async with cluster(tmp_path, schema) as made:
        async with upped(tmp_path / "whole", free_port(), schema) as whole:
            member, _ = await asyncio.gather(made.member("one"), started(tmp_path / "whole", load))
            assert (await member.steady())["shards"] == [], "it stands by"
            whole.kill()
        await made.spread(SHARDS)
        async with upped(tmp_path / "late", free_port(), schema, waits=False) as late:
            assert await late.wait() != 0
            assert late.stdout is not None
        assert (await made.spread(SHARDS))["one"] == list(range(SHARDS))
        await load.settled(await made.api(int(member.peers.rpartition(":")[2])), made.ledger)


async def started(home: Path, load: Load) -> None:
    """A few runs of a home."""
    async with AsyncClient.of_home(home) as client:
        await client.push(FLOW)
        for number in range(1, 6):
            await load.start(client, number)
        load.asked = 5


async def test_one_whose_database_goes_away_again_and_again_while_it_starts_waits_for_it(
    tmp_path: Path, schema: Schema
) -> None:
    """Each of these is asked once the database was reached; the connection breaks as it is sent."""
    address = read_address(schema.url)
    asked = [b"s.store", b"max(number)", b"starts_with(name", b"with clock as", b"join_cluster", b"take_lease"]

    def breaks(way: str, data: bytes) -> bool:
        if way == "up" and asked and asked[0] in data:
            del asked[0]
            return True
        return False

    async with cluster(tmp_path, schema) as made, Proxy(address.host, address.port) as line:
        line.watch = breaks
        made.env = {"AOB_STORE": schema.url.replace(f":{address.port}/", f":{line.port}/")}
        await made.member("one")
        await made.spread(SHARDS)
    assert not asked
