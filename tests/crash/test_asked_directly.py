"""An api that asks the owners of runs itself: while the main process is away what others own goes on, and a member that
hands over or is killed costs its callers a wait, and no error. Nobody here asks twice."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from aob.client import AsyncClient
from aob.compose.layout import Layout
from tests.crash.cluster import KEY, Cluster, Member, cluster
from tests.crash.live_load import free_port
from tests.crash.test_coordinators import SHARDS, two
from tests.crash.test_coordinators import schema as schema
from tests.runs.home import flow, fn
from tests.servers.fixtures import Schema

pytestmark = pytest.mark.timeout(240)
LONG_S: Final = 30.0
"""A lease that does not end while a test looks: nobody takes over what was killed."""
ASKS: Final = flow(
    "asks", {"ok": {"kind": "approval", "config": {"text": "May it?"}}, "b": fn("noted", input={"n": "inputs.n"})},
    "ok>b:approved",
)  # fmt: skip


def shard_of(run_id: str) -> int:
    return Layout.of(SHARDS).shard_of(run_id)


async def other_than(made: Cluster, main: Member) -> Member:
    return next(each for each in made.members if each is not main)


async def test_reads_waits_and_answers_of_other_shards_go_on_while_the_main_process_is_away(
    tmp_path: Path, schema: Schema
) -> None:
    async with cluster(tmp_path, schema) as made:
        made.env = {"AOB_LEASE_S": str(LONG_S)}
        ports = free_port(), free_port()
        *_, client = await asyncio.gather(
            made.member("one", port=ports[0]), made.member("two", port=ports[1]), made.api(*ports)
        )
        held = await made.spread(SHARDS)
        await client.push(ASKS)
        main = await made.main()
        other = await other_than(made, main)
        ids = [(await client.start("asks", {"n": number}, key=f"k{number}"))["run_id"] for number in range(16)]
        theirs = [run_id for run_id in ids if shard_of(run_id) in held[other.name]]
        assert 0 < len(theirs) < len(ids)
        waits = [asyncio.create_task(client.wait(run_id)) for run_id in theirs]
        main.process.kill()
        for run_id in theirs:
            assert (await client.run(run_id))["status"] == "WAITING"
            assert [each["type"] async for each in client.timeline(run_id)]
            (ticket,) = await client.tickets(run_id=run_id)
            await client.answer(ticket["ticket_id"], "approve")
        assert {run["status"] for run in await asyncio.gather(*waits)} == {"COMPLETED"}
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(f"{made.urls[0]}/health/ready")).status_code == 200
        assert not (await other.state())["main"], "nobody was the main process all the time"


class Callers:
    """Requests that are asked once, with what came of them."""

    def __init__(self, url: str) -> None:
        self.http = httpx.AsyncClient(base_url=url, headers={"x-api-key": KEY}, timeout=60, trust_env=False)
        self.told = Counter[str]()
        self.ids = list[str]()
        self._numbers = count()
        self._moved = asyncio.Event()

    async def asks(self, what: str, method: str, path: str, **more: Any) -> Any:
        answer = await self.http.request(method, path, **more)
        good = answer.status_code < 300
        self.told[what if good else f"{what}: {answer.status_code} {answer.text[:300]}"] += 1
        self._moved.set()
        return answer.json() if good else {}

    async def lane(self, *, keys: bool) -> None:
        """Starts, reads and waits, one after the other."""
        while True:
            number = next(self._numbers)
            body: dict[str, Any] = {"workflow": "w", "inputs": {"n": number}}
            if keys:
                body["key"] = f"k{number}"
            run_id = (await self.asks("start", "POST", "/v1/runs", json=body)).get("run_id", "")
            if run_id:
                self.ids.append(run_id)
                await self.asks("read", "GET", f"/v1/runs/{run_id}")
                await self.asks("wait", "GET", f"/v1/runs/{run_id}", params={"wait": "30s"})

    async def batches(self) -> None:
        """Starts of many at once."""
        while True:
            items = [{"workflow": "w", "inputs": {"n": 0}, "key": f"b{next(self._numbers)}"} for _ in range(8)]
            for verdict in await self.asks("batch", "POST", "/v1/runs:batch", json=items):
                self.told["item" if "run_id" in verdict else f"item: {verdict}"] += 1
                self.ids += [verdict["run_id"]] if "run_id" in verdict else []

    async def lists(self) -> None:
        """What the main process answers."""
        while True:
            await self.asks("list", "GET", "/v1/workflows")

    async def until(self, more: int) -> None:
        """So many starts and waits more are answered."""
        wanted = self.told["wait"] + more
        while self.told["wait"] < wanted:
            self._moved.clear()
            await self._moved.wait()


@asynccontextmanager
async def called(url: str, *, keys: bool = True, home: bool = True) -> AsyncIterator[Callers]:
    """Callers that go on until it is left."""
    callers = Callers(url)
    lanes = [callers.lane(keys=True), callers.lane(keys=keys), callers.lane(keys=True), callers.batches()]
    tasks = [asyncio.create_task(each) for each in (*lanes, *((callers.lists(),) if home else ()))]
    try:
        yield callers
        broken = [task.exception() for task in tasks if task.done()]
        assert not broken, broken
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await callers.http.aclose()


async def all_well(client: AsyncClient, callers: Callers) -> None:
    assert not {what for what in callers.told if ":" in what}, callers.told
    for run_id in callers.ids:
        assert (await client.wait(run_id))["status"] == "COMPLETED"


@pytest.mark.parametrize("role", ["main", "other"])
async def test_a_member_that_hands_over_under_load_gives_no_caller_an_error(
    tmp_path: Path, schema: Schema, role: str
) -> None:
    async with two(tmp_path, schema) as (made, client):
        main = await made.main()
        ended = main if role == "main" else await other_than(made, main)
        async with called(made.urls[0], keys=False) as callers:
            await callers.until(20)
            ended.process.terminate()
            assert await ended.process.wait() == 0
            await callers.until(20)
        await all_well(client, callers)


@pytest.mark.parametrize("role", ["main", "other"])
async def test_a_member_that_is_killed_under_load_costs_a_wait(tmp_path: Path, schema: Schema, role: str) -> None:
    async with two(tmp_path, schema) as (made, client):
        main = await made.main()
        killed = main if role == "main" else await other_than(made, main)
        async with called(made.urls[0]) as callers:
            await callers.until(20)
            killed.process.kill()
            if role == "other":
                assert (await callers.http.get("/health/ready")).status_code == 200, "some shards have their owner"
            await callers.until(20)
        await all_well(client, callers)


async def test_a_member_that_joins_and_takes_its_part_gives_no_caller_an_error(tmp_path: Path, schema: Schema) -> None:
    async with two(tmp_path, schema) as (made, client):
        async with called(made.urls[0], keys=False) as callers:
            await callers.until(10)
            await made.member("three")
            await made.spread(SHARDS)
            await callers.until(10)
        await all_well(client, callers)
