"""A job that ends every worker that begins it: it fails in the end, and those that were beside it do not.

Given out again for ever it stops everybody (https://github.com/activepieces/activepieces/issues/15130); with a bound on
lost attempts alone it fails every job that is with it each time."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aob.compose import App
from aob.ports.workers import Job, Lane
from aob.work.remote import handing
from aob.work.remote.handing import ALONE_MIN, Handing
from tests.runs.home import flow, fn
from tests.workers.client import Client, Ctx
from tests.workers.home import HANDLERS, comes, home, key_of, where, worker

ONCE = {"attempts": 1}


class Dying:
    """A worker that ends, as a process does, when the job of the handler `work` begins and every other that was started
    has; it is started again under its name."""

    def __init__(self, app: App, key: str) -> None:
        self.app, self.key, self.lives = app, key, 0
        self.attached, self.dead, self.free = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.good: list[Any] = []
        self.begun: set[str] = set()
        self.beside: list[int] = []
        """How many other jobs had begun in each life."""

    async def perform(self, job: Job, ctx: Ctx) -> Any:
        if job.task.config.handler == "work":
            fresh = await self.app.start("good", len(self.good))
            self.good.append(fresh)
            await comes(lambda: fresh.id in self.begun)
            self.beside.append(len(self.begun))
            self.dead.set()
            await asyncio.Event().wait()
        self.begun.add(job.run)
        await self.free.wait()
        return job.input

    async def run(self) -> None:
        while True:
            self.lives, self.begun = self.lives + 1, set()
            self.dead.clear()
            async with Client(where(self.app), self.key, self.perform, incarnation=str(self.lives), handlers=HANDLERS):
                self.attached.set()
                await self.dead.wait()


async def test_a_job_that_ends_its_worker_takes_no_others_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing, "ALONE_S", 1.0)
    async with home(tmp_path / "home") as app:
        dying = Dying(app, await key_of(app))
        task = asyncio.create_task(dying.run())
        await dying.attached.wait()
        await app.push(flow("poison", {"a": fn("work", retry=ONCE)}))
        await app.push(flow("good", {"a": fn("look", retry=ONCE)}))
        try:
            ended = await (await app.start("poison", 1)).done()
            assert ended["error"]["code"] == "lost_too_often"
            dying.free.set()
            for run in dying.good:
                assert (await run.done())["status"] == "COMPLETED"
            told = [each for run in dying.good for each in await app.views.timeline(app.who, run.id)]
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert len(dying.beside) == 10
        assert dying.beside[:ALONE_MIN] == [1, 2, 3, 4], "all are lost with it"
        assert any(each.get("stop") for each in told), "what is beside it when it is alone is not to blame"


@pytest.mark.parametrize(("crashes", "alone"), [(0, False), (ALONE_MIN - 1, False), (ALONE_MIN, True)])
def test_a_job_begins_alone_once_so_many_attempts_were_lost(crashes: int, alone: bool) -> None:
    owner = SimpleNamespace(lane_of=lambda job: Lane("work"))
    lease: Any = SimpleNamespace(owner=owner, job=SimpleNamespace(crashes=crashes), lane=None, instead=None)
    Handing()._lane(lease)
    assert lease.lane == Lane("work")._replace(alone=alone)


async def test_one_that_does_no_harm_for_a_while_lets_the_next_one_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing, "ALONE_MIN", 0)
    monkeypatch.setattr(handing, "ALONE_S", 0.05)
    async with home(tmp_path / "home") as app:
        began, free = asyncio.Semaphore(0), asyncio.Event()

        async def perform(job: Job, ctx: Ctx) -> Any:
            began.release()
            await free.wait()
            return job.input

        async with await worker(app, perform):
            await app.push(flow("good", {"a": fn("look")}))
            runs = [await app.start("good", n) for n in range(3)]
            for _ in runs:
                await began.acquire()
            free.set()
            assert [(await run.done())["status"] for run in runs] == ["COMPLETED"] * 3
