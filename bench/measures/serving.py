"""Runs over HTTP against a real `aob up`: starts in batches and singly, chains to their end, the process at rest."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import uvloop

from bench.frame import Bench, Figure, measure, percentile
from bench.workflows import INPUTS, chain, waiting

LINES = 500
CONNECTIONS = 4
CROWD = 100
CPU_CLOCK = 2
"""In the number of a clock of Linux: CPU of all threads, in nanoseconds; the ticks of /proc are too coarse."""
SINGLE_STARTS = {"lone": (1, 1_000), "single": (8, 2_000), "many": (CROWD, 10_000)}
"""Connections and starts."""
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
        return time.clock_gettime(~self.pid << 3 | CPU_CLOCK)

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
        async with httpx.AsyncClient() as probe:
            while (await probe.get(f"{url}/health/ready")).status_code != 200:  # noqa: ASYNC110  # it is another process
                await asyncio.sleep(0.005)
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


class Tally:
    """What a load over HTTP took: seconds of each call, the server's CPU a call, calls a second."""

    def __init__(self) -> None:
        self.took: list[float] = []
        self.cpu_s = self.wall_s = 0.0

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of the server's CPU a call."""
        return self.cpu_s / len(self.took) * 1e3


async def load(at: Served, request: bytes, connections: int, count: int, seen: Callable[[bytes], object]) -> Tally:
    """The same request so many times over bare connections that each wait for their answers; a client would cost more
    than the server. Raises RuntimeError for an answer that is no success."""
    tally, left = Tally(), count

    async def sender() -> None:
        nonlocal left
        async with connected(at) as (reader, writer):
            while left > 0:
                left -= 1
                begun = time.perf_counter()
                writer.write(request)
                status, answer = await read_answer(reader)
                tally.took.append(time.perf_counter() - begun)
                if not 200 <= status < 300:
                    raise RuntimeError(f"{status}: {answer[:300]!r}")
                seen(answer)

    cpu, begun = at.cpu_s(), time.perf_counter()
    await asyncio.gather(*[sender() for _ in range(connections)])
    tally.cpu_s, tally.wall_s = at.cpu_s() - cpu, time.perf_counter() - begun
    return tally


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body of one answer with a length."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return int(head[9:12]), await reader.readexactly(length)


def post(at: Served, path: str, body: bytes, media: str = "application/json") -> bytes:
    """A whole request."""
    return at.head("POST", path, f"content-type: {media}", f"content-length: {len(body)}") + body


@measure("starts")
def starts(bench: Bench) -> Iterator[Figure]:
    """Durable starts of a workflow that begins with a `wait`: 500 lines a request; one, on 1, 8 and 100 connections."""
    runs = set[bytes]()

    def noted(answer: bytes) -> None:
        runs.update(RUN_ID.findall(answer))

    async def taken() -> dict[str, Tally]:
        line = json.dumps({"workflow": "wait", "inputs": INPUTS}).encode()
        async with served(bench) as at:
            await push(at.client, waiting("wait"))
            lines = post(at, "/v1/runs", b"\n".join([line] * LINES), "application/x-ndjson")
            one, found = post(at, "/v1/runs", line), {}
            found["ndjson"] = await load(at, lines, CONNECTIONS, bench.times(80), noted)
            for name, (connections, count) in SINGLE_STARTS.items():
                found[name] = await load(at, one, connections, bench.times(count), noted)
            return found

    found = uvloop.run(taken())
    many, lone, single, crowd = found["ndjson"], found["lone"], found["single"], found["many"]
    count = len(many.took) * LINES + len(lone.took) + len(single.took) + len(crowd.took)
    assert len(runs) == count, f"{count} starts began {len(runs)} runs"
    yield Figure("starts.ndjson.per_s", len(many.took) * LINES / many.wall_s, "/s", 20_000, at_most=False)
    yield Figure("starts.ndjson.cpu_ms", many.cpu_ms / LINES, "ms")
    yield Figure("starts.lone.cpu_ms", lone.cpu_ms, "ms", note="one at a time: a commit each")
    yield Figure("starts.lone.p50_ms", percentile(lone.took, 0.5) * 1e3, "ms", note="fsync included")
    yield Figure("starts.single.cpu_ms", single.cpu_ms, "ms", 0.25)
    yield Figure("starts.single.p50_ms", percentile(single.took, 0.5) * 1e3, "ms", note="8 at a time, fsync included")
    yield Figure("starts.many.cpu_ms", crowd.cpu_ms, "ms", note="100 connections")
    yield Figure("starts.many.per_cpu_s", 1e3 / crowd.cpu_ms, "/s", 10_000, at_most=False, note="on one core")


@measure("http")
def http_chains(bench: Bench) -> Iterator[Figure]:
    """Chains of five over HTTP: 100 connections, each starts one and waits for its end, again and again."""
    ended: list[bytes] = []

    async def taken() -> Tally:
        async with served(bench) as at:
            await push(at.client, chain("chain", 5))
            body = json.dumps({"workflow": "chain", "inputs": INPUTS}).encode()
            request = post(at, "/v1/runs?wait=30s", body)
            await load(at, request, CROWD, bench.times(1_000), ended.append)  # warm
            ended.clear()
            return await load(at, request, CROWD, bench.times(10_000), ended.append)

    tally = uvloop.run(taken())
    assert all(b'"COMPLETED"' in answer for answer in ended), "not every run was waited for"
    yield Figure("http.chain5.cpu_ms", tally.cpu_ms, "ms", 0.3, note="the server's CPU, HTTP included")
    yield Figure("http.chain5.per_s", len(tally.took) / tally.wall_s, "/s", note="the load generator shares the cores")
    yield Figure("http.chain5.p50_ms", percentile(tally.took, 0.5) * 1e3, "ms", note="from the start to the end")


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
