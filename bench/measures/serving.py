"""Starts over HTTP against a real `aob up`: batches of NDJSON, single requests, and the process at rest."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import uvloop

from bench.frame import Bench, Figure, measure, percentile
from bench.workflows import INPUTS, chain, waiting

LINES = 500
CONNECTIONS = 4


class Served:
    """A running `aob up`: its base URL, its key, its process."""

    def __init__(self, client: httpx.AsyncClient, process: subprocess.Popen[bytes]) -> None:
        self.client, self.process, self.pid = client, process, process.pid

    def cpu_s(self) -> float:
        """CPU seconds of the server so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self) -> float:
        """Resident memory of the server in MB."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@asynccontextmanager
async def served(bench: Bench, ready: list[float] | None = None, home: Path | None = None) -> AsyncIterator[Served]:
    """`aob up` on a free port and a home, a fresh one by default, with the handlers of the bench."""
    home = home or bench.folder("served")
    (home / "server.json").unlink(missing_ok=True)  # of a server that was killed
    begun = time.perf_counter()
    process = subprocess.Popen(  # noqa: ASYNC220  # it returns at once
        [sys.executable, "-m", "aob.cli", "up", "--home", str(home), "--port", "0", "--app", "bench.handlers"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while not (home / "server.json").is_file():
            assert process.poll() is None, "aob up ended"
            await asyncio.sleep(0.005)
        url = json.loads((home / "server.json").read_text())["url"]
        if ready is not None:
            ready.append(time.perf_counter() - begun)
        key = (home / "key").read_text().strip()
        async with httpx.AsyncClient(base_url=url, headers={"X-API-Key": key}, timeout=60) as client:
            yield Served(client, process)
    finally:
        process.terminate()
        process.wait(20)


async def push(client: httpx.AsyncClient, document: dict[str, Any]) -> None:
    """Push a workflow."""
    (await client.put(f"/v1/workflows/{document['workflow']}", json=document)).raise_for_status()


@measure("starts")
def starts(bench: Bench) -> Iterator[Figure]:
    """Durable starts of a workflow that begins with a `wait`, over HTTP: batches of 500 lines, then one by one."""

    async def batches(at: Served) -> tuple[float, float, int]:
        await push(at.client, waiting("wait"))
        line = json.dumps({"workflow": "wait", "inputs": INPUTS}).encode()
        body = b"\n".join([line] * LINES)
        left = bench.times(80)
        count = left * LINES
        headers = {"content-type": "application/x-ndjson"}

        async def sender() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                answer = await at.client.post("/v1/runs", content=body, headers=headers)
                answer.raise_for_status()
                assert answer.content.count(b'"run_id"') == LINES

        cpu, begun = at.cpu_s(), time.perf_counter()
        await asyncio.gather(*[sender() for _ in range(CONNECTIONS)])
        return time.perf_counter() - begun, at.cpu_s() - cpu, count

    async def singles(at: Served) -> tuple[list[float], float]:
        took = []
        count = bench.times(2_000)

        async def sender() -> None:
            for _ in range(max(1, count // 8)):
                begun = time.perf_counter()
                answer = await at.client.post("/v1/runs", json={"workflow": "wait", "inputs": INPUTS})
                took.append(time.perf_counter() - begun)
                answer.raise_for_status()

        cpu = at.cpu_s()
        await asyncio.gather(*[sender() for _ in range(8)])
        return took, (at.cpu_s() - cpu) / (count // 8 * 8)

    async def both() -> tuple[Any, Any]:
        async with served(bench) as at:
            return await batches(at), await singles(at)

    (wall, cpu, count), (took, each) = uvloop.run(both())
    yield Figure("starts.ndjson.per_s", count / wall, "/s", 20_000, at_most=False)
    yield Figure("starts.ndjson.cpu_ms", cpu / count * 1e3, "ms")
    yield Figure("starts.single.cpu_ms", each * 1e3, "ms", 0.4)
    yield Figure("starts.single.p50_ms", percentile(took, 0.5) * 1e3, "ms", note="8 at a time, fsync included")


@measure("up")
def up(bench: Bench) -> Iterator[Figure]:
    """`aob up` on a fresh home: until it takes requests, and what it holds at rest after its first run."""

    async def once() -> tuple[float, float]:
        ready: list[float] = []
        async with served(bench, ready) as at:
            await push(at.client, chain("one", 1))
            (await at.client.post("/v1/runs", json={"workflow": "one"})).raise_for_status()
            return ready[0], at.rss_mb()

    rounds = [uvloop.run(once()) for _ in range(3)]
    yield Figure("up.ready.s", min(r[0] for r in rounds), "s", 1.0)
    yield Figure("up.idle.rss_mb", min(r[1] for r in rounds), "MB", 100)
