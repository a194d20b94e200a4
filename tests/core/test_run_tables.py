"""The law is complete: every event has a rule of evolve, every command one of decide, every kind of work its way."""

import random
from typing import get_args

import msgspec
import pytest

from aob.core.node import KINDS
from aob.core.run import Run, decide, deciding, evolve, inner
from aob.core.run.record import commands, events
from aob.core.run.record.event import RunEvent, decode_events, encode_events
from aob.core.run.state import folding
from aob.testing.run_checks import picture
from tests.core.run_desk import Desk, each, edges, flow, folded, function, loop, sleep


def test_every_event_has_a_rule_of_evolve() -> None:
    assert set(folding._HANDLERS) == set(get_args(RunEvent))


def test_every_command_has_a_rule_of_decide() -> None:
    assert set(deciding._RULES) == set(get_args(commands.RunCommand))


def test_every_kind_becomes_a_job_or_is_worked_out_inside_a_decision() -> None:
    for name, kind in KINDS.items():
        assert (name in inner.WORK) == (kind.inner or kind.waits), name


def test_tags_of_events_are_different_and_never_change() -> None:
    tags = {kind.__struct_config__.tag: kind.__name__ for kind in get_args(RunEvent)}
    assert len(tags) == len(get_args(RunEvent))
    assert [tags[tag] for tag in (1, 3, 4, 13, 26, 31)] == [
        "RunStarted", "NodeCompleted", "NodeFailed", "PatchApplied", "RunFinished", "ScopeMoved",
    ]  # fmt: skip


def test_an_event_without_a_rule_is_an_error_and_never_ignored() -> None:
    class Later(msgspec.Struct, array_like=True, tag=99):
        x: int = 0

    with pytest.raises((KeyError, TypeError)):
        evolve(Run("run_1"), Later())  # type: ignore[arg-type]  # not an event of this release


def test_older_events_without_the_newest_fields_are_read() -> None:
    (event,) = decode_events(b'[[13,"p",1,[],[],"hash","ann"]]')
    assert isinstance(event, events.PatchApplied)
    assert (event.signalled_taken, event.ready, event.reset) == ([], [], {})
    (event,) = decode_events(b'[[14,"p","rejected","ann","no"]]')
    assert isinstance(event, events.PatchClosed)
    assert event.rules == ""


def test_newer_fields_that_this_release_does_not_know_are_read_over() -> None:
    (event,) = decode_events(b'[[8,"t",true,"what is this"]]')
    assert isinstance(event, events.TimerDone)


def test_a_log_may_be_cut_anywhere_and_folded_in_parts() -> None:
    nodes = {
        "a": function(),
        "each": each("[1, 2]", {"in": function()}),
        "loop": loop(2, {"x": function()}),
        "nap": sleep(1),
    }
    desk = Desk(flow(nodes, edges("a each", "each loop", "loop nap")))
    desk.work_off()
    desk.fire()
    assert desk.status == "COMPLETED"
    whole = decode_events(b"[" + b",".join(data[1:-1] for data in desk.log) + b"]")
    assert encode_events(whole) == encode_events(desk.events)
    for cut in random.Random(1).sample(range(len(whole)), 5):
        run = folded("run_1", [encode_events(whole[:cut])])
        for event in whole[cut:]:
            run = evolve(run, event)
        assert picture(run) == picture(desk.run)


def test_the_law_is_the_one_that_the_door_shows() -> None:
    assert decide is deciding.decide
