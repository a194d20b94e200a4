"""A home whose handlers are at workers of other processes: what a handler may do there, it may do here."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aob.compose import App
from aob.core.errors import Invalid
from aob.ports.workers import Job
from aob.work.job import WorkError
from tests.runs.home import chain, finished, flow, fn, kinds, until
from tests.workers.client import Client, Ctx, Raw, handler, hello
from tests.workers.home import comes, echo, home, key_of, where, worker

QUICK = {"attempts": 3, "first": "5ms", "jitter": 0}


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with home(tmp_path / "home") as made:
        yield made


async def test_a_chain_runs_at_a_worker_which_then_may_forget_its_results(app: App) -> None:
    async with await worker(app) as client:
        await app.push(chain("c", *["work"] * 5))
        run = await finished(app, (await app.start("c", {"n": 7})).id)
        assert (run["status"], run["output"]) == ("COMPLETED", {"n": 7})
        assert len(client.begun) == 5
        await comes(lambda: not client.results)
        assert app.shared.gateway is not None
        assert not app.shared.gateway.hub.unacked


async def test_a_document_may_name_handlers_of_workers_and_no_others(app: App) -> None:
    with pytest.raises(Invalid):
        await app.push(chain("c", "work"))
    async with await worker(app):
        await app.push(chain("c", "work"))
        with pytest.raises(Invalid):
            await app.push(chain("c", "wrk"))
    await app.push(chain("d", "work"))  # what a worker declared is remembered


async def test_jobs_wait_for_a_worker_and_why_says_so(app: App) -> None:
    async with await worker(app):
        await app.push(chain("c", "work"))
    run = await app.start("c", 1)
    assert "no worker has handler work" in str(await app.views.why(app.who, run.id))
    async with await worker(app):
        assert (await run.done())["output"] == 1


async def test_a_failure_is_retried_and_a_permanent_one_is_not(app: App) -> None:
    async def perform(job: Job, ctx: Ctx) -> Any:
        if job.visit == "b":
            raise WorkError("never", code="never", transient=False)
        if job.attempt < 3:
            raise ValueError("again")
        return job.attempt

    async with await worker(app, perform):
        await app.push(flow("f", {"a": fn("work", retry=QUICK), "b": fn("work", retry=QUICK)}, "a>b"))
        run = await finished(app, (await app.start("f")).id)
    assert (run["status"], run["nodes"]["a"]["output"], run["nodes"]["b"]["attempt"]) == ("FAILED", 3, 1)
    assert run["error"]["code"] == "never"


async def test_a_handler_may_ask_all_that_a_context_has(app: App) -> None:
    told: dict[str, Any] = {}

    async def perform(job: Job, ctx: Ctx) -> Any:
        if job.attempt == 1:
            ctx.log("hello", message="m", n=1)
            await ctx.beat()
            assert (await ctx.beat({"at": 5}))[0] == "recorded"
            what, granted = await ctx.intend("mail", {"to": "x"})
            assert what == "granted"
            assert (await ctx.intend("mail", {"to": "x"}))[1].number == granted.number + 1
            await ctx.settle(granted.number, {"id": 9})
            told["graph"] = (await ctx.graph())[1].value
            told["patch"] = (await ctx.propose([{"op": "test", "path": "/nope", "value": 1}], "why"))[1].value
            raise ValueError("again")
        assert job.resume == {"at": 5}
        what, recorded = await ctx.intend("mail", {"to": "x"})
        assert (what, recorded.result) == ("recorded", b'{"id":9}')
        return "ok"

    async with await worker(app, perform):
        await app.push(flow("f", {"a": fn("work", retry=QUICK, on_uncertain="repeat")}))
        run = await finished(app, (await app.start("f")).id)
        lines = [line async for line in app.views.logs(app.who, run["run_id"])]
    assert run["error"] is None
    assert b'"state":{"a":"ready"}' in told["graph"]
    assert b'"invalid"' in told["patch"]
    assert '"hello"' in lines[0]
    assert '"message_":"m"' in lines[0]


class TestEffectsOnce:
    async def test_are_intended_before_the_job_leaves(self, app: App) -> None:
        begun, go = asyncio.Event(), asyncio.Event()

        async def perform(job: Job, ctx: Ctx) -> Any:
            begun.set()
            await go.wait()
            return "paid"

        async with await worker(app, perform):
            await app.push(chain("p", "pay"))
            run = await app.start("p")
            await begun.wait()
            assert kinds(await app.views.timeline(app.who, run.id)).count("intent") == 1
            go.set()
            assert (await run.done())["output"] == "paid"

    async def test_that_a_worker_declares_count_although_the_document_was_compiled_without_it(self, app: App) -> None:
        async with await worker(app):
            await app.push(flow("p", {"a": fn("pay", effect="keyed")}))
            run = await finished(app, (await app.start("p")).id)
            assert kinds(await app.views.timeline(app.who, run["run_id"])).count("intent") == 1

    async def test_that_a_worker_declares_which_comes_after_the_start_count_too(self, app: App) -> None:
        async with await worker(app):
            await app.push(flow("p", {"a": fn("look")}))
        await comes(lambda: not app.shared.gateway.hub.workers)
        run = await app.start("p")
        stronger = [handler("look", "once")]
        async with Client(where(app), await key_of(app), echo, name="later", handlers=stronger):
            await finished(app, run.id)
        assert kinds(await app.views.timeline(app.who, run.id)).count("intent") == 1

    async def test_are_asked_about_when_an_attempt_breaks_and_retried_when_the_handler_says_how(self, app: App) -> None:
        async def perform(job: Job, ctx: Ctx) -> Any:
            if job.visit == "known":
                if job.attempt == 1:
                    raise WorkError("not now", code="busy")
                return "paid"
            raise ValueError("who knows")

        async with await worker(app, perform):
            await app.push(flow("p", {"known": fn("pay", retry=QUICK), "not": fn("pay", retry=QUICK)}, "known>not"))
            run = await app.start("p")
            await until(app, run.id, "ticket_opened")
            told = await run.show()
            assert told["nodes"]["known"]["output"] == "paid"
            ticket = next(iter(told["tickets"]))
            await app.answer(ticket["id"] if isinstance(ticket, dict) else ticket, "done", values={"output": 1})
            assert (await run.done())["status"] == "COMPLETED"

    async def test_that_ask_for_intents_of_their_own_are_repeated_by_those(self, app: App) -> None:
        async def perform(job: Job, ctx: Ctx) -> Any:
            what, item = await ctx.intend("charge", {"n": 1})
            if what == "granted":
                await ctx.settle(item.number, "charged")
                raise ValueError("after it")
            return item.result.decode()

        async with await worker(app, perform):
            await app.push(flow("p", {"a": fn("pay", retry=QUICK)}))
            run = await finished(app, (await app.start("p")).id)
        assert run["output"] == '"charged"'

    async def test_are_looked_after_by_a_verify_handler_at_a_worker(self, app: App) -> None:
        async def perform(job: Job, ctx: Ctx) -> Any:
            if job.visit.endswith("~check"):
                assert set(job.input) == {"intents", "input", "key"}
                return {"happened": True, "output": "found"}
            raise ValueError("who knows")

        async with await worker(app, perform):
            await app.push(flow("p", {"a": fn("pay", retry=QUICK, on_uncertain="verify", verify="check")}))
            run = await finished(app, (await app.start("p")).id)
        assert run["output"] == "found"


async def test_what_is_deterministic_is_remembered(app: App) -> None:
    async with await worker(app) as client:
        await app.push(
            flow("m", {"a": fn("twice", cache="read_through"), "b": fn("twice", cache="read_through")}, "a>b")
        )
        run = await finished(app, (await app.start("m", {"n": 1})).id)
        assert run["status"] == "COMPLETED"
        assert len(client.begun) == 1


async def test_large_values_travel_as_blobs(app: App) -> None:
    text = "x" * (5 * 1024 * 1024)
    seen: list[int] = []

    async def perform(job: Job, ctx: Ctx) -> Any:
        seen.append(len(job.input) if isinstance(job.input, str) else -1)
        return text

    async with await worker(app, perform) as client:
        client.blobs = app.views
        client.who = app.who
        await app.push(chain("c", "work", "work"))
        run = await app.start("c", 1)
        assert (await run.done())["status"] == "COMPLETED"
    assert seen == [-1, len(text)]


async def test_a_worker_gets_the_secrets_that_its_handlers_name_and_no_others(
    tmp_path: Path,
) -> None:
    async with home(tmp_path / "home") as app:
        vault = app.shared.tools.vault
        vault.set("TOKEN", "a-secret-token")
        vault.set("BOUND", "a-secret-bound", ("example.com",))
        vault.set("OTHER", "a-secret-other")
        for tenant, given in ((None, {"TOKEN": "a-secret-token"}), ("other", {})):
            raw = Raw(where(app), await key_of(app, tenant=tenant))
            await raw.send(hello(handlers=[handler("work", secrets=["TOKEN", "BOUND", "NONE"])]))
            (welcome,) = await raw.items("welcome")
            assert dict(welcome.secrets) == given
            await raw.die()


async def test_what_waits_and_what_workers_have_are_figures(app: App) -> None:
    gateway = app.shared.gateway
    assert gateway is not None
    async with await worker(app):
        await app.push(chain("c", "work"))
    run = await app.start("c", 1)
    told = {name: values for name, _, values in gateway.figures()}
    assert told["aob_worker_jobs_waiting"] == {("work", "", ""): 1}
    assert told["aob_worker_oldest_wait_seconds"]["work", "", ""] >= 0
    async with await worker(app):
        await run.done()
        told = {name: values for name, _, values in gateway.figures()}
        assert (told["aob_worker_jobs_waiting"], told["aob_workers"], told["aob_worker_jobs_out"]) == ({}, 1, 0)


class TestTimeouts:
    async def test_are_judged_by_the_home_which_cancels_and_retries(self, app: App) -> None:
        cancelled: list[int] = []

        async def perform(job: Job, ctx: Ctx) -> Any:
            if job.attempt == 1:
                try:
                    await asyncio.Event().wait()
                finally:
                    cancelled.append(job.attempt)
            return "ok"

        async with await worker(app, perform):
            await app.push(flow("t", {"a": fn("work", retry=QUICK, timeout={"run": "50ms"})}))
            run = await finished(app, (await app.start("t")).id)
        assert (run["output"], run["nodes"]["a"]["attempt"], cancelled) == ("ok", 2, [1])

    async def test_of_heartbeats_are_fed_by_beats(self, app: App) -> None:
        async def perform(job: Job, ctx: Ctx) -> Any:
            if job.attempt == 1:
                await asyncio.Event().wait()
            for _ in range(10):
                await ctx.beat()
                await asyncio.wait({asyncio.ensure_future(asyncio.Event().wait())}, timeout=0.02)
            return "ok"

        async with await worker(app, perform):
            await app.push(flow("t", {"a": fn("work", retry=QUICK, timeout={"heartbeat": "150ms"})}))
            run = await finished(app, (await app.start("t")).id)
        assert (run["output"], run["nodes"]["a"]["attempt"]) == ("ok", 2)

    async def test_of_the_queue_end_a_wait_for_a_worker(self, app: App) -> None:
        async with await worker(app):
            await app.push(flow("t", {"a": fn("work", timeout={"queue": "50ms"})}))
        run = await finished(app, (await app.start("t")).id)
        assert run["error"]["code"] == "timeout_queue"


async def test_a_cancel_reaches_the_worker(app: App) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def perform(job: Job, ctx: Ctx) -> Any:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with await worker(app, perform):
        await app.push(chain("c", "work"))
        run = await app.start("c")
        await begun.wait()
        await app.views.cancel(app.who, run.id)
        async with asyncio.timeout(60):
            await cancelled.wait()
        assert (await run.done())["status"] == "CANCELLED"
