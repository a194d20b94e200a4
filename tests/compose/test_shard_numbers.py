"""The platform counts the runs of all shards, each once, whichever process is killed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from aob.client import AsyncClient
from aob.compose.shards import Owners
from aob.core.metric_query import MetricQuery
from aob.core.policy import LOCAL
from tests.compose.shard_home import COUNT, WAIT, finished, kill, sharded
from tests.compose.test_shards_up import gone, upped

pytestmark = pytest.mark.timeout(90)


async def counted(owners: Owners, wanted: int, begun: int = 0) -> dict[str, Any]:
    """Runs that were started and that ended, by their workflow, once so many have ended, and begun."""
    metrics, moved = owners.running.metrics, asyncio.Event()
    metrics.live.moved.append(lambda tenant, names: moved.set())
    async with asyncio.timeout(30):
        while True:
            moved.clear()
            found = {}
            for metric in ("runs_started", "runs_finished", "nodes_finished"):
                answer = await metrics.metric(LOCAL, MetricQuery(metric, window="all", by=("workflow",)))
                found[metric] = {row["by"]["workflow"]: row["value"] for row in answer["rows"]}
            if sum(found["runs_finished"].values()) >= wanted and sum(found["runs_started"].values()) >= begun:
                return found
            await moved.wait()


async def test_an_owner_that_is_killed_is_asked_to_go_on_where_it_was_merged(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2, COUNT, WAIT) as owners:
        verbs = owners.verbs
        begin = (await verbs.health())["position"]
        waiting = [(await verbs.start(LOCAL, "wait", {}))["run_id"] for _ in range(8)]
        for part in range(2):
            feed = verbs.follow(LOCAL, position=begin, types=frozenset({"run_finished"}))
            await verbs.start_many(LOCAL, [{"workflow": "count", "inputs": {"n": n}} for n in range(100)])
            await finished(feed, 50 + 100 * part)
            kill(owners.owned[0].pid)
            channel = owners.owned[0]._channel
            assert channel is not None
            await channel.ended.wait()
            await owners.owned[0].ready()
        await finished(verbs.follow(LOCAL, position=begin, types=frozenset({"run_finished"})), 200)
        for run_id in waiting:
            await verbs.message(LOCAL, run_id, "go")
        want = {"runs_started": {"count": 200, "wait": 8}, "runs_finished": {"count": 200, "wait": 8},
                "nodes_finished": {"count": 600, "wait": 8}}  # fmt: skip
        assert await counted(owners, 208) == want
    async with sharded(tmp_path, 2) as owners:
        assert await counted(owners, 208) == want


async def number(client: AsyncClient, metric: str, wanted: int) -> int:
    """A number, once it is what is wanted or more."""
    async with asyncio.timeout(30):
        while True:
            found = int((await client.metric(metric, window="all"))["value"])
            if found >= wanted:
                return found
            await asyncio.sleep(0)


async def test_a_main_process_that_is_killed_counts_each_run_once(tmp_path: Path) -> None:
    async with upped(tmp_path, "--shards", "2") as (process, client):
        await client.push(COUNT)
        items = [{"workflow": "count", "inputs": {"n": n}} for n in range(120)]
        verdicts = [verdict async for verdict in client.start_many(items)]
        await client.wait(verdicts[-1]["run_id"])
        process.kill()
        await process.wait()
        await gone(tmp_path)
    async with upped(tmp_path, "--shards", "2") as (_, client):
        for metric in ("runs_started", "runs_finished"):
            assert await number(client, metric, 120) == 120
        assert await number(client, "nodes_finished", 360) == 360
