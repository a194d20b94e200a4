"""`cpu` handlers in processes of their own: real ones, killed for real."""

import asyncio
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aob.ports.workers import Done, Fault
from aob.work import load_app, scan
from aob.work.kinds import performer, placer
from aob.work.pool import Pool, Processes
from aob.work.pool.processes import call_of
from aob.work.tools import Tools
from tests.work import handlers_cpu
from tests.work.jobs import Asked, Told, calls, tools_of


@pytest.fixture
async def tools() -> AsyncIterator[Tools]:
    async with Processes(1) as processes:
        yield tools_of(handlers_cpu, processes=processes)


async def results(tools: Tools, *jobs: Any) -> list[Done | Fault]:
    told = Told()
    async with Pool(4, performer(tools, Asked), told, place=placer(tools), processes=1) as pool:
        for job in jobs:
            pool.submit(job)
        return await told.first(len(jobs))


async def read_line(path: Path) -> str:
    """The line that a handler writes into a pipe when it has begun."""

    def read() -> str:
        with path.open(encoding="utf-8") as pipe:
            return pipe.readline().strip()

    return await asyncio.to_thread(read)


async def test_cpu_handlers_run_outside_and_answer_and_fail_as_others_do(tools: Tools) -> None:
    jobs = [
        calls("add", {"a": 1, "b": 2}, visit="sum"),
        calls("add", 5, visit="one", named=False),
        calls("pid", visit="pid"),
        calls("fail", {"how": "raise"}, visit="raise"),
        calls("fail", {"how": "exit"}, visit="exit"),
        calls("fail", {"how": "say"}, visit="say"),
        calls("fail", {"how": "odd"}, visit="odd"),
        calls("add", {"b": 2}, visit="missing"),
        calls("fail", {"how": "die"}, visit="die"),
        calls("add", {"a": 3}, visit="after"),
    ]
    told = Told()
    async with Pool(4, performer(tools, Asked), told, place=placer(tools), processes=1) as pool:
        for job in jobs:
            pool.submit(job)
        await told.first(len(jobs))
    said = {job.visit: result for job, result in told.results}
    outputs = {visit: result.output for visit, result in said.items() if isinstance(result, Done)}
    faults = {visit: result for visit, result in said.items() if isinstance(result, Fault)}
    assert (outputs["sum"], outputs["one"], outputs["after"]) == (3, 5, 3)
    assert outputs["pid"] != os.getpid()
    assert (faults["raise"].detail["type"], faults["exit"].detail["type"]) == ("KeyError", "SystemExit")
    assert (faults["say"].code, faults["say"].detail) == ("no_stock", {"left": 0})
    assert (faults["odd"].code, faults["odd"].transient) == ("output_not_json", False)
    assert "'a'" in faults["missing"].message
    died = faults["die"]
    assert (died.code, died.transient, died.detail["exit_code"]) == ("process_died", True, -9)


async def test_a_child_that_a_handler_forks_answers_nobody(tools: Tools) -> None:
    told = Told()
    async with Pool(4, performer(tools, Asked), told, place=placer(tools), processes=1) as pool:
        for number in range(6):
            pool.submit(calls("fork", visit=f"fork {number}"))
            pool.submit(calls("add", {"a": number}, visit=f"add {number}"))
        await told.first(12)
    said = {job.visit: result.output for job, result in told.results if isinstance(result, Done)}
    forked = {f"fork {number}": "parent" for number in range(6)}
    assert said == {**forked, **{f"add {number}": number for number in range(6)}}


