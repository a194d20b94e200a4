"""SEMANTICS 3.1 and 3.2: every edge gets one signal; a node is decided once; branches and joins."""

import pytest

from aob.core.errors import Conflict
from aob.core.run.record import events as ev
from tests.core.run_desk import Desk, approval, each, edge, edges, flow, function, join, named, sleep

BRANCH = {"kind": "branch", "config": {}}


def test_a_chain_goes_hop_by_hop_and_ends_with_its_last_output() -> None:
    desk = Desk(flow({"a": function(), "b": function()}, edges("a b")), {"n": 1})
    assert desk.jobs == {"a": 1}
    assert desk.status == "RUNNING"
    (event,) = desk.complete("a", 7)
    assert isinstance(event, ev.NodeCompleted)
    assert event.ready == ["b"]
    desk.complete("b", {"x": 2})
    assert (desk.status, desk.output()) == ("COMPLETED", {"x": 2})


def test_without_edges_the_output_is_a_map_by_sink() -> None:
    desk = Desk(flow({"a": function(), "b": function()}))
    desk.complete("a", 1)
    desk.complete("b", 2)
    assert desk.output() == {"a": 1, "b": 2}


def test_the_output_of_a_run_is_what_its_document_says() -> None:
    document = flow({"a": function()}, output={"twice": "nodes.a.output.n * 2", "who": "inputs.who"})
    desk = Desk(document, {"who": "ann"})
    desk.complete("a", {"n": 21})
    assert desk.output() == {"twice": 42, "who": "ann"}


def test_an_output_that_cannot_be_computed_fails_the_run() -> None:
    desk = Desk(flow({"a": function()}, output={"n": "nodes.a.output.n"}))
    desk.complete("a", {})
    assert (desk.status, desk.error["code"]) == ("FAILED", "expression_failed")


def test_a_node_with_several_sources_waits_for_all_of_them() -> None:
    desk = Desk(flow({"a": function(), "b": function(), "c": function()}, edges("a c", "b c")))
    desk.complete("a")
    assert desk.jobs == {"b": 1}
    desk.complete("b")
    assert desk.jobs == {"c": 1}


def test_a_node_runs_when_one_of_its_edges_is_taken_and_the_others_are_skipped() -> None:
    desk = Desk(
        flow(
            {"pick": BRANCH, "left": function(), "right": function(), "end": function()},
            {"l": edge("pick", "left", when="inputs.left"), "r": edge("pick", "right", **{"else": True}),
             **edges("left end", "right end")},
        ),
        {"left": True},
    )  # fmt: skip
    assert desk.jobs == {"left": 1}
    assert desk.how("right") == "skipped"
    desk.complete("left", 5)
    assert desk.jobs == {"end": 1}
    desk.complete("end")
    assert desk.status == "COMPLETED"


def test_a_skip_runs_down_everything_that_only_hangs_on_it() -> None:
    nodes = {"pick": BRANCH, **{name: function() for name in ("a", "b", "c", "d", "other")}}
    desk = Desk(
        flow(nodes, {"x": edge("pick", "a", when="inputs.go"), "y": edge("pick", "other", **{"else": True}),
                     **edges("a b", "b c", "b d", "c d")}),
        {"go": False},
    )  # fmt: skip
    assert [desk.how(name) for name in "abcd"] == ["skipped"] * 4
    desk.complete("other")
    assert desk.status == "COMPLETED"


def test_two_edges_between_the_same_two_nodes_are_two_signals() -> None:
    nodes = {"ask": approval(), "end": function()}
    desk = Desk(flow(nodes, {"y": edge("ask", "end", on="approved"), "n": edge("ask", "end", on="rejected")}))
    desk.answer("reject")
    assert desk.jobs == {"end": 1}


# -- outcomes -----------------------------------------------------------------------------------------------------


def test_an_outcome_offers_exactly_one_set_of_edges() -> None:
    nodes = {"a": function(), "good": function(), "bad": function()}
    document = flow(nodes, {"g": edge("a", "good"), "b": edge("a", "bad", on="failure")})
    desk = Desk(document)
    desk.complete("a")
    assert (desk.jobs, desk.how("bad")) == ({"good": 1}, "skipped")
    desk = Desk(document)
    desk.fail("a")
    assert (desk.jobs, desk.how("good"), desk.how("a")) == ({"bad": 1}, "skipped", "failure")
    desk.complete("bad")
    assert desk.status == "COMPLETED"


def test_a_failure_that_nobody_handles_fails_the_run_and_ends_every_token() -> None:
    desk = Desk(flow({"a": function(), "b": function()}))
    events = desk.fail("a", "no_stock")
    assert (desk.status, desk.error["visit"], desk.error["code"]) == ("FAILED", "a", "no_stock")
    assert [event.visits for event in named(events, ev.TokensCancelled)] == [["b"]]
    assert desk.complete("b") == []


def test_the_same_result_twice_counts_once() -> None:
    desk = Desk(flow({"a": function(), "b": function()}, edges("a b")))
    desk.complete("a", 1)
    assert desk.complete("a", 2) == []
    assert desk.output("a") == 1


