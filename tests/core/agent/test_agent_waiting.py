"""The law of an agent's key, while it waits: asks, interrupts, its queue, holds, reminders, versions, budgets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.agent import Rules
from aob.core.agent.key import CLOSED_MAX, QUEUE_MAX, REMINDERS_MAX, TICKETS_MAX
from aob.core.agent.record import Later, Mark, Question
from aob.core.agent_name import agent_stream, agent_thread
from aob.core.errors import Busy, Conflict, Invalid, NotFound, Refused
from aob.core.event import PARTITIONS, held_id, holder_of, partition_of
from aob.core.value import decode
from tests.core.agent.desk import DAY, T0, Desk, cell, cmd, record


def waiting(rules: Rules | None = None) -> Desk:
    """A key whose record 1 waits for a person."""
    desk = Desk(rules)
    desk.interrupt(record(1))
    desk.suspend(record(1), 1)
    return desk


def result(desk: Desk, number: int = 1) -> object:
    assert desk.key.open is not None
    assert desk.key.open.intents is not None
    found = desk.key.open.intents.get(number)
    return decode(found.result) if found is not None and found.result is not None else None


def test_a_question_to_an_agent_goes_out_once_and_its_reply_is_the_result() -> None:
    desk = Desk()
    asked = desk.ask(record(1))
    (request,) = asked.outputs
    assert (request.asker, request.depth) == (desk.key.name, 2)
    assert asked.marks == [Mark("orders/3", 1, 1)]
    assert not desk.ask(record(1)).outputs
    desk.suspend(record(1), 1)
    assert (desk.key.status, desk.admit(record(2))) == ("WAITING", "queue")
    desk.do(cmd.Replied("another", cell(0)))
    assert desk.key.status == "WAITING"
    desk.do(cmd.Replied(request.ask, cell("ann")))
    assert (desk.attempt, result(desk), desk.key.timers) == (2, "ann", {})
    assert not desk.ask(record(1), 2).outputs  # handled from the beginning: the same question has its answer
    assert not desk.do(cmd.Replied(request.ask, cell("bob"))).events
    desk.end(record(1), attempt=2)


def test_a_question_that_is_still_open_is_not_asked_again_by_a_record_that_goes_on() -> None:
    desk = Desk()
    (first,) = desk.ask(record(1), what="a").outputs
    (second,) = desk.ask(record(1), what="b").outputs
    desk.suspend(record(1), 1, 2)
    desk.do(cmd.Replied(first.ask, cell(1)))
    assert not desk.ask(record(1), 2, what="b").outputs
    desk.suspend(record(1), 2, attempt=2)
    desk.do(cmd.Replied(second.ask, cell(2)))
    assert (desk.attempt, result(desk, 1), result(desk, 2)) == (3, 1, 2)


def test_a_question_without_a_reply_in_time_has_failed_and_is_asked_again_by_a_retry() -> None:
    desk = Desk()
    (first,) = desk.ask(record(1)).outputs
    desk.suspend(record(1), 1)
    desk.ring()
    assert result(desk) == {"code": "ask_timeout", "message": "no reply came in time"}
    assert not desk.ask(record(1), 2).outputs  # it only went on: the same answer
    desk.fail(record(1), 2)
    desk.ring()
    (second,) = desk.ask(record(1), 3).outputs
    assert (first.id != second.id, first.ask != second.ask) == (True, True)
    assert not desk.do(cmd.Replied(first.ask, cell(1))).events  # the reply to the first comes too late


def test_the_reply_to_an_ask_goes_to_who_asked_and_so_does_its_failure() -> None:
    desk = Desk()
    given = record(1, asker="agent/default/org.a/k", ask="ask_1")
    desk.end(given, reply=cell({"n": 1}))
    desk.fail(record(2, asker="agent/default/org.a/k", ask="ask_2"), transient=False)
    assert [(each.ask, each.failed) for each in desk.replies] == [("ask_1", False), ("ask_2", True)]
    assert desk.replies[0].stream == "agent/default/org.a/k"


def test_an_answer_before_the_worker_has_left_is_not_missed() -> None:
    desk = Desk()
    desk.interrupt(record(1))
    desk.answer()
    assert desk.kinds(desk.suspend(record(1), 1)) == ["Suspended", "Resumed"]
    with pytest.raises(Invalid):
        Desk().suspend(record(1), 1)


def test_the_answer_of_a_person_is_the_result_and_only_of_the_question_that_is_open() -> None:
    desk = waiting()
    (ticket,) = desk.key.tickets
    with pytest.raises(Invalid):
        desk.answer("perhaps")
    desk.answer(values={"n": 1})
    assert result(desk) == {"choice": "approve", "by": "ann", "reason": "", "values": {"n": 1}}
    with pytest.raises(Conflict) as closed:
        desk.answer(ticket=ticket)
    assert closed.value.code == "ticket_closed"


def test_a_question_expires_and_one_whose_record_is_gone_is_obsolete() -> None:
    desk = Desk()
    desk.interrupt(record(1), due_ms=desk.now + 5)
    desk.suspend(record(1), 1)
    desk.ring()
    assert (desk.attempt, result(desk), desk.key.tickets) == (2, {
        "code": "expired", "message": "nobody answered in time",
    }, {})  # fmt: skip
    desk = waiting()
    (ticket,) = desk.key.tickets
    desk.do(cmd.Cancel(record(1).visit, "ann", ""))
    assert desk.told[-2].choice == "obsolete"
    with pytest.raises(Conflict):
        desk.answer(ticket=ticket)


def test_records_wait_behind_a_waiting_one_and_follow_in_order() -> None:
    desk = waiting()
    for offset in (2, 3):
        assert desk.admit(record(offset)) == "queue"
        assert desk.queue(record(offset)).marks == [Mark("orders/3", 1, offset)]
    assert not desk.queue(record(3)).events
    desk.answer()
    desk.end(record(1), attempt=2)
    assert (desk.visit.offset, desk.visit.cause, desk.attempt) == (2, "behind", 1)
    desk.end(desk.visit)
    desk.end(desk.visit)
    assert (desk.key.open, desk.key.queue, desk.key.ended) == (None, [], 3)
    assert desk.admit(record(4)) == ""
    assert len(desk.marks) == 3  # each record once


def test_a_free_key_queues_nothing() -> None:
    desk = Desk()
    assert not desk.queue(record(1)).events
    assert desk.end(record(1)).events


def test_the_queue_of_a_key_is_bounded() -> None:
    desk = waiting()
    for offset in range(2, QUEUE_MAX + 2):
        desk.queue(record(offset))
    with pytest.raises(Busy):
        desk.queue(record(QUEUE_MAX + 2))


@pytest.mark.parametrize(("policy", "at", "left"), [("rollback", 2, None), ("interrupt", 2, {"page": 1})])
def test_a_new_record_takes_the_place_of_a_waiting_one(policy: str, at: int, left: object) -> None:
    desk = Desk(Rules(while_waiting=policy))  # type: ignore[arg-type]
    desk.interrupt(record(1))
    desk.do(cmd.Save(record(1), 1, 1, cell({"page": 1})))
    desk.suspend(record(1), 1)
    decision = desk.queue(record(2))
    assert decision.marks == [Mark("orders/3", 1, 2)]
    assert (desk.visit.offset, desk.key.tickets, desk.key.timers) == (at, {}, {})
    assert (None if desk.key.left is None else decode(desk.key.left)) == left


def test_a_new_record_is_refused_while_another_waits_and_may_be_replayed() -> None:
    desk = waiting(Rules(while_waiting="reject"))
    assert desk.queue(record(2)).marks == [Mark("orders/3", 1, 2)]
    (letter,) = desk.letters()
    assert (letter["code"], letter["offset"], desk.visit.offset) == ("key_waiting", 2, 1)
    desk.answer()
    desk.do(cmd.Replay(letter["visit"], "ann"))
    desk.end(record(1), attempt=2)
    assert (desk.visit.offset, desk.visit.cause) == (2, "replay")


def test_poison_parks_the_key_until_a_person_frees_it() -> None:
    desk = Desk(Rules(on_poison="park"))
    desk.fail(record(1), transient=False)
    assert (desk.key.status, desk.admit(record(2))) == ("HELD", "queue")
    desk.queue(record(2))
    with pytest.raises(Conflict):
        desk.do(cmd.Free("pause", "ann"))
    desk.do(cmd.Free("poison", "ann", again=True))
    assert (desk.visit.offset, desk.visit.cause) == (1, "again")
    desk.end(desk.visit)
    assert (desk.visit.offset, desk.visit.cause) == (2, "behind")
    desk.end(desk.visit)
    assert desk.admit(record(3)) == ""


def test_what_is_mended_comes_first_also_when_the_key_is_held_for_more() -> None:
    desk = Desk(Rules(on_poison="park"))
    desk.fail(record(1), transient=False)
    desk.queue(record(2))
    desk.do(cmd.Hold("ann"))
    desk.do(cmd.Free("poison", "ann", again=True))
    assert desk.key.open is None
    desk.do(cmd.Free("pause", "ann"))
    assert desk.visit.offset == 1


def test_a_dead_letter_is_replayed_once_behind_what_waits() -> None:
    desk = Desk()
    desk.fail(record(1), transient=False)
    (letter,) = desk.letters()
    desk.intend(record(2))
    desk.do(cmd.Replay(letter["visit"], "ann"))
    with pytest.raises(NotFound):
        desk.do(cmd.Replay(letter["visit"], "ann"))
    desk.end(record(2))
    assert (desk.visit.offset, desk.visit.behind) == (1, 1)
    made = desk.end(desk.visit, *()).events
    assert made
    again = Desk()
    assert [each.id for each in again.end(record(1)).outputs] == []


def test_a_replayed_record_makes_the_same_records_as_it_would_have() -> None:
    from tests.core.agent.desk import output

    desk, plain = Desk(), Desk()
    desk.fail(record(1), transient=False)
    desk.do(cmd.Replay(desk.letters()[0]["visit"], "ann"))
    assert desk.end(desk.visit, output()).outputs[0].id == plain.end(record(1), output()).outputs[0].id


def test_a_paused_key_finishes_what_it_has_and_begins_nothing() -> None:
    desk = Desk()
    desk.intend(record(1))
    desk.do(cmd.Hold("ann"))
    assert not desk.do(cmd.Hold("bob")).events
    desk.queue(record(2))
    desk.end(record(1))
    assert desk.key.open is None
    desk.do(cmd.Free("pause", "ann"))
    assert desk.visit.offset == 2


def test_a_reminder_is_a_record_of_its_own_source() -> None:
    desk = Desk()
    desk.end(record(1, correlation="all", depth=4), later=(Later(desk.now + 5, cell({"n": 1})),))
    assert desk.key.timers == {"remind:1": desk.now + 5}
    desk.ring()
    assert (desk.visit.source, desk.visit.offset, desk.visit.cause) == ("reminder", 1, "reminder")
    assert (desk.visit.correlation, desk.visit.depth) == ("all", 4)
    assert decode(desk.key.reminders[1].data) == {"n": 1}
    desk.end(desk.visit)
    assert (desk.key.reminders, desk.key.open) == ({}, None)


def test_reminders_of_two_keys_make_records_with_ids_of_their_own() -> None:
    from tests.core.agent.desk import output

    made = []
    for key in ("ann", "bob"):
        desk = Desk(key=key)
        desk.end(record(1), later=(Later(desk.now, cell(1)),))
        desk.ring()
        made += [each.id for each in desk.end(desk.visit, output()).outputs]
    assert made[0] != made[1]


def test_a_named_reminder_replaces_the_one_before_and_can_be_taken_back() -> None:
    desk = Desk()
    desk.end(record(1), later=(Later(desk.now + 5, cell(1), "daily"), Later(desk.now + 9, cell(2), "daily")))
    assert desk.key.timers == {"remind:2": desk.now + 9}
    desk.end(record(2), later=(Later(0, None, "daily"), Later(0, None, "unknown")))
    assert (desk.key.timers, desk.key.reminders) == ({}, {})


def test_a_key_has_a_bounded_number_of_reminders() -> None:
    desk = Desk()
    desk.end(record(1), later=tuple(Later(desk.now, cell(1)) for _ in range(REMINDERS_MAX)))
    desk.end(record(2), later=(Later(desk.now, cell(1)),))
    assert [letter["code"] for letter in desk.letters()] == ["too_many_reminders"]


def test_a_dead_reminder_can_be_replayed() -> None:
    desk = Desk()
    desk.end(record(1), later=(Later(desk.now, cell("x")),))
    desk.ring()
    desk.fail(desk.visit, transient=False)
    desk.do(cmd.Replay(desk.letters()[0]["visit"], "ann"))
    assert decode(desk.key.reminders[desk.visit.offset].data) == "x"
    desk.end(desk.visit)
    assert desk.key.reminders == {}


def test_a_source_set_back_is_handled_again_and_what_was_before_does_not_count() -> None:
    desk = Desk()
    for offset in (5, 6):
        desk.end(record(offset))
    desk.interrupt(record(7))
    desk.suspend(record(7), 1)
    desk.queue(record(8))
    desk.do(cmd.SetBack("orders/3", 2, 6))
    assert (desk.key.open, desk.key.queue, desk.key.tickets) == (None, [], {})
    assert not desk.end(record(9)).events  # of the earlier generation
    assert not desk.end(record(5, generation=2)).events
    assert desk.end(record(6, generation=2)).events
    assert not desk.do(cmd.SetBack("orders/3", 2, 0)).events


def test_a_source_set_back_leaves_what_is_before_the_offset() -> None:
    desk = waiting()
    desk.queue(record(2))
    desk.do(cmd.SetBack("orders/3", 2, 2))
    assert (desk.visit.offset, desk.key.queue) == (1, [])


def test_what_waits_before_the_offset_begins_when_the_record_in_hand_is_set_back() -> None:
    desk = Desk()
    desk.interrupt(record(1, "b/1"))
    desk.suspend(record(1, "b/1"), 1)
    desk.queue(record(2))
    desk.queue(record(3))
    desk.queue(record(2, "b/1"))
    desk.do(cmd.Hold("ann"))
    desk.do(cmd.Cancel(record(1, "b/1").visit, "ann", ""))
    desk.do(cmd.SetBack("orders/3", 2, 3))
    desk.do(cmd.Free("pause", "ann"))
    assert (desk.visit.source, desk.visit.offset) == ("orders/3", 2)
    desk.do(cmd.SetBack("orders/3", 3, 2))
    assert (desk.visit.source, desk.visit.offset) == ("b/1", 2)


def test_a_replay_of_what_is_before_the_offset_begins_when_the_record_in_hand_is_set_back() -> None:
    desk = Desk()
    desk.fail(record(1), transient=False)
    desk.intend(record(5))
    desk.settle(record(5))
    desk.do(cmd.Replay(desk.letters()[0]["visit"], "ann"))
    desk.do(cmd.SetBack("orders/3", 2, 4))
    assert desk.visit.offset == 1


def test_a_later_generation_counts_without_being_told_of() -> None:
    desk = Desk()
    desk.end(record(9))
    assert desk.end(record(4, generation=2)).events
    assert not desk.end(record(10)).events
    assert desk.end(record(10, "other/3")).events
    desk.reads["other/3"] = 2
    assert not desk.end(record(11, "other/3")).events
    assert desk.end(record(3, "other/3", 2)).events


def test_a_version_changes_between_records_only_and_a_failed_migration_keeps_the_old() -> None:
    desk = Desk()
    assert not desk.do(cmd.Migrate(0, 2)).events
    desk.intend(record(1))
    assert not desk.do(cmd.Migrate(1, 2, cell("new"))).events
    desk.end(record(1), state="old")
    desk.do(cmd.Migrate(1, 2, None, cell({"code": "boom"})))
    assert (desk.key.version, desk.key.stuck_version, desk.state) == (1, 2, "old")
    assert not desk.do(cmd.Migrate(2, 3)).events
    desk.do(cmd.Migrate(1, 2, cell("new")))
    assert (desk.key.version, desk.key.stuck_version, desk.key.stuck, desk.state) == (2, 0, None, "new")
    assert not desk.end(record(2)).events
    desk.version = 2
    assert desk.end(record(2)).events


def test_a_spent_budget_stops_the_key_until_the_next_day() -> None:
    desk = Desk(Rules(budget={"usd": 1.0}))
    desk.end(record(1), usage={"usd": 0.6, "tokens": 9})
    assert desk.admit(record(2)) == ""
    desk.end(record(2), usage={"usd": 0.5})
    assert desk.admit(record(3)) == "queue"
    desk.queue(record(3))
    desk.ring()
    assert (desk.now % DAY, desk.visit.offset) == (0, 3)
    desk.end(desk.visit, usage={"usd": 0.5})
    assert (desk.key.status, desk.key.spent) == ("IDLE", {"usd": 0.5})


def test_a_record_that_meets_a_spent_budget_waits_and_uses_no_retry() -> None:
    desk = Desk(Rules(budget={"usd": 1}, attempts=1))
    desk.intend(record(1))
    desk.settle(record(1), usage={"usd": 1})
    with pytest.raises(Refused) as refused:
        desk.intend(record(1), count=2)
    assert refused.value.code == "budget_spent"
    desk.fail(record(1), code="budget_spent")
    assert (desk.key.status, desk.letters()) == ("HELD", [])
    desk.ring("hold:budget")
    assert (desk.attempt, desk.key.status) == (2, "RUNNING")
    assert desk.intend(record(1), 2, count=2).events


@pytest.mark.parametrize(("choice", "status"), [("allow", "IDLE"), ("deny", "HELD")])
def test_a_person_may_allow_a_budget_once_more(choice: str, status: str) -> None:
    desk = Desk(Rules(budget={"usd": 1}, over_budget="ask"))
    desk.end(record(1), usage={"usd": 1})
    desk.answer(choice)
    assert desk.key.status == status
    if choice == "allow":
        desk.end(record(2), usage={"usd": 1})
        assert len(desk.key.tickets) == 1  # and asks again after the second
    else:
        desk.ring()
        assert desk.key.status == "IDLE"


def test_a_degraded_key_goes_on_and_says_so() -> None:
    rules = Rules(budget={"usd": 1}, over_budget="degrade")
    desk = Desk(rules)
    desk.end(record(1), usage={"usd": 2})
    assert desk.key.status == "IDLE"
    assert desk.key.overspent(rules.budget, desk.now // DAY) == "usd"
    assert desk.key.overspent(rules.budget, desk.now // DAY + 1) == ""


def test_what_is_in_hand_or_waits_can_be_cancelled() -> None:
    desk = waiting()
    desk.queue(record(2))
    desk.queue(record(3))
    desk.do(cmd.Cancel(desk.key.queue[0].visit, "ann", "no"))
    desk.do(cmd.Cancel(record(1).visit, "ann", "no"))
    assert desk.visit.offset == 3
    with pytest.raises(NotFound):
        desk.do(cmd.Cancel("orders/3@1.9", "ann", ""))


def test_a_doubtful_record_does_not_go_on_because_of_another_answer() -> None:
    desk = Desk()
    (request,) = desk.ask(record(1)).outputs
    desk.intend(record(1), what={"effect": "once"})
    desk.lose(record(1))
    desk.do(cmd.Replied(request.ask, cell(1)))
    assert desk.key.status == "WAITING"
    desk.answer("repeat")
    assert desk.attempt == 2


def escalated(*rungs: tuple[int, str, str]) -> Desk:
    """A key whose record 1 waits for a person, with what happens meanwhile."""
    desk = Desk()
    desk.do(
        cmd.Interrupt(
            record(1), 1, 1, 1, b"q", cell("q"), Question("clerk", "refund?", due_ms=desk.now + 9, rungs=rungs)
        )
    )
    desk.suspend(record(1), 1)
    return desk


def test_a_question_that_nobody_answers_goes_to_others_and_is_decided_by_itself() -> None:
    desk = escalated((T0 + 1, "remind", ""), (T0 + 2, "reassign", "boss"), (T0 + 3, "reject", ""))
    (ticket,) = desk.key.tickets
    desk.ring()
    assert (desk.key.tickets[ticket].role, desk.key.tickets[ticket].step) == ("clerk", 1)
    desk.ring()
    assert (desk.key.tickets[ticket].needed, desk.key.tickets[ticket].step) == (("boss",), 2)
    desk.ring()
    assert (desk.attempt, result(desk), desk.key.timers) == (
        2, {"choice": "reject", "by": "timer", "reason": "escalation", "values": None}, {},
    )  # fmt: skip


def test_an_answer_ends_the_escalation_and_so_does_the_end_of_the_record() -> None:
    desk = escalated((T0 + 3, "approve", ""))
    desk.answer()
    assert desk.key.timers == {}
    desk = escalated((T0 + 3, "approve", ""))
    desk.do(cmd.Cancel(record(1).visit, "ann", ""))
    assert desk.key.timers == {}


def test_a_ticket_that_is_not_open_any_more_says_what_became_of_it() -> None:
    desk = waiting()
    (ticket,) = desk.key.tickets
    desk.answer(values={"n": 1})
    assert not desk.answer(ticket=ticket, values={"n": 1}).events  # the same again
    for choice, values in (("approve", {"n": 2}), ("reject", {"n": 1})):
        with pytest.raises(Conflict, match="already decided: approve by ann"):
            desk.answer(choice, ticket, values)
    desk = waiting()
    (ticket,) = desk.key.tickets
    desk.do(cmd.Cancel(record(1).visit, "ann", ""))
    with pytest.raises(Conflict, match="obsolete"):
        desk.answer(ticket=ticket)


def test_a_key_remembers_its_last_tickets_and_opens_only_so_many() -> None:
    desk = Desk()
    for number in range(TICKETS_MAX):
        desk.interrupt(record(1), what=f"{number}?")
    with pytest.raises(Refused) as refused:
        desk.interrupt(record(1), what="one more?")
    assert refused.value.code == "too_many_tickets"
    desk.do(cmd.End(record(1), 1, 1))
    assert (len(desk.key.tickets), len(desk.key.closed)) == (0, CLOSED_MAX)


@given(st.text(max_size=100), st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8))
def test_the_id_of_a_ticket_names_its_key_unless_that_is_long(key: str, agent: str) -> None:
    stream = agent_stream("default", agent, key)
    id = held_id("ticket", stream, "orders/3@1.1", 1, 1)
    assert holder_of(id) in (stream, "")
    assert holder_of(id) or len(stream) > 80
    assert len(id) < 160


@given(st.text(max_size=40))
def test_an_id_that_somebody_made_up_names_no_stream_of_another_kind(text: str) -> None:
    assert holder_of(f"ticket_~{text}-0").startswith(("agent/", "run_")) or not holder_of(f"ticket_~{text}-0")


@given(st.text(max_size=40), st.sampled_from(["triage", "org.shop.triage"]))
def test_the_thread_of_a_key_lies_where_the_key_lies(key: str, agent: str) -> None:
    stream = f"thread/default/{agent_thread(agent, key)}"
    places = {partition_of(each, PARTITIONS) for each in (stream, agent_stream("default", agent, key), key)}
    assert len(places) == 1
