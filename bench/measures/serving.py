"""Starts over HTTP against a real `aob up`: batches of NDJSON, single requests, and the process at rest."""

import asyncio
import json
import os
import re
import signal
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
SENDERS = 8
RUN_ID = re.compile(rb'"run_id":"([^"]+)"')


class Served:
    """A running `aob up`: its base URL, its key, its process."""

    def __init__(self, client: httpx.AsyncClient, process: subprocess.Popen[bytes]) -> None:
        self.client, self.process, self.pid = client, process, process.pid
        self.killed = False

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.killed = True
        self.process.kill()

    def head(self, method: str, path: str, *lines: str) -> bytes:
        """The head of a request with the key, for those who write on the wire themselves."""
        url, key = self.client.base_url, self.client.headers["X-API-Key"]
        told = (f"{method} {path} HTTP/1.1", f"host: {url.host}:{url.port}", f"x-api-key: {key}", *lines)
        return ("\r\n".join(told) + "\r\n\r\n").encode()

    def cpu_s(self) -> float:
        """CPU seconds of the server so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self) -> float:
        """Resident memory of the server in MB."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@asynccontextmanager
async def served(bench: Bench, ready: list[float] | None = None, home: Path | None = None) -> AsyncIterator[Served]:
    """`aob up` on a free port and a home, a fresh one by default, with the handlers of the bench.

    Raises RuntimeError with its words when it says anything on stderr (its log is quiet while all is well), or ends
    otherwise than by the stop that it is sent.
    """
    home, said = home or bench.folder("served"), bench.folder("said") / "stderr"
    (home / "server.json").unlink(missing_ok=True)  # of a server that was killed
    begun = time.perf_counter()
    with said.open("wb") as out:
        process = subprocess.Popen(  # noqa: ASYNC220  # it returns at once
            [sys.executable, "-m", "aob.cli", "up", "--home", str(home), "--port", "0", "--app", "bench.handlers"],
            stdout=subprocess.DEVNULL, stderr=out,
        )  # fmt: skip
    killed = False
    try:
        while not (home / "server.json").is_file():
            if process.poll() is not None:
                raise RuntimeError(f"aob up ended: {said.read_text()}")
            await asyncio.sleep(0.005)
        url = json.loads((home / "server.json").read_text())["url"]
        if ready is not None:
            ready.append(time.perf_counter() - begun)
        key = (home / "key").read_text().strip()
        async with httpx.AsyncClient(base_url=url, headers={"X-API-Key": key}, timeout=60) as client:
            at = Served(client, process)
            yield at
            killed = at.killed
    finally:
        process.terminate()
        try:
            code = process.wait(20)
        finally:
            process.kill()
            process.wait()
    if said.stat().st_size or code != (-signal.SIGKILL if killed else 0):
        raise RuntimeError(f"aob up ended with {code} and said: {said.read_text()}")


@asynccontextmanager
async def connected(at: Served) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare connection, for loads that a client would slow down."""
    url = at.client.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port, limit=1 << 22)
    try:
        yield reader, writer
    finally:
        writer.close()
        await asyncio.wait([asyncio.ensure_future(writer.wait_closed())])


async def push(client: httpx.AsyncClient, document: dict[str, Any]) -> None:
    """Push a workflow."""
    (await client.put(f"/v1/workflows/{document['workflow']}", json=document)).raise_for_status()


@measure("starts")
def starts(bench: Bench) -> Iterator[Figure]:
    """Durable starts of a workflow that begins with a `wait`, over HTTP: batches of 500 lines, then one by one."""

    begun_runs = set[str]()

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
                begun_runs.update(RUN_ID.findall(answer.content))

        cpu, begun = at.cpu_s(), time.perf_counter()
        await asyncio.gather(*[sender() for _ in range(CONNECTIONS)])
        return time.perf_counter() - begun, at.cpu_s() - cpu, count

    async def singles(at: Served) -> tuple[list[float], float]:
        took = []
        each = max(1, bench.times(2_000) // SENDERS)

        async def sender() -> None:
            for _ in range(each):
                begun = time.perf_counter()
                answer = await at.client.post("/v1/runs", json={"workflow": "wait", "inputs": INPUTS})
                took.append(time.perf_counter() - begun)
                answer.raise_for_status()
                begun_runs.update(RUN_ID.findall(answer.content))

        cpu = at.cpu_s()
        await asyncio.gather(*[sender() for _ in range(SENDERS)])
        return took, (at.cpu_s() - cpu) / len(took)

    async def both() -> tuple[Any, Any]:
        async with served(bench) as at:
            return await batches(at), await singles(at)

    (wall, cpu, count), (took, each) = uvloop.run(both())
    assert len(begun_runs) == count + len(took), f"{count + len(took)} starts began {len(begun_runs)} runs"
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

    rounds = [uvloop.run(once()) for _ in range(bench.rounds(3))]
    yield Figure("up.ready.s", min(r[0] for r in rounds), "s", 1.0)
    yield Figure("up.idle.rss_mb", min(r[1] for r in rounds), "MB", 100)
