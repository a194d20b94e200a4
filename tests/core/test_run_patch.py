"""SEMANTICS 4.1: a patch on a live run: what is frozen, which signals move, which scopes go along."""

from typing import Any

import pytest

from aob.core.errors import Conflict
from aob.core.run.record import events as ev
from tests.core.run_desk import Desk, approval, each, edge, edges, flow, function, join, loop, named, sleep

CHAIN = flow({"a": function(), "b": function(), "c": function()}, edges("a b", "b c"))


def add(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


def put(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}


def drop(path: str) -> dict[str, Any]:
    return {"op": "remove", "path": path}


def new_node(name: str, *ways: tuple[str, str], **fields: Any) -> list[dict[str, Any]]:
    """Operations that add a node and edges between it and others."""
    made = [add(f"/nodes/{name}", function(**fields))]
    return made + [add(f"/edges/{s}_{t}", edge(s, t)) for s, t in ways]


def problems(desk: Desk, patch: str) -> set[str]:
    return {problem["code"] for problem in desk.problems(patch)}


# -- the root scope -----------------------------------------------------------------------------------------------


def test_a_valid_patch_is_a_new_version_at_once() -> None:
    desk = Desk(CHAIN)
    before = desk.hash
    assert desk.propose(new_node("d", ("c", "d"))) == "applied"
    assert (desk.run.scopes[""].version, desk.hash != before) == (1, True)
    desk.complete("a")
    desk.complete("b")
    desk.complete("c")
    assert desk.jobs == {"d": 1}


def test_an_edge_from_a_completed_node_brings_its_signal_in_the_same_commit() -> None:
    desk = Desk(CHAIN)
    desk.complete("a", {"n": 1})
    desk.propose(new_node("d", ("a", "d")))
    assert desk.jobs == {"b": 1, "d": 1}
    assert desk.input_of("d") == {"n": 1}


def test_an_edge_from_another_outcome_of_a_completed_node_brings_a_skip() -> None:
    desk = Desk(CHAIN)
    desk.complete("a")
    events = desk.apply([add("/nodes/d", function()), add("/nodes/e", function()), add("/edges/x", edge("d", "e")),
                         add("/edges/f", edge("a", "d", on="failure"))])  # fmt: skip
    assert (desk.how("d"), desk.how("e"), desk.jobs) == ("skipped", "skipped", {"b": 1})
    assert len(events) == 2


def test_a_skip_that_a_patch_brings_reaches_a_join_that_waits_for_others() -> None:
    desk = Desk(flow({"a": function(), "b": function(), "j": join()}, edges("b j")))
    desk.complete("a")
    desk.apply([add("/nodes/d", function()), add("/edges/f", edge("a", "d", on="failure")),
                add("/edges/x", edge("d", "j"))])  # fmt: skip
    assert desk.how("d") == "skipped"
    desk.complete("b", 1)
    assert (desk.status, desk.output("j")) == ("COMPLETED", {"b": 1})


def test_a_new_source_makes_a_node_wait() -> None:
    desk = Desk(CHAIN)
    desk.propose(new_node("d", ("d", "b")))
    assert desk.jobs == {"a": 1, "d": 1}
    desk.complete("a")
    assert desk.jobs == {"d": 1}
    desk.complete("d")
    assert desk.jobs == {"b": 1}


def test_an_edge_that_is_removed_before_its_target_began_takes_its_signal_back() -> None:
    desk = Desk(flow({"a": function(), "b": function(), "c": function()}, edges("a c", "b c")))
    desk.complete("a")
    desk.apply([drop("/edges/e1")])
    assert desk.jobs == {"b": 1}
    desk.complete("b", 5)
    assert desk.input_of("c") == 5


def test_an_edge_that_is_removed_may_set_its_target_going() -> None:
    desk = Desk(flow({"a": function(), "b": function(), "c": function()}, edges("a c", "b c")))
    desk.complete("a")
    desk.apply([drop("/edges/e2")])
    assert desk.jobs == {"b": 1, "c": 1}


def test_an_edge_may_change_the_outcome_that_it_hangs_on() -> None:
    desk = Desk(flow({"a": function(), "b": function(), "c": function()}, edges("a c", "b c")))
    desk.complete("a")
    desk.apply([add("/edges/e1/on", "failure")])
    desk.complete("b", 2)
    assert desk.input_of("c") == 2


def test_a_new_entry_node_begins_at_once() -> None:
    desk = Desk(CHAIN)
    desk.apply([add("/nodes/d", function())])
    assert desk.jobs == {"a": 1, "d": 1}


@pytest.mark.parametrize(
    "node",
    [sleep(5), approval(), each("[1, 2]", {"in": function()}), loop(2, {"in": function()}), function(disabled=True)],
)
def test_a_new_entry_node_of_any_kind_begins_at_once(node: dict[str, Any]) -> None:
    desk = Desk(CHAIN)
    if desk.propose([add("/nodes/d", node)]) == "proposed":  # an approval more is for a person to decide
        desk.answer("approve")
    assert desk.how("d") in {"open", "success"}
    for _ in range(20):
        desk.work_off()
        if desk.timers:
            desk.fire()
        if any(not ticket.answer for ticket in desk.run.tickets.values()):
            desk.answer("approve")
    assert desk.status == "COMPLETED"


def test_a_node_that_has_not_begun_may_go() -> None:
    desk = Desk(CHAIN)
    desk.complete("a")
    desk.apply([drop("/edges/e2"), drop("/nodes/c")])
    desk.complete("b")
    assert desk.status == "COMPLETED"


def test_a_patch_may_end_a_run_by_taking_what_is_left() -> None:
    desk = Desk(flow({"a": function(), "b": function(), "j": join()}, edges("a j", "b j")))
    desk.complete("a", 1)
    desk.apply([drop("/edges/e1"), drop("/edges/e2"), drop("/nodes/j")])
    desk.complete("b", 2)
    assert (desk.status, desk.output()) == ("COMPLETED", {"a": 1, "b": 2})


@pytest.mark.parametrize("begun", ["ready", "completed", "skipped"])
@pytest.mark.parametrize(
    "operations",
    [[put("/nodes/a/config", {"handler": "other"})], [drop("/edges/e1"), drop("/nodes/a")],
     [add("/nodes/a/disabled", True)], [add("/nodes/x", function()), add("/edges/x", edge("x", "a"))]],
)  # fmt: skip
def test_what_was_dispatched_cannot_be_changed(begun: str, operations: list[dict[str, Any]]) -> None:
    document = flow(
        {"first": function(), "a": function(), "b": function()}, {"e0": edge("first", "a"), "e1": edge("a", "b")}
    )
    document["nodes"]["bye"] = function()
    document["edges"]["e9"] = edge("first", "bye", on="failure")
    desk = Desk(document)
    if begun == "skipped":
        desk.fail("first")
    else:
        desk.complete("first")
    if begun == "completed":
        desk.complete("a")
    assert desk.propose(operations) == "invalid"
    assert problems(desk, "patch_1") & {"frozen"}


def test_what_was_dispatched_may_be_tuned() -> None:
    desk = Desk(CHAIN)
    desk.apply([add("/nodes/a/retry", {"attempts": 3, "jitter": 0}), add("/nodes/a/labels", {"x": "y"})])
    desk.fail("a", transient=True)
    assert desk.how("a") == "backoff"


def test_a_wrong_patch_is_kept_with_every_problem_and_changes_nothing() -> None:
    desk = Desk(CHAIN)
    before = desk.hash
    assert desk.propose([add("/nodes/x", {"kind": "nothing"}), add("/edges/y", edge("x", "z"))]) == "invalid"
    assert len(desk.problems("patch_1")) >= 2
    assert (desk.hash, desk.jobs, desk.run.graph_ops) == (before, {"a": 1}, [])


def test_the_same_patch_again_changes_nothing_and_another_under_its_id_is_a_conflict() -> None:
    desk = Desk(CHAIN)
    operations = new_node("d", ("c", "d"))
    desk.propose(operations, id="p")
    assert desk.propose(operations, id="p") == "applied"
    assert len(desk.run.graph_ops) == 1
    with pytest.raises(Conflict) as refused:
        desk.propose([drop("/edges/e2")], id="p")
    assert refused.value.code == "patch_exists"


def test_a_run_that_is_over_is_history() -> None:
    desk = Desk(flow({"a": function()}))
    desk.complete("a")
    with pytest.raises(Conflict) as refused:
        desk.propose([add("/nodes/b", function())])
    assert refused.value.code == "run_finished"


def test_the_deadline_of_a_join_begins_with_a_signal_that_a_patch_brings() -> None:
    desk = Desk(flow({"a": function(), "b": function(), "j": join(deadline=30)}, edges("b j")))
    desk.complete("a", 1)
    desk.apply([add("/edges/x", edge("a", "j"))])
    assert desk.timers == {"join j": 30_000}
    desk.fire()
    assert desk.output("j") == {"a": 1}


def test_an_any_join_goes_on_with_a_signal_that_a_patch_brings() -> None:
    desk = Desk(flow({"a": function(), "b": function(), "j": join(mode="any"), "c": function()}, edges("b j", "j c")))
    desk.complete("a", 1)
    desk.apply([add("/edges/x", edge("a", "j"))])
    assert desk.jobs == {"b": 1, "c": 1}


# -- body scopes --------------------------------------------------------------------------------------------------

BODY = "/nodes/each/body"


def in_body() -> Desk:
    return Desk(flow({"each": each("[1, 2, 3]", {"in": function(), "out": function()}, edges("in out"), window=2)}))


def test_a_body_scope_moves_when_nothing_that_it_dispatched_is_touched() -> None:
    desk = in_body()
    desk.complete("each[0]/in")
    desk.complete("each[0]/out")
    desk.apply([add(f"{BODY}/nodes/more", function()), add(f"{BODY}/edges/m", edge("out", "more"))])
    assert {path: scope.version for path, scope in desk.run.scopes.items()} == {"": 1, "each[1]": 1, "each[2]": 1}
    for visit in ("each[1]/in", "each[2]/in", "each[1]/out", "each[2]/out"):
        desk.complete(visit)
    assert set(desk.jobs) == {"each[1]/more", "each[2]/more"}


def test_a_body_scope_stays_when_what_it_dispatched_is_touched() -> None:
    desk = in_body()
    desk.complete("each[0]/in")
    events = desk.apply([put(f"{BODY}/nodes/out/config", {"handler": "other"})])
    (applied,) = named(events, ev.PatchApplied)
    assert (applied.stayed, [event.path for event in named(events, ev.ScopeMoved)]) == (["each[0]"], ["each[1]"])
    assert (desk.run.scopes["each[0]"].version, desk.run.scopes["each[1]"].version) == (0, 1)
    desk.complete("each[0]/out")
    assert desk.run.scopes["each[2]"].version == 1, "a scope that had not begun takes the new version"
    desk.work_off()
    assert desk.status == "COMPLETED"


def test_an_edge_added_in_a_body_brings_its_signal_to_each_scope_that_moves() -> None:
    desk = in_body()
    desk.complete("each[0]/in", "x")
    desk.apply([add(f"{BODY}/nodes/also", function()), add(f"{BODY}/edges/m", edge("in", "also"))])
    assert set(desk.jobs) == {"each[0]/out", "each[0]/also", "each[1]/in"}
    assert desk.input_of("each[0]/also") == "x"


def test_a_patch_beside_a_body_moves_its_scopes_without_a_word() -> None:
    desk = in_body()
    (applied,) = named(desk.apply([add("/nodes/beside", function())]), ev.PatchApplied)
    assert (applied.moved, applied.stayed) == (["each[0]", "each[1]"], [])
    desk.work_off()
    assert desk.status == "COMPLETED"


def test_a_patch_that_finishes_a_pass_closes_it() -> None:
    desk = in_body()
    desk.complete("each[0]/in", 7)
    body = [drop(f"{BODY}/edges/e1"), drop(f"{BODY}/nodes/out")]
    events = desk.apply(body)
    assert named(events, ev.PatchApplied)[0].stayed == ["each[0]"], "out was dispatched there"
    desk.complete("each[1]/in", 8)
    assert set(desk.jobs) == {"each[0]/out", "each[2]/in"}


def test_nested_scopes_move_one_by_one() -> None:
    inner = {"loop": loop(3, {"in": function(), "out": function()}, edges("in out"))}
    desk = Desk(flow({"each": each("[1, 2]", inner)}))
    desk.complete("each[0]/loop#0/in")
    at = "/nodes/each/body/nodes/loop/body"
    desk.apply([add(f"{at}/nodes/also", function()), add(f"{at}/edges/x", edge("in", "also"))])
    assert set(desk.jobs) == {"each[0]/loop#0/out", "each[0]/loop#0/also", "each[1]/loop#0/in"}
    desk.work_off()
    assert desk.status == "COMPLETED"


# -- what was skipped ---------------------------------------------------------------------------------------------


def past_a_skip() -> Desk:
    """`a` failed, so `b` was skipped; `c` goes on behind the failure."""
    nodes = {"a": function(), "b": function(), "c": function(), "d": function()}
    ways = {"e1": edge("a", "b"), "e2": edge("a", "c", on="failure"), "e3": edge("c", "d")}
    desk = Desk(flow(nodes, ways))
    desk.fail("a")
    assert (desk.how("b"), desk.jobs) == ("skipped", {"c": 1})
    return desk


@pytest.mark.parametrize("field", ["retry", "timeout", "priority", "labels"])
def test_what_was_skipped_may_be_tuned_and_stays_skipped(field: str) -> None:
    desk = past_a_skip()
    value: Any = {"retry": 4, "timeout": "9s", "priority": "high", "labels": {"x": "y"}}[field]
    desk.apply([add(f"/nodes/b/{field}", value)])
    assert (desk.how("b"), desk.jobs) == ("skipped", {"c": 1})
    desk.work_off()
    assert desk.status == "COMPLETED"


def test_what_follows_from_a_node_that_was_skipped_is_skipped_too() -> None:
    desk = past_a_skip()
    desk.apply([*new_node("x", ("b", "x")), *new_node("y", ("b", "y"), ("d", "y"))])
    assert (desk.how("x"), desk.how("y"), desk.jobs) == ("skipped", "", {"c": 1})
    desk.work_off()
    assert desk.status == "COMPLETED"
    assert [event.visit for event in named(desk.events, ev.NodeCompleted)] == ["c", "d", "y"]


def test_a_patch_whose_node_was_skipped_cannot_be_taken_back() -> None:
    desk = past_a_skip()
    desk.apply(new_node("x", ("b", "x")), id="p")
    assert desk.how("x") == "skipped"
    with pytest.raises(Conflict) as refused:
        desk.roll_back("p")
    assert refused.value.code == "nothing_left"


def test_a_pass_in_which_the_patched_node_was_skipped_stays_and_others_move() -> None:
    body = {"a": function(), "b": function(), "c": function()}
    ways = {"e1": edge("a", "b"), "e2": edge("a", "c", on="failure")}
    desk = Desk(flow({"m": each("[1, 2]", body, ways)}))
    desk.fail("m[0]/a")
    (applied,) = named(desk.apply([put("/nodes/m/body/nodes/b/config", {"handler": "other"})]), ev.PatchApplied)
    assert (applied.moved, applied.stayed) == ([], ["m[0]"])
    assert [event.path for event in named(desk.events, ev.ScopeMoved)] == ["m[1]"]
    desk.complete("m[1]/a")
    assert "m[1]/b" in desk.jobs
    desk.work_off()
    assert desk.status == "COMPLETED"
