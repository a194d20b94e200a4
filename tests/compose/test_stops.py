"""Stops and deaths of our own processes: never a failed attempt of a node; what was at work is said to be lost."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import aob
from aob.core.errors import Unavailable
from aob.core.policy import LOCAL
from aob.core.run.deciding import LOST_MAX
from aob.runs import dispatch as dispatch_room
from aob.work.pool import pool as pool_room
from tests.runs.home import Deed, chain, crashed, finished, flow, fn, kinds, ticket_of, until

EMIT = {"kind": "emit", "config": {"topic": "t", "type": "order.done"}}
ONCE = {"attempts": 1}


async def lost(app: Any, run_id: str) -> list[tuple[str, int]]:
    told = await app.views.timeline(app.who, run_id)
    return [(each["cause"], each["attempt"]) for each in told if each["type"] == "token_ready"]


class TestAStop:
    async def test_drains_with_the_gate_and_the_journal_open(self, tmp_path: Path, deed: Deed) -> None:
        """z works -> y -> emit without a retry, many at once; the stop comes while all of them are at work."""
        count = 30
        nodes = {"z": fn("gated"), "y": fn("echo"), "e": {**EMIT, "retry": ONCE}}
        async with aob.open(tmp_path, app=deed.handlers()) as app:
            await app.push(flow("w", nodes, "z>y", "y>e"))
            runs = [await app.start("w", n) for n in range(count)]
            slow = await app.start("w", "slow")
            await asyncio.gather(deed.begins("z").wait())
            asyncio.get_running_loop().call_later(0.05, deed.release)
        async with aob.open(tmp_path, app=deed.handlers()) as app:
            for run in [*runs, slow]:
                told = await finished(app, run.id)
                assert told["status"] == "COMPLETED", told["error"]
                assert {"attempt_failed", "node_failed"}.isdisjoint(kinds(await app.views.timeline(app.who, run.id)))
            assert app.metrics is not None

    async def test_that_cuts_work_off_says_lost_at_the_next_start_and_uses_no_retry(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[int] = []
        begun = asyncio.Event()

        @aob.node
        async def slow(ctx: Any) -> int:
            seen.append(ctx.attempt)
            begun.set()
            if len(seen) < 4:
                await asyncio.Event().wait()
            return int(ctx.attempt)

        @aob.node
        async def queued(ctx: Any) -> int:
            return int(ctx.attempt)

        app_of = SimpleNamespace(slow=slow, queued=queued)
        monkeypatch.setattr(pool_room.Pool.stop, "__defaults__", (0.01,))
        async with aob.open(tmp_path, app=app_of) as app:
            await app.push(flow("w", {"a": fn("slow", retry=ONCE), "b": fn("queued")}, "a>b"))
            run = await app.start("w")
            await begun.wait()
        for _ in range(2):
            begun.clear()
            async with aob.open(tmp_path, app=app_of) as app:
                await begun.wait()
        async with aob.open(tmp_path, app=app_of) as app:
            told = await finished(app, run.id)
            assert (told["status"], told["nodes"]["a"]["output"], told["output"]) == ("COMPLETED", 4, 1)
            assert await lost(app, run.id) == [("lost", 2), ("lost", 3), ("lost", 4)]

    async def test_ends_our_codes_before_any_law(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An attempt that meets the end of another process is made again: no failure, no retry used."""
        monkeypatch.setattr(dispatch_room, "AGAIN_S", 0.001)
        tries: list[int] = []

        @aob.node
        async def far(ctx: Any) -> str:
            tries.append(ctx.attempt)
            if len(tries) < 4:
                raise Unavailable("the home's main process has gone", code="shard_lost")
            return "there"

        async with aob.open(tmp_path, app=SimpleNamespace(far=far)) as app:
            await app.push(flow("w", {"a": fn("far", retry=ONCE)}))
            run = await finished(app, (await app.start("w")).id)
            assert (run["status"], run["output"], tries) == ("COMPLETED", "there", [1, 1, 1, 1])
            assert {"attempt_failed", "node_failed"}.isdisjoint(kinds(await app.views.timeline(app.who, run["run_id"])))

    async def test_of_a_once_effect_on_its_way_over_the_wire_is_uncertain_and_never_said_unsent(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dispatch_room, "AGAIN_S", 0.001)
        async with aob.open(tmp_path, app=Deed().handlers()) as app:
            sent: list[Any] = []

            async def cut(*args: Any, **named: Any) -> Any:
                sent.append(args)
                raise Unavailable("the home's main process has gone", code="shard_lost")

            monkeypatch.setattr(app.shared.log._part, "append", cut)
            await app.push(flow("w", {"e": {**EMIT, "effect": "once", "retry": ONCE}}))
            run = await app.start("w", 1)
            await ticket_of(app, run.id, "uncertain")
            assert len(sent) == 1
            assert "unsent" not in str(await app.views.timeline(app.who, run.id))


