"""The law of an agent's key, on one record: its end, its retries, its effects, its worker's loss."""

import pytest

from aob.core.agent import Rules
from aob.core.agent.deciding import LOST_MAX, OUTPUTS_MAX
from aob.core.agent.key import STATE_MAX
from aob.core.agent.record import Mark
from aob.core.errors import Refused
from aob.core.value import Ref, decode
from tests.core.agent.desk import Desk, cell, cmd, output, record


def test_a_plain_end_is_one_event_with_state_mark_and_outputs() -> None:
    desk = Desk()
    decision = desk.end(record(7), output("out"), output("other"), state={"n": 1})
    assert desk.kinds(decision) == ["Ended"]
    assert desk.state == {"n": 1}
    assert decision.marks == [Mark("orders/3", 1, 7)]
    first, second = decision.outputs
    assert (first.topic, second.topic, first.depth, first.causation) == ("out", "other", 2, record(7).id)
    assert first.correlation == record(7).id  # the first of a chain names it
    assert first.id != second.id


def test_an_end_says_its_outputs_ids_again_whoever_makes_it() -> None:
    one, other = Desk(key="a"), Desk(key="b")
    made = [each.id for each in one.end(record(7), output(), output()).outputs]
    assert [each.id for each in other.end(record(7), output("x", 5), output()).outputs] == made
    assert [each.id for each in one.end(record(8), output(), output()).outputs] != made


def test_an_end_counts_once() -> None:
    desk = Desk()
    desk.end(record(7), output(), state=1)
    for late in (record(7), record(6), record(3)):
        assert desk.end(late, output(), state=2).events == []
    assert (desk.state, len(desk.outputs), desk.admit(record(7))) == (1, 1, "known")
    assert desk.admit(record(8)) == desk.admit(record(0, "other/3")) == ""


def test_state_stays_when_an_end_brings_none_and_becomes_null_when_it_brings_null() -> None:
    desk = Desk()
    desk.end(record(1), state={"n": 1})
    desk.end(record(2))
    assert desk.state == {"n": 1}
    desk.end(record(3), state=None)
    assert desk.state is None


def test_a_failure_waits_longer_each_time_and_its_record_is_marked_at_once() -> None:
    desk = Desk(Rules(attempts=3, first_ms=100, jitter=0))
    assert desk.fail(record(1)).marks == [Mark("orders/3", 1, 1)]
    assert desk.key.timers == {"retry": desk.now + 100}
    desk.ring()
    assert desk.attempt == 2
    assert desk.fail(record(1), 2).marks == []
    assert desk.key.timers == {"retry": desk.now + 200}
    desk.ring()
    desk.fail(record(1), 3)
    letter = desk.letters()[0]
    assert (letter["attempts"], letter["failures"], letter["code"], letter["visit"]) == (3, 2, "boom", "orders/3@1.1")
    assert desk.key.open is None
    assert desk.key.timers == {}
    assert desk.admit(record(2)) == ""


def test_a_permanent_failure_is_a_dead_letter_at_once_and_the_key_goes_on() -> None:
    desk = Desk()
    decision = desk.fail(record(1), transient=False, decisions=("call_1",))
    assert (len(desk.letters()), decision.marks, desk.letters()[0]["decisions"]) == (
        1, [Mark("orders/3", 1, 1)], ["call_1"],
    )  # fmt: skip
    assert desk.outputs[0].subject == "ann"
    assert desk.end(record(2)).events


def test_a_service_may_ask_for_a_later_attempt() -> None:
    desk = Desk(Rules(jitter=0))
    desk.fail(record(1), after_ms=50_000)
    assert desk.key.timers == {"retry": desk.now + 50_000}


def test_the_deadline_ends_the_retries() -> None:
    desk = Desk(Rules(attempts=9, first_ms=1_000, jitter=0, deadline_ms=2_500))
    desk.fail(record(1))
    desk.ring()
    desk.fail(record(1), 2)
    assert len(desk.letters()) == 1


