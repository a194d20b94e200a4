"""What a handler begins or leaves behind cannot end, stop or hold a server: its run has its end, others go on."""

import asyncio
import os
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aob.client import AsyncClient
from tests.compose.shard_home import shard_of
from tests.runs.home import flow, fn
from tests.work.jobs import passed

pytestmark = pytest.mark.timeout(90)

APP = "tests.compose.hostile_app"
STOPPED_MS = 1_200
RAISED = ("exit", "ctrl-c", "cancelled")
PLACES = {
    "itself": "FAILED", "later": "FAILED", "task": "COMPLETED", "forgotten": "COMPLETED", "group": "COMPLETED",
    "callback": "COMPLETED", "stops": "COMPLETED", "cancels_itself": "FAILED", "finaliser": "COMPLETED",
    "handles_a_signal": "COMPLETED",
}  # fmt: skip


@asynccontextmanager
async def upped(folder: Path, app: str, *words: str) -> AsyncIterator[tuple[Process, AsyncClient]]:
    """`aob up`, once it takes requests, and a client of it. What it logs goes to a file."""
    home = folder / "home"
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "aob.cli", "up", "--json", "--home", str(home), "--port", "0", "--app", app, *words,
            stdout=PIPE, stderr=log,
        )  # fmt: skip
    try:
        assert process.stdout is not None
        assert await process.stdout.readline(), (folder / "log").read_text()
        async with AsyncClient.of_home(home) as client:
            yield process, client
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            await process.communicate()
    assert process.returncode == 0, (folder / "log").read_text()


def logged(folder: Path, event: str) -> Iterator[dict[str, Any]]:
    for line in (folder / "log").read_text().splitlines():
        if f'"{event}"' in line:
            yield msgspec.json.decode(line)


async def test_whatever_ends_in_a_handler_ends_no_more_than_its_run(tmp_path: Path) -> None:
    async with upped(tmp_path, APP, "--shards", "2") as (process, client):
        for place in (*PLACES, "hangs", "echo"):
            await client.push(flow(place, {"a": fn(place, input={"what": "inputs.what"}, retry=1)}))
        cases = [(place, what) for what in RAISED for place in PLACES for _ in range(2)]
        runs = [(case, (await client.start(case[0], {"what": case[1]}))["run_id"]) for case in cases]
        for case, run_id in runs:
            run = await client.wait(run_id, timeout_s=20)
            assert run["status"] == PLACES[case[0]], (case, run["error"])
        for _ in range(4):
            assert (await client.wait((await client.start("echo", {"what": "on"}))["run_id"]))["output"] == "on"
            assert (await client.wait((await client.start("hangs", {"what": "on"}))["run_id"]))["output"] == "here"
        assert process.returncode is None
        assert (await client.health())["status"] == "ok"
    ended = list(logged(tmp_path, "handler_task_ended"))
    assert {each["handler"] for each in ended} == {"task", "forgotten", "group"}  # a finaliser has no run any more
    assert {each["error"] for each in ended} == {"SystemExit", "KeyboardInterrupt"}
    assert {each["run"] for each in ended} <= {run_id for _, run_id in runs}
    assert {each["visit"] for each in ended} == {"a"}
    assert any("hostile_app" in each["raised_at"] for each in logged(tmp_path, "loop_goes_on"))
    assert any("mine" in each["threads"] for each in logged(tmp_path, "threads_left"))


def stopped(pid: int) -> None:
    """Stop a process, and come back when the kernel says that it stands."""
    os.kill(pid, signal.SIGSTOP)
    while Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "T":
        continue


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="what a process does stands in /proc")
async def test_a_process_that_was_stopped_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    """Both processes of a home stand until after a timer was due, in the middle of a step of a handler each."""
    nodes = {
        "nap": {"kind": "timer", "config": {"for": "700ms"}},
        "busy": fn("busy", input={"until": "inputs.until"}, retry=1),
        "echo": fn("echo", input={"what": "'rang'"}),
    }  # fmt: skip
    async with upped(tmp_path, APP, "--shards", "2") as (_, client):
        await client.push(flow("both", nodes, "nap>echo"))
        await client.push(flow("pid", {"a": fn("pid")}))
        runs, pids, over = dict[int, str](), set[int](), tmp_path / "over"
        while len(pids) < 2:
            pids.add(int((await client.wait((await client.start("pid"))["run_id"]))["output"]))
        while len(runs) < 2:
            run_id = (await client.start("both", {"until": str(over)}))["run_id"]
            runs[shard_of(run_id, 2)] = run_id
        for pid in pids:
            stopped(pid)
        await passed(STOPPED_MS)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        over.touch()
        for run_id in runs.values():
            run = await client.wait(run_id, timeout_s=20)
            assert (run["status"], run["nodes"]["echo"]["output"]) == ("COMPLETED", "rang")
            told = [event["type"] async for event in client.timeline(run_id)]
            assert {"attempt_failed", "node_failed", "token_lost"}.isdisjoint(told)
        health = await client.health()
        parts = [health, *health["shards"]]  # type: ignore[typeddict-item]  # each shard's own
        assert {part["status"] for part in parts} == {"ok"}
        assert not any("step" in part["clock"] for part in parts)
    assert {each["handler"] for each in logged(tmp_path, "process_was_stopped")} == {"busy"}
    assert all(each["ms"] < STOPPED_MS for each in logged(tmp_path, "loop_blocked"))  # a busy machine may hold one, too
    for never in ("clock_stepped", "shard_lost", "attempt_cut_off"):
        assert not list(logged(tmp_path, never))


ENDS = """
import atexit
import threading
from aob.compose.loop import end_process

atexit.register(lambda: print("called"))
threading.Thread(target=threading.Event().wait, daemon=True).start()
print("printed", end=" ")
end_process(3)
print("never")
"""


HANGS = """
import atexit
import threading
from aob.compose import loop

loop.THREADS_S = 0.0
atexit.register(lambda: print("called"))
threading.Thread(target=threading.Event().wait, name="for-ever").start()
loop.end_process(3)
"""


def test_a_process_that_ends_waits_for_no_thread_that_never_does_and_names_it() -> None:
    done = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "called" in done.stdout) == (3, False), "what is registered might wait for it"
    assert "for-ever" in done.stdout + done.stderr


def test_a_process_that_ends_calls_what_is_registered_for_that_and_loses_nothing_that_was_printed() -> None:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        [sys.executable, "-c", ENDS], capture_output=True, text=True, timeout=60, check=False, env=env
    )
    assert (done.returncode, done.stdout) == (3, "printed called\n"), done.stderr
