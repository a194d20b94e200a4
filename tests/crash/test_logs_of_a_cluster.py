"""What handlers log in a cluster: read at any api in the order in which it was written, each line once, also when the
process that wrote it was killed; that costs the last lines, none that somebody has read."""

import asyncio
import time
from collections import defaultdict
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from aob.client import AsyncClient
from aob.core.errors import Invalid
from tests.crash.cluster import Cluster, cluster
from tests.crash.test_coordinators import SHARDS
from tests.crash.test_coordinators import schema as schema
from tests.crash.test_workers_of_a_cluster import pushed
from tests.runs.home import flow, fn
from tests.servers.fixtures import Schema
from tests.servers.ports import free_port

TALKING: Final = str(Path(__file__).with_name("talking_app.py"))
RUNS: Final = 6

pytestmark = pytest.mark.timeout(120)


async def lines(client: AsyncClient, run_id: str, *, follow: bool = False) -> list[tuple[int, int]]:
    """The process that logged each line, and its number there."""
    return [(line["pid"], line["number"]) async for line in client.logs(run_id, follow=follow)]


async def some(client: AsyncClient, run_id: str, least: int) -> list[tuple[int, int]]:
    """The first lines, as soon as there are so many."""
    found = list[tuple[int, int]]()
    async with aclosing(client.logs(run_id, follow=True)) as following:
        async for line in following:
            found.append((line["pid"], line["number"]))
            if len(found) == least:
                break
    return found


def noted(ledger: Path) -> dict[str, list[tuple[int, int]]]:
    """The same of each line that was logged, by run."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for line in ledger.read_text().splitlines():
        run, pid, number = line.split()
        found[run].append((int(pid), int(number)))
    return found


async def talking(made: Cluster, client: AsyncClient) -> list[str]:
    """Runs whose handlers talk until the gate is open."""
    await client.push(flow("talk", {"a": fn("talks", input={"n": "inputs.n"})}))
    return [(await client.start("talk", {"n": 5}))["run_id"] for _ in range(RUNS)]


def opens(made: Cluster) -> None:
    Path(f"{made.ledger}.gate").touch()


async def test_a_kill_costs_the_last_lines_only_and_no_line_comes_twice(tmp_path: Path, schema: Schema) -> None:
    async with cluster(tmp_path, schema) as made:
        ports = free_port(), free_port()
        one, _, client, other = await asyncio.gather(
            made.member("one", port=ports[0], app=TALKING), made.member("two", port=ports[1], app=TALKING),
            made.api(*ports), made.api(*ports),
        )  # fmt: skip
        await made.spread(SHARDS)
        ids = await talking(made, client)
        seen = {run_id: await some(client, run_id, 60) for run_id in ids}
        one.process.kill()
        await one.process.wait()
        await made.spread(SHARDS, without=one)
        opens(made)
        for run_id in ids:
            run = await client.wait(run_id)
            assert run["status"] == "COMPLETED", run
            found = await lines(client, run_id)
            assert found == await lines(other, run_id), "each api reads the same"
            assert len(set(found)) == len(found), "no line twice"
            assert found == sorted(found, key=lambda line: (line[0] != one.pid, line[1])), "in order"
            assert found[: len(seen[run_id])] == seen[run_id], "what was read once stays"
            missing = set(noted(made.ledger)[run_id]) - set(found)
            last = max((number for pid, number in found if pid == one.pid), default=-1)
            assert all(pid == one.pid and number > last for pid, number in missing), "the last of what was killed"
        assert chunks(schema)
        assert await pruned(client) == RUNS
        assert not chunks(schema), "lines go with their run"


async def test_lines_of_workers_are_followed_at_any_api_and_go_with_an_owner_that_hands_over(
    tmp_path: Path, schema: Schema
) -> None:
    async with cluster(tmp_path, schema) as made:
        made.env = {"AOB_GRPC_PORT": "0"}
        ports = free_port(), free_port()
        one, *_ = await asyncio.gather(
            made.member("one", port=ports[0], app=""), made.member("two", port=ports[1], app="")
        )
        client, other = await made.api(*ports), await made.api(*ports)
        await made.spread(SHARDS)
        await made.worker(made.urls[0], TALKING)
        await pushed(client, flow("talk", {"a": fn("talks", input={"n": "inputs.n"})}))
        ids = [(await client.start("talk", {"n": 5}))["run_id"] for _ in range(RUNS)]
        following = {run_id: asyncio.create_task(lines(other, run_id, follow=True)) for run_id in ids}
        await made.noted(RUNS * 20)
        one.process.terminate()  # its runs go to the other, with their jobs
        await one.process.wait()
        await made.spread(SHARDS, without=one)
        await made.noted(RUNS * 60)
        opens(made)
        for run_id in ids:
            run = await client.wait(run_id)
            assert run["status"] == "COMPLETED", run
            found = await lines(client, run_id)
            assert len(set(found)) == len(found)
            assert await following[run_id] == found, "who followed has read the same"
            assert found[-1][1] == run["output"] - 1


async def pruned(client: AsyncClient) -> int:
    """Remove all runs; how many they were."""
    before_ms, removed = _later(), list[Any]()
    async with asyncio.timeout(60):
        while not removed:  # until the clock of the database has passed it, too
            with suppress(Invalid):
                removed = [step async for step in client.prune(before_ms)]
    return sum(step["runs"] for step in removed)


def chunks(schema: Schema) -> int:
    """How many chunks of lines are in the database."""
    with psycopg.connect(schema.owner_url.partition("?")[0]) as owner:
        ((count,),) = owner.execute(f'select count(*) from "{schema.name}".log_chunk'.encode()).fetchall()
    return int(count)


def _later() -> int:
    return time.time_ns() // 1_000_000
