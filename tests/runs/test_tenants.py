"""Tenants never see each other: not by any verb, not by a hash, not by a name that looks like another's."""

import inspect
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from aob.compose import App
from aob.core.errors import NotFound
from aob.core.policy import Caller
from tests.runs.home import BOB, chain, finished, flow, fn, ticket_of

SECRET = "ann's own "


@pytest.fixture
async def hers(app: App) -> AsyncIterator[dict[str, str]]:
    """What Ann of the default tenant has: a run that waits, a ticket, a patch, a blob, a key."""
    nodes = {"a": fn("sized", input={"n": "inputs.n"}), "ok": {"kind": "approval", "config": {}}, "b": fn()}
    await app.push(flow("hers", nodes, "a>ok", "ok>b:approved"))
    run = await app.start("hers", {"n": 90_000, "secret": SECRET})
    ticket = await ticket_of(app, run.id)
    patch = await app.views.propose(app.who, run.id, {"operations": [{"op": "disable", "id": "b"}]})
    key = await app.views.create_key(app.who, "ann", ["view"])
    blob = (await app.run(run.id))["nodes"]["a"]["hash"]
    yield {"run": run.id, "ticket": ticket["ticket_id"], "patch": patch["patch_id"], "key": key["id"], "blob": blob}
    await app.views.cancel(app.who, run.id)


def calls(app: App, hers: dict[str, str]) -> dict[str, Any]:
    """Every verb that names something of hers, as Bob of another tenant would use it."""
    verbs, run = app.views, hers["run"]
    return {
        "workflow": lambda: verbs.workflow(BOB, "hers"),
        "diff": lambda: verbs.diff(BOB, "hers", "v1.0", "v1.0"),
        "patch_tag": lambda: verbs.patch_tag(BOB, "hers", "main", []),
        "start": lambda: verbs.start(BOB, "hers", {}),
        "meant": lambda: verbs.meant(BOB, {"workflow": "hers"}),
        "run": lambda: verbs.run(BOB, run),
        "graph": lambda: verbs.graph(BOB, run),
        "timeline": lambda: verbs.timeline(BOB, run),
        "wait": lambda: verbs.wait(BOB, run, 1_000),
        "why": lambda: verbs.why(BOB, run),
        "cancel": lambda: verbs.cancel(BOB, run),
        "release": lambda: verbs.release(BOB, run),
        "repin": lambda: verbs.repin(BOB, run, "b"),
        "items": lambda: verbs.items(BOB, f"0.{hers['blob'].removeprefix('sha256:')}"),
        "message": lambda: verbs.message(BOB, run, "m"),
        "replay": lambda: verbs.replay(BOB, run, from_node="a"),
        "fork": lambda: verbs.fork(BOB, run, from_node="a"),
        "propose": lambda: verbs.propose(BOB, run, {"operations": []}),
        "patches": lambda: verbs.patches(BOB, run),
        "patch": lambda: verbs.patch(BOB, hers["patch"]),
        "approve_patch": lambda: verbs.approve_patch(BOB, hers["patch"]),
        "reject_patch": lambda: verbs.reject_patch(BOB, hers["patch"]),
        "rollback": lambda: verbs.rollback(BOB, hers["patch"]),
        "ticket": lambda: verbs.ticket(BOB, hers["ticket"]),
        "agent_key": lambda: verbs.agent_key(BOB, "hers", "k"),
        "steer_key": lambda: verbs.steer_key(BOB, "hers", "k", "hold"),
        "task": lambda: verbs.task(BOB, "hers"),
        "cancel_task": lambda: verbs.cancel_task(BOB, "hers"),
        "plan": lambda: verbs.plan(BOB, "hers"),
        "cancel_plan": lambda: verbs.cancel_plan(BOB, "hers"),
        "deciding": lambda: verbs.deciding(BOB, hers["ticket"]),
        "answer": lambda: verbs.answer(BOB, hers["ticket"], "approve"),
        "blob": lambda: verbs.blob(BOB, hers["blob"]),
        "job_blob": lambda: verbs.job_blob(BOB, hers["blob"]),
        "revoke_key": lambda: verbs.revoke_key(BOB, hers["key"]),
        "follow": lambda: anext(verbs.follow(BOB, run_id=run)),
        "logs": lambda: anext(verbs.logs(BOB, run)),
    }


