"""Several members of one home: killed, stopped, ended and joined under load. Starts are noted outside as they are
answered, and so is what handlers did."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from aob.backends.postgres.address import read_address
from aob.client import AsyncClient
from aob.testing.proxy import Proxy
from tests.crash.cluster import LEASE_S, Cluster, cluster
from tests.crash.live_load import free_port
from tests.crash.test_kill_on_postgres import FLOW, Load, upped
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
        ports = free_port(), free_port()
        *_, client = await asyncio.gather(
            made.member("one", port=ports[0]), made.member("two", port=ports[1]), made.api(*ports)
        )
        await made.spread(SHARDS)
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


async def test_one_that_was_stopped_for_longer_than_its_lease_does_nothing_any_more(
    tmp_path: Path, schema: Schema
) -> None:
    load = Load()
    async with two(tmp_path, schema) as (made, client):
        stopped = await made.main()
        async with loaded(client, load):
            await load.until(20)
            os.kill(stopped.pid, signal.SIGSTOP)
            await load.until(20)
            before = made.ledger.read_text().splitlines()
            assert len(await made.spread(SHARDS, without=stopped)) == 1
            os.kill(stopped.pid, signal.SIGCONT)
            assert len(await made.spread(SHARDS)) == 2, "it is a member again"
        await load.settled(client, made.ledger)
        lines = made.ledger.read_text().splitlines()
        again = [line for line in lines if line.startswith(f"{stopped.pid} ")]
        assert len({line.partition(" ")[2] for line in again}) >= len(again) - 6, "it began what others had"
        assert before


async def test_processes_of_several_roles_stand_in_for_each_other(tmp_path: Path, schema: Schema) -> None:
    load = Load()
    async with cluster(tmp_path, schema) as made:
        (one, first), (_, second) = await asyncio.gather(
            made.several("one", "api,coordinator"), made.several("two", "control-plane", grpc=(port := free_port()))
        )
        await made.spread(SHARDS)
        assert (await second.health())["workers"] == f"127.0.0.1:{port}", "they come to the api of the process"
        await first.push(FLOW)
        async with loaded(first, load), loaded(second, load):
            await load.until(20)
            one.process.terminate()
            assert await one.process.wait() == 0
            await load.until(10)
        await load.settled(second, made.ledger)


async def test_a_third_that_joins_gets_its_part(tmp_path: Path, schema: Schema) -> None:
    load = Load()
    async with two(tmp_path, schema) as (made, client):
        async with loaded(client, load):
            await load.until(10)
            third = await made.member("three")
            held = await made.spread(SHARDS)
            assert len(held["three"]) == 1
            await load.until(10)
        await load.settled(client, made.ledger)
        assert f"{third.pid} " in made.ledger.read_text()


async def test_one_of_the_role_metrics_has_the_first_shard_until_it_is_killed(tmp_path: Path, schema: Schema) -> None:
    load = Load()
    async with two(tmp_path, schema) as (made, client):
        async with loaded(client, load):
            await load.until(10)
            numbers = await made.member("numbers", "metrics")
            await made.main(numbers)
            assert (await numbers.state())["shards"] == [0]
            await load.until(10)
            numbers.process.kill()
            await load.until(10)
        assert await made.main() is not numbers
        await load.settled(client, made.ledger)


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
    asked = [b"s.store", b"max(number)", b"starts_with(name", b"join_cluster", b"take_lease"]

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