async def test_a_cancel_kills_the_process_and_the_next_job_has_a_new_one(tools: Tools, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    told = Told()
    async with Pool(4, performer(tools, Asked), told, place=placer(tools), processes=1) as pool:
        pool.submit(calls("spin", {"path": str(pipe)}, visit="spin"))
        pid = int(await read_line(pipe))
        pool.submit(calls("add", {"a": 1}, visit="next"))
        assert pool.cancel("run_1", "spin")
        assert await told.output() == 1
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert [job.visit for job, _ in told.results] == ["next"]


async def test_a_time_out_kills_the_process_too(tools: Tools, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    told = Told()
    async with Pool(4, performer(tools, Asked), told, place=placer(tools), processes=1) as pool:
        pool.submit(calls("add", {"a": 1}, visit="warm"))
        await told.first()
        pool.submit(calls("spin", {"path": str(pipe)}, visit="spin", timeout={"run_ms": 400}))
        pid = int(await read_line(pipe))
        _, fault = await told.first(2)
        pool.submit(calls("add", {"a": 1}, visit="next"))
        await told.first(3)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert isinstance(fault, Fault)
    assert fault.code == "timeout_run"


async def test_handlers_of_a_file_are_found_again_in_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    app = tmp_path / "shop.py"
    app.write_text("from aob.work import node\n@node(cpu=True)\ndef twice(n: int) -> int:\n    return 2 * n\n")
    module = load_app(str(app))
    assert list(scan(module)) == ["twice"]
    async with Processes(1) as processes:
        (done,) = await results(tools_of(module, processes=processes), calls("twice", 21, named=False))
    assert isinstance(done, Done), done
    assert done.output == 42


async def test_nothing_is_begun_before_the_first_cpu_job_and_stopping_twice_is_fine() -> None:
    processes = Processes(1)
    await processes.stop()
    await processes.stop()
    (fault,) = await results(tools_of(handlers_cpu, processes=processes), calls("add", {"a": 1}))
    assert isinstance(fault, Fault)
    assert fault.code == "stopped_by_us"


async def test_a_process_that_dies_while_it_is_idle_is_nobody_s_failure(tools: Tools) -> None:
    (first,) = await results(tools, calls("pid"))
    assert isinstance(first, Done)
    gone = os.pidfd_open(first.output)
    os.kill(first.output, signal.SIGKILL)
    await ended(gone)
    (second,) = await results(tools, calls("pid"))
    assert isinstance(second, Done), second
    assert second.output != first.output


async def test_a_death_does_not_touch_the_calls_of_others(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    async with Processes(2) as processes:
        tools = tools_of(handlers_cpu, processes=processes)
        told = Told()
        async with Pool(4, performer(tools, Asked), told, place=placer(tools), processes=2) as pool:
            pool.submit(calls("spin", {"path": str(pipe)}, visit="spin"))
            await read_line(pipe)
            for n in range(6):
                pool.submit(calls("fail", {"how": "die"}, visit=f"die{n}"))
            died = await told.first(6)
            assert {result.code for result in died if isinstance(result, Fault)} == {"process_died"}
            assert pool.health().running == 1
            pool.cancel("run_1", "spin")


async def ended(pidfd: int) -> None:
    """Wait until a process has ended."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_reader(pidfd, over.set)
    try:
        async with asyncio.timeout(30):
            await over.wait()
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)


PARENT = """
import asyncio, sys
from aob.work.pool import Processes
from aob.work.pool.processes import call_of
from tests.work import handlers_cpu

async def main():
    processes = Processes(1)
    asyncio.ensure_future(processes.run(call_of(handlers_cpu.spin, (), {"path": sys.argv[1]})))
    await asyncio.to_thread(sys.stdin.readline)

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.parametrize("how", ["kill", "leave"])
async def test_a_busy_process_does_not_outlive_its_parent(how: str, tmp_path: Path) -> None:
    pipe, script = tmp_path / "pipe", tmp_path / "parent.py"
    os.mkfifo(pipe)
    script.write_text(PARENT)
    parent = await asyncio.create_subprocess_exec(
        sys.executable, str(script), str(pipe), stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )  # fmt: skip
    child = os.pidfd_open(int(await read_line(pipe)))
    if how == "kill":
        parent.kill()
    else:
        assert parent.stdin is not None
        parent.stdin.close()
    async with asyncio.timeout(30):
        await parent.wait()
    await ended(child)


async def test_a_job_cancelled_while_its_process_begins_leaves_nothing_behind() -> None:
    # Homes of other tests may be open in this very process: what they have is not ours.
    children, threads = set(multiprocessing.active_children()), set(threading.enumerate())
    processes = Processes(1)
    beginning = asyncio.create_task(processes.run(call_of(handlers_cpu.add, (), {"a": 1})))
    for _ in range(3):
        await asyncio.sleep(0)
    beginning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await beginning
    await processes.stop()
    assert not [child for child in set(multiprocessing.active_children()) - children if child.name == "aob-cpu"]
    assert not [each for each in set(threading.enumerate()) - threads if each.name.startswith("aob-handler")]


async def test_a_fault_whose_detail_cannot_cross_is_shown_as_text(tools: Tools) -> None:
    (fault,) = await results(tools, calls("fail", {"how": "say odd"}))
    assert isinstance(fault, Fault)
    assert "object object" in fault.detail
