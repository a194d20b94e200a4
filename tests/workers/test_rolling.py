"""A rolling deploy of two builds with a real home and real worker processes, and values too large for a frame."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.runs.home import flow, fn
from tests.servers.ports import free_port
from tests.worker.command import worker
from tests.workers.test_killed import killed, started

pytestmark = pytest.mark.skipif(os.name != "posix", reason="worker processes need a Unix")

APP = """
import aob

@aob.node(effect="none")
async def step():
    return "BUILD"

@aob.node(effect="none")
async def repeat(n: int):
    return "x" * n

@aob.node(effect="none")
async def length(value):
    return len(value)
"""
GO = {"kind": "wait", "config": {"message": "go"}}
STEPS = flow("p", {"a": fn("step"), "b": fn("step"), "c": fn("step")}, "a>b", "b>c", handlers="pinned")
PAUSES = flow("q", {"a": fn("step"), "m": GO, "b": fn("step")}, "a>m", "m>b", handlers="pinned")
LARGE = flow("l", {"a": fn("repeat", input={"n": "5000000"}), "b": fn("length")}, "a>b")


def command(home: Path, *words: str) -> Any:
    """What a command prints as JSON."""
    run = [sys.executable, "-m", "aob.cli", *words, "--home", str(home), "--json"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout)


async def test_two_builds_side_by_side(tmp_path: Path) -> None:
    home, port = tmp_path / "home", free_port()
    (one := tmp_path / "one.py").write_text(APP.replace("BUILD", "one"))
    (two := tmp_path / "two.py").write_text(APP.replace("BUILD", "two"))
    url = f"http://127.0.0.1:{port}"
    process = await started(home, port, free_port())
    key = (home / "key").read_text().strip()
    try:
        async with httpx.AsyncClient(base_url=url, headers={"x-api-key": key}, timeout=30) as http:

            async def ended(run_id: str) -> Any:
                run = (await http.get(f"/v1/runs/{run_id}", params={"wait": "20s"})).json()
                assert run["status"] == "COMPLETED", run
                return run

            async def start(workflow: str) -> str:
                return str((await http.post("/v1/runs", json={"workflow": workflow})).json()["run_id"])

            with worker(tmp_path, str(one), "--url", url, "--name", "w1", key=key) as first:
                first.until("connected")
                for document in (STEPS, PAUSES, LARGE):
                    pushed = await http.put(f"/v1/workflows/{document['workflow']}", json=document)
                    assert pushed.status_code < 300, pushed.text
                assert (await ended(await start("l")))["output"] == 5_000_000
                runs = [await start("p") for _ in range(8)]
                old = await start("q")
                with worker(tmp_path, str(two), "--url", url, "--name", "w2", key=key) as second:
                    second.until("connected")
                    runs += [await start("p") for _ in range(8)]
                    for run_id in runs:
                        run = await ended(run_id)
                        builds = {node["output"] for node in run["nodes"].values()}
                        assert len(builds) == 1, "all jobs of a run go to one build"
                    assert first.end() == 0
                    fresh = await ended(await start("p"))
                    assert fresh["output"] == "two"
                    await http.post(f"/v1/runs/{old}/messages", json={"name": "go"})
                    builds = {each["build"]: each for each in command(home, "worker", "builds")}
                    assert (builds[fresh["build"]]["workers"], len(builds)) == (1, 2)
                    (before,) = builds.keys() - {fresh["build"]}
                    assert (builds[before]["runs"], builds[before]["workers"]) == (1, 0)
                    shown = (await http.get(f"/v1/runs/{old}")).json()
                    assert (shown["build"], shown["nodes"]["b"]["waits"]) == (before, "no_build")
                    told = command(home, "run", "repin", old, "--build", fresh["build"])
                    assert (told["was"], told["build"]) == (before, fresh["build"])
                    assert (await ended(old))["output"] == "two"
                    (row,) = [each for each in command(home, "worker", "list") if each["state"] == "attached"]
                    assert row["worker"] == "w2"
                    assert second.end() == 0
    finally:
        if process.returncode is None:
            await killed(process)
