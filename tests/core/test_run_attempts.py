"""SEMANTICS 2.4, 3.5, 5.1 to 5.3: attempts, back-off, lost workers, intents and what is uncertain, set aside."""

from typing import Any

import pytest
from msgspec import Raw

from aob.core.errors import Conflict, Refused
from aob.core.run.deciding import AFTER_MAX_MS, LOST_MAX
from aob.core.run.record import commands as cmd
from aob.core.run.record import events as ev
from tests.core.run_desk import Desk, approval, edge, edges, flow, function, named, sleep


def retried(**retry: Any) -> Desk:
    return Desk(flow({"a": function(retry={"jitter": 0, **retry})}))


# -- retries ------------------------------------------------------------------------------------------------------


def test_the_waits_between_attempts_grow_up_to_their_bound() -> None:
    desk = retried(attempts=6, first="1s", factor=3, max="20s")
    waits = []
    for attempt in range(1, 6):
        desk.fail("a", transient=True)
        assert (desk.how("a"), desk.status) == ("backoff", "WAITING")
        waits.append(desk.timers["retry a"])
        (event,) = named(desk.fire("a"), ev.TokenReady)
        assert event.attempt == attempt + 1
        assert desk.jobs == {"a": attempt + 1}
    assert waits == [1_000, 3_000, 9_000, 20_000, 20_000]
    desk.fail("a", transient=True)
    assert desk.status == "FAILED"


def test_jitter_is_a_hash_that_a_replay_finds_again() -> None:
    def waits(run: str) -> list[int]:
        desk = Desk(flow({"a": function(retry={"attempts": 9, "first": "10s", "factor": 1, "jitter": 0.5})}), run)
        found = []
        for _ in range(8):
            desk.fail("a", transient=True)
            found.append(desk.timers["retry a"])
            desk.fire("a")
        return found

    assert waits("x") == waits("x")
    assert len(set(waits("x"))) > 5
    assert all(5_000 <= wait <= 15_000 for wait in waits("x"))


def test_a_wrong_input_is_not_tried_again() -> None:
    desk = retried(attempts=5)
    desk.fail("a", transient=False)
    assert desk.status == "FAILED"


def test_a_service_may_ask_to_be_called_later() -> None:
    desk = retried(attempts=5, first="1s")
    desk.fail("a", transient=True, after_ms=30_000)
    assert desk.timers == {"retry a": 30_000}
    desk.fire("a")
    desk.fail("a", transient=True, after_ms=1 << 60)
    assert desk.timers == {"retry a": AFTER_MAX_MS}


def test_many_attempts_never_overflow() -> None:
    desk = retried(attempts=1_000, first="1s", factor=100, max="10s")
    desk.record([ev.TokenReady("a", n, "retry") for n in range(2, 901)])
    desk.fail("a", transient=True)
    assert desk.timers == {"retry a": 10_000}


def test_a_report_of_an_older_attempt_changes_nothing() -> None:
    desk = retried(attempts=3)
    desk.fail("a", transient=True)
    assert desk.complete("a", attempt=1) == []
    desk.fire("a")
    assert desk.complete("a", attempt=1) == []
    assert desk.fail("a", attempt=1) == []
    assert desk.do(cmd.Lost("a", 1)) == []
    desk.complete("a", attempt=2)
    assert desk.status == "COMPLETED"


def test_a_person_reviews_a_failure_and_lets_it_be_tried_again() -> None:
    desk = Desk(
        flow({"a": function(on_failure="review", retry=2, timeout={"deadline": "1h"}), "b": function()}, edges("a b"))
    )
    desk.fail("a", "no_stock")
    assert (desk.ticket().subject, desk.status) == ("review", "WAITING")
    assert desk.fetched(desk.ticket().shown) == b'{"code":"no_stock","message":"a broke"}'
    assert desk.timers == {"deadline a": 3_600_000}, "the deadline counts people in"
    desk.answer("retry")
    assert desk.jobs == {"a": 2}
    desk.fail("a")
    desk.answer("skip")
    assert (desk.status, desk.how("b"), desk.timers) == ("COMPLETED", "skipped", {})


def test_a_review_may_end_in_failure() -> None:
    desk = Desk(flow({"a": function(on_failure="review")}))
    desk.fail("a")
    desk.answer("fail", reason="hopeless")
    assert (desk.status, "hopeless" in desk.error["message"]) == ("FAILED", True)


def test_a_review_ends_at_the_deadline_of_its_visit() -> None:
    desk = Desk(flow({"a": function(on_failure="review", timeout={"deadline": "1h"}), "b": function()}))
    desk.fail("a")
    ticket = desk.ticket().id
    desk.fire("a")
    assert desk.status == "FAILED"
    assert desk.run.tickets[ticket].answer == "withdrawn"


def test_a_failure_edge_goes_before_the_policy() -> None:
    desk = Desk(flow({"a": function(on_failure="skip"), "b": function()}, {"e": edge("a", "b", on="failure")}))
    desk.fail("a")
    assert desk.jobs == {"b": 1}


