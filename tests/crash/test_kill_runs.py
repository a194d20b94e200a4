"""SIGTERM, kill -9 and steps of the clock while runs work and emit, on one shard and on two: no run is hurt by them."""

import asyncio
import os
import random
import signal
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from aob.client import AsyncClient
from aob.client.place import find_place
from aob.core.errors import Unavailable
from aob.core.event.ids import derived_id
from tests.crash.live_load import ids_in_log
from tests.runs.home import flow, fn
from tests.servers.forks import Fork, begun
from tests.servers.ports import free_port

pytestmark = pytest.mark.timeout(120)
APP: Final = str(Path(__file__).with_name("stop_app.py"))
TERM, KILL = signal.SIGTERM, signal.SIGKILL
ONCE: Final = {"attempts": 1}
"""No retry: one failed attempt would be the end of a run."""

EMIT: Final = {"kind": "emit", "config": {"topic": "t", "type": "order.done", "data": {"n": "{n}"}}, "retry": ONCE,
               "input": {"n": "inputs.n"}}  # fmt: skip


def made(handler: str) -> dict[str, Any]:
    return fn(handler, input={"n": "inputs.n"}, retry=ONCE)


NAP: Final = {"kind": "timer", "config": {"for": "20ms"}}
FLOW: Final = flow("w", {"z": made("slow"), "t": made("thread"), "nap": NAP, "e": EMIT}, "z>t", "t>nap", "nap>e")


@asynccontextmanager
async def upped(home: Path, port: int, shards: int) -> AsyncIterator[Fork]:
    """`aob up` with the handlers, once it takes requests."""
    words = ["up", "--json", "--home", str(home), "--port", str(port), "--app", APP, "--shards", str(shards)]
    process = await begun(words, {**os.environ, "AOB_TEST_STEP": str(home / "step")})
    try:
        assert process.stdout is not None
        said = await process.stdout.readline()
        assert b"url" in said, said
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


class Starts:
    """Starts runs under keys, and again what was not answered."""

    def __init__(self) -> None:
        self.runs: dict[str, str] = {}
        self.asked = 0
        self._enough: tuple[int, asyncio.Event] | None = None

    async def until(self, asked: int) -> None:
        """So many have been asked for."""
        self._enough = (asked, asyncio.Event())
        await self._enough[1].wait()

    async def lane(self, client: AsyncClient) -> None:
        with suppress(Unavailable, httpx.HTTPError):
            while True:
                self.asked += 1
                if self._enough is not None and self.asked >= self._enough[0]:
                    self._enough[1].set()
                await self.start(client, self.asked)

    async def start(self, client: AsyncClient, n: int) -> None:
        self.runs[f"k{n}"] = (await client.start("w", {"n": n}, key=f"k{n}"))["run_id"]


@pytest.mark.parametrize(("shards", "ends"), [(1, (TERM, KILL)), (2, (KILL, TERM))])
async def test_no_end_of_ours_is_a_failed_attempt(tmp_path: Path, shards: int, ends: tuple[int, ...]) -> None:
    home, port, dice, starts = tmp_path / "home", free_port(), random.Random(shards), Starts()
    (home / "contracts").mkdir(parents=True)
    (home / "contracts" / "order.yaml").write_text("event: order.done\nversion: 1\nfields:\n  n: {type: integer}\n")
    for end in ends:
        async with upped(home, port, shards) as process:
            key = find_place(home).key
            async with AsyncClient(f"http://127.0.0.1:{port}", key=key) as client:
                await client.push(FLOW)
                for n in range(1, starts.asked + 1):
                    await starts.start(client, n)
                enough = starts.asked + dice.randrange(10, 40)
                lanes = [asyncio.create_task(starts.lane(client)) for _ in range(6)]
                await starts.until(enough)
                (home / "step").write_text(str(dice.choice([-3_600_000, 3_600_000])))
                await starts.until(enough + 20)
                process.send_signal(end)
                await asyncio.gather(*lanes)
                assert await process.wait() == (0 if end == TERM else -KILL)
    async with upped(home, port, shards), AsyncClient(f"http://127.0.0.1:{port}", key=key) as client:
        for n in range(1, starts.asked + 1):
            await starts.start(client, n)
        for run_id in starts.runs.values():
            run = await client.wait(run_id)
            assert run["status"] == "COMPLETED", run["error"]
            told = {each["type"] async for each in client.timeline(run_id)}
            assert not told & {"attempt_failed", "node_failed"}
    assert len(starts.runs) > 40
    wanted = {derived_id("event", f"{run_id}/e") for run_id in starts.runs.values()}
    assert Counter(ids_in_log(home)) == dict.fromkeys(wanted, 1), "each event passed the gate once"
    assert Counter(ids_in_topics(home)) == dict.fromkeys(wanted, 1), "and is in its topic once"


def ids_in_topics(home: Path) -> list[str]:
    """The ids of all records of topics, after a look at their offsets."""
    found, offsets = list[str](), dict[tuple[str, int], list[int]]()
    for path in sorted(home.glob("shard-*.db")):
        with closing(sqlite3.connect(path)) as file:
            for topic, partition, offset, id in file.execute("select topic, partition, offset, id from topic_records"):
                found.append(id)
                offsets.setdefault((topic, partition), []).append(offset)
    assert all(sorted(each) == list(range(len(each))) for each in offsets.values())
    return found
