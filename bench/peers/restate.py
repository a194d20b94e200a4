"""Restate: a server with its own log, which syncs, and a service that it calls over HTTP."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from bench.frame import Bench, Figure, measure
from bench.measures.runs import run
from bench.measures.serving import read_answer
from bench.peers.found import PROGRAMS, RUNS, WIDTH, python_with, restate_server
from bench.processes import Taken, processes
from bench.workflows import INPUTS
from tests.servers.ports import free_port


def settings(folder: Path, ingress: int, admin: int, own: int) -> dict[str, str]:
    """A server on this machine alone, that asks nobody and tells only of errors."""
    return {
        "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}", "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
        "RESTATE_BIND_ADDRESS": f"127.0.0.1:{own}", "RESTATE_ADVERTISED_ADDRESS": f"http://127.0.0.1:{own}/",
        "RESTATE_LISTEN_MODE": "tcp", "RESTATE_BASE_DIR": str(folder), "RESTATE_LOG_FILTER": "error",
        "RESTATE_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1",
    }  # fmt: skip


async def taken(bench: Bench, count: int) -> tuple[float, Taken]:
    """Wall seconds and CPU of so many chains."""
    python, server = python_with("restate"), restate_server()
    ingress, admin, own, service = (free_port() for _ in range(4))
    with processes(bench) as at:
        at.start("service", [str(python), "-m", "hypercorn", "restate_chain:app", "-b", f"127.0.0.1:{service}",
                             "--log-level", "ERROR"], cwd=PROGRAMS, quiet=False)  # fmt: skip
        env = settings(bench.folder("restate"), ingress, admin, own)
        at.start("server", [str(server), "--no-logo"], env, cwd=bench.folder("at"), quiet=False)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{admin}", timeout=30) as client:
            await answers(client)
            body = {"uri": f"http://127.0.0.1:{service}"}
            while (await client.post("/deployments", json=body)).status_code != 201:  # noqa: ASYNC110  # they say no more
                await asyncio.sleep(0.1)
        given = json.dumps(INPUTS).encode()
        head = f"POST /Chain/run HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(given)}"
        request = head.encode() + b"\r\n\r\n" + given
        await load(ingress, request, count // 10 + 1)
        at.begin()
        begun = time.perf_counter()
        await load(ingress, request, count)
        return time.perf_counter() - begun, at.taken()


async def answers(client: httpx.AsyncClient) -> None:
    """Wait until the server answers."""
    async with asyncio.timeout(60):
        while True:
            try:
                if (await client.get("/health")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


async def load(port: int, request: bytes, count: int) -> None:
    """The request so many times, on as many connections as runs are under way, each waiting for the end of its run."""
    left = count

    async def one() -> None:
        nonlocal left
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while left > 0:
            left -= 1
            writer.write(request)
            status, answer = await read_answer(reader)
            if status != 200 or json.loads(answer) != INPUTS:
                raise RuntimeError(f"{status}: {answer!r}")
        writer.close()

    await asyncio.gather(*[one() for _ in range(min(WIDTH, count))])


@measure("peer_restate")
def restate_chains(bench: Bench) -> Iterator[Figure]:
    """Handlers of five durable steps on Restate, 100 at a time, over its HTTP."""
    count = bench.times(RUNS)
    found: list[Any] = [run(taken(bench, count)) for _ in range(bench.rounds(3))]
    wall_s, cpu = min(found, key=lambda each: each[1].whole)
    yield Figure("peer_restate.chain5.per_s", count / wall_s, "/s")
    yield from cpu.figures("peer_restate.chain5", count)
