"""Workers at an api of a cluster: they do the jobs of every coordinator, also when one of these is killed, hands over
or joins."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from aob.client import AsyncClient
from aob.core.errors import Invalid
from tests.crash.cluster import Cluster, cluster
from tests.crash.test_coordinators import SHARDS, loaded
from tests.crash.test_coordinators import schema as schema
from tests.crash.test_kill_on_postgres import FLOW, Load
from tests.servers.fixtures import Schema

pytestmark = pytest.mark.timeout(120)


@asynccontextmanager
async def staffed(folder: Path, schema: Schema) -> AsyncIterator[tuple[Cluster, AsyncClient]]:
    """Two coordinators without handlers, an api that workers come to, and one worker."""
    async with cluster(folder, schema) as made:
        made.env = {"AOB_GRPC_PORT": "0"}
        one, other = await asyncio.gather(made.member("one", app=""), made.member("two", app=""))
        await made.spread(SHARDS)
        client = await made.api(one, other)
        await made.worker(made.urls[0])
        pushed = False
        while not pushed:  # its handler is known as soon as the main process has the worker
            with suppress(Invalid):
                await client.push(FLOW)
                pushed = True
        yield made, client


async def test_one_worker_does_the_jobs_of_all_coordinators_and_goes_on_when_one_is_killed(
    tmp_path: Path, schema: Schema
) -> None:
    load = Load()
    async with staffed(tmp_path, schema) as (made, client):
        async with loaded(client, load):
            await load.until(20)
            main = await made.main()
            main.process.kill()
            await load.until(20)
        assert len(await made.spread(SHARDS)) == 1
        await load.settled(client, made.ledger)
        pids = {line.partition(" ")[0] for line in made.ledger.read_text().splitlines()}
        assert len(pids) == 1, "one process did all of it"


async def test_a_coordinator_that_hands_over_and_one_that_joins_keep_the_workers(
    tmp_path: Path, schema: Schema
) -> None:
    load = Load()
    async with staffed(tmp_path, schema) as (made, client):
        async with loaded(client, load):
            await load.until(10)
            (await made.main()).process.terminate()
            await load.until(10)
            await made.member("three", app="")
            await made.spread(SHARDS)
            await load.until(10)
        await load.settled(client, made.ledger)
