"""SEMANTICS 6.1: in `fast` a step whose handler declares `none` begins on a decision that is not durable yet; nothing
of it leaves before the commit of all that it rests on, and nothing of it counts when that commit is lost."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.core.errors import AobError, Unavailable
from aob.journal import deciding, journal
from tests.runs.home import Deed, chain, finished, flow, fn


def commits(app: App) -> int:
    return app.views.core.journal.stats["commits"]


class TestAChain:
    @pytest.mark.parametrize(("mode", "cost"), [("fast", 1), ("full", 6)])
    async def test_of_five_pure_steps_costs_one_commit(
        self, app: App, mode: str, cost: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(deciding, "HELD_S", 5.0)  # it waits for what began on it however slow this machine is
        await app.push(chain("one", "echo", "plain", "echo", "plain", "echo"))
        before = commits(app)
        run = await finished(app, (await app.start("one", {"n": 1}, mode=mode)).id)
        assert (run["status"], run["output"], commits(app) - before) == ("COMPLETED", {"n": 1}, cost)

    async def test_holds_up_nobody_who_comes_between(self, app: App) -> None:
        again = {"kind": "loop", "config": {"while": "true", "max": 1_000_000}, "body": {"nodes": {"x": fn("echo")}}}
        await app.push(flow("long", {"l": again}))
        await app.push(chain("one", "echo", "echo"))
        run = await app.start("long", {"n": 1}, mode="fast")
        assert (await finished(app, (await app.start("one", 2, mode="fast")).id))["output"] == 2
        await app.views.cancel(app.who, run.id)
        assert (await finished(app, run.id))["status"] == "CANCELLED"

    @pytest.mark.parametrize("handler", ["once", "keyed", "talk", "cpu"])
    async def test_stops_before_what_the_world_could_see(self, tmp_path: Any, deed: Deed, handler: str) -> None:
        """What is not pure begins when all that it rests on is durable, whatever the document says of it."""
        world = World(deed)
        async with aob.open(tmp_path / "home", app=world.handlers()) as app:
            store = Faulty(app)
            nodes = {
                "a": fn("echo"),
                "b": fn(handler, effect="none") if handler != "once" else fn(handler),
                "c": fn("echo"),
            }
            await app.push(flow("one", nodes, "a>b", "b>c"))
            store.gate.clear()
            starting = asyncio.ensure_future(app.start("one", {"n": 1}, mode="fast"))
            await store.waits()
            await turns()
            assert world.called == ["echo"]
            assert not starting.done()
            store.gate.set()
            assert (await finished(app, (await starting).id))["status"] == "COMPLETED"


class World:
    """Handlers that say when they are called, some of which wait."""

    def __init__(self, deed: Deed) -> None:
        self.deed = deed
        self.called: list[str] = []
        self.values: list[Any] = []
        self.go = asyncio.Event()
        self.in_thread = threading.Event()

    async def called_with(self, value: Any) -> None:
        """Until a handler that waits has this value."""
        for _ in range(1_000_000):
            if value in self.values:
                return
            await asyncio.sleep(0)

    def handlers(self) -> SimpleNamespace:
        @aob.node(effect="none")
        async def echo(value: object = None) -> object:
            self.called.append("echo")
            return value

        @aob.node
        async def keyed(value: object = None) -> object:
            self.called.append("keyed")
            return value

        @aob.node(effect="once")
        async def once(value: object = None) -> object:
            self.called.append("once")
            return value

        @aob.node(effect="none")
        async def talk(ctx: Any, value: object = None) -> object:
            self.called.append("talk")
            ctx.log("it is not known yet whether this has ever been")
            return value

        @aob.node(effect="none")
        async def slow(value: Any) -> object:
            self.values.append(value)
            await self.go.wait()
            return value

        @aob.node(effect="none")
        def stubborn(value: Any) -> object:
            self.values.append(value)
            self.in_thread.wait(10)
            return value

        @aob.node(effect="none")
        async def large(value: Any) -> object:
            self.values.append(value)
            return {**value, "x": "x" * 100_000}

        found = {k: v for k, v in locals().items() if k != "self"}
        return SimpleNamespace(**found, cpu=cpu)


@aob.node(effect="none", cpu=True)
def cpu(value: object = None) -> object:
    return value


class Faulty:
    """The store of an open home, whose commits wait for a gate and fail when they are told to."""

    def __init__(self, app: App) -> None:
        self.gate, self.waiting = asyncio.Event(), asyncio.Event()
        self.gate.set()
        self.fails: list[str] = []
        self.journal = app.views.core.journal
        self.commit = self.journal.store.commit
        self.journal.store.commit = self._commit  # type: ignore[method-assign]

    async def _commit(self, batch: Any) -> Any:
        self.waiting.set()
        await self.gate.wait()
        how = self.fails.pop(0) if self.fails and batch.count else ""
        if how == "before":
            raise Unavailable("the disk is full", code="disk_full")
        answer = await self.commit(batch)
        if how == "after":
            raise Unavailable("the line broke", code="store_failed")
        return answer

    async def waits(self) -> None:
        """Until a commit is being written."""
        self.waiting.clear()
        await self.waiting.wait()


async def turns() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


STEPS = ["slow", "stubborn", "large"]


@pytest.fixture
async def world(deed: Deed) -> World:
    return World(deed)


@pytest.fixture
async def home(tmp_path: Any, world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[App]:
    monkeypatch.setattr(journal, "RETRY_S", 0.01)
    async with aob.open(tmp_path / "home", app=world.handlers()) as app:
        yield app
        world.go.set()
        world.in_thread.set()


@pytest.mark.parametrize("step", STEPS)
async def test_the_same_key_with_other_inputs_after_a_failed_commit_is_the_second_run(
    home: App, world: World, step: str
) -> None:
    """The first start was never: no output of it is in the run of the second, also one that is still being stored, or
    of a thread that nobody could stop."""
    store, puts = Faulty(home), Blobs(home)
    await home.push(chain("one", "echo", step, "echo"))
    store.fails, puts.gate = ["before"], asyncio.Event()
    store.gate.clear()
    first = asyncio.ensure_future(home.start("one", {"n": 1}, key="k", mode="fast"))
    await world.called_with({"n": 1})
    store.gate.set()
    with pytest.raises(AobError):
        await first
    assert await store.journal.mended()
    second = await home.start("one", {"n": 2}, key="k", mode="fast")
    await world.called_with({"n": 2})
    world.go.set()
    world.in_thread.set()
    puts.gate.set()
    run = await finished(home, second.id)
    assert (run["status"], run["inputs"], run["output"]["n"]) == ("COMPLETED", {"n": 2}, 2)
    assert {told["output"].get("n", 2) for told in run["nodes"].values()} == {2}
    assert '"n":1' not in json.dumps(run, separators=(",", ":"))


@pytest.mark.parametrize("step", STEPS)
async def test_a_commit_whose_answer_was_lost_counts_and_so_does_what_began_on_it(
    home: App, world: World, step: str
) -> None:
    store = Faulty(home)
    await home.push(chain("one", "echo", step, "echo"))
    store.fails = ["after"]
    store.gate.clear()
    first = asyncio.ensure_future(home.start("one", {"n": 1}, key="k", mode="fast"))
    await world.called_with({"n": 1})
    store.gate.set()
    with pytest.raises(AobError):
        await first
    assert await store.journal.mended()
    world.go.set()
    world.in_thread.set()
    again = await home.start("one", {"n": 1}, key="k", mode="fast")
    assert not again.created
    run = await finished(home, again.id)
    assert (run["status"], run["output"]["n"]) == ("COMPLETED", 1)
    assert world.values == [{"n": 1}] * len(world.values)


class Blobs:
    """The blobs of an open home, which are stored when a gate is open."""

    def __init__(self, app: App) -> None:
        self.gate: asyncio.Event | None = None
        blobs = app.views.core.blobs
        put = blobs.put

        async def gated(tenant: str, data: bytes) -> Any:
            if self.gate is not None:
                await self.gate.wait()
            return await put(tenant, data)

        blobs.put = gated  # type: ignore[method-assign]
