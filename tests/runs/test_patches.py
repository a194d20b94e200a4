"""Verbs of patches: applied, held for a person, refused and kept, taken back, rebased; on a run that lives."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.core.errors import CallerError, Conflict, Invalid, NotFound, Refused, TooLarge
from tests.runs.home import (
    BOB,
    FINANCE,
    PATCHER,
    RUNNER,
    Deed,
    chain,
    finished,
    flow,
    fn,
    kinds,
    ticket_of,
    until,
)


def add(id: str, after: str, handler: str = "echo") -> list[dict[str, Any]]:
    """A patch that adds a node behind another."""
    return [{"op": "add_node", "id": id, "node": fn(handler)}, {"op": "connect", "from": after, "to": id}]


@pytest.fixture
async def held(app: App, deed: Deed) -> AsyncIterator[str]:
    """A run `a > b > c` whose `a` is at work until its gate opens."""
    await app.push(chain("one", "gated", "echo", "echo"))
    run = await app.start("one", {"n": 1})
    await deed.begins("a").wait()
    yield run.id
    deed.gate("a").set()
    if (await app.run(run.id))["status"] not in ("COMPLETED", "CANCELLED", "FAILED"):
        await app.views.cancel(app.who, run.id)


async def propose(app: App, run_id: str, operations: Any, **more: Any) -> dict[str, Any]:
    return await app.views.propose(app.who, run_id, {"operations": operations, **more})


async def test_a_valid_patch_applies_itself_and_the_run_goes_on_under_it(app: App, deed: Deed, held: str) -> None:
    told = await propose(app, held, add("d", "c"), reason="one more")
    deed.gate("a").set()
    run = await finished(app, held)
    assert (told["state"], told["version"]) == ("applied", "v1.1")
    assert set(told["diff"]["nodes"]["added"]) == {"d"}
    assert (run["status"], run["version"], run["nodes"]["d"]["state"]) == ("COMPLETED", "v1.1", "completed")
    whole = await app.views.patch(app.who, told["patch_id"])
    assert "d" not in whole["before"]["nodes"]
    assert "d" in whole["after"]["nodes"]
    assert (whole["reason"], whole["author"], whole["kind"]) == ("one more", "local", "person")


async def test_plain_rfc_6902_does_as_well(app: App, deed: Deed, held: str) -> None:
    operations = [
        {"op": "add", "path": "/nodes/d", "value": fn()},
        {"op": "add", "path": "/edges/c-d", "value": {"from": "c", "to": "d"}},
    ]
    assert (await propose(app, held, operations))["state"] == "applied"
    deed.gate("a").set()
    assert (await finished(app, held))["nodes"]["d"]["state"] == "completed"


class TestWhatNeedsAPerson:
    async def test_waits_and_is_applied_by_its_ticket(self, app: App, deed: Deed, held: str) -> None:
        told = await propose(app, held, add("d", "c", "once"))
        ticket = await ticket_of(app, held, "patch")
        assert (told["state"], ticket["patch_id"], ticket["role"]) == ("proposed", told["patch_id"], "approve")
        assert (await app.run(held))["version"] == "v1.0"
        with pytest.raises(Refused):
            await app.views.answer(FINANCE, ticket["ticket_id"], "approve")
        await app.answer(ticket["ticket_id"], "approve", "fine")
        shown = await app.views.patch(app.who, told["patch_id"])
        deed.gate("a").set()
        deed.gate("d").set()
        assert (shown["state"], shown["by"]) == ("applied", "local")
        assert (await finished(app, held))["nodes"]["d"]["output"] == "done"

    async def test_is_applied_by_its_own_id_once(self, app: App, held: str) -> None:
        id = (await propose(app, held, add("d", "c", "once")))["patch_id"]
        assert (await app.views.approve_patch(app.who, id))["state"] == "applied"
        assert (await app.views.approve_patch(app.who, id))["state"] == "applied"
        with pytest.raises(Conflict) as caught:
            await app.views.reject_patch(app.who, id)
        assert caught.value.code == "patch_closed"
        assert kinds(await app.views.timeline(app.who, held)).count("patch_applied") == 1

    async def test_may_be_rejected(self, app: App, deed: Deed, held: str) -> None:
        id = (await propose(app, held, add("d", "c", "once")))["patch_id"]
        rejected = await app.views.reject_patch(app.who, id, reason="no")
        deed.gate("a").set()
        run = await finished(app, held)
        assert (rejected["state"], "d" in run["nodes"], run["version"]) == ("rejected", False, "v1.0")
        with pytest.raises(Conflict):
            await app.views.approve_patch(app.who, id)

    @pytest.mark.parametrize("who", [RUNNER, FINANCE])
    async def test_is_not_for_everybody(self, app: App, held: str, who: Any) -> None:
        id = (await propose(app, held, add("d", "c", "once")))["patch_id"]
        for verb in (app.views.approve_patch, app.views.reject_patch):
            with pytest.raises(Refused):
                await verb(who, id)

    async def test_is_withdrawn_with_its_run(self, app: App, deed: Deed, held: str) -> None:
        id = (await propose(app, held, add("d", "c", "once")))["patch_id"]
        deed.gate("a").set()
        await finished(app, held)
        with pytest.raises(Conflict):
            await app.views.approve_patch(app.who, id)
        assert await app.views.tickets(app.who) == []

    async def test_is_shown_anew_when_what_was_shown_would_not_be_what_happens(self, app: App, held: str) -> None:
        """Somebody changes the node that the patch replaces: the diff that was approved is no longer the one."""
        id = (await propose(app, held, [{"op": "replace", "path": "/nodes/c", "value": fn("once")}]))["patch_id"]
        await propose(app, held, [{"op": "add", "path": "/nodes/c/labels", "value": {"x": "y"}}])
        with pytest.raises(Invalid):
            await app.views.approve_patch(app.who, id)  # both write node c
        assert (await app.views.patch(app.who, id))["state"] == "proposed"


class TestAnInvalidPatch:
    @pytest.mark.parametrize(
        "operations",
        [
            [{"op": "remove", "path": "/nodes/a"}],
            [{"op": "add", "path": "/nodes/x", "value": {"kind": "nothing"}}],
            [{"op": "connect", "from": "c", "to": "b"}],
            [{"op": "zzz"}],
            [{"op": "add_node", "id": "x", "node": fn("nobody")}],
            [{"op": "test", "path": "/nodes/b/kind", "value": "http"}],
            [{"op": "replace", "path": "/nodes/zzz", "value": 1}],
        ],
    )  # fmt: skip
    async def test_is_told_why_and_kept_for_review(self, app: App, held: str, operations: Any) -> None:
        with pytest.raises(Invalid) as caught:
            await propose(app, held, operations)
        kept = await app.views.patch(app.who, caught.value.fields["patch_id"])
        assert kept["state"] == "invalid"
        assert [p["message"] for p in kept["problems"]] == [p.message for p in caught.value.problems]
        assert caught.value.problems
        assert (await app.run(held))["version"] == "v1.0"

    async def test_says_where_it_may_be_done_instead(self, app: App, held: str) -> None:
        with pytest.raises(Invalid, match="fork"):
            await propose(app, held, [{"op": "replace_config", "id": "a", "config": {"handler": "echo"}}])

    @pytest.mark.parametrize("body", [{}, {"operations": 7}, {"operations": [], "kind": 5}, {"operations": "x"}, [], 7])
    async def test_that_is_none_is_refused(self, app: App, held: str, body: Any) -> None:
        with pytest.raises(CallerError):
            await app.views.propose(app.who, held, body)

    async def test_over_its_bounds_is_refused(self, app: App, held: str) -> None:
        many = [{"op": "test", "path": "/workflow", "value": "one"}] * 257
        with pytest.raises(CallerError, match="at most 256"):
            await propose(app, held, many)
        with pytest.raises(TooLarge):
            await propose(app, held, [{"op": "add", "path": "/nodes/b/labels", "value": {"x": "y" * 300_000}}])
        deep: Any = 1
        for _ in range(100):
            deep = [deep]
        with pytest.raises(CallerError):
            await propose(app, held, [{"op": "add", "path": "/nodes/b/config/x", "value": deep}])


async def test_a_finished_run_is_history(app: App) -> None:
    await app.push(chain("one", "echo"))
    run = await finished(app, (await app.start("one", 1)).id)
    with pytest.raises(Conflict, match="fork") as caught:
        await propose(app, run["run_id"], add("b", "a"))
    assert caught.value.code == "run_finished"


class TestAnId:
    async def test_makes_a_patch_count_once(self, app: App, held: str) -> None:
        first = await propose(app, held, add("d", "c"), id="fix")
        again = await propose(app, held, add("d", "c"), id="fix")
        assert (first["patch_id"], again["version"]) == (again["patch_id"], "v1.1")
        with pytest.raises(Conflict):
            await propose(app, held, add("e", "c"), id="fix")

    async def test_counts_within_its_run(self, app: App, held: str, deed: Deed) -> None:
        other = await app.start("one", 2)
        first = await propose(app, held, add("d", "c", "once"), id="fix")
        second = await propose(app, other.id, add("d", "c", "once"), id="fix")
        assert first["patch_id"] != second["patch_id"]
        assert (await app.views.approve_patch(app.who, second["patch_id"]))["run_id"] == other.id


class TestABase:
    async def test_of_now_is_taken(self, app: App, held: str) -> None:
        base = (await app.run(held))["graph_hash"]
        assert (await propose(app, held, add("d", "c"), base=base))["state"] == "applied"

    async def test_of_before_is_rebased_where_nothing_meets(self, app: App, deed: Deed, held: str) -> None:
        base = (await app.run(held))["graph_hash"]
        await propose(app, held, add("d", "c"), base=base)
        assert (await propose(app, held, add("e", "b"), base=base))["version"] == "v1.2"
        deed.gate("a").set()
        assert {"d", "e"} <= set((await finished(app, held))["nodes"])

    async def test_of_before_is_refused_where_both_write(self, app: App, held: str) -> None:
        base = (await app.run(held))["graph_hash"]
        await propose(app, held, [{"op": "replace_config", "id": "b", "config": {"handler": "plain"}}], base=base)
        with pytest.raises(Invalid) as caught:
            await propose(app, held, [{"op": "remove_node", "id": "b"}], base=base)
        assert {p.code for p in caught.value.problems} == {"patch_conflict"}

    async def test_of_elsewhere_is_unknown(self, app: App, held: str) -> None:
        with pytest.raises(Invalid) as caught:
            await propose(app, held, add("d", "c"), base="0" * 64)
        assert [p.code for p in caught.value.problems] == ["unknown_base"]


class TestARollback:
    async def test_gives_the_graph_of_before(self, app: App, deed: Deed, held: str) -> None:
        before = (await app.run(held))["graph_hash"]
        id = (await propose(app, held, add("d", "c")))["patch_id"]
        told = await app.views.rollback(app.who, id)
        run = await app.run(held)
        deed.gate("a").set()
        assert (told["state"], told["rollback_of"], run["graph_hash"]) == ("applied", id, before)
        assert (await app.views.patch(app.who, id))["state"] == "rolled_back"
        assert "d" not in (await finished(app, held))["nodes"]

    async def test_twice_is_told(self, app: App, held: str) -> None:
        id = (await propose(app, held, add("d", "c")))["patch_id"]
        first = await app.views.rollback(app.who, id)
        assert (await app.views.rollback(app.who, id))["patch_id"] == first["patch_id"]

    async def test_is_refused_with_those_that_need_it(self, app: App, held: str) -> None:
        first = (await propose(app, held, add("d", "c")))["patch_id"]
        second = (await propose(app, held, add("e", "d")))["patch_id"]
        with pytest.raises(Conflict, match="cascade") as caught:
            await app.views.rollback(app.who, first)
        assert caught.value.fields["patches"] == [second]

    async def test_takes_along_only_those(self, app: App, held: str) -> None:
        ids = [
            (await propose(app, held, add(*pair)))["patch_id"]
            for pair in (("d", "c"), ("x", "b"), ("e", "d"), ("f", "e"))
        ]
        await app.views.rollback(app.who, ids[0], cascade=True)
        states = {p["patch_id"]: p["state"] for p in await app.views.patches(app.who, held)}
        assert [states[id] for id in ids] == ["rolled_back", "applied", "rolled_back", "rolled_back"]
        assert set((await app.run(held))["graph"]["nodes"]) == {"a", "b", "c", "x"}

    async def test_of_what_has_begun_says_so(self, app: App, deed: Deed, held: str) -> None:
        id = (await propose(app, held, add("d", "a", "gated")))["patch_id"]
        await app.views.approve_patch(app.who, id)  # an effect more is for a person to decide
        deed.gate("a").set()
        await deed.begins("d").wait()
        with pytest.raises(CallerError):
            await app.views.rollback(app.who, id)
        deed.gate("d").set()
        await finished(app, held)

    async def test_that_was_rejected_may_be_asked_for_again(self, app: App, held: str) -> None:
        removed = [{"op": "remove_node", "id": "c"}]
        await app.push(flow("two", {"a": fn("gated"), "b": fn(), "c": fn("once")}, "a>b", "b>c"))
        run = await app.start("two")
        id = (await propose(app, run.id, removed))["patch_id"]
        await app.views.approve_patch(app.who, id)
        first = await app.views.rollback(app.who, id)  # it brings a `once` effect back: a person is asked
        await app.views.reject_patch(app.who, first["patch_id"])
        second = await app.views.rollback(app.who, id)
        assert (first["state"], second["state"]) == ("proposed", "proposed")
        assert first["patch_id"] != second["patch_id"]
        assert (await app.views.approve_patch(app.who, second["patch_id"]))["state"] == "applied"
        await app.views.cancel(app.who, run.id)


async def test_a_trusted_kind_is_not_for_everybody_to_claim(tmp_path: Path, deed: Deed) -> None:
    async with aob.open(tmp_path, app=deed.handlers(), patches={"trusted_kinds": ["optimizer"]}) as app:
        await app.push(chain("one", "gated", "echo"))
        run = await app.start("one")
        body = {"operations": add("c", "b", "once"), "kind": "optimizer"}
        with pytest.raises(Refused):
            await app.views.propose(PATCHER, run.id, body)
        assert (await app.views.propose(app.who, run.id, body))["state"] == "applied"
        await app.views.cancel(app.who, run.id)


async def test_patches_of_another_tenant_are_not_there(app: App, held: str) -> None:
    id = (await propose(app, held, add("d", "c", "once")))["patch_id"]
    verbs = (app.views.patch, app.views.approve_patch, app.views.reject_patch, app.views.rollback)
    for verb in verbs:
        with pytest.raises(NotFound) as caught:
            await verb(BOB, id)
        assert caught.value.code == "patch_not_found"
    with pytest.raises(NotFound):
        await app.views.propose(BOB, held, {"operations": add("e", "c")})


async def test_patches_stand_over_a_restart(tmp_path: Path, deed: Deed) -> None:
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        await app.push(flow("p", {"w": {"kind": "wait", "config": {"message": "m"}}, "b": fn()}, "w>b"))
        run = await app.start("p")
        await until(app, run.id, "wait_opened")
        applied = (await propose(app, run.id, add("c", "b")))["patch_id"]
        waiting = (await propose(app, run.id, add("d", "c", "once")))["patch_id"]
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        assert (await app.views.patch(app.who, applied))["state"] == "applied"
        assert (await app.views.approve_patch(app.who, waiting))["state"] == "applied"
        deed.gate("d").set()
        await app.views.message(app.who, run.id, "m", payload=5)
        ended = await finished(app, run.id)
        assert (ended["version"], ended["nodes"]["d"]["output"]) == ("v1.2", "done")
    async with aob.open(tmp_path, app=deed.handlers()) as app:  # the run is no longer in memory
        assert (await app.views.patch(app.who, applied))["version"] == "v1.1"
        with pytest.raises(NotFound) as caught:
            await app.views.patch(BOB, applied)
        assert caught.value.code == "patch_not_found"
        assert len(await app.views.patches(app.who, run.id)) == 2


async def test_an_approval_holds_under_the_rules_that_it_was_given_under(tmp_path: Path, deed: Deed) -> None:
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        await app.push(flow("p", {"w": {"kind": "wait", "config": {"message": "m"}}, "b": fn()}, "w>b"))
        run = await app.start("p")
        id = (await propose(app, run.id, add("c", "b", "once")))["patch_id"]
        first = await ticket_of(app, run.id, "patch")
    async with aob.open(tmp_path, app=deed.handlers(), patches={"agents_max": 1}) as app:
        assert (await app.views.approve_patch(app.who, id))["state"] == "proposed"
        (again,) = await app.views.tickets(app.who)
        assert again["ticket_id"] != first["ticket_id"]
        assert "shown again" in again["text"]
        await app.answer(again["ticket_id"], "approve")
        assert (await app.views.patch(app.who, id))["state"] == "applied"
        await app.views.cancel(app.who, run.id)
