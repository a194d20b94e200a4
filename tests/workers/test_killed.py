"""A home in a process of its own is killed again and again while workers hold jobs and results: every run ends, and no
attempt is performed twice."""

import asyncio
import contextlib
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import msgspec

from aob.ports.workers import Job
from tests.runs.home import chain
from tests.servers.forks import Fork, begun
from tests.servers.ports import free_port
from tests.workers.client import Client, Ctx
from tests.workers.home import HANDLERS

RUNS, KILLS = 24, 3


async def started(home: Path, port: int, workers: int) -> Fork:
    """The home, once it takes requests."""
    env = {**os.environ, "AOB_GRPC_PORT": str(workers)}
    process = await begun(["up", "--json", "--home", str(home), "--port", str(port)], env)
    async with asyncio.timeout(60):
        told = msgspec.json.decode(await process.stdout.readline())
    assert told["url"]
    return process


async def killed(process: Fork) -> None:
    process.send_signal(signal.SIGKILL)
    await process.wait()


async def test_a_home_that_is_killed_while_workers_hold_results_loses_and_doubles_nothing(tmp_path: Path) -> None:
    port, workers = free_port(), free_port()
    home, done = tmp_path / "home", Counter[str]()
    performed = asyncio.Queue[str]()

    async def perform(job: Job, ctx: Ctx) -> Any:
        done[f"{job.key} {job.attempt}"] += 1
        performed.put_nowait(job.key)
        return job.input

    process = await started(home, port, workers)
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=url, headers={"x-api-key": (home / "key").read_text().strip()}) as http:
            health = (await http.get("/v1/health")).json()
            assert health["workers"] == f"127.0.0.1:{workers}"
            assert msgspec.json.decode((home / "server.json").read_bytes())["workers"] == health["workers"]
            key = (await http.post("/v1/keys", json={"name": "w", "roles": ["work"]})).json()["secret"]
            async with Client(f"127.0.0.1:{workers}", key, perform, handlers=HANDLERS, slots=8) as client:
                pushed = await http.put("/v1/workflows/c", json=chain("c", *["work"] * 4, "pay"))
                assert pushed.status_code < 300, pushed.text
                ids = []
                for n in range(RUNS):
                    ids.append(
                        (await http.post("/v1/runs", json={"workflow": "c", "inputs": {"n": n}})).json()["run_id"]
                    )
                for _ in range(KILLS):
                    for _ in range(12):
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(performed.get(), 2)
                    await killed(process)
                    process = await started(home, port, workers)
                open_runs = set(ids)
                async with asyncio.timeout(60):
                    while open_runs:
                        for id in list(open_runs):
                            run = (await http.get(f"/v1/runs/{id}", params={"wait": "2s"})).json()
                            if run["status"] == "COMPLETED":
                                open_runs.discard(id)
                            else:
                                assert run["status"] in ("RUNNING", "WAITING"), run
                                tickets = [t for t in run.get("tickets", []) if t]
                                assert not tickets, "a once effect at a worker that comes back is not uncertain"
        twice = [each for each, count in done.items() if count > 1]
        assert not twice, "an attempt is performed once by a worker that comes back"
        assert len(client.results) == 0
    finally:
        if process.returncode is None:
            await killed(process)