def test_a_failed_visit_that_may_be_skipped_skips_its_edges() -> None:
    desk = Desk(flow({"a": function(on_failure="skip"), "b": function(), "c": function()}, edges("a b")))
    desk.fail("a")
    assert (desk.how("a"), desk.how("b")) == ("skipped", "skipped")
    desk.complete("c")
    assert desk.status == "COMPLETED"


# -- branch -------------------------------------------------------------------------------------------------------


def three(mode: str = "first") -> dict[str, object]:
    nodes = {"pick": {"kind": "branch", "config": {"mode": mode}}, **{name: function() for name in "abz"}}
    return flow(
        nodes,
        {"e2": edge("pick", "a", when="inputs.n > 1"), "e1": edge("pick", "b", when="inputs.n > 2"),
         "e0": edge("pick", "z", **{"else": True})},
    )  # fmt: skip


@pytest.mark.parametrize(("n", "taken"), [(0, {"z": 1}), (2, {"a": 1}), (3, {"b": 1})])
def test_a_branch_takes_the_first_true_edge_by_id(n: int, taken: dict[str, int]) -> None:
    assert Desk(three(), {"n": n}).jobs == taken


def test_order_goes_before_id() -> None:
    document = three()
    document["edges"]["e1"]["order"] = 5  # type: ignore[index]
    assert Desk(document, {"n": 9}).jobs == {"a": 1}


@pytest.mark.parametrize(("n", "taken"), [(0, {"z": 1}), (2, {"a": 1}), (3, {"a": 1, "b": 1})])
def test_a_branch_with_mode_all_takes_each_true_edge(n: int, taken: dict[str, int]) -> None:
    assert Desk(three("all"), {"n": n}).jobs == taken


def test_no_match_and_no_else_is_a_failure() -> None:
    document = flow({"pick": BRANCH, "a": function()}, {"e": edge("pick", "a", when="inputs.n == 1")})
    desk = Desk(document, {"n": 2})
    assert (desk.status, desk.error["code"]) == ("FAILED", "no_branch_matches")
    document["nodes"]["plan_b"] = function()
    document["edges"]["f"] = edge("pick", "plan_b", on="failure")
    assert Desk(document, {"n": 2}).jobs == {"plan_b": 1}


def test_a_condition_that_cannot_be_asked_fails_its_branch() -> None:
    document = flow({"pick": BRANCH, "a": function()}, {"e": edge("pick", "a", when="inputs.n.m == 1")})
    desk = Desk(document, {"n": 2})
    assert (desk.status, desk.error["visit"]) == ("FAILED", "pick")


def test_a_branch_hands_its_input_on() -> None:
    document = flow({"a": function(), "pick": BRANCH, "b": function()},
                    {**edges("a pick"), "e": edge("pick", "b", when="nodes.a.output.ok")})  # fmt: skip
    desk = Desk(document)
    desk.complete("a", {"ok": True})
    assert desk.output("pick") == {"ok": True}


# -- join ---------------------------------------------------------------------------------------------------------


def joined(config: dict[str, object], *sources: str) -> dict[str, object]:
    nodes = {name: function() for name in sources} | {"j": join(**config), "end": function()}
    return flow(nodes, edges(*(f"{name} j" for name in sources), "j end"))


def test_a_join_of_all_gives_a_map_by_source() -> None:
    desk = Desk(joined({}, "a", "b"))
    desk.complete("a", 1)
    assert "end" not in desk.jobs
    desk.complete("b", 2)
    assert desk.output("j") == {"a": 1, "b": 2}
    assert desk.jobs == {"end": 1}


def test_a_join_of_any_goes_on_with_the_first_and_ignores_the_rest() -> None:
    desk = Desk(joined({"mode": "any"}, "a", "b", "c"))
    desk.complete("b", 2)
    assert desk.output("j") == {"b": 2}
    desk.complete("a", 1)
    desk.complete("end")
    assert desk.status == "RUNNING"
    desk.complete("c", 3)
    assert desk.status == "COMPLETED"


def test_a_join_of_n_waits_for_n() -> None:
    desk = Desk(joined({"mode": "n", "n": 2}, "a", "b", "c"))
    desk.complete("c", 3)
    assert desk.how("j") == ""
    desk.complete("a", 1)
    assert desk.output("j") == {"a": 1, "c": 3}


def test_a_join_whose_sources_are_all_skipped_is_skipped() -> None:
    nodes = {"pick": BRANCH, "a": function(), "b": function(), "o": function(), "j": join()}
    desk = Desk(flow(nodes, {"x": edge("pick", "a", when="inputs == 1"), "y": edge("pick", "b", when="inputs == 2"),
                             "z": edge("pick", "o", **{"else": True}), **edges("a j", "b j")}), 3)  # fmt: skip
    assert desk.how("j") == "skipped"


def test_a_join_of_n_that_can_no_longer_be_met_is_skipped() -> None:
    nodes = {
        **{name: function(on_failure="skip") for name in "abc"},
        "j": {"kind": "join", "config": {"mode": "n", "n": 2}},
    }
    desk = Desk(flow(nodes, edges("a j", "b j", "c j")))
    desk.complete("a")
    desk.fail("b")
    desk.fail("c")
    assert (desk.how("j"), desk.status) == ("skipped", "COMPLETED")


