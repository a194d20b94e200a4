"""Streams of a cluster by a fanout: a coordinator that is killed, hands over or joins costs its readers a pause, and no
event."""

from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.crash.cluster import KEY
from tests.crash.test_coordinators import loaded, two
from tests.crash.test_coordinators import schema as schema
from tests.crash.test_kill_on_postgres import Load
from tests.network.test_fanout import Stream
from tests.servers.fixtures import Schema

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("how", ["kill", "terminate"])
async def test_readers_are_told_every_event_once_when_the_main_process_goes(
    tmp_path: Path, schema: Schema, how: str
) -> None:
    load = Load()
    async with two(tmp_path, schema) as (made, client), AsyncExitStack() as stack:
        url = await made.fanout(*made.members)
        readers = [await Stream.open(url, "/v1/runs/events", KEY) for _ in range(10)]
        for reader in readers:
            await stack.enter_async_context(reader)
            await reader.placed()
        async with loaded(client, load):
            await load.until(15)
            getattr((await made.main()).process, how)()
            await load.until(15)
        await load.settled(client, made.ledger)
        wanted: Counter[tuple[str, int]] = Counter()
        for run_id in load.answered.values():
            wanted.update([(run_id, each["seq"]) async for each in client.timeline(run_id)])
        half = readers[0]
        resumed = await stack.enter_async_context(
            await Stream.open(url, "/v1/runs/events", KEY, (await half.has(30))[29].id)
        )
        for reader in readers:
            await reader.has(wanted.total())
            assert Counter((frame.data["run"], frame.data["seq"]) for frame in reader.frames) == wanted
            orders: dict[str, list[int]] = {}
            for frame in reader.frames:
                orders.setdefault(frame.data["run"], []).append(frame.data["seq"])
            assert all(order == sorted(order) for order in orders.values())
        await resumed.has(wanted.total() - 30)
        told = Counter((frame.data["run"], frame.data["seq"]) for frame in [*half.frames[:30], *resumed.frames])
        assert told == wanted
