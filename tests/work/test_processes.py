"""`cpu` handlers in processes of their own: real ones, killed for real."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aob.work import Done, Fault, load_app, scan
from aob.work.kinds import performer, placer
from aob.work.pool import Pool, Processes
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
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
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
    assert fault.code == "stopping"
