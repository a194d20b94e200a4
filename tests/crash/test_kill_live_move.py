"""kill -9 of the main process or of an owner at a commit of a live move, under load, and with an outside ledger."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

import aob
from aob.client import AsyncClient
from aob.compose.files import inspected
from aob.compose.layout import layout_of
from aob.core.errors import AobError
from tests.compose.shard_home import WAIT, chain
from tests.crash import live_trap
from tests.servers.forks import Fork, begun

pytestmark = pytest.mark.timeout(120)
TICKS = chain("ticks", "tick", "tick")
WAITING = 8


@asynccontextmanager
async def upped(home: Path, trap: str) -> AsyncIterator[tuple[Fork, AsyncClient]]:
    """`aob up` of a home, with a trap in all of its processes."""
    words = ["up", "--json", "--home", str(home), "--port", "0", "--app", live_trap.__name__]
    process = await begun(words, {**os.environ, live_trap.TRAP: trap})
    try:
        assert process.stdout is not None
        line = await process.stdout.readline()
        assert msgspec.json.decode(line)["url"]
        async with AsyncClient.of_home(home) as client:
            yield process, client
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def moved(home: Path, trap: str, kept: dict[str, str]) -> int:
    """How many lives of the main process it took to move all, while people start runs: `kept` is what they know."""
    for life in range(1, 6):
        async with upped(home, trap) as (process, client):
            for _ in range(200):
                with suppress(AobError):
                    for _ in range(3):
                        key = f"k{len(kept)}"
                        kept[key] = (await client.start("ticks", {}, key=key))["run_id"]
                    if not (await client.set_shards(2))["left"]:
                        return life
                with suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), 0.05)
                    break
    raise AssertionError("the partitions did not move")


@pytest.mark.parametrize("trap", [
    "moved.after 2", "taken.before 2", "taken.after 2", "release.before 2",
])  # fmt: skip
async def test_whoever_is_killed_nothing_acknowledged_is_lost_and_nothing_happens_twice(
    tmp_path: Path, trap: str
) -> None:
    async with aob.open(tmp_path, app=live_trap) as app:
        for document in (TICKS, WAIT):
            await app.push(document)
        waiting = [(await app.start("wait", {})).id for _ in range(WAITING)]
    kept = dict[str, str]()
    lives = await moved(tmp_path, trap, kept)
    assert (tmp_path / live_trap.FIRED).exists()
    assert lives == (1 if trap.startswith("taken") else 2), "an owner is started again by its main process"
    layout = layout_of(tmp_path)
    assert not layout.moving
    assert sorted(layout.owners) == [0] * 32 + [1] * 32
    async with upped(tmp_path, "") as (_, client):
        for run_id in waiting:
            await client.message(run_id, "go")
        for key, run_id in kept.items():
            again = await client.start("ticks", {}, key=key)
            assert (again["run_id"], again["created"]) == (run_id, False)
        for run_id in (*waiting, *kept.values()):
            assert (await client.wait(run_id))["status"] == "COMPLETED"
        rows = [row["run_id"] for row in (await client.runs(limit=500))["runs"]]
        assert len(rows) == len(set(rows)) == len(waiting) + len(kept)
        assert await numbers(client, len(rows)) == {"runs_started": len(rows), "runs_finished": len(rows)}
    assert all(seen.well for seen in inspected(tmp_path, deep=True))


async def numbers(client: AsyncClient, ended: int) -> dict[str, Any]:
    """What the platform counted, once so many have ended."""
    found: dict[str, Any] = {}
    for _ in range(400):
        for metric in ("runs_started", "runs_finished"):
            found[metric] = (await client.metric(metric, window="all"))["value"]
        if found["runs_finished"] >= ended:
            break
        await asyncio.wait({asyncio.ensure_future(client.health())})
    return found
