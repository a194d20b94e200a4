"""`kill -9` of `aob up` at random moments under load: what was acknowledged counts, once; followers miss nothing."""

import asyncio
import random
from pathlib import Path

import pytest

from aob.client import AsyncClient
from aob.client.place import find_place
from tests.crash.live_load import Follower, Senders, furnished, ids_in_log, sums_in_log, upped
from tests.metrics.till import recount, sold
from tests.servers.ports import free_port

pytestmark = pytest.mark.timeout(90)
DEATHS = 4
SEED = 1


async def test_each_acknowledged_event_counts_once_and_followers_miss_nothing(tmp_path: Path) -> None:
    home, port, dice = furnished(tmp_path / "home"), free_port(), random.Random(SEED)
    senders, followers = Senders(SEED), list[Follower]()
    async with upped(home, port), AsyncClient.of_home(home) as first:
        start = (await first.ingest([sold("first")]))["position"]
        key = find_place(home).key
    async with AsyncClient(f"http://127.0.0.1:{port}", key=key) as client:
        for death in range(DEATHS + 1):
            async with upped(home, port) as process:
                if not followers:
                    followers = [
                        Follower(client, start, types=["sold", "refunded"]),
                        Follower(client, None, metrics=["sales"], window="all"),
                    ]
                if death == DEATHS:
                    break
                stop = asyncio.Event()
                lanes = [asyncio.create_task(senders.lane(client, stop)) for _ in range(senders.lanes)]
                enough = senders.answers + dice.randrange(3, 120)
                while senders.answers < enough:
                    senders.answered.clear()
                    await senders.answered.wait()
                process.kill()
                await process.wait()
                await asyncio.gather(*lanes)
        async with upped(home, port):
            await senders.rest(client)
            await client.ingest([sold("last")])
            expected = recount(home)
            await followers[0].until(lambda event: event["id"] == "sold-last")
            await followers[1].until(lambda answer: answer["value"] == expected["sales"])
            told = {
                name: (await client.metric(name, window="all"))["value"]
                for name in ("sales", "revenue", "buyers", "mean")
            }
            gate = (await client.health())["metrics"]["gate"]
            received = (await client.metric("events_received", window="all"))["value"]
            for follower in followers:
                await follower.close()
    ids = ids_in_log(home)
    assert senders.answers > 30
    assert len(ids) == len(set(ids))
    assert senders.acknowledged <= set(ids)
    assert told == pytest.approx(expected)
    assert [event["id"] for event in followers[0].told] == ids[1:]
    assert {name: gate[name] for name in ("accepted", "duplicate", "rejected", "received")} == sums_in_log(home)
    assert gate["received"] == gate["accepted"] + gate["duplicate"] + gate["rejected"] == received
    assert gate["rejected"] >= senders.rejected > 0
