"""The law of an agent's key, when a record is handled again: a group set back, a dead letter replayed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from aob.core.agent.again import outdated, settled_before
from aob.core.agent.record import Later, decode_events, encode_events
from aob.core.value import decode
from tests.core.agent.desk import Desk, cell, cmd, output, record


def test_a_record_in_the_middle_of_an_effect_ends_before_its_source_is_read_again() -> None:
    desk = Desk()
    desk.intend(record(5))
    assert outdated(desk.key, record(4, generation=2))
    desk.do(cmd.SetBack("orders/3", 2, 4))
    assert desk.admit(record(4, generation=2)) == "busy"
    assert not outdated(desk.key, record(4, generation=2))
    desk.settle(record(5))
    assert desk.end(record(5)).events
    assert desk.admit(record(4, generation=2)) == ""


def test_what_an_earlier_handling_settled_answers_the_next_and_its_reminders_are_not_set_again() -> None:
    desk = Desk()
    desk.intend(record(5))
    desk.settle(record(5), result="paid")
    desk.end(record(5), output(), later=(Later(desk.now + 10, cell("x")), Later(desk.now + 10, cell("y"), "named")))
    again = record(5, generation=2)
    found = asyncio.run(of_history(desk, "orders/3"))["orders/3", 5]
    desk.do(cmd.Recall(again, 1, 1, tuple(found.known.values()), found.later))
    assert not desk.intend(again).events, "it answers from what was recorded"
    assert decode(next(iter(desk.key.open.intents)).result) == "paid"
    assert not desk.do(cmd.Recall(again, 1, 1, tuple(found.known.values()), found.later)).events
    three = (Later(desk.now, cell("x")), Later(desk.now, cell("y"), "named"), Later(desk.now, cell("z")))
    desk.end(again, output(), later=three)
    assert [each.id for each in desk.outputs] == [desk.outputs[0].id] * 2
    assert sorted(decode(each.data) for each in desk.key.reminders.values()) == ["x", "y", "z"]
    assert asyncio.run(of_history(desk, "orders/3"))["orders/3", 5].later == 3


def test_a_failed_effect_is_begun_again_by_the_next_handling() -> None:
    desk = Desk()
    desk.intend(record(5))
    desk.settle(record(5), failed=True)
    desk.intend(record(5), kind="other")
    desk.fail(record(5), transient=False)
    assert asyncio.run(of_history(desk, "orders/3")) == {}


def test_history_is_read_for_so_many_records_and_says_how_far() -> None:
    desk = Desk()
    for offset in range(7):
        desk.intend(record(offset))
        desk.settle(record(offset))
        desk.end(record(offset))
    found, end = asyncio.run(settled_before(desk.key.name, events_of(desk), "orders/3", 1, most=2))
    assert (sorted(found), end) == ([("orders/3", 1), ("orders/3", 2)], 3)


async def events_of(desk: Desk) -> AsyncIterator[Any]:
    for event in decode_events(encode_events(desk.told)):
        yield event


async def of_history(desk: Desk, source: str) -> Any:
    found, _ = await settled_before(desk.key.name, events_of(desk), source, 0)
    return found
