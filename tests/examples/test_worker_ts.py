"""The worker in TypeScript as a node process before a real home: it performs handlers, and a kill -9 of the home,
and of it, loses nothing and does nothing twice."""

import asyncio
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.servers.ports import free_port

pytest.importorskip("grpc")

from aob.client import AsyncClient
from aob.core.errors import AobError
from tests.house.tree import ROOT
from tests.worker.polling import pause, until

EXAMPLE = ROOT / "examples" / "worker-ts"
CACHE = ROOT / ".venv"
INSTALL_S = 180
RUNS = 12
WAIT_S = 60

NODES = {
    "price": {"kind": "function", "config": {"handler": "price"}},
    "reserve": {"kind": "function", "config": {"handler": "reserve"}},
    "charge": {"kind": "function", "config": {"handler": "charge"}},
}
ORDER = {
    "workflow": "order", "nodes": NODES,
    "edges": {"a": {"from": "price", "to": "reserve"}, "b": {"from": "reserve", "to": "charge"}},
}  # fmt: skip


@pytest.fixture(scope="session")
def built() -> Path:
    """The example, installed and compiled: once for what its files say."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not installed")
    files = sorted(
        path for path in EXAMPLE.rglob("*") if path.is_file() and not {"node_modules", "dist"} & set(path.parts)
    )
    state = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
    target = CACHE / f".worker-ts-{state}"
    with (CACHE / ".worker-ts.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / "dist" / "handlers.js").exists():
            shutil.rmtree(target, ignore_errors=True)
            for file in files:
                copy = target / file.relative_to(EXAMPLE)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, copy)
            install = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            done = subprocess.run(install, cwd=target, capture_output=True, text=True, timeout=INSTALL_S, check=False)
            if done.returncode:
                shutil.rmtree(target, ignore_errors=True)
                pytest.skip(f"npm ci does not reach what it needs: {done.stderr[-300:]}")
            made = subprocess.run([npm, "run", "build"], cwd=target, capture_output=True, text=True, check=False)
            assert not made.returncode, made.stdout
    return target / "dist" / "handlers.js"


class House:
    """A home as a process, on the same ports after each start."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.grpc_port = folder, free_port(), free_port()
        self.ledger = folder / "ledger"

    def start(self) -> "subprocess.Popen[bytes]":
        env = {**os.environ, "AOB_GRPC_PORT": str(self.grpc_port)}
        words = [sys.executable, "-m", "aob.cli", "up", "--home", "home", "--port", str(self.port)]
        return subprocess.Popen(words, cwd=self.folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def worker(self, program: Path) -> "subprocess.Popen[bytes]":
        env = {
            **os.environ, "AOB_API_KEY": (self.folder / "home" / "key").read_text().strip(), "WORKER": "ts",
            "LEDGER": str(self.ledger), "PROTO": str(ROOT / "spec" / "worker.proto"),
        }  # fmt: skip
        return subprocess.Popen(["node", str(program), f"127.0.0.1:{self.grpc_port}"], env=env)

    def notes(self) -> list[str]:
        return self.ledger.read_text().splitlines() if self.ledger.exists() else []

    async def ready(self) -> AsyncClient:
        async with asyncio.timeout(WAIT_S):
            while True:
                try:
                    client = AsyncClient.of_home(self.folder / "home")
                    await client.health()
                    return client
                except AobError:
                    await pause(0.05)


@contextmanager
def living(*processes: "subprocess.Popen[bytes]") -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Processes that end with the test."""
    those = list(processes)
    try:
        yield those
    finally:
        for each in those:
            each.kill()
            each.wait(10)


async def until_pushed(client: AsyncClient) -> None:
    """Documents may name handlers once a worker has declared them."""
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                await client.push(ORDER)
                return
            except AobError as error:
                if "handler" not in str(error):
                    raise
                await pause(0.05)


async def test_it_survives_a_kill_of_its_home_and_of_itself(built: Path, tmp_path: Path) -> None:
    house = House(tmp_path)
    with living(house.start()) as processes:
        client = await house.ready()
        processes.append(house.worker(built))
        await until_pushed(client)
        runs: list[str] = []
        for number in range(RUNS):
            told = await client.start("order", {"amount": 100 + number, "wait_ms": 40 * number})
            runs.append(told["run_id"])
        await until(lambda: len(house.notes()) >= 3)
        processes[0].send_signal(signal.SIGKILL)  # the home, with jobs at the worker and others ready
        processes[0].wait(10)
        await client.aclose()
        processes.append(house.start())
        client = await house.ready()
        await until(lambda: len(house.notes()) >= 8)
        processes[1].send_signal(signal.SIGKILL)  # the worker; the next has its name, so nobody waits for a lease
        processes[1].wait(10)
        processes.append(house.worker(built))
        told = await client.start(
            "order", {"amount": 100 + len(runs)}
        )  # whole, it shows that the last worker is at work
        runs.append(told["run_id"])
        ended = [await whole(client, house, run) for run in runs]
        processes[-1].send_signal(signal.SIGTERM)
        assert processes[-1].wait(20) == 0
        await client.aclose()
    for number, run in enumerate(ended):
        assert run["status"] == "COMPLETED", run
        assert run["output"]["charged"] in (round((100 + number) * 1.19), "by the ledger")
    charged = Counter(each for each in house.notes() if each.startswith("charge"))
    assert charged == {f"charge {run}/charge": 1 for run in runs}
    reserved = {each.split()[1] for each in house.notes() if each.startswith("reserve")}
    assert reserved == {f"{run}/reserve" for run in runs}


async def whole(client: AsyncClient, house: House, run: str) -> dict[str, Any]:
    """A run once it has ended; a person says of a charge that was cut off whether the ledger has it."""
    async with asyncio.timeout(WAIT_S):
        while True:
            told: dict[str, Any] = dict(await client.run(run))
            if told["status"] in ("COMPLETED", "FAILED", "CANCELLED"):
                return told
            if told["status"] == "WAITING":
                for ticket in await client.tickets(run_id=run):
                    happened = f"charge {run}/charge" in house.notes()
                    values = {"output": {"charged": "by the ledger"}} if happened else None
                    await client.answer(ticket["ticket_id"], "done" if happened else "repeat", values=values)
            await pause(0.05)