class TestACrash:
    async def test_says_lost_of_what_was_at_work_and_of_nothing_else(self, tmp_path: Path, deed: Deed) -> None:
        async with aob.open(tmp_path / "home", app=deed.handlers(), concurrency=1) as app:
            await app.push(chain("one", "gated", "echo"))
            at_work = await app.start("one", 1)
            await deed.begins("a").wait()
            queued = await app.start("one", 2)
            home = crashed(app, tmp_path / "copy")
            deed.release()
        async with aob.open(home, app=deed.handlers()) as app:
            for run, attempt in ((at_work, 2), (queued, 1)):
                assert (await finished(app, run.id))["nodes"]["a"]["attempt"] == attempt
            assert await lost(app, at_work.id) == [("lost", 2)]
            assert await lost(app, queued.id) == []

    async def test_uses_none_of_the_retries_and_the_tenth_fails_the_visit(self, tmp_path: Path) -> None:
        """A handler that takes its process with it each time it is called."""
        begun = asyncio.Event()

        @aob.node
        async def bomb(ctx: Any) -> None:
            begun.set()
            await asyncio.Event().wait()

        home, run_id = tmp_path / "home", ""
        for life in range(LOST_MAX):
            begun.clear()
            async with aob.open(home, app=SimpleNamespace(bomb=bomb)) as app:
                if not life:
                    await app.push(flow("w", {"a": fn("bomb", retry=ONCE)}))
                    run_id = (await app.start("w")).id
                await begun.wait()
                home = crashed(app, tmp_path / f"life{life}")
                await app.views.core.pool.stop(0.0)
        async with aob.open(home, app=SimpleNamespace(bomb=bomb)) as app:
            told = await finished(app, run_id)
            assert (told["status"], told["error"]["code"]) == ("FAILED", "lost_too_often")
            assert len(await lost(app, run_id)) == LOST_MAX - 1


async def test_nothing_is_dispatched_before_the_gate_is_there(tmp_path: Path, deed: Deed) -> None:
    """A home whose next deed is an event: at its start the gate and the contracts come first."""
    async with aob.open(tmp_path / "home", app=deed.handlers()) as app:
        await app.push(flow("w", {"z": fn("gated"), "e": {**EMIT, "retry": ONCE}}, "z>e"))
        run = await app.start("w")
        await deed.begins("z").wait()
        app.views.core.pool._closing = True  # what follows is not dispatched any more
        deed.release()
        await until(app, run.id, "node_completed", visit="z")
        home = crashed(app, tmp_path / "copy")
    from aob.compose import app as compose_room

    opened: list[str] = []
    plain = compose_room.Wiring.enter

    async def entered(self: Any, stack: Any) -> Any:
        metrics = await plain(self, stack)
        opened.append((await self.views.run(LOCAL, run.id))["status"])
        return metrics

    compose_room.Wiring.enter = entered  # type: ignore[method-assign]
    try:
        async with aob.open(home, app=deed.handlers()) as app:
            assert (await finished(app, run.id))["status"] == "COMPLETED"
    finally:
        compose_room.Wiring.enter = plain  # type: ignore[method-assign]
    assert opened == ["RUNNING"]
