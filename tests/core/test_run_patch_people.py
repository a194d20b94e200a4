"""SEMANTICS 4.2 to 4.4: rebase and conflict, approval of the diff that was shown, rollback, agents that hold."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from aob.core.errors import Conflict, Invalid, NotFound, Refused
from aob.core.policy import Caller
from aob.core.policy.patch import PatchRules
from aob.core.run.record import commands as cmd
from aob.core.run.record import events as ev
from tests.core.run_desk import ANN, Desk, approval, edge, edges, flow, function, named

CHAIN = flow({"a": function(), "b": function(), "c": function()}, edges("a b", "b c"))
AGENT = {"kind": "agent", "config": {"task": "help"}}
WAIT = {"kind": "wait", "config": {"message": "m"}}
VIEWER = Caller("default", "vic", frozenset({"view"}))


def add(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


def drop(path: str) -> dict[str, Any]:
    return {"op": "remove", "path": path}


def node(name: str, after: str, **fields: Any) -> list[dict[str, Any]]:
    return [add(f"/nodes/{name}", function(**fields)), add(f"/edges/{after}_{name}", edge(after, name))]


def once(name: str = "pay", after: str = "c") -> list[dict[str, Any]]:
    return node(name, after, effect="once")


# -- rebase -------------------------------------------------------------------------------------------------------


def test_a_patch_on_an_older_version_is_put_on_top_when_it_is_disjoint() -> None:
    desk = Desk(CHAIN)
    base = desk.hash
    desk.apply(node("d", "c"))
    desk.apply(node("e", "b"), base=base)
    assert set(desk.given.graphs.ir(2).nodes) == set("abcde")


def test_a_patch_that_another_one_stands_in_the_way_of_shows_the_conflict() -> None:
    desk = Desk(CHAIN)
    base = desk.hash
    desk.apply([add("/nodes/c/description", "one")])
    assert desk.propose([add("/nodes/c/description", "two")], base=base) == "invalid"
    assert {problem["code"] for problem in desk.problems("patch_2")} == {"patch_conflict"}


def test_a_patch_refers_to_the_ends_of_its_edges() -> None:
    desk = Desk(CHAIN)
    base = desk.hash
    desk.apply([drop("/edges/e2"), drop("/nodes/c")])
    assert desk.propose(node("d", "c"), base=base) == "invalid"


def test_a_rebased_patch_passes_all_checks_again() -> None:
    desk = Desk(CHAIN)
    base = desk.hash
    desk.apply([add("/nodes/c/description", "x")])
    desk.complete("a")
    assert desk.propose([add("/nodes/b/disabled", True)], base=base) == "invalid"
    assert {problem["code"] for problem in desk.problems("patch_2")} == {"frozen"}


def test_an_unknown_base_is_said_so() -> None:
    desk = Desk(CHAIN)
    assert desk.propose(node("d", "c"), base="0" * 64) == "invalid"
    assert {problem["code"] for problem in desk.problems("patch_1")} == {"unknown_base"}


# -- approval -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operations", [once(), [add("/nodes/helper", AGENT), add("/edges/x", edge("c", "helper"))]])
def test_what_a_person_has_to_see_waits_for_one(operations: list[dict[str, Any]]) -> None:
    desk = Desk(CHAIN)
    assert desk.propose(operations) == "proposed"
    ticket = desk.ticket()
    assert (ticket.subject, ticket.about, ticket.role) == ("patch", "patch_1", "approve")
    assert desk.run.graph_ops == []
    with pytest.raises(Refused):
        desk.answer("approve", who=VIEWER)
    desk.answer("approve")
    assert desk.run.patches["patch_1"].state == "applied"
    assert len(desk.run.graph_ops) == 1


def test_the_ticket_names_the_way_and_has_the_roles_of_the_approvals_concerned() -> None:
    asks = approval(config={"role": "finance", "not": ["starter"]}, input={"n": "nodes.a.output"})
    desk = Desk(flow({"w": WAIT, "a": function(), "ok": asks}, edges("w a", "a ok")))
    assert desk.propose([add("/nodes/a/input", {"value": "0"})], author="agent") == "proposed"
    ticket = desk.ticket()
    way = "changes what the approval `ok` depends on: a.input -> ok.input"
    assert ticket.text == f"agent wants to change the graph ({way}): because"
    assert (ticket.needed, ticket.barred) == (("approve", "finance"), ["starter"])
    for roles in ({"approve"}, {"finance"}, {"patch", "run"}):
        with pytest.raises(Refused):
            desk.answer("approve", who=Caller("default", "bo", frozenset(roles)))
    desk.answer("approve", who=Caller("default", "bo", frozenset({"approve", "finance"})))
    assert desk.run.patches["patch_1"].state == "applied"


def test_what_was_decided_is_no_reason_any_more() -> None:
    desk = Desk(flow({"a": function(), "pay": function(effect="once"), "c": function()}, edges("a pay", "pay c")))
    assert desk.propose([add("/nodes/c/input", {"v": "1"})]) == "applied", "it comes after the effect"
    desk.complete("a")
    desk.complete("pay")
    assert desk.propose([*node("d", "a"), add("/timeout", "1h")]) == "applied"


def test_a_rejected_patch_changes_nothing() -> None:
    desk = Desk(CHAIN)
    desk.propose(once())
    desk.answer("reject", reason="no")
    patch = desk.run.patches["patch_1"]
    assert (patch.state, patch.note, desk.run.graph_ops) == ("rejected", "no", [])
    with pytest.raises(Conflict):
        desk.answer("approve", ticket=next(iter(desk.run.tickets)))


def test_a_patch_is_decided_by_its_own_id_too() -> None:
    desk = Desk(CHAIN)
    desk.propose(once())
    close = cmd.ClosePatch("patch_1", "approve", ANN)
    desk.do(close)
    assert desk.do(close) == []
    with pytest.raises(Conflict):
        desk.do(cmd.ClosePatch("patch_1", "reject", ANN))
    with pytest.raises(NotFound):
        desk.do(cmd.ClosePatch("patch_9", "approve", ANN))


def test_an_approval_binds_the_diff_that_was_shown() -> None:
    desk = Desk(CHAIN)
    desk.propose(
        [add("/nodes/pay", function(effect="once")), add("/edges/x", edge("c", "pay")), add("/description", "v1")]
    )
    shown = desk.ticket()
    desk.apply([add("/description", "theirs")])
    with pytest.raises(Invalid):
        desk.answer("approve")
    assert desk.ticket() == shown


def test_a_patch_that_concerns_further_approvals_by_now_is_shown_to_their_roles() -> None:
    wait = {"kind": "wait", "config": {"message": "m"}}
    desk = Desk(flow({"w": wait, "a": function(), "pay": function(effect="once")}, edges("w a", "a pay")))
    assert desk.propose([add("/edges/way", edge("w", "pay"))]) == "proposed"
    first = desk.ticket()
    assert first.needed == ("approve",)
    asks = [drop("/edges/e2"), add("/nodes/ok", approval(config={"role": "finance", "not": ["starter"]})),
            add("/edges/x", edge("a", "ok")), add("/edges/y", edge("ok", "pay", on="approved"))]  # fmt: skip
    assert desk.propose(asks) == "proposed"
    (second,) = (ticket.id for ticket in desk.run.tickets.values() if ticket.about == "patch_2")
    desk.answer("approve", ticket=second)
    assert desk.run.patches["patch_2"].state == "applied"

    bo = Caller("default", "bo", frozenset({"approve"}))
    desk.answer("approve", ticket=first.id, who=bo)
    assert desk.run.patches["patch_1"].state == "proposed", "it leads round an approval that was not there"
    assert (desk.ticket().needed, desk.ticket().barred) == (("approve", "finance"), ["starter"])
    with pytest.raises(Refused):
        desk.answer("approve", who=bo)
    desk.answer("approve", who=Caller("default", "flo", frozenset({"approve", "finance"})))
    assert desk.run.patches["patch_1"].state == "applied"


def test_an_approval_holds_under_the_rules_it_was_asked_under() -> None:
    desk = Desk(CHAIN)
    desk.propose(once())
    first = desk.ticket().id
    desk.given.rules = msgspec.structs.replace(PatchRules(), agents_max=3)
    desk.answer("approve")
    assert (desk.run.patches["patch_1"].state, desk.ticket().id != first) == ("proposed", True)
    desk.answer("approve")
    assert desk.run.patches["patch_1"].state == "applied"


def test_what_is_shown_again_is_for_the_same_people() -> None:
    asks = approval(config={"role": "finance", "not": ["author"]}, input={"n": "nodes.a.output"})
    document = flow({"w": WAIT, "a": function(), "ok": asks}, edges("w a", "a ok"))
    desk = Desk(document, rules=msgspec.structs.replace(PatchRules(), four_eyes=True))
    desk.propose([add("/nodes/a/input", {"value": "0"})], author="agent")
    first = desk.ticket()
    desk.given.rules = msgspec.structs.replace(desk.given.rules, agents_max=3)
    desk.answer("approve", who=Caller("default", "bo", frozenset({"approve", "finance"})))
    again = desk.ticket()
    assert again.id != first.id
    for ticket in (first, again):
        assert (ticket.needed, ticket.barred) == (("approve", "finance"), ["author", "starter"])


def test_the_spawn_budget_counts_what_patches_add() -> None:
    rules = PatchRules(agents_max=1, trusted_kinds=("agent",))
    desk = Desk(CHAIN, rules=rules)
    helper = [add("/nodes/h1", AGENT), add("/edges/h1", edge("c", "h1"))]
    assert desk.propose(helper, kind="agent") == "applied"
    again = [add("/nodes/h2", AGENT), add("/edges/h2", edge("c", "h2"))]
    assert desk.propose(again, kind="agent") == "invalid"
    assert {problem["code"] for problem in desk.problems("patch_2")} == {"agent_budget"}


# -- agents that hold ---------------------------------------------------------------------------------------------


def held(**fields: Any) -> Desk:
    desk = Desk(flow({"a": function(**fields), "b": function(), "side": function()}, edges("a b")))
    desk.propose(once("pay", "b"), kind="agent", visit="a", author="a")
    desk.complete("a", {"said": 1}, patch="patch_1")
    return desk


def test_an_agent_holds_its_token_until_its_patch_is_decided() -> None:
    desk = held()
    assert (desk.how("a"), desk.jobs) == ("held", {"side": 1})
    desk.complete("side")
    assert desk.status == "WAITING"
    desk.answer("approve")
    assert (desk.jobs, desk.output("a")) == ({"b": 1}, {"said": 1})
    desk.complete("b")
    assert desk.jobs == {"pay": 1}


def test_an_agent_goes_on_when_its_patch_is_rejected() -> None:
    desk = held()
    desk.answer("reject")
    desk.complete("b")
    desk.complete("side")
    assert desk.status == "COMPLETED"


def test_an_agent_whose_patch_was_applied_at_once_holds_nothing() -> None:
    desk = Desk(CHAIN)
    desk.propose(node("d", "c"), kind="agent", visit="a", author="a")
    desk.complete("a", 1, patch="patch_1")
    assert desk.jobs == {"b": 1}


def test_a_held_token_ends_at_its_deadline_and_with_its_run() -> None:
    desk = held(timeout={"deadline": "1h"}, on_failure="skip")
    desk.fire("a")
    assert desk.how("a") == "skipped"
    desk = held(timeout={"deadline": "1h"})
    desk.answer("approve")
    assert desk.timers == {}
    desk = held()
    desk.cancel()
    assert desk.complete("a", patch="patch_1") == []
    with pytest.raises(Conflict):
        desk.answer("approve", ticket=next(iter(desk.run.tickets)))


# -- rollback -----------------------------------------------------------------------------------------------------


def test_a_patch_is_rolled_back_by_a_patch() -> None:
    desk = Desk(CHAIN)
    before = desk.hash
    desk.apply(node("d", "c"))
    assert desk.roll_back("patch_1") == "applied"
    assert (desk.hash, desk.run.patches["patch_1"].state, len(desk.run.graph_ops)) == (before, "rolled_back", 2)
    assert desk.roll_back("patch_1") == "applied", "the same command again"
    with pytest.raises(Conflict):
        desk.do(cmd.Propose("other", "ann", "person", "", "", Raw(b"[]"), b"", "", "patch_1"))


def test_a_rollback_leaves_what_was_dispatched() -> None:
    desk = Desk(CHAIN)
    desk.apply([*node("d", "a"), *node("e", "d"), *node("f", "e")])
    desk.complete("a")
    assert desk.roll_back("patch_1") == "applied"
    assert set(desk.given.graphs.ir(2).nodes) == {"a", "b", "c", "d"}
    desk.work_off()
    assert desk.status == "COMPLETED"


def test_a_patch_that_a_later_one_needs_is_not_rolled_back_alone() -> None:
    desk = Desk(CHAIN)
    desk.apply(node("d", "c"))
    desk.apply(node("e", "d"))
    with pytest.raises(Conflict) as refused:
        desk.roll_back("patch_1")
    assert (refused.value.code, refused.value.fields["patches"]) == ("patch_needed", ["patch_2"])
    desk.roll_back("patch_2")
    assert desk.roll_back("patch_1") == "applied"


def test_a_rollback_gives_signals_back() -> None:
    desk = Desk(CHAIN)
    desk.apply([add("/nodes/gate", function()), add("/edges/g", edge("gate", "b"))])
    desk.complete("a")
    assert desk.jobs == {"gate": 1}
    desk.roll_back("patch_1")
    assert desk.jobs["b"] == 1


FIELDS = st.sampled_from(
    [
        node("x", "a"), node("x", "b"), node("x", "c"), [drop("/edges/e2")], [add("/nodes/y", function())],
        [add("/nodes/c/retry", 3)], [add("/nodes/c/disabled", True)], [drop("/edges/e2"), drop("/nodes/c")],
        [
            add("/nodes/ask", approval()),
            add("/edges/q", edge("b", "ask")),
            add("/edges/r", edge("ask", "c", on="approved")),
        ],
        [add("/edges/e9", edge("a", "c"))],
    ]
)  # fmt: skip


@given(FIELDS, st.integers(0, 2))
@settings(max_examples=60, deadline=None)
def test_apply_and_roll_back_with_nothing_between_gives_the_same_graph(operations: list[Any], done: int) -> None:
    desk = Desk(CHAIN)
    for visit in "abc"[:done]:
        desk.complete(visit)
    before, jobs = desk.hash, desk.jobs
    if desk.propose(operations) != "applied":
        return
    begun = set(desk.jobs) - set(jobs)
    if begun or desk.run.final:
        return  # it set something going, which a rollback leaves alone
    if desk.roll_back("patch_1") == "proposed":  # taking an approval away is for a person to decide
        desk.answer("approve")
    assert (desk.hash, desk.jobs) == (before, jobs)
    assert not named(desk.events[-2:], ev.TokensCancelled)