def test_the_deadline_of_a_join_counts_from_its_first_signal() -> None:
    desk = Desk(joined({"deadline": "10s"}, "a", "b"))
    assert desk.timers == {}
    desk.now += 5_000
    desk.complete("a", 1)
    assert desk.timers == {"join j": 10_000}
    desk.fire("j")
    assert desk.output("j") == {"a": 1}
    desk.complete("b", 2)
    desk.complete("end")
    assert desk.status == "COMPLETED"


def test_a_join_that_is_met_in_time_needs_its_deadline_no_more() -> None:
    desk = Desk(joined({"deadline": "10s"}, "a", "b"))
    desk.complete("a", 1)
    desk.complete("b", 2)
    assert desk.timers == {}


def test_the_first_signal_of_a_join_may_be_a_skip() -> None:
    nodes = {"a": function(on_failure="skip"), "b": function(), "j": join(deadline=9)}
    desk = Desk(flow(nodes, edges("a j", "b j")))
    desk.fail("a")
    assert desk.timers == {"join j": 9_000}
    desk.complete("b", 2)
    assert desk.output() == {"b": 2}


def test_cancel_rest_cancels_what_only_leads_to_the_join() -> None:
    nodes = {name: function() for name in ("a", "b", "b2", "c", "side")}
    nodes["j"] = join(mode="any", cancel_rest=True)
    desk = Desk(flow(nodes, edges("a j", "b b2", "b2 j", "c j", "c side")))
    events = desk.complete("a", 1)
    assert [sorted(event.visits) for event in named(events, ev.TokensCancelled)] == [["b", "b2"]]
    assert desk.jobs == {"c": 1}, "c leads elsewhere too and goes on"
    desk.complete("c")
    desk.complete("side")
    assert desk.status == "COMPLETED"


def test_what_was_cancelled_before_it_began_never_begins() -> None:
    nodes = {name: function() for name in ("fast", "slow", "useless", "other")}
    nodes["j"] = join(mode="any", cancel_rest=True)
    desk = Desk(flow(nodes, edges("fast j", "slow useless", "slow other", "useless j")))
    desk.complete("fast")
    assert desk.how("useless") == "cancelled"
    desk.complete("slow")
    assert desk.jobs == {"other": 1}


def test_what_is_cancelled_in_the_decision_that_would_begin_it_never_begins() -> None:
    nodes = {
        "x": function(), "late": sleep("1h"), "ask": approval(), "go": function(timeout={"deadline": 9}),
        "end": function(), "j": join(mode="any", cancel_rest=True),
    }  # fmt: skip
    ways = edges("x j", "x late", "x ask", "x go", "late j", "go j", "j end")
    desk = Desk(flow(nodes, ways | {"y": edge("ask", "j", on="approved")}))
    desk.complete("x", 1)
    assert (desk.jobs, desk.timers) == ({"end": 1}, {})
    assert not [ticket for ticket in desk.run.tickets.values() if not ticket.answer]


def test_cancel_rest_ends_a_map_with_all_that_runs_in_it() -> None:
    nodes = {
        "a": function(), "each": each("[1, 2]", {"in": function(), "nap": sleep(5)}), "end": function(),
        "j": join(mode="any", cancel_rest=True),
    }  # fmt: skip
    desk = Desk(flow(nodes, edges("a j", "each j", "j end")))
    assert set(desk.jobs) == {"a", "each[0]/in", "each[1]/in"}
    desk.complete("a")
    assert (desk.jobs, desk.timers) == ({"end": 1}, {})
    assert desk.complete("each[0]/in") == []
    desk.complete("end")
    assert desk.status == "COMPLETED"


# -- disabled -----------------------------------------------------------------------------------------------------


def test_a_disabled_node_hands_its_input_on() -> None:
    desk = Desk(flow({"a": function(), "b": function(disabled=True), "c": function()}, edges("a b", "b c")))
    desk.complete("a", {"n": 1})
    assert desk.jobs == {"c": 1}
    assert desk.output("b") == {"n": 1}


def test_a_run_of_disabled_nodes_ends_at_once() -> None:
    desk = Desk(flow({"a": function(disabled=True), "b": function(disabled=True)}, edges("a b")), 5)
    assert (desk.status, desk.output()) == ("COMPLETED", 5)


# -- starts -------------------------------------------------------------------------------------------------------


def test_a_start_again_with_the_same_inputs_changes_nothing_and_with_others_is_a_conflict() -> None:
    desk = Desk(flow({"a": function()}), 1)
    assert desk.begin() == []
    desk.inputs = 2
    with pytest.raises(Conflict) as refused:
        desk.begin()
    assert refused.value.code == "start_exists"


def test_a_start_under_the_id_of_a_run_of_another_workflow_is_a_conflict() -> None:
    desk = Desk(flow({"a": function()}), 1)
    with pytest.raises(Conflict):
        desk.begin(workflow="other")