# -- lost workers -------------------------------------------------------------------------------------------------


def test_a_lost_attempt_is_tried_again_at_once() -> None:
    desk = Desk(flow({"a": function()}))
    desk.lose("a")
    assert desk.jobs == {"a": 2}


def test_a_visit_that_kills_its_workers_fails_in_the_end() -> None:
    desk = Desk(flow({"a": function(on_failure="skip"), "b": function()}))
    for _ in range(LOST_MAX):
        desk.lose("a")
    assert desk.how("a") == "skipped"


def test_a_lost_attempt_uses_no_retry() -> None:
    desk = retried(attempts=2)
    for _ in range(3):
        desk.lose("a")
    desk.fail("a", transient=True)
    assert desk.how("a") == "backoff", "the first that failed by itself"
    desk.fire("a")
    desk.lose("a")
    desk.fail("a", transient=True)
    assert desk.status == "FAILED"


def test_a_stop_of_ours_is_no_crash_however_often_it_comes() -> None:
    desk = Desk(flow({"a": function()}))
    for _ in range(LOST_MAX + 5):
        desk.do(cmd.Lost("a", desk.attempt("a"), "stop"))
    for _ in range(LOST_MAX - 1):
        desk.lose("a")
        desk.do(cmd.Lost("a", desk.attempt("a"), "stop"))
    assert desk.how("a") == "ready"
    desk.lose("a")
    assert (desk.status, desk.error["code"]) == ("FAILED", "lost_too_often")


def test_a_checkpoint_comes_back_in_the_next_attempt() -> None:
    desk = Desk(flow({"a": function()}))
    desk.do(cmd.Save("a", 1, Raw(b'{"page":7}')))
    desk.lose("a")
    token = desk.run.tokens["a"]
    assert token.resume is not None
    assert bytes(token.resume) == b'{"page":7}'
    assert desk.do(cmd.Save("a", 1, Raw(b"0"))) == []


# -- intents ------------------------------------------------------------------------------------------------------


def test_an_intent_is_committed_once_and_found_again_with_its_result() -> None:
    desk = Desk(flow({"a": function()}))
    assert named(desk.intend("a"), ev.Intent)
    assert desk.intend("a") == []
    desk.settle("a", result={"id": 7})
    desk.lose("a")
    assert desk.jobs == {"a": 2}
    assert desk.intend("a") == []
    (intent,) = desk.run.tokens["a"].intents or []
    assert bytes(intent.result or b"") == b'{"id":7}'


def test_an_intent_is_known_by_its_content_and_its_count_never_by_its_order() -> None:
    desk = Desk(flow({"a": function()}))
    for number, (to, count) in enumerate([("ann", 1), ("bob", 1), ("ann", 2)], 1):
        (event,) = desk.intend("a", count, what={"to": to})
        assert (event.number, event.count) == (number, count)
        desk.settle("a", number, result={"for": to, "count": count})
    desk.lose("a")
    for to, count in [("bob", 1), ("ann", 2), ("ann", 1)]:
        assert desk.intend("a", count, what={"to": to}) == []
    (event,) = desk.intend("a", 2, what={"to": "bob"})
    assert event.number == 4


def test_intents_of_before_are_counted_in_their_order() -> None:
    desk = Desk(flow({"a": function()}))
    for number in (1, 2):
        desk.record([ev.Intent("a", 1, number, "effect", b"same", Raw(b"{}"))])
    assert [(each.number, each.count) for each in desk.run.tokens["a"].intents or []] == [(1, 1), (2, 2)]


def test_what_a_handler_found_not_to_have_happened_is_open_no_more() -> None:
    desk = cut_off(effect="once", on_uncertain="verify", verify="look")
    settled, begun = desk.intend("a", what={"at": "another time"})
    assert (settled.number, settled.failed, begun.number) == (1, True, 2)
    desk.settle("a", 2)
    assert all(intent.result is not None for intent in desk.run.tokens["a"].intents or [])


def test_only_the_current_attempt_may_act_or_report() -> None:
    desk = Desk(flow({"a": function(retry=3)}))
    desk.fail("a", transient=True)
    for late in (cmd.Intend("a", 1, 1, "effect", b"", Raw(b"{}")), cmd.Settle("a", 1, 1, Raw(b"1"))):
        with pytest.raises(Refused) as refused:
            desk.do(late)
        assert refused.value.code == "token_gone"


def cut_off(**fields: Any) -> Desk:
    desk = Desk(flow({"a": function(**fields), "b": function(), "c": function()}, edges("a b")))
    desk.intend("a", effect=fields.get("effect", "once"))
    desk.lose("a")
    return desk