def test_jitter_is_the_same_in_a_replay_and_differs_between_keys() -> None:
    dues = []
    for key in ("ann", "ann", "bob"):
        desk = Desk(Rules(jitter=0.5), key=key)
        desk.fail(record(1))
        dues.append(desk.key.timers["retry"])
    assert dues[0] == dues[1] != dues[2]


def test_an_old_attempt_reports_nothing() -> None:
    desk = Desk()
    assert not desk.end(record(1), attempt=2).events
    desk.fail(record(1))
    assert not desk.end(record(1)).events  # it waits for its next attempt
    desk.ring()
    for attempt in (1, 3):
        assert not desk.end(record(1), attempt=attempt).events
        assert not desk.fail(record(1), attempt).events
        assert not desk.lose(record(1), attempt).events
        with pytest.raises(Refused) as refused:
            desk.intend(record(1), attempt)
        assert refused.value.code == "token_gone"
    assert desk.end(record(1), attempt=2).events


def test_another_record_does_not_overtake_the_one_in_hand() -> None:
    desk = Desk()
    desk.intend(record(1))
    assert desk.admit(record(2)) == "busy"
    assert not desk.end(record(2)).events
    assert desk.end(record(1)).events
    assert desk.end(record(2)).events


def test_a_report_of_another_version_does_not_count() -> None:
    desk = Desk()
    desk.end(record(1))
    desk.version = 2
    assert not desk.end(record(2)).events
    desk.version = 1
    assert desk.end(record(2)).events


def test_an_effect_is_granted_once_and_answers_the_next_attempt() -> None:
    desk = Desk()
    assert desk.kinds(desk.intend(record(1))) == ["Taken", "Intended"]
    assert not desk.intend(record(1)).events  # only the answer was lost
    desk.settle(record(1), result={"sent": True})
    desk.fail(record(1))
    desk.ring()
    assert not desk.intend(record(1), 2).events
    assert desk.kinds(desk.intend(record(1), 2, count=2)) == ["Intended"]
    intents = desk.key.open.intents if desk.key.open else None
    assert intents is not None
    assert [(each.number, each.count, each.result and decode(each.result)) for each in intents] == [
        (1, 1, {"sent": True}), (2, 2, None),
    ]  # fmt: skip


def test_a_failed_effect_is_begun_again_after_the_record_has_failed_and_not_before() -> None:
    desk = Desk()
    desk.intend(record(1))
    desk.settle(record(1), failed=True)
    assert not desk.intend(record(1)).events
    desk.fail(record(1))
    desk.ring()
    assert desk.kinds(desk.intend(record(1), 2)) == ["Intended"]


def test_a_lost_worker_costs_no_retry_and_a_fresh_record_stopped_leaves_no_trace() -> None:
    desk = Desk(Rules(attempts=1))
    assert not desk.lose(record(1), why="stop").events
    assert desk.kinds(desk.lose(record(1))) == ["Taken", "AttemptLost"]
    assert desk.attempt == 2
    assert desk.end(record(1), attempt=2).events


def test_the_tenth_loss_is_a_dead_letter() -> None:
    desk = Desk()
    for attempt in range(1, LOST_MAX):
        desk.lose(record(1), attempt)
        desk.lose(record(1), attempt, "stop")  # an old attempt: nothing
    assert desk.attempt == LOST_MAX
    desk.lose(record(1), LOST_MAX, "stop")
    assert desk.letters() == []
    desk.lose(record(1), LOST_MAX + 1)
    assert [(letter["code"], letter["crashes"]) for letter in desk.letters()] == [("lost_too_often", LOST_MAX - 1)]


@pytest.mark.parametrize(("policy", "kinds"), [
    ("ask", ["Suspended", "TicketOpened"]), ("repeat", ["AttemptLost"]), ("fail", ["Died"]),
])  # fmt: skip
def test_an_effect_that_may_have_happened_is_asked_about_repeated_or_given_up(policy: str, kinds: list[str]) -> None:
    desk = Desk(Rules(on_uncertain=policy))  # type: ignore[arg-type]
    desk.intend(record(1), what={"effect": "once"})
    assert desk.kinds(desk.lose(record(1))) == kinds


