"""What `status` tells of a cluster of real processes, and how that follows what becomes of them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from aob.client import AsyncClient
from aob.core.status import HomeStatus
from tests.crash.cluster import Member, cluster, told_when
from tests.crash.test_workers_of_a_cluster import pushed
from tests.runs.home import flow, fn
from tests.servers.fixtures import Schema, dropped, made_schema
from tests.servers.ports import free_port

pytestmark = pytest.mark.timeout(120)
SHARDS = 4


@pytest.fixture
def schema(postgres_url: str) -> Iterator[Schema]:
    made = made_schema(postgres_url, SHARDS)
    yield made
    dropped(made)


def well(told: HomeStatus) -> bool:
    return all(each["status"] == "ok" and each["lease_left_ms"] for each in told["shards"])


async def test_it_tells_of_members_and_what_is_before_them_and_follows_a_kill(tmp_path: Path, schema: Schema) -> None:
    gated = str(Path(__file__).with_name("gated_app.py"))
    async with cluster(tmp_path, schema) as made:
        made.env = {"AOB_GRPC_PORT": "0"}
        ports = free_port(), free_port()
        one, two = await asyncio.gather(
            made.member("one", port=ports[0], app=""), made.member("two", port=ports[1], app="")
        )
        held = await made.spread(SHARDS)
        client = await made.api(*ports)
        told = await told_when(client, well)
        members(told, {each: set(held[each.name]) for each in (one, two)})
        await made.fanout(one, two)
        await made.worker(made.urls[0], gated)
        await pushed(client, flow("g", {"a": fn("keyed")}))
        ids = [(await client.start("g", {}))["run_id"] for _ in range(16)]
        await fronts_and_workers(client, (one, two), len(ids))
        made.ledger.with_suffix(".gate").touch()
        for run_id in ids:
            assert (await client.wait(run_id))["status"] == "COMPLETED"
        assert sum(each["done"] for each in await client.workers()) == len(ids)

        main = await made.main()
        other = two if main is one else one
        other.process.kill()
        await other.process.wait()
        told = await told_when(client, lambda told: not well(told))
        assert {each["shard"] for each in told["shards"] if each["status"] != "ok"} <= set(held[other.name])
        assert any(each["how"] == "problem" for each in told["troubles"])
        told = await told_when(client, well)  # the one that is left has taken them
        assert {each["address"] for each in told["shards"]} == {main.peers}
        assert {each["pid"] for each in told["processes"]} == {main.pid}
        assert min(each["term"] for each in told["shards"] if each["shard"] in held[other.name]) > 1


def members(told: HomeStatus, held: dict[Member, set[int]]) -> None:
    """It names each with its shards, and no trouble."""
    assert sorted(each["address"] for each in told["members"]) == sorted(each.peers for each in held)
    assert all(each["roles"] == ["coordinator"] for each in told["members"])
    for member, shards in held.items():
        assert {each["shard"] for each in told["shards"] if each["address"] == member.peers} == shards
    assert {each["pid"]: set(each["shards"]) for each in told["processes"]} == {
        each.pid: shards for each, shards in held.items()
    }
    assert [each for each in told["troubles"] if each["how"] == "problem"] == []


async def fronts_and_workers(client: AsyncClient, both: tuple[Member, ...], jobs: int) -> None:
    """Workers, queues and the processes before it are those of every member."""

    def whole(told: HomeStatus) -> bool:
        links = {" ".join(each["roles"]): each["links"] for each in told["fronts"]}
        return sum(each["jobs"] for each in told["workers"]) == jobs and links.get("api") == 2

    told = await told_when(client, whole)  # the api has asked both
    (worker,) = told["workers"]
    assert worker["state"] == "attached"
    (row,) = await client.workers()
    assert (row["state"], row["running"], row["done"]) == ("attached", jobs, 0), "the jobs of both members"
    fronts = {" ".join(each["roles"]): each for each in told["fronts"]}
    assert set(fronts) == {"api", "fanout"}
    assert {each["release"] for each in told["fronts"]} == {told["release"]}
    async with httpx.AsyncClient(trust_env=False) as http:
        texts = [(await http.get(f"{each.url}/metrics")).text for each in both]
    for text in texts:
        assert "aob_workers 1" in text
        assert f'aob_member_fronts{{roles="api",release="{told["release"]}"}} 1' in text
        assert "aob_log_lines_dropped_total 0" in text
