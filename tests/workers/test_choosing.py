"""Which worker gets a job: one with the labels that its node asks for, and with the build of a pinned run."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from aob.compose import App
from aob.core.errors import Conflict, Invalid
from aob.ports.workers import Job
from tests.runs.home import BOB, flow, fn, kinds
from tests.workers.client import Ctx
from tests.workers.home import comes, home, worker


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with home(tmp_path / "home") as app:
        yield app


async def waits(app: App, run_id: str, visit: str = "a") -> tuple[Any, Any]:
    """Why a visit waits: as a run is shown, and in its sentence."""
    shown = (await app.run(run_id))["nodes"][visit].get("waits")
    (detail,) = (await app.views.why(app.who, run_id))["details"]
    return shown, detail.get("reason")


async def test_a_node_waits_for_a_worker_with_its_labels(app: App) -> None:
    took: list[str] = []

    def named(name: str) -> Any:
        async def perform(job: Job, ctx: Ctx) -> Any:
            took.append(name)

        return perform

    async with await worker(app, named("plain"), name="plain"):
        await app.push(flow("g", {"a": fn("work", worker={"gpu": "a100", "zone": "1"})}))
        run = await app.start("g")
        assert await waits(app, run.id) == ("no_label", "no_label")
        assert "gpu=a100, zone=1" in (await app.views.why(app.who, run.id))["sentence"]
        figures = {name: values for name, _, values in app.shared.gateway.figures()}
        assert figures["aob_worker_jobs_waiting"] == {("work", "gpu=a100,zone=1", ""): 1}
        async with await worker(app, named("half"), name="half", labels={"gpu": "a100"}):
            assert await waits(app, run.id) == ("no_label", "no_label")
            async with await worker(app, named("both"), name="both", labels={"gpu": "a100", "zone": "1", "more": "x"}):
                await run.done()
    assert took == ["both"]
    await comes(lambda: not app.shared.gateway.hub.workers)
    run = await app.start("g")
    assert await waits(app, run.id) == ("no_worker", "no_worker")


@pytest.mark.parametrize("document", [
    flow("w", {"a": {"kind": "timer", "config": {"for": "1s"}, "worker": {"gpu": "1"}}}),
    flow("w", {"a": fn("work", worker={"": "1"})}),
    flow("w", {"a": fn("work", worker={"gpu": "x" * 101})}),
    flow("w", {"a": fn("work", worker={str(number): "x" for number in range(33)})}),
])  # fmt: skip
async def test_what_no_worker_can_have_is_refused(app: App, document: dict[str, Any]) -> None:
    async with await worker(app):
        with pytest.raises(Invalid, match=r"worker|timer"):
            await app.push(document)


PINNED = flow("p", {"a": fn("work"), "b": fn("work"), "c": fn("work")}, "a>b", "a>c", handlers="pinned")


class Build:
    """Workers of one build; `took` lists the runs and visits of all, with the build that had them."""

    took: ClassVar[list[tuple[str, str, str]]] = []

    def __init__(self, name: str) -> None:
        self.name, self.open = name, asyncio.Event()
        self.open.set()

    async def __call__(self, job: Job, ctx: Ctx) -> Any:
        self.took.append((job.run, job.visit, self.name))
        await self.open.wait()

    @classmethod
    def of(cls, run: str) -> dict[str, str]:
        return {visit: build for of, visit, build in cls.took if of == run}


async def test_all_jobs_of_a_pinned_run_go_to_the_build_of_the_first(app: App) -> None:
    old, new = Build("old"), Build("new")
    old.open.clear()
    async with await worker(app, old, name="old", build="1"):
        await app.push(PINNED)
        await app.push({**PINNED, "workflow": "any", "handlers": "latest"})
        run, free = await app.start("p"), await app.start("any")
        await comes(lambda: len(Build.of(run.id)) + len(Build.of(free.id)) == 2)
        assert (await app.run(run.id))["build"] == "1"
        async with await worker(app, new, name="new", build="2"):
            fresh = await app.start("p")
            await comes(lambda: Build.of(fresh.id))
            old.open.set()
            await run.done()
            await fresh.done()
            assert Build.of(run.id) == dict.fromkeys("abc", "old")
            assert len(set(Build.of(fresh.id).values())) == 1
            builds = await app.views.builds(app.who)
            assert [(each["build"], each["runs"]) for each in builds] == [("1", 0), ("2", 0)]
            await free.done()


async def test_a_worker_that_leaves_while_its_build_is_noted_gets_no_job(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = next(type(each) for each in app.shared.gateway.hub.owners if type(each).__module__.startswith("aob.runs"))
    noted, goes, pin = asyncio.Event(), asyncio.Event(), owner.pin

    async def slow(self: Any, job: Job, build: str) -> None:
        noted.set()
        await goes.wait()
        await pin(self, job, build)

    monkeypatch.setattr(owner, "pin", slow)
    async with await worker(app, Build("first"), name="first", build="1"):
        await app.push(flow("p", {"a": fn("work")}, handlers="pinned"))
        run = await app.start("p")
        await noted.wait()
    await comes(lambda: not app.shared.gateway.hub.workers)
    async with await worker(app, Build("second"), name="second", build="1"):
        goes.set()
        assert (await run.done())["status"] == "COMPLETED"
    assert Build.of(run.id) == {"a": "second"}


async def test_a_pinned_run_waits_for_its_build_until_it_is_repinned(app: App) -> None:
    old, new = Build("old"), Build("new")
    paused = flow("p", {"a": fn("work"), "m": {"kind": "wait", "config": {"message": "go"}}, "b": fn("work")},
                  "a>m", "m>b", handlers="pinned")  # fmt: skip
    async with await worker(app, old, name="old", build="1"):
        await app.push(paused)
        run = await app.start("p")
        await comes(lambda: "m" in app.views.core.journal.streams[run.id].state.tokens)
        with pytest.raises(Conflict) as error:
            await app.views.repin(app.who, run.id, "2")
        assert error.value.code == "build_not_found"
    await comes(lambda: not app.shared.gateway.hub.workers)
    async with await worker(app, new, name="new", build="2"):
        await app.views.message(app.who, run.id, "go")
        await comes(lambda: "b" in app.views.core.journal.streams[run.id].state.tokens)
        assert await waits(app, run.id, "b") == ("no_build", "no_build")
        (before, now) = await app.views.builds(app.who)
        assert (before["build"], before["runs"], before["workers"]) == ("1", 1, 0)
        assert (now["build"], now["runs"], now["handlers"][0]) == ("2", 0, "check")
        assert await app.views.repin(app.who, run.id, "2") == {"run_id": run.id, "build": "2", "was": "1"}
        await run.done()
        assert Build.of(run.id) == {"a": "old", "b": "new"}
    told = [each for each in await app.views.timeline(app.who, run.id) if each["type"] == "run_pinned"]
    assert [(each["build"], each.get("by")) for each in told] == [("1", None), ("2", app.who.name)]
    with pytest.raises(Conflict) as error:
        await app.views.repin(app.who, run.id, "1")
    assert error.value.code in ("run_ended", "build_not_found")


async def test_what_makes_no_sense_is_refused(app: App) -> None:
    async with await worker(app, build="1"):
        await app.push(flow("any", {"a": {"kind": "wait", "config": {"message": "m"}}}))
        run = await app.start("any")
        with pytest.raises(Conflict) as error:
            await app.views.repin(app.who, run.id, "1")
        assert error.value.code == "run_not_pinned"
        with pytest.raises(Exception, match="there is no run"):
            await app.views.repin(BOB, run.id, "1")
        assert await app.views.workers(BOB) == []
        (one,) = await app.views.workers(app.who)
        assert (one["worker"], one["build"], one["state"], one["slots"]) == ("w", "1", "attached", 64)


async def test_a_job_that_waits_for_a_build_moves_with_a_repin_and_keeps_its_turn(app: App) -> None:
    """Jobs of the run wait at the hub, because its only worker is busy; then it is repinned."""
    old, new = Build("old"), Build("new")
    old.open.clear()
    async with await worker(app, old, name="old", build="1", slots=1), await worker(app, new, name="new", build="2"):
        await app.push(flow("p", {"a": fn("work"), "b": fn("work"), "c": fn("work")}, handlers="pinned"))
        run = await app.start("p")
        await comes(lambda: len(Build.of(run.id)) in (1, 3))
        if (await app.run(run.id))["build"] == "1":
            await app.views.repin(app.who, run.id, "2")
            old.open.set()
        assert (await run.done())["status"] == "COMPLETED"
        assert kinds(await app.views.timeline(app.who, run.id)).count("node_completed") == 3
        assert list(Build.of(run.id).values()).count("old") <= 1


async def test_a_pinned_run_keeps_its_build_over_a_restart_of_the_home(tmp_path: Path) -> None:
    paused = flow("p", {"a": fn("work"), "m": {"kind": "wait", "config": {"message": "go"}}, "b": fn("work")},
                  "a>m", "m>b", handlers="pinned")  # fmt: skip
    async with home(tmp_path / "other") as app, await worker(app, build="1"):
        await app.push(paused)
        run = await app.start("p")
        await comes(lambda: "m" in app.views.core.journal.streams[run.id].state.tokens)
    async with home(tmp_path / "other") as app, await worker(app, build="2", name="two"):
        await app.views.message(app.who, run.id, "go")
        await comes(lambda: "b" in app.views.core.journal.streams[run.id].state.tokens)
        assert await waits(app, run.id, "b") == ("no_build", "no_build")
        async with await worker(app, build="1", name="one"):
            assert (await app.views.wait(app.who, run.id, 10_000))["status"] == "COMPLETED"


async def test_a_worker_without_a_build_gets_no_job_of_a_pinned_run(app: App) -> None:
    nodes = {"a": fn("pay"), "b": fn("twice", cache="read_through")}
    async with await worker(app):
        await app.push(flow("p", nodes, "a>b", handlers="pinned"))
        run = await app.start("p")
        assert await waits(app, run.id) == ("no_build", "no_build")
    async with await worker(app, build="7", name="z"):
        ended = await app.views.wait(app.who, run.id, 10_000)
        assert (ended["status"], ended["build"]) == ("COMPLETED", "7")
