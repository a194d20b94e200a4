"""Handlers that are paused: their jobs wait, on workers and in the home's own process, and after a restart."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.compose.handlers import HandlerVerbs
from aob.core.errors import Conflict, NotFound, Refused
from aob.ports.workers import Job
from tests.runs.home import BOB, VIEWER, chain, flow, fn
from tests.workers.client import Client, Ctx
from tests.workers.home import HANDLERS, comes, echo, home, key_of, where, worker


def verbs(app: App) -> HandlerVerbs:
    core, gateway = app.views.core, app.shared.gateway
    told = gateway.hub.told if gateway is not None else lambda tenant: []
    return HandlerVerbs(
        app.shared.paused, core.handlers, core.handlers.own, told, core.time_ms, lambda: core.newest_rules()
    )


async def test_jobs_of_a_paused_handler_wait_at_workers_until_it_is_resumed(tmp_path: Path) -> None:
    begun: list[str] = []
    go = asyncio.Event()

    async def perform(job: Job, ctx: Ctx) -> Any:
        begun.append(job.task.config.handler)
        await go.wait()
        return job.input

    async with home(tmp_path / "home") as app:
        async with await worker(app, perform, slots=1) as client:
            await app.push(chain("c", "work"))
            await app.push(flow("d", {"a": fn("look")}))
            timed = flow("t", {"a": fn("work", timeout={"queue": "1h"})})
            await app.push(timed)
            first = await app.start("c", 1)
            await comes(lambda: begun)
            waiting = [await app.start("c", 2), await app.start("t"), await app.start("c", 3)]
            told = await verbs(app).pause_handler(app.who, "work", "it hurts")
            assert told == {"handler": "work", "paused": True, "changed": True}
            assert not (await verbs(app).pause_handler(app.who, "work"))["changed"]
            go.set()
            assert (await first.done())["output"] == 1, "what has begun goes on"
            assert (await (await app.start("d")).done())["status"] == "COMPLETED", "others go on"
            for run in waiting:
                assert (await app.run(run.id))["nodes"]["a"]["waits"] == "paused"
            assert "aob handler resume work" in (await app.views.why(app.who, waiting[0].id))["sentence"]
            assert begun == ["work", "look"]
            (row,) = [each for each in (await verbs(app).handlers(app.who))["handlers"] if each["handler"] == "work"]
            assert (row["paused"], row["by"], row["reason"], row["workers"]) == (True, app.who.name, "it hurts", 1)
            assert client.welcome is not None
        last = waiting
    async with home(tmp_path / "home") as app, await worker(app):
        for run in last:
            assert (await app.run(run.id))["nodes"]["a"]["waits"] == "paused"
        await verbs(app).resume_handler(app.who, "work", "mended")
        assert [(await app.views.wait(app.who, run.id, 10_000))["status"] for run in last] == ["COMPLETED"] * 3
        changes = (await verbs(app).handlers(app.who))["changes"]
        assert [(each["handler"], each["paused"], each["reason"]) for each in changes] == [
            ("work", False, "mended"), ("work", True, "it hurts"),
        ]  # fmt: skip


async def test_in_the_home_s_own_process_too(tmp_path: Path) -> None:
    calls, go = list[Any](), asyncio.Event()

    @aob.node(effect="none")
    async def gated(value: object = None) -> object:
        calls.append(value)
        await go.wait()
        return value

    module = SimpleNamespace(gated=gated)
    async with aob.open(tmp_path / "home", app=[module], concurrency=1) as app:
        await app.push(chain("c", "gated"))
        runs = [await app.start("c", n) for n in range(3)]
        await comes(lambda: calls)
        await verbs(app).pause_handler(app.who, "gated")
        go.set()
        await runs[0].done()
        states = {(await app.run(run.id))["nodes"]["a"].get("waits") for run in runs[1:]}
        assert (states, calls) == ({"paused"}, [0])
        await app.views.cancel(app.who, runs[1].id)
        assert (await runs[1].done())["status"] == "CANCELLED"
        await verbs(app).resume_handler(app.who, "gated")
        assert (await runs[2].done())["output"] == 2


async def test_it_is_of_a_tenant_and_refuses_what_makes_no_sense(tmp_path: Path) -> None:
    async with home(tmp_path / "home") as app, await worker(app):
        with pytest.raises(NotFound) as error:
            await verbs(app).pause_handler(app.who, "wrok")
        assert (error.value.code, error.value.hint) == ("handler_not_found", "did you mean work?")
        with pytest.raises(Refused):
            await verbs(app).pause_handler(VIEWER, "work")
        with pytest.raises(NotFound):
            await verbs(app).pause_handler(BOB, "work")  # his tenant has none
        async with Client(where(app), await key_of(app, tenant=BOB.tenant), echo, handlers=HANDLERS, name="his"):
            await verbs(app).pause_handler(BOB, "work")
        await app.push(chain("c", "work"))
        assert (await (await app.start("c", 1)).done())["output"] == 1


async def test_nothing_is_paused_while_a_process_of_an_older_release_would_give_it_out(tmp_path: Path) -> None:
    async with home(tmp_path / "home") as app, await worker(app):
        known = app.views.core.newest_rules
        assert (await verbs(app).pause_handler(app.who, "look"))["changed"]
        app.views.core.newest_rules = lambda: 3
        with pytest.raises(Conflict, match="older release do not follow what is paused") as refused:
            await verbs(app).pause_handler(app.who, "work")
        assert (refused.value.code, "aob db upgrade --finish" in refused.value.hint) == ("members_differ", True)
        assert not app.shared.paused.names - {(app.who.tenant, "look")}
        assert (await verbs(app).resume_handler(app.who, "look"))["changed"], "which harms nobody"
        app.views.core.newest_rules = known
        assert (await verbs(app).pause_handler(app.who, "work"))["changed"]
