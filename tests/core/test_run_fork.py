"""SEMANTICS 6.2: a fork copies the outcomes before a node and then acts for real."""

from collections.abc import Iterable
from typing import Any

import pytest

from aob.core.run.record import events as ev
from aob.core.run.state.run import CANCELLED, SKIPPED
from aob.core.value import NULL
from tests.core.run_desk import Desk, approval, each, edge, edges, flow, function, join, named

CHAIN = flow({name: function() for name in "abcd"}, edges("a b", "b c", "c d"))


def forked(source: Desk, nodes: Iterable[str], document: dict[str, Any] | None = None) -> Desk:
    """A run that begins with these outcomes of another one."""
    desk = Desk(document or source.document, source.inputs, begin=False, values=source.values)
    done = source.run.scopes[""].done
    outcomes = [
        done[node] if done[node] is not CANCELLED else ev.NodeCompleted(node, 0, "cancelled", NULL, b"")
        for node in nodes if done[node] is not SKIPPED
    ]  # fmt: skip
    desk.begin(copied=tuple(outcomes), fork="run_0")
    return desk


def test_a_fork_begins_where_its_copies_end() -> None:
    source = Desk(CHAIN)
    source.complete("a", 1)
    source.complete("b", 2)
    source.complete("c", 3)
    desk = forked(source, "ab")
    assert (desk.jobs, desk.output("a"), desk.run.fork) == ({"c": 1}, 1, "run_0")
    assert desk.input_of("c") == 2
    assert [event.visit for event in named(desk.events, ev.NodeCompleted) if event.copied] == ["a", "b"]
    desk.work_off()
    assert desk.status == "COMPLETED"


def test_a_fork_of_nothing_is_a_run_from_the_start() -> None:
    assert forked(Desk(CHAIN), "").jobs == {"a": 1}


def test_the_order_of_copies_does_not_matter() -> None:
    source = Desk(CHAIN)
    source.work_off()
    assert forked(source, "cab").jobs == {"d": 1}


def test_a_fork_of_everything_is_over_at_once() -> None:
    source = Desk(CHAIN)
    source.work_off()
    assert forked(source, "abcd").status == "COMPLETED"


def test_branches_skips_and_failures_stand_as_they_were() -> None:
    document = flow(
        {
            "pick": {"kind": "branch", "config": {}},
            **{name: function() for name in ("yes", "no", "mend", "end")},
        },
        {"y": edge("pick", "yes", when="inputs.go"), "n": edge("pick", "no", **{"else": True}),
         "f": edge("yes", "mend", on="failure"), **edges("mend end", "no end")},
    )  # fmt: skip
    source = Desk(document, {"go": True})
    source.fail("yes", "broke")
    source.complete("mend")
    desk = forked(source, ["pick", "yes", "no", "mend"])
    assert (desk.jobs, desk.how("no"), desk.how("yes")) == ({"end": 1}, "skipped", "failure")
    assert named(desk.events, ev.NodeFailed) == [], "nothing fails again"


def test_an_answered_ticket_is_not_asked_again() -> None:
    source = Desk(
        flow(
            {"ask": approval(), "b": function(), "c": function()},
            {"y": edge("ask", "b", on="approved"), **edges("b c")},
        )
    )
    source.answer("approve")
    source.complete("b")
    desk = forked(source, ["ask"])
    assert (desk.jobs, desk.run.tickets) == ({"b": 1}, {})


def test_a_decided_join_is_decided_and_what_it_cancelled_stays_cancelled() -> None:
    nodes = {"a": function(), "b": function(), "j": join(mode="any", cancel_rest=True), "end": function()}
    source = Desk(flow(nodes, edges("a j", "b j", "j end")))
    source.complete("a", 1)
    desk = forked(source, ["a", "b", "j"])
    assert (desk.jobs, desk.output("j"), desk.how("b")) == ({"end": 1}, {"a": 1}, "cancelled")


def test_a_join_that_was_decided_early_ignores_what_runs_anew() -> None:
    nodes = {"a": function(), "b": function(), "j": join(mode="any"), "end": function()}
    source = Desk(flow(nodes, edges("a j", "b j", "j end")))
    source.complete("a", 1)
    desk = forked(source, ["a", "j"])
    assert desk.jobs == {"b": 1, "end": 1}
    desk.complete("b")
    desk.complete("end")
    assert desk.status == "COMPLETED"


def test_a_finished_map_is_copied_whole() -> None:
    source = Desk(flow({"each": each("[1, 2]", {"in": function()}), "b": function()}, edges("each b")))
    source.work_off()
    desk = forked(source, ["each"])
    assert (desk.jobs, desk.run.bodies) == ({"b": 1}, {})


@pytest.mark.parametrize("nodes", ["b", "bc", "d"])
def test_a_copy_behind_a_node_that_runs_anew_is_not_run_twice(nodes: str) -> None:
    source = Desk(CHAIN)
    source.work_off()
    desk = forked(source, nodes)
    desk.work_off()
    assert desk.status == "COMPLETED"


def test_a_fork_may_have_a_deadline_of_its_own() -> None:
    document = {**CHAIN, "timeout": "1h"}
    source = Desk(document)
    source.complete("a")
    desk = forked(source, "a")
    assert desk.timers == {"run": 3_600_000}
