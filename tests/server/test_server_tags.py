"""Patches on a tag, over the real engine: runs that start later get them, runs that run keep their graph."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.client import AsyncClient
from aob.core.errors import Conflict, Invalid, NotFound, Refused, TooLarge
from aob.core.policy import LOCAL, Caller
from tests.server.test_server_engine import Held, client, url, verbs

__all__ = ["client", "url", "verbs"]  # fixtures

SHORT = {"kind": "timer", "config": {"for": "1ms"}}
TALE: dict[str, Any] = {
    "workflow": "tale",
    "nodes": {"a": SHORT, "go": {"kind": "wait", "config": {"message": "go"}}},
    "edges": {"e1": {"from": "a", "to": "go"}},
}
MORE: list[dict[str, Any]] = [{"op": "add_node", "id": "b", "node": SHORT}, {"op": "connect", "from": "a", "to": "b"}]
EMAIL: list[dict[str, Any]] = [
    {"op": "add_node", "id": "mail", "node": {"kind": "notify", "config": {"to": "mailto:a@example.org", "text": "x"}}},
    {"op": "connect", "from": "a", "to": "mail"},
]


async def ended(client: AsyncClient, run_id: str) -> Any:
    await client.message(run_id, "go")
    return await client.wait(run_id)


async def test_runs_that_start_later_get_the_patch_and_earlier_ones_do_not(client: AsyncClient) -> None:
    await client.push(TALE)
    before = (await client.start("tale"))["run_id"]
    patched = await client.patch_tag("tale", {"operations": MORE, "reason": "one more"})
    assert (patched["tag"], patched["version"]) == ("main", "v1.1")
    assert any("b" in line for line in patched["lines"])
    after = (await client.start("tale"))["run_id"]
    first, second = await ended(client, before), await ended(client, after)
    assert (first["version"], "b" in first["nodes"]) == ("v1.0", False)
    assert (second["version"], second["nodes"]["b"]["state"]) == ("v1.1", "completed")
    shown = await client.workflow("tale")
    assert (shown["version"], "b" in shown["document"]["nodes"]) == ("v1.1", True)
    assert "b" not in (await client.workflow("tale", "v1.0"))["document"]["nodes"]


async def test_patches_add_up_and_another_tag_stays_as_it_is(client: AsyncClient) -> None:
    await client.push(TALE)
    await client.push(TALE, tag="calm")
    first = await client.patch_tag("tale", {"operations": MORE})
    more = [{"op": "add_node", "id": "c", "node": SHORT}, {"op": "connect", "from": "b", "to": "c"}]
    second = await client.patch_tag("tale", {"operations": more, "base": first["graph"]})
    assert second["version"] == "v1.2"
    run = await ended(client, (await client.start("tale"))["run_id"])
    assert {"b", "c"} <= run["nodes"].keys()
    calm = await ended(client, (await client.start("tale", tag="calm"))["run_id"])
    assert (calm["version"], calm["nodes"].keys()) == ("v1.0", {"a", "go"})


async def test_a_push_of_the_same_document_takes_the_patches_back(client: AsyncClient) -> None:
    artifact = (await client.push(TALE))["artifact"]
    await client.patch_tag("tale", {"operations": MORE})
    pushed = await client.push(TALE)
    assert (pushed["created"], pushed["artifact"], pushed["version"]) == (False, artifact, "v1.0")
    run = await ended(client, (await client.start("tale"))["run_id"])
    assert (run["version"], "b" in run["nodes"]) == ("v1.0", False)


async def test_a_patch_with_problems_is_refused_with_every_place(client: AsyncClient) -> None:
    await client.push(TALE)
    bad = [
        {"op": "add", "path": "/nodes/x", "value": {"kind": "timer", "config": {"for": "soon"}}},
        {"op": "add", "path": "/edges/e9", "value": {"from": "a", "to": "nowhere"}},
        {"op": "add", "path": "/nodes/y", "value": {"kind": "http", "config": {"url": "http://10.0.0.1/"}}},
    ]
    with pytest.raises(Invalid) as caught:
        await client.patch_tag("tale", {"operations": bad})
    places = " ".join(problem.path for problem in caught.value.problems)
    assert "/nodes/x/config" in places
    assert "/edges/e9" in places
    assert "/nodes/y/config/url" in places
    with pytest.raises(Invalid) as caught:
        await client.patch_tag("tale", {"operations": [{"op": "remove_node", "id": "none"}]})
    assert caught.value.problems[0].path.startswith("/operations/0")
    assert (await client.workflow("tale"))["version"] == "v1.0"


async def test_what_needs_a_person_waits_under_a_ticket_like_any(client: AsyncClient, verbs: Any, url: str) -> None:
    await client.push(TALE)
    secret = (await verbs.create_key(LOCAL, "ops", ("view", "patch", "approve")))["secret"]
    async with AsyncClient(url, secret, transport=Held()) as ops:
        asked = await ops.patch_tag("tale", {"operations": EMAIL, "reason": "tell them"})
        assert (asked["state"], asked["version"]) == ("proposed", "v1.0")
        assert asked["reasons"] == ["adds an effect that happens once: mail (notify)"]
        assert (await ops.patch_tag("tale", {"operations": EMAIL, "reason": "tell them"}))["ticket"] == asked["ticket"]
        [told] = await ops.tickets()
        assert (told["ticket_id"], told["workflow"], told["tag"]) == (asked["ticket"], "tale", "main")
        assert told["shown"] == asked["diff"]
        with pytest.raises(Refused, match="proposed this patch"):
            await ops.answer(asked["ticket"], "approve")
        assert (await client.workflow("tale"))["version"] == "v1.0"
    for _ in range(2):
        assert (await client.answer(asked["ticket"], "approve"))["choice"] == "approve"
    with pytest.raises(Conflict):
        await client.answer(asked["ticket"], "reject")
    found = await client.workflow("tale")
    assert (found["version"], "mail" in found["document"]["nodes"]) == ("v1.1", True)
    assert await client.tickets() == []


async def test_a_patch_of_a_tag_that_was_rejected_changes_nothing_and_may_be_proposed_again(
    client: AsyncClient, verbs: Any
) -> None:
    await client.push(TALE)
    first = await client.patch_tag("tale", {"operations": EMAIL})
    await verbs.answer(LOCAL, first["ticket"], "reject", reason="no")
    second = await client.patch_tag("tale", {"operations": EMAIL})
    assert (await client.workflow("tale"))["version"] == "v1.0"
    assert first["ticket"] != second["ticket"]
    await client.patch_tag("tale", {"operations": MORE})
    with pytest.raises(Conflict) as moved:
        await verbs.answer(LOCAL, second["ticket"], "approve")
    assert moved.value.code == "tag_moved"


async def test_who_decides_on_a_tag_has_the_roles_of_the_approvals_concerned(
    client: AsyncClient, verbs: Any, url: str
) -> None:
    guarded = {**TALE, "nodes": {**TALE["nodes"], "ok": {"kind": "approval", "config": {"role": "finance"}}},
               "edges": {**TALE["edges"], "e2": {"from": "a", "to": "ok"}}}  # fmt: skip
    await client.push(guarded)
    asked = await client.patch_tag("tale", {"operations": [{"op": "disconnect", "id": "e2"}]})
    assert (await client.ticket(asked["ticket"]))["roles"] == ["approve", "finance"]
    for roles in (("view", "approve"), ("view", "finance")):
        secret = (await verbs.create_key(LOCAL, "one", roles))["secret"]
        async with AsyncClient(url, secret, transport=Held()) as one:
            with pytest.raises(Refused, match="finance"):
                await one.answer(asked["ticket"], "approve")


async def test_a_wrong_author_and_a_key_without_the_role_are_refused(client: AsyncClient, verbs: Any, url: str) -> None:
    await client.push(TALE)
    with pytest.raises(Invalid, match="cannot be applied") as wrong:
        await client.patch_tag("tale", {"operations": [{"op": "disable", "id": "a"}], "kind": "oracle"})
    assert "/kind" in {problem.path for problem in wrong.value.problems}
    secret = (await verbs.create_key(LOCAL, "runner", ("view", "run")))["secret"]
    async with AsyncClient(url, secret) as runner:
        with pytest.raises(Refused, match="`patch`"):
            await runner.patch_tag("tale", {"operations": MORE})


async def test_a_patch_with_an_id_counts_once(client: AsyncClient) -> None:
    await client.push(TALE)
    await client.push(TALE, tag="calm")
    body = {"operations": MORE, "id": "p-1"}
    first, again = await asyncio.gather(client.patch_tag("tale", body), client.patch_tag("tale", body))
    assert first == again == await client.patch_tag("tale", body)
    assert (await client.workflow("tale"))["version"] == "v1.1"
    for tag, operations in (("main", EMAIL), ("calm", MORE)):
        with pytest.raises(Conflict) as caught:
            await client.patch_tag("tale", {"operations": operations, "id": "p-1"}, tag=tag)
        assert caught.value.code == "patch_exists"


async def test_a_patch_of_another_graph_than_the_tag_names_is_refused(client: AsyncClient) -> None:
    await client.push(TALE)
    base = (await client.patch_tag("tale", {"operations": MORE}))["graph"]
    await client.push(TALE)
    with pytest.raises(Conflict) as caught:
        await client.patch_tag("tale", {"operations": [{"op": "disable", "id": "a"}], "base": base})
    assert caught.value.code == "tag_moved"
    with pytest.raises(NotFound):
        await client.patch_tag("tale", {"operations": MORE}, tag="none")
    with pytest.raises(NotFound):
        await client.patch_tag("none", {"operations": MORE})


async def test_a_patch_of_a_tag_is_held_to_the_bounds(client: AsyncClient) -> None:
    await client.push(TALE)
    with pytest.raises(TooLarge, match="operations"):
        await client.patch_tag("tale", {"operations": [{"op": "test", "path": "/workflow", "value": "tale"}] * 257})
    long = {"op": "add", "path": "/description", "value": "x" * 100_000}
    for _ in range(2):
        await client.patch_tag("tale", {"operations": [long]})
    with pytest.raises(TooLarge, match="together"):
        await client.patch_tag("tale", {"operations": [long]})


async def test_a_patched_tag_is_as_it_was_after_a_restart(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "home") as home:
        await home.push(TALE)
        told = await home.views.patch_tag(home.who, "tale", "main", MORE, id="p-1")
        asked = await home.views.patch_tag(home.who, "tale", "main", EMAIL, id="p-2")
    async with aob.open(tmp_path / "home") as home:
        assert await home.views.patch_tag(home.who, "tale", "main", MORE, id="p-1") == told
        assert await home.views.patch_tag(home.who, "tale", "main", EMAIL, id="p-2") == asked
        assert [ticket["ticket_id"] for ticket in await home.views.tickets(home.who)] == [asked["ticket"]]
        run = await home.start("tale")
        await home.views.message(home.who, run.id, "go")
        assert (await run.done())["nodes"]["b"]["state"] == "completed"


async def test_only_an_admin_speaks_for_a_trusted_kind(tmp_path: Path) -> None:
    ops = Caller("default", "ops", frozenset({"view", "patch"}))
    async with aob.open(tmp_path / "home", patches={"trusted_kinds": ["optimizer"]}) as home:
        await home.push(TALE)
        with pytest.raises(Refused, match="`admin`"):
            await home.views.patch_tag(ops, "tale", "main", EMAIL, kind="optimizer")
        assert (await home.views.patch_tag(LOCAL, "tale", "main", EMAIL, kind="optimizer"))["version"] == "v1.1"
