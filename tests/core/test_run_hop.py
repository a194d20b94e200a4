"""A plain hop is decided, folded and written in one go, and comes to what the rules come to: the desk holds every
completion that is put on it against them, in these and in all other tests of runs."""

import pytest

from aob.core.run.record import events
from tests.core.run_desk import Desk, each, edges, flow, function, join, loop

CHAIN = edges("a b", "b c")
ABC = {"a": function(), "b": function(), "c": function()}
FLOWS = {
    "one node": flow({"a": function()}),
    "a chain": flow(ABC, CHAIN),
    "two ends": flow(ABC, edges("a b", "a c")),
    "an output of its own": flow(ABC, CHAIN, output={"x": "nodes.c.output"}),
    "a failure edge at the end": flow(
        ABC, {"e1": {"from": "a", "to": "b"}, "e2": {"from": "b", "to": "c", "on": "failure"}}
    ),
    "a join": flow({**ABC, "d": join()}, edges("a b", "a c", "b d", "c d")),
    "a node after a join": flow({**ABC, "d": join(), "e": function()}, edges("a b", "a c", "b d", "c d", "d e")),
    "a body": flow({"m": each("[1, 2]", {"x": function(), "y": function()}, edges("x y")), "z": function()},
                   edges("m z")),
    "a body at the end": flow({"a": function(), "l": loop(2, {"x": function()})}, edges("a l")),
    "a deadline": flow({"a": function(), "b": function(timeout={"deadline": "1h"})}, edges("a b")),
}  # fmt: skip


@pytest.mark.parametrize("name", FLOWS)
def test_a_hop_comes_to_what_the_rules_come_to(name: str) -> None:
    desk = Desk(FLOWS[name], {"n": 1})
    desk.work_off()
    assert desk.status == "COMPLETED"


def test_every_decision_of_a_chain_is_a_hop() -> None:
    desk = Desk(FLOWS["a chain"], {"n": 1})
    desk.work_off()
    assert desk.hops == 3


def test_a_run_that_is_being_cancelled_does_not_complete_by_a_hop() -> None:
    desk = Desk(FLOWS["one node"], {"n": 1})
    desk.do_events([events.CancelRequested("ann", "enough")])
    desk.work_off()
    assert (desk.status, desk.hops) == ("CANCELLED", 0)