@pytest.mark.parametrize("effect", ["none", "keyed"])
def test_an_effect_that_may_be_repeated_is(effect: str) -> None:
    desk = Desk()
    desk.intend(record(1), what={"effect": effect})
    assert desk.kinds(desk.lose(record(1))) == ["AttemptLost"]
    assert desk.kinds(desk.intend(record(1), 2, what={"effect": effect})) == ["Intended"]


def test_a_person_says_whether_it_happened() -> None:
    desk = Desk()
    desk.intend(record(1), what={"effect": "once"})
    desk.lose(record(1))
    desk.answer("done", values={"output": {"paid": 3}})
    assert desk.attempt == 2
    intents = desk.key.open.intents if desk.key.open else None
    assert intents is not None
    assert [decode(each.result or b"0") for each in intents] == [{"paid": 3}]
    assert not desk.intend(record(1), 2, what={"effect": "once"}).events
    for choice, kinds in (("repeat", ["TicketClosed", "Resumed"]), ("fail", ["TicketClosed", "Died"])):
        desk = Desk()
        desk.intend(record(1), what={"effect": "once"})
        desk.lose(record(1))
        assert desk.kinds(desk.answer(choice)) == kinds


def test_a_record_too_far_from_where_all_began_is_refused_with_its_chain() -> None:
    desk = Desk(Rules(depths={"deep": 3, "far": 5_000}))
    deep = record(1, depth=3, correlation="all")
    desk.end(deep, output("out"), output("deep"))
    error = desk.letters()[0]["error"]
    assert error["code"] == "too_deep"
    assert error["detail"]["chain"] == {
        "correlationid": "all", "causationid": deep.id, "depth": 3, "agent": "org.shop.triage",
    }  # fmt: skip
    assert [each.topic for each in desk.outputs] == ["dead.org.shop.triage"]  # none of its records, not even the first
    assert desk.end(record(2, depth=999), output("far")).outputs[0].topic == "far"
    assert desk.end(record(3, depth=1_000), output("far")).outputs[0].topic == "dead.org.shop.triage"
    assert desk.end(record(4, depth=16), output("out")).outputs[0].topic == "dead.org.shop.triage"


def test_the_third_time_of_the_same_content_in_one_correlation_is_a_loop() -> None:
    desk = Desk()
    same = [record(n, seen=b"12345678") for n in range(4)]
    for each in same[:2]:
        assert desk.admit(each) == ""
        desk.end(each)
    assert desk.admit(same[2]) == "refuse"
    assert desk.do(cmd.Refuse(same[2], 1)).marks == [Mark("orders/3", 1, 2)]
    assert desk.letters()[0]["code"] == "loop"
    other = record(5, seen=b"87654321")
    assert desk.admit(other) == ""
    assert not desk.do(cmd.Refuse(other, 1)).events
    for offset in (0, 1):
        again = record(offset, generation=2, seen=b"12345678")
        assert desk.admit(again) == ""  # read again on purpose
        desk.end(again)
    assert desk.admit(record(2, generation=2, seen=b"12345678")) == "refuse"


def test_an_end_over_a_limit_is_a_dead_letter_and_changes_nothing_else() -> None:
    desk = Desk()
    desk.end(record(1), *[output()] * (OUTPUTS_MAX + 1))
    large = Ref(bytes(32), STATE_MAX + 1).cell()
    desk.do(cmd.End(record(2), 1, 1, large))
    assert [letter["code"] for letter in desk.letters()] == ["too_many_outputs", "state_too_large"]
    assert desk.state is None
    desk.do(cmd.End(record(3), 1, 1, Ref(bytes(32), STATE_MAX).cell()))
    assert bytes(desk.key.state).startswith(b'{"$ref"')


def test_a_checkpoint_is_there_for_the_next_attempt() -> None:
    desk = Desk()
    desk.do(cmd.Save(record(1), 1, 1, cell({"page": 3})))
    desk.fail(record(1))
    desk.ring()
    assert desk.key.open is not None
    assert decode(desk.key.open.resume or b"") == {"page": 3}
    desk.do(cmd.Save(record(1), 1, 1, cell({"page": 1})))  # an old attempt
    assert desk.key.open is not None
    assert decode(desk.key.open.resume or b"") == {"page": 3}
