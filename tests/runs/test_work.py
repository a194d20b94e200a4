"""Runs that work: handlers of every place, retries, time-outs, failures and their ways, what is remembered."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import aob
from aob.compose import App
from tests.runs.home import Deed, chain, finished, flow, fn, kinds, until
from tests.work import handlers_cpu

pytestmark = pytest.mark.every_store

QUICK = {"attempts": 3, "first": "5ms", "jitter": 0}


async def test_handlers_run_on_the_loop_in_threads_and_in_processes(tmp_path: Any, deed: Deed) -> None:
    nodes = {"a": fn("echo"), "b": fn("plain"), "c": fn("add", input={"a": "nodes.b.output.n", "b": "42"})}
    async with aob.open(tmp_path, app=[deed.handlers(), handlers_cpu]) as app:
        await app.push(flow("places", nodes, "a>b", "b>c"))
        run = await finished(app, (await app.start("places", {"n": 7})).id)
    assert (run["status"], run["output"]) == ("COMPLETED", 49)


class TestRetries:
    async def test_try_again_until_it_works(self, app: App, deed: Deed) -> None:
        deed.failures["a"] = 2
        await app.push(flow("r", {"a": fn("flaky", retry=QUICK)}))
        run = await finished(app, (await app.start("r")).id)
        timeline = await app.views.timeline(app.who, run["run_id"])
        assert (run["status"], run["output"], run["nodes"]["a"]["attempt"]) == ("COMPLETED", 3, 3)
        assert [n for _, n in deed.calls] == [1, 2, 3]
        assert kinds(timeline).count("attempt_failed") == 2
        waits = [e["due_ms"] - e["at"] for e in timeline if e["type"] == "attempt_failed"]
        assert waits == [5, 10]

    async def test_end_when_they_are_used_up(self, app: App, deed: Deed) -> None:
        deed.failures["a"] = 9
        await app.push(flow("r", {"a": fn("flaky", retry=QUICK)}))
        run = await finished(app, (await app.start("r")).id)
        assert (run["status"], run["error"]["visit"], run["error"]["message"]) == ("FAILED", "a", "attempt 3 failed")

    async def test_are_not_made_where_they_cannot_help(self, app: App) -> None:
        await app.push(flow("r", {"a": fn("wrong", retry=QUICK)}))
        run = await finished(app, (await app.start("r")).id)
        assert (run["nodes"]["a"]["attempt"], run["error"]["code"]) == (1, "never")

    async def test_that_wait_stop_with_a_cancel(self, app: App, deed: Deed) -> None:
        deed.failures["a"] = 9
        await app.push(flow("r", {"a": fn("flaky", retry={"attempts": 3, "first": "1h"})}))
        run = await app.start("r")
        await until(app, run.id, "attempt_failed")
        await app.views.cancel(app.who, run.id)
        assert (await finished(app, run.id))["timers"] == []
        assert len(app.views.core.journal.timers) == 0


class TestAFailure:
    async def test_takes_its_own_way_where_there_is_one(self, app: App) -> None:
        await app.push(flow("f", {"a": fn("wrong"), "ok": fn(), "mend": fn()}, "a>ok", "a>mend:failure"))
        run = await finished(app, (await app.start("f")).id)
        assert (run["status"], run["nodes"]["ok"]["state"]) == ("COMPLETED", "skipped")
        assert run["nodes"]["mend"]["output"]["code"] == "never"

    async def test_is_skipped_where_the_node_says_so(self, app: App) -> None:
        await app.push(flow("f", {"a": fn("wrong", on_failure="skip"), "b": fn(), "c": fn()}, "a>b"))
        run = await finished(app, (await app.start("f")).id)
        assert (run["status"], run["nodes"]["b"]["state"], run["nodes"]["c"]["state"]) == (
            "COMPLETED",
            "skipped",
            "completed",
        )

    async def test_that_nothing_handles_ends_the_run_and_all_that_works_in_it(self, app: App, deed: Deed) -> None:
        await app.push(flow("f", {"a": fn("gated"), "b": fn("gated"), "bad": fn("wrong")}, "b>bad"))
        run = await app.start("f")
        await deed.begins("a").wait()
        deed.gate("b").set()
        ended = await finished(app, run.id)
        assert (ended["status"], ended["nodes"]["a"]["state"], ended["error"]["visit"]) == (
            "FAILED",
            "cancelled",
            "bad",
        )
        assert app.views.core.pool.health().running == 0

    async def test_of_an_expression_is_the_failure_of_its_node(self, app: App) -> None:
        nodes = {"a": fn(input={"x": "inputs.missing.deeper"}), "mend": fn()}
        await app.push(flow("f", nodes, "a>mend:failure"))
        run = await finished(app, (await app.start("f", {})).id)
        assert run["nodes"]["mend"]["output"]["code"] == "expression_failed"

    async def test_to_give_json_is_a_failure(self, tmp_path: Any) -> None:
        class Handlers:
            @staticmethod
            @aob.node
            async def strange() -> object:
                return {"x": object()}

        async with aob.open(tmp_path, app=Handlers) as app:
            await app.push(flow("f", {"a": fn("strange")}))
            run = await finished(app, (await app.start("f")).id)
        assert run["error"]["code"] == "output_not_json"


class TestATimeOut:
    async def test_of_an_attempt_is_worth_another_attempt(self, app: App, deed: Deed) -> None:
        await app.push(flow("t", {"a": fn("gated", timeout={"run": "20ms"}, retry={"attempts": 2, "first": "1ms"})}))
        run = await finished(app, (await app.start("t")).id)
        assert (run["status"], run["error"]["code"], run["nodes"]["a"]["attempt"]) == ("FAILED", "timeout_run", 2)

    async def test_of_a_visit_as_a_whole_is_not(self, app: App) -> None:
        await app.push(flow("t", {"a": fn("gated", timeout={"deadline": "20ms"}, retry=5)}))
        run = await finished(app, (await app.start("t")).id)
        assert (run["status"], run["error"]["code"], run["timers"]) == ("FAILED", "node_timeout", [])


class TestMemory:
    NODE = fn("double", cache="read_through", input={"n": "inputs.n"})

    async def test_of_the_same_work_is_a_hit_that_shows(self, app: App, deed: Deed) -> None:
        await app.push(flow("m", {"a": self.NODE}))
        first = await finished(app, (await app.start("m", {"n": 4})).id)
        second = await finished(app, (await app.start("m", {"n": 4})).id)
        other = await finished(app, (await app.start("m", {"n": 5})).id)
        entry = await until(app, second["run_id"], "node_completed", visit="a")
        assert (first["output"], second["output"], other["output"]) == (8, 8, 10)
        assert (second["nodes"]["a"]["memo"], entry["memo"]) == (True, True)
        assert "memo" not in first["nodes"]["a"]
        assert deed.calls == [("double", 4), ("double", 5)]

    async def test_belongs_to_a_tenant(self, app: App, deed: Deed) -> None:
        from tests.runs.home import BOB

        for who in (app.who, BOB):
            await app.views.push(who, flow("m", {"a": self.NODE}))
            run = await app.views.start(who, "m", {"n": 4})
            await app.views.core.ended(who, run["run_id"])
        assert len(deed.calls) == 2


async def test_branches_run_side_by_side_and_meet(app: App, deed: Deed) -> None:
    nodes = {"a": fn(), "b": fn("gated"), "c": fn("gated"), "j": {"kind": "join"}, "d": fn()}
    await app.push(flow("par", nodes, "a>b", "a>c", "b>j", "c>j", "j>d"))
    run = await app.start("par", 1)
    await deed.begins("b").wait()
    await deed.begins("c").wait()
    deed.gate("b").set()
    deed.gate("c").set()
    assert (await finished(app, run.id))["output"] == {"b": 1, "c": 1}


async def test_a_map_and_a_loop_go_through_their_bodies(app: App) -> None:
    nodes = {
        "each": {"kind": "map", "config": {"items": "inputs.list", "window": 2},
                 "body": {"nodes": {"x": fn("double", input={"n": "item"})}, "edges": {}}},
        "again": {"kind": "loop", "config": {"max": 5, "while": "loop.index < 3"},
                  "body": {"nodes": {"y": fn("echo", input={"value": "loop.index"})}, "edges": {}}},
    }  # fmt: skip
    await app.push(flow("bodies", nodes, "each>again"))
    run = await finished(app, (await app.start("bodies", {"list": [1, 2, 3]})).id)
    assert run["nodes"]["each"]["output"] == {"count": 3, "failed": 0, "failed_items": [], "items": [2, 4, 6]}
    assert (run["status"], run["output"]) == ("COMPLETED", 2)


async def test_fast_mode_gives_the_same_end(app: App) -> None:
    await app.push(chain("one", "echo", "plain", "echo"))
    runs = [await finished(app, (await app.start("one", {"n": 1}, mode=mode)).id) for mode in ("full", "fast")]
    assert runs[0]["output"] == runs[1]["output"] == {"n": 1}
    assert {run["mode"] for run in runs} == {"full", "fast"}


@pytest.mark.parametrize("mode", ["full", "fast"])
async def test_many_runs_at_a_time_all_end(app: App, mode: str) -> None:
    await app.push(chain("one", "echo", "echo", "echo"))
    verdicts = await app.views.start_many(app.who, [{"inputs": n, "mode": mode} for n in range(300)])
    runs = [await finished(app, verdict["run_id"]) for verdict in verdicts]
    assert [run["output"] for run in runs] == list(range(300))


async def test_a_start_says_how_urgent_the_nodes_of_its_run_are(tmp_path: Path, deed: Deed) -> None:
    async with aob.open(tmp_path / "narrow", app=deed.handlers(), concurrency=1) as app:
        await app.push(chain("block", "gated"))
        await app.push(chain("one", "echo"))
        await app.start("block")
        await deed.begins("a").wait()
        runs = [await app.start("one", n, priority="high" if n == 3 else None) for n in range(4)]
        deed.release()
        for run in runs:
            await finished(app, run.id)
    assert [value for name, value in deed.calls if name == "echo"] == [0, 3, 1, 2], "one of medium leads each eight"


class TestSecrets:
    """A handler gets the secrets that it names, and no others."""

    @pytest.mark.parametrize("threads", [False, True])
    async def test_are_given_by_name(self, tmp_path: Any, monkeypatch: Any, threads: bool) -> None:
        monkeypatch.setenv("AOB_SECRET_SHOP", "s3cret-of-shop")

        async def asks(ctx: Any, name: str) -> int:
            return len(ctx.secret(name))

        def asks_in_a_thread(ctx: Any, name: str) -> int:
            return len(ctx.secret(name))

        asks = aob.node(name="asks", effect="once", secrets=["SHOP", "GONE"])(asks_in_a_thread if threads else asks)
        async with aob.open(tmp_path / "home", app=SimpleNamespace(asks=asks)) as app:
            await app.push(flow("s", {"a": fn("asks", input={"name": "inputs"}, retry={"attempts": 1})}))
            assert (await finished(app, (await app.start("s", "SHOP")).id))["output"] == 14
            for name, code in (("OTHER", "secret_unnamed"), ("GONE", "secret_missing")):
                run = await finished(app, (await app.start("s", name)).id)
                assert run["error"]["code"] == code, run
