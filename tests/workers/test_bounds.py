"""How many jobs wait for workers at the hub: what is more waits as a token of its run, and nothing is lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aob.compose import App
from aob.ports.workers import Job
from aob.work.remote import Hub
from tests.runs.home import BOB, chain, flow, fn
from tests.workers.client import Client, Ctx
from tests.workers.home import HANDLERS, comes, home, key_of, where, worker

JOBS = 5


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with home(tmp_path / "home") as app:
        hub_of(app).jobs_max = JOBS
        yield app


def hub_of(app: App) -> Hub:
    assert app.shared.gateway is not None
    return app.shared.gateway.hub


class Gate:
    """A handler that waits until it may go on. `most` is how many jobs the hub held at most, of any turn."""

    def __init__(self, app: App) -> None:
        self.hub, self.open, self.begun = hub_of(app), asyncio.Event(), list[Any]()
        self.most = self.bytes = 0

    async def __call__(self, job: Job, ctx: Ctx) -> Any:
        self.look()
        self.begun.append(job.input)
        await self.open.wait()
        self.look()
        return job.input

    def look(self) -> None:
        for load in self.hub._backlog.loads.values():
            self.most, self.bytes = max(self.most, load.count), max(self.bytes, load.bytes)


def parked(app: App) -> int:
    return len(app.views.core.dispatch.queue)


async def test_what_is_over_waits_with_its_run_and_comes_in_order(app: App) -> None:
    gate = Gate(app)
    async with await worker(app, gate, slots=1):
        await app.push(chain("c", "work"))
        runs = [await app.start("c", n) for n in range(40)]
        await comes(lambda: gate.begun and parked(app) == 40 - 1 - JOBS)
        states = [(await app.views.why(app.who, run.id))["details"][0]["state"] for run in runs]
        assert Counter(states) == {"running": 1, "queued": 39}
        waiting = {name: values for name, _, values in app.shared.gateway.figures()}["aob_worker_jobs_waiting"]
        assert waiting == {("work", "", ""): 39}
        gate.open.set()
        assert [(await run.done())["output"] for run in runs] == list(range(40))
        assert gate.begun == list(range(40))
    assert gate.most == JOBS
    assert not parked(app)


async def test_bytes_count_too(app: App) -> None:
    hub = hub_of(app)
    hub.jobs_max, hub.bytes_max = 1_000, 100_000
    gate = Gate(app)
    async with await worker(app, gate, slots=1):
        await app.push(chain("c", "work"))
        runs = [await app.start("c", "x" * 30_000) for _ in range(12)]
        await comes(lambda: gate.begun and parked(app) == 12 - 1 - 4)
        gate.open.set()
        for run in runs:
            assert len((await run.done())["output"]) == 30_000
    assert gate.bytes <= 100_000 + 30_002


async def test_jobs_that_nobody_serves_are_not_made(app: App) -> None:
    async with await worker(app):
        await app.push(chain("c", "work"))
    await comes(lambda: not hub_of(app).workers)
    runs = [await app.start("c", n) for n in range(20)]
    assert (parked(app), len(hub_of(app)._index)) == (20, 0)
    await app.views.cancel(app.who, runs[0].id)
    assert (await runs[0].done())["status"] == "CANCELLED"
    assert parked(app) == 19
    async with await worker(app):
        assert [(await run.done())["output"] for run in runs[1:]] == list(range(1, 20))


async def test_a_tenant_and_a_handler_that_stand_still_stop_no_other(app: App) -> None:
    stuck = Gate(app)

    async def perform(job: Job, ctx: Ctx) -> Any:
        return await stuck(job, ctx) if job.task.config.handler == "work" else job.input

    theirs = Client(where(app), await key_of(app, tenant="other"), perform, handlers=HANDLERS, slots=2)
    async with theirs, await worker(app, slots=1):
        await app.push(chain("c", "work"))
        await app.views.push(BOB, chain("c", "work"))
        runs = [(await app.views.start(BOB, "c", n))["run_id"] for n in range(4 * JOBS)]
        await comes(lambda: parked(app) == 4 * JOBS - JOBS - 2)
        assert (await (await app.start("c", 1)).done())["output"] == 1, "another tenant goes on"
        stuck.open.set()
        for run in runs:
            assert (await app.views.wait(BOB, run, 10_000))["status"] == "COMPLETED"


async def test_a_parked_token_keeps_its_queue_timeout_and_its_priority(app: App) -> None:
    gate = Gate(app)
    async with await worker(app, gate, slots=1):
        await app.push(chain("c", "work"))
        await app.push(flow("t", {"a": fn("work", timeout={"queue": "80ms"})}))
        await app.start("c", "first")
        await comes(lambda: gate.begun)
        late = [await app.start("t", n) for n in range(2 * JOBS)]
        ended = [(await run.done())["error"]["code"] for run in late]
        assert ended == ["timeout_queue"] * (2 * JOBS)
        lows = [await app.start("c", n) for n in range(3 * JOBS)]
        high = await app.start("c", "high", priority="high")
        gate.open.set()
        for run in (*lows, high):
            await run.done()
    assert gate.begun.index("high") <= 2, "lower ones that wait do not stand before it"
