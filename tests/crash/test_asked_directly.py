"""An api that asks the owners of runs itself: while the main process is away what others own goes on."""

import asyncio
from pathlib import Path
from typing import Final

import httpx
import pytest

from aob.compose.layout import Layout
from tests.crash.cluster import Cluster, Member, cluster
from tests.crash.test_coordinators import SHARDS
from tests.crash.test_coordinators import schema as schema
from tests.runs.home import flow, fn
from tests.servers.fixtures import Schema
from tests.servers.ports import free_port

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