LISTS = {
    "agent_keys": {"agent": "hers"},
    "tasks": {},
    "plans": {},
    "workflows": {},
    "runs": {},
    "tickets": {"open": False},
    "list_keys": {},
    "workers": {},
    "builds": {},
}
OTHERS = {
    "submit_task",
    "submit_plan",
    "start_many",
    "start_meant",
    "push",
    "validate",
    "create_key",
    "put_job_blob",
    "active_keys",
    "authenticate",
    "holder",
    "health",
    "position",
    "prune",
}
"""Verbs that name nothing of another, or are tested elsewhere."""


ABOUT_A_RUN = {
    "run", "wait", "graph", "timeline", "why", "cancel", "release", "repin", "message", "replay", "fork", "propose",
    "patches", "follow", "logs",
}  # fmt: skip
"""Verbs that were told the id of the run: they may repeat it."""


async def test_no_verb_finds_what_is_anothers(app: App, hers: dict[str, str]) -> None:
    for name, call in calls(app, hers).items():
        with pytest.raises(NotFound) as caught:
            await call()
        said = f"{caught.value} {caught.value.fields}"
        assert SECRET not in said, name
        assert hers["run"] not in said or name in ABOUT_A_RUN, name


async def test_no_list_shows_what_is_anothers(app: App, hers: dict[str, str]) -> None:
    for name, options in LISTS.items():
        told = await getattr(app.views, name)(BOB, **options)
        page = {name.removeprefix("agent_"): [], "next": None}
        assert told in ([], page, {**page, "as_of": app.views.position()}), name


def test_every_verb_is_looked_at(app: App) -> None:
    verbs = {name for name, _ in inspect.getmembers(app.views, callable) if not name.startswith("_")}
    helpers = {
        "core", "document", "versions", "state_of", "names", "only", "start_command", "parts", "erase", "pruned",
        "resolved",
    }  # fmt: skip
    assert (
        verbs - helpers - OTHERS - LISTS.keys()
        == calls(app, dict.fromkeys(("run", "ticket", "patch", "key", "blob"), "")).keys()
    )


async def test_the_feed_of_all_runs_has_only_ones_own(app: App, hers: dict[str, str]) -> None:
    await app.views.push(BOB, chain("his", "echo"))
    begin = app.views.position()
    his = (await app.views.start(BOB, "his", 1))["run_id"]
    mine = (await app.start("hers", {"n": 1})).id
    seen: dict[str, set[str]] = {}
    for who, last in ((BOB, his), (app.who, mine)):
        async with aclosing(app.views.follow(who, position=begin)) as feed:
            async for _, name, entry in feed:
                seen.setdefault(who.tenant, set()).add(entry["run"])
                if entry["run"] == last and name in {"run_finished", "ticket_opened"}:
                    break
    assert seen == {"other": {his}, "default": {mine}}


async def test_a_hash_at_hand_opens_nothing(app: App, hers: dict[str, str]) -> None:
    """Also when the bytes lie in memory, and when a value of Bob's own names them."""
    assert await app.views.blob(app.who, hers["blob"])
    with pytest.raises(NotFound):
        await app.views.blob(BOB, hers["blob"])
    each = {"kind": "map", "config": {"items": "inputs.items"}, "body": {"nodes": {"x": fn()}, "edges": {}}}
    await app.views.push(BOB, flow("his", {"each": each}))
    items = {"$ref": f"sha256:{hers['blob']}", "size": 90_002}
    with pytest.raises(NotFound):
        await app.views.start(BOB, "his", {"items": items})
    assert (await app.views.runs(BOB))["runs"] == []


async def test_a_tenant_that_is_the_beginning_of_anothers_name_sees_nothing(app: App) -> None:
    short, long = Caller("ab", "s", frozenset({"admin"})), Caller("abc", "l", frozenset({"admin"}))
    await app.views.push(long, chain("w", "echo"))
    assert await app.views.workflows(short) == []
    with pytest.raises(NotFound):
        await app.views.workflow(short, "w")


async def test_the_same_large_inputs_at_once_are_kept_for_both(app: App) -> None:
    inputs = {"s": "y" * 20_000}
    for who in (app.who, BOB):
        await app.views.push(who, chain("one", "echo"))
    ids = [(who, (await app.views.start(who, "one", inputs))["run_id"]) for who in (app.who, BOB)]
    await finished(app, ids[0][1])
    await app.views.core.ended(*ids[1])
    app.views.core.values._kept.clear()
    for who, run_id in ids:
        assert (await app.views.run(who, run_id))["inputs"] == inputs
