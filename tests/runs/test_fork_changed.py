"""ENGINE 2.4: what a fork changes is judged like a patch: an approval that depends on it is asked again, not copied."""

from pathlib import Path
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.core.errors import Invalid, Refused
from aob.core.policy import Caller
from tests.runs.home import Deed, finished, flow, fn, ticket_of, until

KEYED = Caller("default", "kim", frozenset({"view", "run", "patch", "approve", "finance"}), "key_1")
APPROVAL = {"kind": "approval", "config": {"role": "finance"}, "input": {"n": "nodes.a.output"}}


def story() -> dict[str, Any]:
    """`a > ok > b`, and beside them `x > y`, which cannot fail the run."""
    calm = {"on_failure": "skip"}
    nodes = {"a": fn(input={"value": "inputs.n"}), "ok": APPROVAL, "b": fn(), "x": fn(**calm), "y": fn(**calm)}
    return flow("one", nodes, "a>ok", "ok>b:approved", "x>y")


@pytest.fixture
async def ended(app: App) -> str:
    await app.push(story())
    run = await app.start("one", {"n": 1})
    await app.answer((await ticket_of(app, run.id))["ticket_id"], "approve")
    return str((await finished(app, run.id))["run_id"])


async def test_without_a_change_all_that_came_before_is_copied(app: App, ended: str) -> None:
    told = await app.views.fork(app.who, ended, from_node="b")
    assert told["copied"] == ["a", "ok", "x", "y"]
    assert (await finished(app, told["run_id"]))["status"] == "COMPLETED"


async def test_an_approval_that_depends_on_a_value_is_asked_again(app: App, ended: str) -> None:
    told = await app.views.fork(app.who, ended, from_node="b", assume={"a": 7})
    assert "ok" not in told["copied"]
    assert "a" in told["copied"]
    ticket = await ticket_of(app, told["run_id"])
    assert ticket["shown"] == {"n": 7}
    await app.views.cancel(app.who, told["run_id"])


async def test_an_approval_that_depends_on_a_patch_is_asked_again(app: App, ended: str) -> None:
    patch = [{"op": "add", "path": "/nodes/a/input", "value": {"value": "7"}}]
    told = await app.views.fork(app.who, ended, from_node="b", patches=[patch])
    assert "ok" not in told["copied"]
    assert "a" not in told["copied"], "it is another node now"
    assert (await ticket_of(app, told["run_id"]))["shown"] == {"n": 7}
    await app.views.cancel(app.who, told["run_id"])


async def test_a_change_that_reaches_none_copies_it(app: App, ended: str) -> None:
    told = await app.views.fork(KEYED, ended, from_node="b", assume={"x": 7})
    assert told["copied"] == ["a", "ok", "x"]
    run = await finished(app, told["run_id"])
    assert (run["status"], run["nodes"]["y"]["output"]) == ("COMPLETED", 7)


async def test_a_key_does_not_decide_on_its_own_change(app: App, ended: str) -> None:
    with pytest.raises(Refused) as refused:
        await app.views.fork(KEYED, ended, from_node="b", assume={"a": 7})
    assert refused.value.code == "approval_needed"
    assert "a (its output) -> ok.input" in refused.value.detail


async def test_an_approval_is_never_assumed(app: App, ended: str) -> None:
    with pytest.raises(Refused, match="never assumed"):
        await app.views.fork(app.who, ended, from_node="b", assume={"ok": {"choice": "approve"}})


@pytest.mark.parametrize("assume", [{"b[0]/x": 1}, {"a": "x" * 5_000}])
async def test_what_cannot_be_given_is_said(app: App, ended: str, assume: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        await app.views.fork(app.who, ended, from_node="b", assume=assume)


async def test_what_a_join_had_cancelled_does_not_begin_in_a_fork(tmp_path: Path, deed: Deed) -> None:
    nodes = {"a": fn(), "slow": {"kind": "timer", "config": {"for": "1h"}}, "pay": fn("once"),
             "j": {"kind": "join", "config": {"mode": "any", "cancel_rest": True}}, "b": fn()}  # fmt: skip
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        await app.push(flow("two", nodes, "a>j", "slow>pay", "pay>j", "j>b"))
        run = await finished(app, (await app.start("two", {})).id)
        told = await app.views.fork(app.who, run["run_id"], from_node="b")
        assert (await finished(app, told["run_id"]))["status"] == "COMPLETED"
    assert [name for name, _ in deed.calls if name == "once"] == []


async def test_what_the_end_of_a_run_cut_off_begins_again_in_a_fork(tmp_path: Path, deed: Deed) -> None:
    nodes = {"a": fn(), "hear": {"kind": "wait", "config": {"message": "go"}}, "b": fn(), "c": fn()}
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        await app.push(flow("cut", nodes, "a>hear", "hear>b", "a>c"))
        run = await app.start("cut", {})
        await until(app, run.id, "wait_opened", visit="hear")
        await app.views.cancel(app.who, run.id)
        fork = (await app.views.fork(app.who, run.id, from_node="b"))["run_id"]
        await until(app, fork, "wait_opened", visit="hear")
        await app.views.message(app.who, fork, "go")
        ended = await finished(app, fork)
    assert ended["status"] == "COMPLETED"
    assert {node["state"] for node in ended["nodes"].values()} == {"completed"}