def test_an_intent_without_a_result_is_uncertain_and_asks_a_person() -> None:
    desk = cut_off(effect="once")
    assert (desk.ticket().subject, "a" in desk.jobs) == ("uncertain", False)
    assert [event.then for event in named(desk.events, ev.Uncertain)] == ["ask"]
    assert desk.complete("a", attempt=1) == []


def test_a_person_who_saw_it_happen_says_done() -> None:
    desk = cut_off(effect="once")
    desk.answer("done", values={"output": {"receipt": 5}})
    assert (desk.jobs, desk.output("a")) == ({"b": 1, "c": 1}, {"receipt": 5})


def test_a_person_may_have_it_repeated() -> None:
    desk = cut_off(effect="once")
    desk.answer("repeat")
    assert desk.jobs == {"a": 2, "c": 1}
    assert named(desk.intend("a"), ev.Intent), "the intent is free to be made again"


def test_a_person_may_call_it_failed() -> None:
    desk = cut_off(effect="once")
    desk.answer("fail")
    assert (desk.status, desk.error["code"]) == ("FAILED", "uncertain")


def test_what_is_uncertain_may_be_repeated_without_asking() -> None:
    desk = cut_off(effect="once", on_uncertain="repeat")
    assert desk.jobs["a"] == 2
    assert named(desk.intend("a"), ev.Intent)


def test_what_is_uncertain_may_be_looked_up_by_a_handler() -> None:
    desk = cut_off(effect="once", on_uncertain="verify", verify="look")
    assert desk.jobs["a"] == 2
    token = desk.run.tokens["a"]
    assert token.verify
    assert [intent.result for intent in token.intents or []] == [None]


def test_what_may_be_repeated_is_repeated() -> None:
    for effect in ("none", "keyed"):
        desk = cut_off(effect=effect)
        assert desk.jobs["a"] == 2


def test_an_uncertain_visit_ends_at_its_deadline() -> None:
    desk = cut_off(effect="once", timeout={"deadline": "1h"})
    desk.fire("a")
    assert desk.status == "FAILED"


def test_usage_adds_up_call_by_call() -> None:
    desk = Desk(flow({"a": function(), "b": function()}))
    desk.intend("a")
    desk.do(cmd.Settle("a", 1, 1, Raw(b"1"), False, {"tokens_in": 3, "model": "x", "cost_usd": 0.5, "ok": True}))
    desk.complete("a", usage={"tokens_in": 3})
    desk.intend("b")
    desk.do(cmd.Settle("b", 1, 1, Raw(b"1"), False, {"tokens_in": 4}))
    assert desk.run.usage == {"tokens_in": 7, "cost_usd": 0.5}


# -- set aside ----------------------------------------------------------------------------------------------------


def aside() -> Desk:
    desk = Desk(flow({"a": function(), "nap": sleep(10), "ask": approval()}))
    desk.do_events([ev.RunQuarantined("TypeError: oh")])
    return desk


def test_a_run_that_is_set_aside_stands_still() -> None:
    desk = aside()
    assert (desk.status, desk.jobs) == ("WAITING", {})
    assert desk.complete("a") == []
    assert desk.do(cmd.Fire("sleep:nap")) == []
    for refused in (lambda: desk.answer("approve"), lambda: desk.message("x"), lambda: desk.propose([])):
        with pytest.raises(Conflict) as conflict:
            refused()
        assert conflict.value.code == "run_quarantined"


def test_no_effect_is_granted_while_a_run_is_set_aside() -> None:
    desk = aside()
    with pytest.raises(Refused):
        desk.intend("a")
    with pytest.raises(Refused):
        desk.settle("a")


def test_a_released_run_goes_on_where_it_was() -> None:
    desk = aside()
    desk.do(cmd.Release("ann"))
    assert (desk.status, desk.jobs, desk.timers) == ("RUNNING", {"a": 1}, {"sleep nap": 10_000})
    desk.complete("a")
    desk.fire("nap")
    desk.answer("approve")
    assert desk.status == "COMPLETED"
    assert desk.do(cmd.Release("ann")) == []


def test_a_run_that_is_set_aside_can_be_cancelled() -> None:
    desk = aside()
    desk.cancel()
    assert desk.status == "CANCELLED"
    assert desk.do(cmd.Release("ann")) == []


def test_an_effect_that_was_stopped_when_its_run_was_set_aside_is_uncertain_when_it_goes_on() -> None:
    desk = Desk(flow({"a": function(effect="once"), "b": function()}))
    desk.intend("a")
    desk.do_events([ev.RunQuarantined("oh")])
    desk.do(cmd.Release("ann"))
    assert (desk.ticket().subject, desk.jobs) == ("uncertain", {"b": 1})


def test_a_result_that_was_settled_is_settled_once() -> None:
    desk = Desk(flow({"a": function()}))
    desk.intend("a")
    settle = cmd.Settle("a", 1, 1, Raw(b"1"), False, {"calls": 1})
    desk.do(settle)
    assert desk.do(settle) == []
    assert desk.run.usage == {"calls": 1}
