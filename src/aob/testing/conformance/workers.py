"""Tests for every `Workers`: each job is reported once, a cancelled one never, and a job carries all that it needs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from aob.core.graph.compiled import NodeSpec, Task
from aob.core.node import KINDS
from aob.core.rules import RULES
from aob.ports.workers import Done, Fault, Job, Report, Result, Workers, encode_job

Perform = Callable[[Job], Awaitable[object]]
WAIT_S = 10.0


def job(visit: str = "a", attempt: int = 1, *, run: str = "run_1", value: Any = None) -> Job:
    """One attempt of a function."""
    task = Task("a", "function", KINDS["function"].config("work"), NodeSpec(), "hash", RULES)
    return Job(run, visit, attempt, task, value, False, f"{run}/{visit}", "acme", "full", "medium", 1, {"at": 7})


class Reports:
    """The reports so far, and a way to wait for more."""

    def __init__(self) -> None:
        self.told: list[tuple[Job, Result]] = []
        self.breaks = False
        self._come = asyncio.Event()

    def __call__(self, job: Job, result: Result) -> None:
        self.told.append((job, result))
        self._come.set()
        if self.breaks:
            raise ValueError("an owner that breaks")

    async def until(self, count: int) -> list[tuple[str, int]]:
        """The reported visits and attempts, once there are this many."""
        async with asyncio.timeout(WAIT_S):
            while len(self.told) < count:
                self._come.clear()
                await self._come.wait()
        return [(job.visit, job.attempt) for job, _ in self.told]


class Work:
    """Performs jobs: some wait for their gate, `broken` ones raise, all others return their input."""

    def __init__(self) -> None:
        self.done: list[Job] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.begun: dict[str, asyncio.Event] = {}

    async def __call__(self, job: Job) -> object:
        self.done.append(job)
        self.begins(job.visit).set()
        if job.visit.startswith("gated"):
            await self.gate(job.visit).wait()
        if job.visit.startswith("broken"):
            raise ValueError("it broke")
        return job.input

    def gate(self, visit: str) -> asyncio.Event:
        """The gate of a visit."""
        return self.gates.setdefault(visit, asyncio.Event())

    def begins(self, visit: str) -> asyncio.Event:
        """Set once a worker has begun with the visit."""
        return self.begun.setdefault(visit, asyncio.Event())

    async def under_way(self, visit: str) -> None:
        """Waits until a worker has begun with the visit."""
        async with asyncio.timeout(WAIT_S):
            await self.begins(visit).wait()


class WorkersSuite:
    """The contract of `aob.ports.workers`."""

    async def make(self, perform: Perform, report: Report) -> Workers:
        """New workers that perform jobs with `perform` and report to `report`."""
        raise NotImplementedError

    @pytest.fixture
    def work(self) -> Work:
        """Performs the jobs."""
        return Work()

    @pytest.fixture
    async def reports(self) -> Reports:
        """Their reports."""
        return Reports()

    @pytest.fixture
    async def workers(self, work: Work, reports: Reports) -> AsyncIterator[Workers]:
        made = await self.make(work, reports)
        yield made
        await made.stop(0)

    async def test_a_job_is_reported_with_what_came_of_it(self, workers: Workers, reports: Reports) -> None:
        workers.submit(job("a", value={"n": [1, 2]}))
        workers.submit(job("broken"))
        await reports.until(2)
        told = {each.visit: result for each, result in reports.told}
        assert isinstance(told["a"], Done)
        assert told["a"].output == {"n": [1, 2]}
        assert isinstance(told["broken"], Fault)
        assert "it broke" in told["broken"].message
        assert workers.held() == {}

    async def test_who_performs_a_job_has_all_of_it(self, workers: Workers, work: Work, reports: Reports) -> None:
        given = job("a", 3, value={"n": 1, "deep": [{"x": None}]})
        workers.submit(given)
        await reports.until(1)
        assert encode_job(work.done[0]) == encode_job(given)
        assert work.done[0].task == given.task

    async def test_a_job_that_is_held_is_not_taken_twice(self, workers: Workers, work: Work, reports: Reports) -> None:
        for _ in range(3):
            workers.submit(job("gated"))
        await work.under_way("gated")
        workers.submit(job("gated"))
        assert workers.held() == {("run_1", "gated"): 1}
        assert workers.runs("run_1", "gated")
        work.gate("gated").set()
        assert await reports.until(1) == [("gated", 1)]
        workers.submit(job("after"))
        assert await reports.until(2) == [("gated", 1), ("after", 1)]
        assert len(work.done) == 2

    async def test_a_later_attempt_replaces_the_earlier_one(
        self, workers: Workers, work: Work, reports: Reports
    ) -> None:
        workers.submit(job("gated", 1))
        await work.under_way("gated")
        workers.submit(job("gated", 2))
        workers.submit(job("gated", 1))
        assert workers.held() == {("run_1", "gated"): 2}
        work.gate("gated").set()
        assert await reports.until(1) == [("gated", 2)]
        workers.submit(job("after"))
        assert await reports.until(2) == [("gated", 2), ("after", 1)]

    async def test_a_cancelled_job_is_never_reported(self, workers: Workers, work: Work, reports: Reports) -> None:
        workers.submit(job("gated"))
        await work.under_way("gated")
        assert not workers.cancel("run_1", "gated", 2)
        assert not workers.cancel("run_2", "gated")
        assert workers.cancel("run_1", "gated", 1)
        assert not workers.cancel("run_1", "gated")
        assert workers.held() == {}
        work.gate("gated").set()
        workers.submit(job("after"))
        assert await reports.until(1) == [("after", 1)]

    async def test_visits_of_other_runs_are_other_jobs(self, workers: Workers, work: Work, reports: Reports) -> None:
        for run in ("run_1", "run_2", "run_3"):
            workers.submit(job("gated", run=run))
        assert workers.held() == {(run, "gated"): 1 for run in ("run_1", "run_2", "run_3")}
        assert workers.cancel("run_2", "gated")
        work.gate("gated").set()
        await reports.until(2)
        assert sorted(each.run for each, _ in reports.told) == ["run_1", "run_3"]

    async def test_an_owner_that_breaks_on_one_report_hears_of_the_others(
        self, workers: Workers, reports: Reports
    ) -> None:
        reports.breaks = True
        for n in range(5):
            workers.submit(job(f"v{n}"))
        assert sorted(await reports.until(5)) == [(f"v{n}", 1) for n in range(5)]

    async def test_a_stop_reports_what_ends_in_time_and_lists_what_does_not(
        self, workers: Workers, work: Work, reports: Reports
    ) -> None:
        workers.submit(job("gated-1"))
        workers.submit(job("gated-2"))
        await work.under_way("gated-1")
        await work.under_way("gated-2")
        work.gate("gated-1").set()
        assert await reports.until(1) == [("gated-1", 1)]
        await workers.stop(0)
        await workers.stop(0)
        assert [each.visit for each in workers.cut_off] == ["gated-2"]
        workers.submit(job("after"))
        assert workers.held() == {}
        assert [each.visit for each, _ in reports.told] == ["gated-1"]
        assert [each.visit for each in work.done] == ["gated-1", "gated-2"]
