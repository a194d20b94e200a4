"""Who decides a ticket: its roles and nothing else, nobody whom it bars; keys, links and what is dead with a key."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

import aob
from aob.compose import App
from aob.core.errors import Invalid, Refused
from aob.core.policy import LOCAL, Caller
from aob.runs.keys import hashed
from aob.runs.laws import keyring
from aob.server import create_app
from tests.runs.home import Deed, chain, flow, fn, ticket_of

ONCE = [{"op": "add_node", "id": "pay", "node": {"kind": "function", "config": {"handler": "once"}}},
        {"op": "connect", "from": "b", "to": "pay"}]  # fmt: skip


async def caller(app: App, name: str, *roles: str) -> Caller:
    made = await app.views.create_key(LOCAL, name, list(roles))
    found = app.views.authenticate(made["secret"])
    assert found
    return found


async def asking(app: App, by: Caller, **config: Any) -> dict[str, Any]:
    """The ticket of a run that `by` started."""
    nodes = {"ok": {"kind": "approval", "config": config}, "b": fn()}
    await app.push(flow("asking", nodes, "ok>b:approved"))
    run = await app.views.start(by, "asking", {})
    return await ticket_of(app, run["run_id"])


async def test_an_approval_is_decided_by_its_role_and_nothing_else(app: App) -> None:
    ticket = await asking(app, LOCAL, role="finance")
    ada = await caller(app, "ada", "view", "run", "deploy", "approve", "patch")
    with pytest.raises(Refused, match="`finance`"):
        await app.views.answer(ada, ticket["ticket_id"], "approve")
    bob = await caller(app, "bob", "finance")
    assert (await app.views.answer(bob, ticket["ticket_id"], "approve"))["by"] == "bob"


@pytest.mark.parametrize("role", ["", "view", "patch", "run", "deploy"])
async def test_an_approval_without_a_role_asks_for_approve(app: App, role: str) -> None:
    ticket = await asking(app, LOCAL)
    weak = await caller(app, "weak", role or "finance")
    with pytest.raises(Refused, match="`approve`"):
        await app.views.answer(weak, ticket["ticket_id"], "approve")


async def test_an_admin_decides_whatever_the_role(app: App) -> None:
    ticket = await asking(app, LOCAL, role="finance")
    root = await caller(app, "root", "admin")
    assert (await app.views.answer(root, ticket["ticket_id"], "reject"))["choice"] == "reject"


async def test_the_starter_of_a_run_is_barred_where_the_approval_says_so(app: App) -> None:
    ada, bob = await caller(app, "ada", "run", "approve"), await caller(app, "bob", "approve")
    ticket = await asking(app, ada, **{"not": ["starter"]})
    assert ticket["not"] == ["starter"]
    with pytest.raises(Refused, match="started the run") as caught:
        await app.views.answer(ada, ticket["ticket_id"], "approve")
    assert caught.value.code == "not_you"
    assert (await app.views.answer(bob, ticket["ticket_id"], "approve"))["by"] == "bob"


async def test_another_key_of_the_same_name_is_barred_too_but_not_as_the_key_that_proposed(
    app: App, deed: Deed
) -> None:
    ada, again = [await caller(app, "ada", *roles) for roles in (("run", "patch", "approve"), ("approve",))]
    ticket = await asking(app, ada, **{"not": ["starter"]})
    with pytest.raises(Refused, match="started the run"):
        await app.views.answer(again, ticket["ticket_id"], "approve")
    patch, _ = await proposed(app, ada)
    assert (await app.views.approve_patch(again, patch))["state"] == "applied"
    deed.release()


async def test_an_author_is_barred_whether_of_the_document_or_of_a_patch(app: App) -> None:
    ada, bob, eve = [await caller(app, name, "deploy", "patch", "approve") for name in ("ada", "bob", "eve")]
    nodes = {"ok": {"kind": "approval", "config": {"not": ["author"]}}, "b": fn()}
    await app.views.push(ada, flow("written", nodes, "ok>b:approved"))
    run = await app.start("written")
    ticket = (await ticket_of(app, run.id))["ticket_id"]
    told = await app.views.propose(bob, run.id, {"operations": [{"op": "disable", "id": "b"}]})
    if told["state"] == "proposed":
        await app.views.approve_patch(eve, told["patch_id"])
    for author in (ada, bob):
        with pytest.raises(Refused, match="wrote a part"):
            await app.views.answer(author, ticket, "approve")
    assert (await app.views.answer(eve, ticket, "approve"))["by"] == "eve"


async def proposed(app: App, by: Caller, starter: Caller = LOCAL) -> tuple[str, str]:
    """A patch that needs a person, and its ticket."""
    await app.push(chain("held", "gated", "echo"))
    run = await app.views.start(starter, "held", {})
    told = await app.views.propose(by, run["run_id"], {"operations": ONCE})
    assert told["state"] == "proposed"
    return told["patch_id"], (await ticket_of(app, run["run_id"], "patch"))["ticket_id"]


async def test_a_patch_is_not_decided_by_the_key_that_proposed_it(app: App, deed: Deed) -> None:
    ada, bob = await caller(app, "ada", "patch", "approve"), await caller(app, "bob", "approve")
    patch, ticket = await proposed(app, ada)
    for decide in (app.views.approve_patch(ada, patch), app.views.answer(ada, ticket, "approve")):
        with pytest.raises(Refused, match="proposed this patch"):
            await decide
    assert (await app.views.approve_patch(bob, patch))["state"] == "applied"
    deed.release()


async def test_a_patch_is_decided_with_the_role_approve_not_with_patch(app: App, deed: Deed) -> None:
    ada, bob = await caller(app, "ada", "patch"), await caller(app, "bob", "patch", "view", "run", "deploy")
    patch, ticket = await proposed(app, ada)
    for decide in (app.views.approve_patch(bob, patch), app.views.answer(bob, ticket, "approve")):
        with pytest.raises(Refused, match="approve"):
            await decide
    deed.release()


async def test_in_this_process_and_without_a_key_one_person_does_both(app: App, deed: Deed) -> None:
    patch, _ = await proposed(app, LOCAL)
    assert (await app.views.approve_patch(LOCAL, patch))["state"] == "applied"
    deed.release()


async def test_with_four_eyes_the_starter_decides_on_no_patch(tmp_path: Path, deed: Deed) -> None:
    async with aob.open(tmp_path / "eyes", app=deed.handlers(), patches={"four_eyes": True}) as app:
        ada, bob, eve = [await caller(app, name, "run", "patch", "approve") for name in ("ada", "bob", "eve")]
        patch, _ = await proposed(app, bob, starter=ada)
        with pytest.raises(Refused, match="started the run"):
            await app.views.approve_patch(ada, patch)
        assert (await app.views.approve_patch(eve, patch))["state"] == "applied"
        deed.release()


@pytest.fixture
async def http(app: App) -> AsyncIterator[httpx.AsyncClient]:
    served = create_app(app.views, app.metrics, link_secrets=(b"s" * 32,))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://127.0.0.1") as client:
        yield client


async def test_a_link_may_what_its_maker_may_and_is_dead_with_the_key_of_its_maker(
    app: App, http: httpx.AsyncClient
) -> None:
    ticket = await asking(app, LOCAL, role="finance")
    weak = await app.views.create_key(LOCAL, "weak", ["view", "approve"])
    maker = await app.views.create_key(LOCAL, "maker", ["finance"])
    links = f"/v1/tickets/{ticket['ticket_id']}/links"
    assert (await http.post(links, headers={"x-api-key": weak["secret"]})).status_code == 403
    urls = [
        (await http.post(links, headers={"x-api-key": maker["secret"]}, json={"to": "ada"})).json()["url"]
        for _ in range(2)
    ]
    assert (await http.get(urls[0])).status_code == 200
    await app.views.revoke_key(LOCAL, maker["id"])
    dead = await http.post(urls[0], json={"choice": "approve"})
    assert (dead.status_code, dead.json()["code"]) == (403, "link_dead")
    assert (await app.views.ticket(LOCAL, ticket["ticket_id"]))["state"] == "open"


async def test_a_link_leaves_the_key_of_its_maker_in_the_record(app: App, http: httpx.AsyncClient) -> None:
    ticket = await asking(app, LOCAL)
    maker = await app.views.create_key(LOCAL, "maker", ["approve"])
    made = await http.post(
        f"/v1/tickets/{ticket['ticket_id']}/links", headers={"x-api-key": maker["secret"]}, json={"to": "ada"}
    )
    assert (await http.post(made.json()["url"], json={"choice": "approve"})).status_code == 200
    run = app.views.core.journal.streams[ticket["run_id"]].state
    (answered,) = run.tickets.values()
    assert (answered.by, answered.key) == ("link:ada", maker["id"])


async def test_a_starter_who_is_barred_makes_no_link_either(app: App, http: httpx.AsyncClient) -> None:
    made = await app.views.create_key(LOCAL, "ada", ["run", "approve"])
    ada = app.views.authenticate(made["secret"])
    assert ada
    ticket = await asking(app, ada, **{"not": ["starter"]})
    refused = await http.post(
        f"/v1/tickets/{ticket['ticket_id']}/links", headers={"x-api-key": made["secret"]}, json={"to": "eve"}
    )
    assert (refused.status_code, refused.json()["code"]) == (403, "not_you")


async def test_keys_of_before_with_run_may_deploy_and_the_list_says_so(app: App) -> None:
    secret = "aob_" + "k" * 32
    journal = app.views.core.journal
    command = keyring.CreateKey("key_old", "old", "default", ("view", "run"), hashed(secret), "local")
    await journal.ask(keyring.KEYRING, command)
    ring = app.views.core.key_law.ring
    ring["key_old"] = (msgspec.structs.replace(ring["key_old"][0], rules=0), True)
    old = app.views.authenticate(secret)
    assert old
    assert old.roles == {"view", "run", "deploy"}
    (row,) = [row for row in await app.views.list_keys(LOCAL) if row["id"] == "key_old"]
    assert "deploy" in row["roles"]
    assert "before `deploy`" in row["note"]
    new = await caller(app, "new", "view", "run")
    with pytest.raises(Refused, match="`deploy`"):
        await app.views.push(new, flow("w", {"a": fn()}))


@pytest.mark.parametrize("role", ["", "no role", "r2", "a+b", "x" * 65, "-a", "a-"])
async def test_a_role_of_ones_own_is_made_of_letters(app: App, role: str) -> None:
    with pytest.raises(Invalid):
        await app.views.create_key(LOCAL, "k", [role])


@pytest.mark.parametrize("role", ["finance", "Finanzen", "two-words", "rôle"])
async def test_any_name_of_letters_is_a_role(app: App, role: str) -> None:
    assert (await app.views.create_key(LOCAL, "k", [role]))["roles"] == [role]
