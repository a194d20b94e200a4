"""SEMANTICS 2.5: a decision opens no further pass after 256 events; what is left stands in the state, and goes on.

The run is RUNNING between two such decisions, and may be cancelled, patched, set aside or lost with its process.
"""

from random import Random
from typing import Any

import msgspec
import pytest

from aob.core.run import bodies, fold, pending
from aob.core.run.bodies import EVENTS_MAX
from aob.core.run.record import commands as cmd
from aob.core.run.record import decode_events, encode_events
from aob.core.run.record import events as ev
from aob.core.run.record.scope_event import BodyOpened
from aob.core.value import Ref, canonical, decode, digest_of
from aob.testing.flows import random_flow, random_inputs
from aob.testing.run_checks import picture
from tests.core.run_desk import Desk, each, edge, edges, flow, folded, function, join, kind, loop, named
from tests.core.run_work import Bare

OFF = {"disabled": True}
MANY = 1_000


def passes(
    n: int = MANY, nodes: dict[str, Any] | None = None, inner: dict[str, Any] | None = None, **config: Any
) -> dict[str, Any]:
    return flow({"l": loop(n, nodes or {"a": function(**OFF)}, inner, **config)})


def halted(document: dict[str, Any], inputs: Any = None) -> Desk:
    """A run that has more to do by itself, between two decisions."""
    desk = Desk(document, inputs, goes_on=False)
    assert pending(desk.run).goes_on
    assert desk.status == "RUNNING"
    return desk


def to_its_end(desk: Desk, most: int = 200) -> Desk:
    for _ in range(most):
        if not pending(desk.run).goes_on:
            return desk
        desk.go_on()
    raise AssertionError("it goes on and on")


# -- how much one decision does -----------------------------------------------------------------------------------


