"""Replay in freeze mode performs nothing and says what it cannot know; a fork acts for real from its node on."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.compose import app as room
from aob.core.errors import CallerError, Invalid, NotFound, Refused
from tests.runs.home import BOB, VIEWER, Deed, chain, finished, flow, fn, ticket_of, until

ADD_D = [{"op": "add_node", "id": "d", "node": fn()}, {"op": "connect", "from": "c", "to": "d"}]


async def replay(app: App, run: dict[str, Any], **options: Any) -> dict[str, Any]:
    options.setdefault("from_node", next(iter(run["graph"]["nodes"])))
    return await app.views.replay(app.who, run["run_id"], **options)


def how(report: dict[str, Any]) -> dict[str, str]:
    """How each visit was settled."""
    return {told["visit"]: told["how"] for told in report["visits"]}


async def ended(app: App, document: dict[str, Any], inputs: Any = None) -> dict[str, Any]:
    await app.push(document)
    return await finished(app, (await app.start(document["workflow"], inputs)).id)


class TestFreeze:
    async def test_calls_nothing_and_ends_the_same(self, app: App, deed: Deed) -> None:
        run = await ended(app, chain("one", "echo", "plain", "double"), 4)
        calls = list(deed.calls)
        report = await replay(app, run)
        assert (report["status"], report["same"], report["output"]) == ("COMPLETED", True, 8)
        assert (how(report), report["unknown"], report["calls"]) == (dict.fromkeys("abc", "recorded"), [], 0)
        assert deed.calls == calls
        assert (await app.views.runs(app.who))["runs"][0]["run_id"] == run["run_id"]

    async def test_says_which_visits_come_after_the_node(self, app: App) -> None:
        run = await ended(app, chain("one", "echo", "echo", "echo"))
        report = await replay(app, run, from_node="b")
        assert {told["visit"]: told["replayed"] for told in report["visits"]} == {"a": False, "b": True, "c": True}

    async def test_of_a_failure_is_that_failure(self, app: App) -> None:
        run = await ended(app, chain("one", "echo", "wrong"))
        report = await replay(app, run)
        assert (report["status"], report["same"]) == ("FAILED", True)

    async def test_takes_failure_edges_and_skips_as_the_run_did(self, app: App) -> None:
        nodes = {"a": fn("wrong"), "b": fn("wrong", on_failure="skip"), "mend": fn(), "never": fn(), "s": fn()}
        run = await ended(app, flow("f", nodes, "a>mend:failure", "a>never", "mend>b", "b>s"))
        report = await replay(app, run)
        assert (report["status"], report["same"], report["unknown"]) == ("COMPLETED", True, [])

    async def test_goes_through_maps_and_loops(self, app: App, deed: Deed) -> None:
        body = {"nodes": {"x": fn("double", input={"n": "item"})}, "edges": {}}
        again = {"nodes": {"y": fn("double", input={"n": "loop.index"})}, "edges": {}}
        nodes = {
            "each": {"kind": "map", "config": {"items": "inputs"}, "body": body},
            "loop": {"kind": "loop", "config": {"max": 3}, "body": again},
        }
        run = await ended(app, flow("m", nodes, "each>loop"), [1, 2, 3])
        calls = len(deed.calls)
        report = await replay(app, run)
        assert (report["same"], report["unknown"], len(deed.calls)) == (True, [], calls)
        assert how(report)["each[1]/x"] == how(report)["loop#2/y"] == "recorded"
        assert how(report)["each"] == "computed"

    async def test_answers_tickets_messages_and_timers_as_recorded(self, app: App) -> None:
        nodes = {
            "t": {"kind": "timer", "config": {"for": "5ms"}}, "w": {"kind": "wait", "config": {"message": "m"}},
            "ok": {"kind": "approval", "config": {}}, "yes": fn(), "no": fn(),
        }  # fmt: skip
        await app.push(flow("p", nodes, "t>w", "w>ok", "ok>yes:approved", "ok>no:rejected"))
        run = await app.start("p", 1)
        await until(app, run.id, "wait_opened")
        await app.views.message(app.who, run.id, "m", payload=7)
        await app.answer((await ticket_of(app, run.id))["ticket_id"], "reject")
        report = await replay(app, await finished(app, run.id))
        assert (report["same"], report["status"]) == (True, "COMPLETED")
        assert {k: how(report).get(k) for k in ("t", "w", "ok", "yes", "no")} == {
            "t": "computed", "w": "recorded", "ok": "recorded", "yes": None, "no": "recorded",
        }  # fmt: skip

    async def test_of_an_expired_ticket_and_of_a_join_that_did_not_wait(self, app: App) -> None:
        nodes = {
            "ok": {"kind": "approval", "config": {}, "timeout": {"deadline": "5ms"}}, "late": fn(), "yes": fn(),
            "a": fn(), "slow": {"kind": "timer", "config": {"for": "400ms"}},
            "j": {"kind": "join", "config": {"deadline": "5ms"}}, "end": fn(),
        }  # fmt: skip
        run = await ended(app, flow("p", nodes, "ok>late:expired", "ok>yes:approved", "a>j", "slow>j", "j>end"), 3)
        report = await replay(app, run)
        assert (run["nodes"]["late"]["state"], how(report)["late"]) == ("completed", "recorded")
        assert (report["status"], report["same"], report["unknown"]) == ("COMPLETED", True, [])

    async def test_of_a_cancelled_run_ends_where_it_was_cancelled(self, app: App, deed: Deed) -> None:
        await app.push(chain("one", "echo", "gated"))
        run = await app.start("one")
        await deed.begins("b").wait()
        await app.views.cancel(app.who, run.id)
        report = await replay(app, await finished(app, run.id))
        assert (report["status"], report["unknown"], report["same"]) == ("CANCELLED", ["b"], True)

    async def test_knows_the_time_of_the_record(self, app: App) -> None:
        run = await ended(
            app, flow("n", {"a": fn(input={"at": "string(now)"}), "b": fn(input={"at": "string(now)"})}, "a>b")
        )
        assert (await replay(app, run))["unknown"] == []

    async def test_holds_large_values(self, app: App) -> None:
        run = await ended(
            app,
            flow("big", {"a": fn("sized", input={"n": "inputs"}), "b": fn(), "c": fn("plain")}, "a>b", "b>c"),
            90_000,
        )
        app.views.core.values._kept.clear()
        report = await replay(app, run)
        assert (report["same"], len(report["output"])) == (True, 90_000)

    async def test_sees_the_patches_of_the_run(self, app: App, deed: Deed) -> None:
        await app.push(chain("one", "gated", "echo", "echo"))
        run = await app.start("one", 1)
        await app.views.propose(app.who, run.id, {"operations": ADD_D})
        deed.gate("a").set()
        report = await replay(app, await finished(app, run.id))
        assert (report["same"], how(report)["d"]) == (True, "recorded")


class TestWhatIf:
    async def test_lists_what_would_have_to_be_performed(self, app: App, deed: Deed) -> None:
        run = await ended(app, chain("one", "echo", "echo", "echo"), 4)
        calls = list(deed.calls)
        report = await replay(app, run, patches=[ADD_D])
        assert (report["status"], report["unknown"], report["same"]) == ("UNKNOWN", ["d"], False)
        assert "--assume d=VALUE" in next(told["why"] for told in report["visits"] if told["visit"] == "d")
        assert deed.calls == calls

    async def test_goes_on_from_what_is_assumed(self, app: App) -> None:
        run = await ended(app, chain("one", "echo", "echo", "echo"), 4)
        report = await replay(app, run, patches=[ADD_D], assume={"d": {"n": 9}})
        assert (report["status"], report["output"], how(report)["d"]) == ("COMPLETED", {"n": 9}, "assumed")

    async def test_what_depends_on_the_unknown_is_unknown(self, app: App) -> None:
        run = await ended(app, chain("one", "echo", "echo", "echo"), 4)
        report = await replay(app, run, assume={"a": 5})
        assert (how(report), report["unknown"]) == ({"a": "assumed", "b": "unknown"}, ["b"])
        assert "another input" in report["visits"][1]["why"]
        report = await replay(app, run, assume={"a": 5, "b": 6, "c": 7})
        assert report["output"] == 7

    async def test_a_changed_node_is_another_node(self, app: App) -> None:
        run = await ended(app, chain("one", "echo", "echo", "echo"), 4)
        report = await replay(app, run, patches=[[{"op": "replace_config", "id": "b", "config": {"handler": "plain"}}]])
        assert report["unknown"] == ["b"]
        assert "another node" in report["visits"][1]["why"]

    async def test_a_person_may_be_assumed_to_have_said_otherwise(self, app: App) -> None:
        nodes = {"ok": {"kind": "approval", "config": {}}, "yes": fn(), "no": fn()}
        await app.push(flow("p", nodes, "ok>yes:approved", "ok>no:rejected"))
        run = await app.start("p", 1)
        await app.answer((await ticket_of(app, run.id))["ticket_id"], "approve")
        report = await replay(app, await finished(app, run.id), assume={"ok": "reject"})
        assert (how(report)["ok"], report["unknown"]) == ("assumed", ["no"])

    @pytest.mark.parametrize(
        ("options", "error"),
        [
            ({"patches": [7]}, Invalid), ({"patches": "x"}, Invalid), ({"patches": [[7]]}, Invalid),
            ({"patches": [[{"op": "zzz"}]]}, Invalid), ({"assume": [1]}, Invalid), ({"assume": {"zzz": 1}}, NotFound),
            ({"assume": {"a": float("nan")}}, Invalid), ({"mode": "live"}, CallerError),
            ({"from_node": "zzz"}, NotFound), ({"from_node": 7}, Invalid),
        ],
    )  # fmt: skip
    async def test_that_makes_no_sense_is_refused(self, app: App, options: dict[str, Any], error: type) -> None:
        run = await ended(app, chain("one", "echo"))
        with pytest.raises(error):
            await replay(app, run, **options)


class TestAFork:
    async def test_copies_what_came_before_and_acts_from_there(self, app: App, deed: Deed) -> None:
        run = await ended(app, chain("one", "echo", "echo", "plain"), 4)
        deed.calls.clear()
        told = await app.views.fork(app.who, run["run_id"], from_node="c")
        forked = await finished(app, told["run_id"])
        assert (told["copied"], told["forked_from"]) == (["a", "b"], run["run_id"])
        assert (forked["status"], forked["output"], forked["forked_from"]) == ("COMPLETED", 4, run["run_id"])
        assert [forked["nodes"][n].get("copied", False) for n in "abc"] == [True, True, False]
        assert deed.calls == [("plain", 4)]

    async def test_takes_the_way_that_was_taken(self, app: App, deed: Deed) -> None:
        nodes = {"a": fn("wrong"), "mend": fn(), "ok": fn(), "end": fn("plain")}
        run = await ended(app, flow("f", nodes, "a>mend:failure", "a>ok", "mend>end"))
        deed.calls.clear()
        told = await app.views.fork(app.who, run["run_id"], from_node="end")
        forked = await finished(app, told["run_id"])
        assert (forked["status"], [name for name, _ in deed.calls]) == ("COMPLETED", ["plain"])
        assert forked["nodes"]["ok"]["state"] == "skipped"

    async def test_has_the_patches_of_the_run(self, app: App, deed: Deed) -> None:
        await app.push(chain("one", "gated", "echo", "echo"))
        run = await app.start("one", 1)
        await app.views.propose(app.who, run.id, {"operations": ADD_D})
        deed.gate("a").set()
        await finished(app, run.id)
        forked = await finished(app, (await app.views.fork(app.who, run.id, from_node="d"))["run_id"])
        assert (forked["version"], forked["nodes"]["d"]["state"]) == ("v1.1", "completed")

    async def test_mends_a_failed_run(self, app: App, deed: Deed) -> None:
        deed.failures["b"] = 1
        run = await ended(app, chain("one", "echo", "flaky"))
        deed.failures["b"] = 0
        forked = await finished(app, (await app.views.fork(app.who, run["run_id"], from_node="b"))["run_id"])
        assert (run["status"], forked["status"]) == ("FAILED", "COMPLETED")

    async def test_holds_large_values(self, app: App) -> None:
        run = await ended(app, flow("big", {"a": fn("sized", input={"n": "inputs"}), "b": fn()}, "a>b"), 90_000)
        app.views.core.values._kept.clear()
        forked = await finished(app, (await app.views.fork(app.who, run["run_id"], from_node="b"))["run_id"])
        assert len(forked["output"]) == 90_000

    async def test_from_nowhere_is_told_where(self, app: App) -> None:
        run = await ended(app, chain("one", "echo"))
        with pytest.raises(NotFound, match="nodes: a"):
            await app.views.fork(app.who, run["run_id"], from_node="z")
        with pytest.raises(Refused):
            await app.views.fork(VIEWER, run["run_id"], from_node="a")


async def test_of_another_tenant_there_is_nothing_to_replay(app: App) -> None:
    run = await ended(app, chain("one", "echo"))
    for verb in (app.views.replay, app.views.fork):
        with pytest.raises(NotFound):
            await verb(BOB, run["run_id"], from_node="a")


class TestADeterministicHandler:
    """Computes in a replay what was not recorded (SEMANTICS 3.5, 6.2); nothing else of a handler's does."""

    @staticmethod
    def shop() -> SimpleNamespace:
        calls: list[str] = []

        def handler(name: str, fn: Any, **facts: Any) -> Any:
            def called(n: int) -> int:
                calls.append(name)
                return int(fn(n))

            return aob.node(name=name, **facts)(called)

        async def asks(n: int, ctx: Any) -> int:
            calls.append("asks")
            return n

        pure: dict[str, Any] = {"effect": "none", "deterministic": True}
        return SimpleNamespace(
            calls=calls, double=handler("double", lambda n: n * 2, **pure),
            fails=handler("fails", lambda n: 1 // n, **pure),
            none=handler("none", lambda n: n, effect="none"), keyed=handler("keyed", lambda n: n, effect="keyed"),
            asks=aob.node(name="asks", **pure)(asks),
        )  # fmt: skip

    @staticmethod
    def what_if(name: str) -> dict[str, Any]:
        """`a` gets another input, so that `b` of this handler does."""
        takes = {"input": {"n": "nodes.a.output"}, "deterministic": True}
        nodes = {"a": fn("double", input={"n": "inputs.n"}), "b": fn(name, **takes), "c": fn("double", input={
            "n": "nodes.b.output"})}  # fmt: skip
        return flow(name, nodes, "a>b", "b>c")

    async def test_computes_on_from_what_is_assumed(self, tmp_path: Path) -> None:
        handlers = self.shop()
        async with aob.open(tmp_path, app=handlers) as app:
            run = await ended(app, self.what_if("double"), {"n": 1})
            handlers.calls.clear()
            report = await replay(app, run, assume={"a": 10})
            assert (report["status"], report["output"], report["calls"]) == ("COMPLETED", 40, 0)
            assert how(report) == {"a": "assumed", "b": "computed", "c": "computed"}
            assert handlers.calls == ["double", "double"]
            again = await app.views.replay(VIEWER, run["run_id"], from_node="a", assume={"a": 10})
            assert how(again)["b"] == "unknown"
            assert (await app.views.runs(app.who))["runs"][0]["run_id"] == run["run_id"]

    @pytest.mark.parametrize("name", ["none", "keyed", "asks", "fails"])
    async def test_is_one_by_its_own_word_and_any_other_stays_unknown(self, tmp_path: Path, name: str) -> None:
        handlers = self.shop()
        async with aob.open(tmp_path, app=handlers) as app:
            run = await ended(app, self.what_if(name), {"n": 1})
            handlers.calls.clear()
            report = await replay(app, run, assume={"a": 0})
            assert (how(report)["b"], report["unknown"]) == ("unknown", ["b"])
            assert handlers.calls == (["fails"] if name == "fails" else [])


async def test_timers_that_rang_late_together_ring_as_they_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first of them began was not due before the second: a replay by their own times would let it win."""
    plain, step_ns = time.time_ns, 0
    monkeypatch.setattr(time, "time_ns", lambda: plain() + step_ns)
    monkeypatch.setattr(room, "LOOK_S", 0.01)
    nap = {name: {"kind": "timer", "config": {"for": wait}} for name, wait in (("a", "1h"), ("b", "1m"), ("c", "2h"))}
    join = {"kind": "join", "config": {"mode": "any", "cancel_rest": True}}
    async with aob.open(tmp_path / "home", app=[]) as app:
        await app.push(flow("late", {**nap, "z": join}, "a>b", "b>z", "c>z"))
        run = await app.start("late")
        await until(app, run.id, "timer_set", visit="c")
        step_ns = 3 * 3_600 * 1_000_000_000
        whole = await finished(app, run.id)
        assert set(whole["output"]) == {"c"}
        report = await replay(app, whole)
        assert (report["status"], report["same"], report["output"]) == ("COMPLETED", True, whole["output"])
