"""A plain hop is decided without a step: the events are those that the step would have led to."""

from importlib import import_module
from typing import Any

import pytest

from aob.core.run import commands as cmd
from aob.core.run import encode_events, events
from tests.core.run_desk import Desk, each, edges, flow, function, join, loop

decide = import_module("aob.core.run.decide")

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


class BothWays(Desk):
    """Each command is decided twice: as it is, and with the step alone."""

    hops = 0

    def do(self, command: Any) -> list[Any]:
        if type(command) is cmd.Complete and decide._hop(self.run, command, self.given, self.now) is not None:
            self.hops += 1
            quick = decide.decide(self.run, command, self.given, self.now)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(decide, "_hop", lambda *_: None)
                whole = decide.decide(self.run, command, self.given, self.now)
            assert encode_events(quick.events) == encode_events(whole.events)
            assert (quick.values, quick.graphs) == (whole.values, whole.graphs)
        return super().do(command)


@pytest.mark.parametrize("name", FLOWS)
def test_a_hop_leads_to_the_events_of_a_step(name: str) -> None:
    desk = BothWays(FLOWS[name], {"n": 1})
    desk.work_off()
    assert desk.status == "COMPLETED"


def test_every_decision_of_a_chain_is_a_hop() -> None:
    desk = BothWays(FLOWS["a chain"], {"n": 1})
    desk.work_off()
    assert desk.hops == 3


def test_a_run_that_is_being_cancelled_does_not_complete_by_a_hop() -> None:
    desk = BothWays(FLOWS["one node"], {"n": 1})
    desk.do_events([events.CancelRequested("ann", "enough")])
    desk.work_off()
    assert (desk.status, desk.hops) == ("CANCELLED", 0)