DOCUMENTS = {
    "a loop": (passes(), 3),
    "a loop that collects": (passes(collect=True), 3),
    "a loop that asks": (passes(**{"while": "loop.index < 900"}), 3),
    "items": (flow({"m": each("inputs", {"a": function(**OFF)})}), 3),
    "a loop in a loop": (flow({"l": loop(9, {"k": loop(99, {"a": function(**OFF)})})}), 6),
    "items of loops": (flow({"m": each("inputs", {"k": loop(5, {"a": function(**OFF)})})}), 6),
    "items of items": (flow({"m": each("inputs", {"k": each("[1, 2, 3]", {"a": function(**OFF)})})}), 6),
    "a chain in a body": (
        passes(200, {f"n{n}": function(**OFF) for n in range(30)}, inner=edges(*(f"n{n} n{n + 1}" for n in range(29)))),
        33,
    ),
    "a branch in a body": (
        passes(300, {"b": kind("branch"), "x": function(**OFF), "y": function(**OFF)},
               inner={"e": edge("b", "x", when="loop.index == 3"), "o": edge("b", "y", **{"else": True})}),
        6,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_decision_ends_with_the_pass_that_it_is_in(name: str) -> None:
    document, of_a_pass = DOCUMENTS[name]
    run = Bare(document, list(range(400)))
    run.begin()
    decisions = 1
    while run.run.going:
        run.do(cmd.Continue())
        decisions += 1
    assert run.run.final == "COMPLETED"
    assert run.most <= EVENTS_MAX + of_a_pass + 3  # the end of the pass, of its node, and of the run
    assert decisions >= run.events // (EVENTS_MAX + of_a_pass + 3)
    assert decisions <= run.events // EVENTS_MAX + 2


def test_a_wide_window_is_filled_by_several_decisions() -> None:
    desk = halted(flow({"m": each("inputs", {"a": function()}, window=1_000)}), list(range(600)))
    assert len(desk.jobs) < EVENTS_MAX
    to_its_end(desk)
    assert len(desk.jobs) == 600
    assert desk.status == "RUNNING"


def test_a_window_that_is_full_waits_for_its_jobs() -> None:
    desk = Desk(flow({"m": each("inputs", {"a": kind("approval")}, window=3)}), list(range(9)), goes_on=False)
    assert (pending(desk.run).goes_on, desk.status) == (False, "WAITING")


def test_maps_and_loops_take_turns() -> None:
    """A loop without an end in sight does not keep a map from opening its window."""
    nodes = {"l": loop(1_000_000, {"a": function(**OFF)}), "m": each("inputs", {"a": function()}, window=500)}
    desk = halted(flow(nodes), list(range(500)))
    for _ in range(20):
        desk.go_on()
    assert len(desk.jobs) == 500
    assert desk.run.bodies["l"].closed > 500


def test_a_job_that_ends_makes_room_at_once_beside_a_loop_that_goes_on() -> None:
    nodes = {"l": loop(1_000_000, {"a": function(**OFF)}), "m": each("inputs", {"a": function()}, window=2)}
    desk = halted(flow(nodes), list(range(9)))
    desk.go_on()
    assert set(desk.jobs) == {"m[0]/a", "m[1]/a"}
    desk.complete("m[0]/a")
    assert set(desk.jobs) == {"m[1]/a", "m[2]/a"}


def test_what_goes_on_by_itself_asks_for_it_once_more_and_a_repetition_changes_nothing() -> None:
    desk = to_its_end(Desk(passes(50), goes_on=False))
    assert desk.status == "COMPLETED"
    assert desk.do(cmd.Continue()) == []
    busy = Desk(flow({"a": function()}))
    assert busy.do(cmd.Continue()) == []


# -- between two decisions ----------------------------------------------------------------------------------------


def test_it_is_cancelled_between_two_decisions() -> None:
    desk = halted(passes())
    desk.cancel()
    assert (desk.status, pending(desk.run).goes_on) == ("CANCELLED", False)
    assert desk.do(cmd.Continue()) == []


def test_it_is_cancelled_between_two_decisions_of_a_body_in_a_body() -> None:
    desk = halted(flow({"m": each("inputs", {"k": loop(50, {"a": function(**OFF)}), "b": function()})}), [1] * 90)
    desk.go_on()
    desk.cancel()
    assert (desk.status, desk.run.going, desk.run.bodies) == ("CANCELLED", {}, {})


def test_it_is_set_aside_between_two_decisions_and_goes_on_once_it_is_released() -> None:
    desk = halted(passes())
    desk.do_events([ev.RunQuarantined("a test")])
    assert (desk.status, pending(desk.run).goes_on) == ("WAITING", False)
    assert desk.do(cmd.Continue()) == []
    desk.do(cmd.Release("ann"))
    assert (desk.status, pending(desk.run).goes_on) == ("RUNNING", True)
    assert to_its_end(desk).status == "COMPLETED"


def test_a_patch_between_two_decisions_holds_for_the_passes_to_come() -> None:
    desk = halted(passes(200))
    before = desk.run.bodies["l"].next
    desk.apply(
        [
            {"op": "add", "path": "/nodes/l/body/nodes/c", "value": function(**OFF)},
            {"op": "add", "path": "/nodes/l/body/edges/x", "value": edge("a", "c")},
        ]
    )
    to_its_end(desk)
    of_c = [event.visit for event in named(desk.events, ev.NodeCompleted) if event.visit.endswith("/c")]
    assert of_c == [f"l#{index}/c" for index in range(before, 200)]


def test_a_patch_between_two_decisions_does_not_take_the_loop_away() -> None:
    desk = halted(flow({"l": loop(MANY, {"a": function(**OFF)}), "z": function()}))
    assert desk.propose([{"op": "remove", "path": "/nodes/l"}]) == "invalid"
    assert to_its_end(desk).how("l") == "exhausted"


def test_its_process_is_lost_between_two_decisions() -> None:
    """Recovery folds events and decides nothing: what is pending then is what was pending before."""
    desk = halted(passes(collect=True))
    while desk.run.going:
        again = folded("run_1", desk.log)
        assert picture(again) == picture(desk.run)
        assert pending(again) == pending(desk.run)
        desk.run = again
        desk.go_on()
    assert desk.output()["count"] == MANY


def test_a_branch_beside_it_fails_the_run_between_two_decisions() -> None:
    desk = halted(flow({"l": loop(MANY, {"a": function(**OFF)}), "f": function()}))
    desk.fail("f")
    assert (desk.status, desk.run.going) == ("FAILED", {})


def test_a_race_that_is_over_ends_a_loop_that_goes_on() -> None:
    nodes = {"l": loop(MANY, {"a": function(**OFF)}), "f": function(), "j": join(mode="any", cancel_rest=True)}
    desk = halted(flow({**nodes, "z": function()}, edges("l j", "f j", "j z")))
    desk.complete("f")
    assert (desk.how("l"), desk.run.going, set(desk.jobs)) == ("cancelled", {}, {"z"})


def test_an_item_that_is_no_json_fails_its_map_wherever_it_stands() -> None:
    for bad in (0, 5, 700):
        lines = [b'{"n":1}'] * 900
        lines[bad] = b"{"
        data = b"\n".join(lines)
        values = {digest_of(data): data}
        document = flow({"m": each("inputs.list", {"a": function(**OFF)}, window=100, failures=3)})
        desk = to_its_end(Desk(document, {"list": decode(Ref(digest_of(data), len(data)).cell())}, values=values))
        assert desk.status == "FAILED"
        assert desk.error["code"] == ("bad_item" if bad < 100 else "body_failed")


# -- records of before --------------------------------------------------------------------------------------------


def test_a_map_of_before_does_not_say_its_window_and_goes_on_as_it_did() -> None:
    old = [
        event if type(event) is not BodyOpened else msgspec.json.decode(canonical(event)[:-3] + b"]", type=BodyOpened)
        for event in Desk(flow({"m": each("inputs", {"a": function()}, window=3)}), list(range(5))).events
    ]
    assert [event.window for event in named(old, BodyOpened)] == [0]
    desk = Desk(flow({"m": each("inputs", {"a": function()}, window=3)}), list(range(5)), begin=False, goes_on=False)
    desk.run = fold(desk.run, decode_events(encode_events(old)))
    desk.log, desk.events = [encode_events(old)], old
    assert not pending(desk.run).goes_on
    desk.complete("m[1]/a")
    assert (set(desk.jobs), pending(desk.run).goes_on) == ({"m[0]/a", "m[2]/a", "m[3]/a"}, False)
    desk.work_off()
    assert desk.status == "COMPLETED"


# -- any flow -----------------------------------------------------------------------------------------------------


@pytest.fixture(params=[1, 2, 7])
def few_events(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(bodies, "EVENTS_MAX", request.param)
    return int(request.param)


def lived(desk: Desk) -> tuple[Any, ...]:
    """The end of a run in which everything goes well, always the first by its name before the others."""
    for _ in range(600):
        run = desk.run
        tickets = sorted((ticket.visit, ticket.id) for ticket in run.tickets.values() if not ticket.answer)
        if run.final:
            break
        if desk.jobs:
            desk.complete(min(desk.jobs), 1)
        elif tickets:
            desk.answer(run.tickets[tickets[0][1]].choices[0], ticket=tickets[0][1])
        elif run.waits:
            name, key = run.waits[min(run.waits)]
            desk.message(name, key, id=f"m{len(run.commands)}")
        else:
            timer = min(run.timers.values(), key=lambda each: (each.due_ms, each.id))
            desk.now = max(desk.now, timer.due_ms)
            desk.do(cmd.Fire(timer.id))
    outcomes = sorted((event.visit, event.on) for event in named(desk.events, ev.NodeCompleted | ev.NodeFailed))
    return run.final, bytes(run.output), outcomes


@pytest.mark.parametrize("seed", range(40))
def test_any_flow_comes_to_the_same_end_whatever_one_decision_may_do(
    seed: int, few_events: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end() -> tuple[Any, ...]:
        dice = Random(seed)
        return lived(Desk(random_flow(dice), random_inputs(dice)))

    few = end()
    monkeypatch.setattr(bodies, "EVENTS_MAX", 256)
    assert few == end()
