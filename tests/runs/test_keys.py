"""Verbs of keys: a secret is shown once, opens what its roles open, in its tenant, until it is taken back."""

from pathlib import Path
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.core.errors import CallerError, Invalid, NotFound, Refused
from tests.runs.home import BOB, VIEWER, Deed


async def test_a_secret_stands_for_its_caller(app: App) -> None:
    made = await app.views.create_key(app.who, "ann", ["view", "run"])
    caller = app.views.authenticate(made["secret"])
    assert caller is not None
    assert (caller.name, caller.tenant, caller.roles) == ("ann", "default", frozenset({"view", "run"}))
    assert app.views.authenticate(made["secret"] + "x") is None
    assert app.views.authenticate("") is None


async def test_a_secret_is_kept_nowhere(app: App) -> None:
    made = await app.views.create_key(app.who, "ann", ["view"])
    assert made["secret"] not in str(await app.views.list_keys(app.who))
    for path in app.home.rglob("*"):
        assert not path.is_file() or made["secret"].encode() not in path.read_bytes()


async def test_a_key_that_was_taken_back_opens_nothing_also_after_a_restart(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        gone = await app.views.create_key(app.who, "ann", ["view"])
        kept = await app.views.create_key(app.who, "ben", ["view"])
        await app.views.revoke_key(app.who, gone["id"])
        await app.views.revoke_key(app.who, gone["id"])
        assert app.views.authenticate(gone["secret"]) is None
    async with aob.open(tmp_path) as app:
        assert app.views.authenticate(gone["secret"]) is None
        assert app.views.authenticate(kept["secret"]) is not None
        assert {key["name"]: key["active"] for key in await app.views.list_keys(app.who)} == {"ann": False, "ben": True}


async def test_only_an_admin_makes_lists_and_takes_back(app: App) -> None:
    with pytest.raises(Refused):
        await app.views.create_key(VIEWER, "x", ["view"])
    with pytest.raises(Refused):
        await app.views.list_keys(VIEWER)
    with pytest.raises(Refused):
        await app.views.revoke_key(VIEWER, "key_x")


async def test_keys_of_another_tenant_are_made_by_the_owner_of_the_home_only(app: App) -> None:
    made = await app.views.create_key(app.who, "bob", ["admin"], "other")
    bob = app.views.authenticate(made["secret"])
    assert bob is not None
    assert bob.tenant == "other"
    with pytest.raises(Refused):
        await app.views.create_key(bob, "evil", ["admin"], "default")
    own = await app.views.create_key(bob, "mine", ["view"])
    assert own["tenant"] == "other"


async def test_keys_of_another_tenant_are_not_there(app: App) -> None:
    mine = await app.views.create_key(app.who, "ann", ["view"])
    assert await app.views.list_keys(BOB) == []
    with pytest.raises(NotFound):
        await app.views.revoke_key(BOB, mine["id"])


@pytest.mark.parametrize(
    ("name", "roles", "tenant"),
    [
        ("", ["view"], None), ("x" * 101, ["view"], None), (7, ["view"], None), ("a\n", ["view"], None),
        ("a", [], None), ("a", ["no role"], None), ("a", "view", None), ("a", [7], None), ("a", ["view"] * 40, None),
        ("a", ["view"], ""), ("a", ["view"], "../x"), ("a", ["view"], "a/b"), ("a", ["view"], 7),
    ],
)  # fmt: skip
async def test_what_is_no_name_role_or_tenant_is_refused(app: App, name: Any, roles: Any, tenant: Any) -> None:
    with pytest.raises(CallerError):
        await app.views.create_key(app.who, name, roles, tenant)


async def test_many_keys_are_told_apart(app: App, deed: Deed) -> None:
    made = [await app.views.create_key(app.who, f"k{n}", ["view"]) for n in range(50)]
    names = [caller.name for key in made if (caller := app.views.authenticate(key["secret"]))]
    assert names == [f"k{n}" for n in range(50)]


@pytest.mark.parametrize(("role", "meant"), [("deplyo", "deploy"), ("Approve", "approve")])
async def test_a_misspelt_role_is_refused_for_a_key_and_for_an_approval(app: App, role: str, meant: str) -> None:
    with pytest.raises(Invalid) as refused:
        await app.views.create_key(app.who, "ann", ["view", role])
    (problem,) = refused.value.problems
    assert (problem.path, problem.hint) == ("/roles/1", f"did you mean `{meant}`?")
    with pytest.raises(Invalid) as refused:
        await app.views.push(app.who, asking(role))
    assert [each.path for each in refused.value.problems] == [
        "/nodes/ask/config/role", "/nodes/ask/config/escalate/0/role",
    ]  # fmt: skip
    assert all(each.hint == f"did you mean `{meant}`?" for each in refused.value.problems)


async def test_a_role_that_nobody_has_is_told_at_the_push(app: App) -> None:
    (told,) = (await app.views.push(app.who, asking("finance")))["warnings"]
    assert "aob key create NAME --role finance" in told
    await app.views.create_key(app.who, "ann", ["finance"])
    assert (await app.views.push(app.who, asking("finance")))["warnings"] == []
    (told,) = (await app.views.push(app.who, asking("finace")))["warnings"]
    assert told == "no key has the role `finace`: did you mean `finance`?"
    app.views.core.roles_elsewhere = {"default": frozenset({"finace"}), "other": frozenset({"legal"})}
    assert (await app.views.push(app.who, asking("finace")))["warnings"] == []
    assert (await app.views.push(app.who, asking("legal")))["warnings"]


async def test_what_was_accepted_with_a_misspelt_role_goes_on(app: App) -> None:
    await app.views.push(app.who, asking("Approve"), rules=1)
    assert (await app.views.start(app.who, "asking", {}))["run_id"]


def asking(role: str) -> dict[str, Any]:
    rung = {"after": "1h", "do": "reassign", "role": role}
    return {
        "workflow": "asking",
        "nodes": {"ask": {"kind": "approval", "config": {"role": role, "text": "?", "escalate": [rung]}}},
    }
