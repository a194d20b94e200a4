"""Several members of one home: killed, stopped, ended and joined under load. Starts are noted outside as they are
answered, and so is what handlers did."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from aob.client import AsyncClient
from tests.crash.cluster import Cluster, cluster
from tests.crash.test_kill_on_postgres import FLOW, Load
from tests.servers.fixtures import Schema, dropped, made_schema

pytestmark = pytest.mark.timeout(120)
SHARDS = 4


@pytest.fixture
def schema(postgres_url: str) -> Iterator[Schema]:
    made = made_schema(postgres_url, SHARDS)
    yield made
    dropped(made)


@asynccontextmanager
async def two(folder: Path, schema: Schema) -> AsyncIterator[tuple[Cluster, AsyncClient]]:
    """Two coordinators with two shards each, and a client of an api."""
    async with cluster(folder, schema) as made:
        one, other = await asyncio.gather(made.member("one"), made.member("two"))
        await made.spread(SHARDS)
        client = await made.api(one, other)
        await client.push(FLOW)
        yield made, client


@asynccontextmanager
async def loaded(client: AsyncClient, load: Load) -> AsyncIterator[None]:
    """Six lanes of starts that go on whatever happens."""
    lanes = [asyncio.create_task(load.lane(client, goes_on=True)) for _ in range(6)]
    try:
        yield
    finally:
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)


async def test_runs_are_on_both(tmp_path: Path, schema: Schema) -> None:
    load = Load()
    async with two(tmp_path, schema) as (made, client):
        async with loaded(client, load):
            await load.until(20)
        await load.settled(client, made.ledger)
        pids = {line.partition(" ")[0] for line in made.ledger.read_text().splitlines()}
        assert pids == {str(member.pid) for member in made.members}


@pytest.mark.parametrize("role", ["main", "other"])
async def test_one_that_is_killed_loses_nothing(tmp_path: Path, schema: Schema, role: str) -> None:
    load = Load()
    async with two(tmp_path, schema) as (made, client):
        async with loaded(client, load):
            await load.until(20)
            main = await made.main()
            killed = main if role == "main" else next(each for each in made.members if each is not main)
            killed.process.kill()
            await load.until(20)
        assert len(await made.spread(SHARDS)) == 1
        await load.settled(client, made.ledger)


@pytest.mark.parametrize("role", ["main", "other"])
async def test_one_that_ends_in_order_hands_over_within_its_time(tmp_path: Path, schema: Schema, role: str) -> None:
    load = Load()
    async with two(tmp_path, schema) as (made, client):
        async with loaded(client, load):
            await load.until(20)
            main = await made.main()
            ended = main if role == "main" else next(each for each in made.members if each is not main)
            ended.process.terminate()
            assert await ended.process.wait() == 0
            await load.until(20)
        assert len(await made.spread(SHARDS)) == 1
        await load.settled(client, made.ledger)
