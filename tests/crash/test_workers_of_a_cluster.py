"""Workers at an api of a cluster: they do the jobs of every coordinator, also when one of these is killed, hands over
or joins."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from aob.client import AsyncClient
from aob.core.errors import Invalid, Unavailable
from tests.crash.cluster import APP, Cluster, cluster, kept
from tests.crash.test_coordinators import SHARDS, loaded
from tests.crash.test_coordinators import schema as schema
from tests.crash.test_kill_on_postgres import FLOW, Load
from tests.runs.home import flow, fn
from tests.servers.fixtures import Schema

GATED: Final = str(Path(__file__).with_name("gated_app.py"))
NAPS: Final = flow("naps", {"a": {"kind": "timer", "config": {"for": "1h"}}})
PATCH: Final = {"operations": [{"op": "add", "path": "/nodes/more", "value": fn("noted", input={"n": "inputs.n"})}]}

pytestmark = pytest.mark.timeout(120)


@asynccontextmanager
async def staffed(folder: Path, schema: Schema, app: str = APP) -> AsyncIterator[tuple[Cluster, AsyncClient]]:
    """Two coordinators without handlers, an api that workers come to, and one worker."""
    async with cluster(folder, schema) as made:
        made.env = {"AOB_GRPC_PORT": "0"}
        one, other = await asyncio.gather(made.member("one", app=""), made.member("two", app=""))
        await made.spread(SHARDS)
        client = await made.api(*(int(each.peers.rpartition(":")[2]) for each in (one, other)))
        await made.worker(made.urls[0], app)
        yield made, client


async def pushed(client: AsyncClient, document: Any) -> None:
    """Its handlers are known as soon as the main process has the worker."""
    done = False
    while not done:
        with suppress(Invalid):
            await client.push(document)
            done = True


async def test_one_worker_does_the_jobs_of_all_coordinators_and_goes_on_when_one_is_killed(
    tmp_path: Path, schema: Schema
) -> None:
    """So it does when one joins and when one hands over. When all are killed, and it too, patches of the next life may
    still name its handlers, with their effect."""
    load = Load()
    async with staffed(tmp_path, schema) as (made, client):
        await pushed(client, FLOW)
        await client.push(NAPS)
        async with loaded(client, load):
            await load.until(20)
            main = await made.main()
            main.process.kill()
            await load.until(20)
            assert len(await made.spread(SHARDS)) == 1
            await made.member("three", app="")
            await made.spread(SHARDS)
            await load.until(10)
            (await made.main()).process.terminate()
            await load.until(10)
        await load.settled(client, made.ledger)
        pids = {line.partition(" ")[0] for line in made.ledger.read_text().splitlines()}
        assert len(pids) == 1, "one process did all of it"
        run_id = (await client.start("naps", {"n": 7}))["run_id"]
        await kept(schema, "noted")
        for process in (made.staff[0], *(member.process for member in made.members)):
            if process.returncode is None:
                process.kill()
                await process.wait()
        await made.member("one", port=int(main.peers.rpartition(":")[2]), app="")
        told: Any = {}
        while not told:
            with suppress(Unavailable):  # nobody has its shard yet
                told = await client.propose(run_id, PATCH)
        assert told["state"] == "proposed", "a person is asked, as the effect of the handler says"
        assert len(await client.tickets(run_id=run_id)) == 1


async def test_a_job_at_a_worker_outlives_its_coordinator(tmp_path: Path, schema: Schema) -> None:
    """One that hands over, then one that is killed."""
    async with staffed(tmp_path, schema, GATED) as (made, client):
        ids = []
        for effect in ("keyed", "once"):
            await pushed(client, flow(effect, {"a": fn(effect)}))
            ids += [(await client.start(effect, {}))["run_id"] for _ in range(6)]
        await made.noted(12)
        ended = (await made.main()).process
        ended.terminate()
        assert await ended.wait() == 0
        assert len(await made.spread(SHARDS)) == 1
        await made.member("three", app="")
        await made.spread(SHARDS)
        killed = (await made.main()).process
        killed.kill()
        await killed.wait()
        assert len(await made.spread(SHARDS)) == 1
        made.ledger.with_suffix(".gate").touch()
        for run_id in ids:
            run = await client.wait(run_id)
            assert (run["status"], run["output"]) == ("COMPLETED", "a")
        assert len(await made.noted(12)) == 12, "each was called once"
