"""SEMANTICS 3.3 and 3.6: what waits for time, for a message, for a person; cancel and the end of a run."""

import pytest

from aob.core.errors import CallerError, Conflict, Invalid, NotFound, Refused
from aob.core.policy import Caller
from aob.core.run.record import commands as cmd
from aob.core.run.record import events as ev
from aob.core.run.tickets import MESSAGES_MAX
from tests.core.run_desk import ANN, T0, Desk, approval, edge, edges, flow, function, kind, named, sleep

BOB = Caller("default", "bob", frozenset({"finance"}))
EVE = Caller("default", "eve", frozenset({"view", "run", "patch"}))


def wait(name: str, **fields: object) -> dict[str, object]:
    return {
        "kind": "wait",
        "config": {"message": name, **({"key": fields.pop("key")} if "key" in fields else {})},
        **fields,
    }


# -- time ---------------------------------------------------------------------------------------------------------


def test_a_timer_waits_and_hands_its_input_on() -> None:
    desk = Desk(flow({"a": function(), "nap": sleep("90s"), "b": function()}, edges("a nap", "nap b")))
    desk.complete("a", 4)
    assert (desk.status, desk.timers) == ("WAITING", {"sleep nap": 90_000})
    desk.fire("nap")
    assert (desk.status, desk.jobs, desk.output("nap")) == ("RUNNING", {"b": 1}, 4)


@pytest.mark.parametrize("until", ['"2030-01-01T00:00:00Z"', 'timestamp("2030-01-01T00:00:00Z")', "inputs.at"])
def test_a_timer_waits_until_an_instant(until: str) -> None:
    desk = Desk(flow({"nap": kind("timer", until=until)}), {"at": "2030-01-01T01:00:00+01:00"})
    assert desk.run.timers["sleep:nap"].due_ms == 1_893_456_000_000


def test_an_instant_in_the_past_is_due_at_once() -> None:
    desk = Desk(flow({"nap": kind("timer", until='"2001-01-01T00:00:00Z"')}))
    desk.fire("nap")
    assert desk.status == "COMPLETED"


@pytest.mark.parametrize("at", ["tomorrow", True, None, [1], 1e300, -1])
def test_what_is_no_time_fails_its_timer(at: object) -> None:
    desk = Desk(flow({"nap": kind("timer", until="inputs.at")}), {"at": at})
    assert desk.error["visit"] == "nap"


@pytest.mark.parametrize("at", ["2030-01-01", "2030-01-01T00:00", "20300101T000000Z"])
def test_a_time_in_another_form_is_read_as_before_under_the_first_rules_only(at: str) -> None:
    document = flow({"nap": kind("timer", until="inputs.at")})
    assert Desk(document, {"at": at}, rules_number=1).run.timers["sleep:nap"].due_ms == 1_893_456_000_000
    assert Desk(document, {"at": at}).error["visit"] == "nap"


def test_a_timer_is_due_when_committed_time_passes_it_and_not_before() -> None:
    desk = Desk(flow({"nap": sleep(10)}))
    desk.now = T0 + 9_999
    assert desk.do(cmd.Fire("sleep:nap")) == []
    desk.now += 1
    assert desk.do(cmd.Fire("sleep:nap"))
    assert desk.do(cmd.Fire("sleep:nap")) == [], "a timer fires once"


def test_a_timer_whose_input_cannot_be_computed_fails() -> None:
    desk = Desk(flow({"nap": sleep(10, input={"x": "inputs.a.b"})}), {"a": 1})
    desk.fire("nap")
    assert (desk.status, desk.error["visit"]) == ("FAILED", "nap")


def test_a_run_may_take_so_long_and_no_longer() -> None:
    desk = Desk(flow({"a": function(), "b": approval()}, timeout="1h"))
    assert desk.timers == {"run": 3_600_000}
    desk.fire(kind="run")
    assert (desk.status, desk.error["code"]) == ("FAILED", "run_timeout")
    assert desk.complete("a") == []


def test_a_visit_may_take_so_long_with_all_its_retries() -> None:
    document = flow(
        {"a": function(timeout={"deadline": "10s"}, retry=9), "b": function()}, {"x": edge("a", "b", on="failure")}
    )
    desk = Desk(document)
    desk.fail("a", transient=True)
    assert sorted(desk.timers) == ["deadline a", "retry a"]
    desk.now = T0
    desk.fire("a", "deadline")
    assert (desk.jobs, desk.timers, desk.output("a")["code"]) == ({"b": 1}, {}, "node_timeout")


def test_a_visit_that_ends_in_time_needs_its_deadline_no_more() -> None:
    desk = Desk(flow({"a": function(timeout={"deadline": 5}), "b": function(timeout={"deadline": 7})}, edges("a b")))
    assert desk.timers == {"deadline a": 5_000}
    desk.complete("a")
    assert desk.timers == {"deadline b": 7_000}
    desk.complete("b")
    assert desk.status == "COMPLETED"


# -- messages -----------------------------------------------------------------------------------------------------


def test_a_message_reaches_the_visit_that_waits_for_its_name_and_key() -> None:
    desk = Desk(flow({"w": wait("paid", key='"o1"'), "v": wait("paid", key='"o2"'), "b": function()}, edges("w b")))
    assert desk.status == "WAITING"
    desk.message("sent", "o1", 1)
    desk.message("paid", "o3", 1)
    assert desk.how("w") == "open"
    desk.message("paid", "o1", {"sum": 5})
    assert (desk.jobs, desk.output("w")) == ({"b": 1}, {"sum": 5})
    assert desk.how("v") == "open"


def test_a_wait_without_a_key_takes_any() -> None:
    desk = Desk(flow({"w": wait("paid")}))
    desk.message("paid", "whatever", 7)
    assert desk.output() == 7


def test_a_message_that_came_early_is_kept_for_the_wait() -> None:
    desk = Desk(flow({"a": function(), "w": wait("paid"), "v": wait("paid")}, edges("a w", "w v")))
    desk.message("paid", "", 1)
    desk.message("paid", "", 2)
    desk.complete("a")
    assert (desk.status, desk.output()) == ("COMPLETED", 2)
    assert desk.run.messages == []


def test_two_waits_never_share_one_message() -> None:
    desk = Desk(flow({"a": function(), "w": wait("paid"), "v": wait("paid")}, edges("a w", "a v")))
    desk.message("paid", "", 1)
    desk.complete("a")
    assert (desk.how("w"), desk.how("v")) == ("open", "success") or (desk.how("w"), desk.how("v")) == (
        "success",
        "open",
    )
    desk.message("paid", "", 2)
    assert desk.status == "COMPLETED"


def test_the_same_message_again_changes_nothing_and_another_under_its_id_is_a_conflict() -> None:
    desk = Desk(flow({"w": wait("paid"), "v": wait("other")}))
    desk.message("paid", "", 1, id="m")
    assert desk.message("paid", "", 1, id="m") == []
    with pytest.raises(Conflict) as refused:
        desk.message("paid", "", 2, id="m")
    assert refused.value.code == "message_exists"


def test_only_so_many_messages_are_kept_and_one_that_is_waited_for_always_comes_through() -> None:
    desk = Desk(flow({"w": wait("paid"), "v": wait("never")}))
    desk.record([ev.MessageReceived(f"m{n}", "x", "", ev.NULL, b"") for n in range(MESSAGES_MAX)])
    with pytest.raises(CallerError) as refused:
        desk.message("y")
    assert refused.value.code == "too_many_messages"
    assert named(desk.message("paid"), ev.NodeCompleted)


def test_a_message_to_a_run_that_is_over_is_refused() -> None:
    desk = Desk(flow({"a": function()}))
    desk.complete("a")
    with pytest.raises(Conflict) as refused:
        desk.message("paid")
    assert refused.value.code == "run_finished"


def test_a_wait_may_expire() -> None:
    document = flow({"w": wait("paid", timeout="1h"), "late": function()}, {"x": edge("w", "late", on="expired")})
    desk = Desk(document)
    assert desk.timers == {"deadline w": 3_600_000}
    desk.fire("w")
    assert (desk.jobs, desk.run.waits) == ({"late": 1}, {})
    desk = Desk(document)
    desk.message("paid")
    assert (desk.timers, desk.status) == ({}, "COMPLETED")


# -- approvals ----------------------------------------------------------------------------------------------------


def asked(timeout: object = 0, *ways: str, **config: object) -> dict[str, object]:
    nodes = {"ask": approval(config={"role": "finance", **config}, timeout=timeout)}
    nodes |= {f"on_{way}": function() for way in ways}
    return flow(nodes, {way: edge("ask", f"on_{way}", on=way) for way in ways})


def test_an_approval_asks_and_holds_no_worker() -> None:
    document = flow({"ask": approval(config={"role": "finance", "text": "pay {sum}?"}, input={"sum": "inputs.sum"})})
    desk = Desk(document, {"sum": 12})
    ticket = desk.ticket()
    assert (desk.status, desk.jobs) == ("WAITING", {})
    assert (ticket.role, ticket.text, ticket.subject, ticket.visit) == ("finance", "pay 12?", "approval", "ask")
    assert desk.fetched(ticket.shown) == b'{"sum":12}'


@pytest.mark.parametrize(("choice", "way"), [("approve", "approved"), ("reject", "rejected")])
def test_each_answer_takes_its_own_edges(choice: str, way: str) -> None:
    desk = Desk(asked({"deadline": "1h"}, "approved", "rejected", "expired"))
    desk.answer(choice, who=BOB, reason="because")
    assert desk.jobs == {f"on_{way}": 1}
    told = desk.output("ask")
    assert (told["choice"], told["by"], told["reason"]) == (choice, "bob", "because")


def test_an_answer_counts_once() -> None:
    desk = Desk(asked(0, "approved", "rejected"))
    ticket = desk.ticket().id
    desk.answer("approve", who=BOB)
    assert desk.answer("approve", ticket=ticket, who=BOB) == []
    with pytest.raises(Conflict) as refused:
        desk.answer("reject", ticket=ticket, who=BOB)
    assert refused.value.code == "ticket_closed"
    with pytest.raises(Conflict):
        desk.answer("approve", ticket=ticket, who=ANN)


@pytest.mark.parametrize("by", ["person", "deadline"])
def test_a_form_that_nobody_filled_has_no_values_rather_than_none(by: str) -> None:
    asks = approval(config={"form": {"limit": "number"}}, timeout={"deadline": "1h", "expire": "approve"})
    limit = "has(nodes.ask.output.values.limit) ? nodes.ask.output.values.limit : 0.0"
    nodes = {"ask": asks, "next": function(input={"x": limit})}
    desk = Desk(flow(nodes, {"e": edge("ask", "next", on="approved")}))
    if by == "person":
        desk.answer("approve")
    else:
        desk.fire("ask", "deadline")
    assert desk.output("ask")["values"] == {}
    assert desk.jobs == {"next": 1}


def test_an_answer_with_other_values_is_another_answer() -> None:
    desk = Desk(asked(0, "approved", "rejected", form={"limit": "number"}))
    ticket = desk.ticket().id
    desk.answer("approve", who=BOB, values={"limit": 5})
    assert desk.answer("approve", ticket=ticket, who=BOB, values={"limit": 5}) == []
    for values in ({"limit": 6}, {}, {"limt": 5}):
        with pytest.raises(Conflict, match="with other values") as refused:
            desk.answer("approve", ticket=ticket, who=BOB, values=values)
        assert refused.value.code == "ticket_closed"


def test_only_the_role_may_answer_and_only_with_a_choice() -> None:
    desk = Desk(asked())
    with pytest.raises(Refused, match="finance"):
        desk.answer("approve", who=EVE)
    with pytest.raises(Invalid):
        desk.answer("maybe")
    with pytest.raises(NotFound):
        desk.answer("approve", ticket="ticket_none")


def test_the_form_is_checked_field_by_field() -> None:
    form = {"reason": "string", "sum": "number", "n": "integer", "sure": "boolean"}
    desk = Desk(asked(form=form))
    with pytest.raises(Invalid) as refused:
        desk.answer("approve", values={"reason": 1, "sum": "x", "n": 1.5, "sure": 0, "more": 1})
    assert sorted(problem.path for problem in refused.value.problems) == [
        "/values/more", "/values/n", "/values/reason", "/values/sum", "/values/sure",
    ]  # fmt: skip
    for wrong in ({"sum": True}, {"n": True}, [1], "x"):
        with pytest.raises(Invalid):
            desk.answer("approve", values=wrong)
    desk.answer("approve", values={"reason": "ok", "sum": 1.5, "n": 2, "sure": True})
    assert desk.output()["values"]["sum"] == 1.5


@pytest.mark.parametrize(
    ("expire", "way"), [("", "expired"), ("expired", "expired"), ("approve", "approved"), ("reject", "rejected")]
)
def test_at_its_deadline_it_expires_as_it_says(expire: str, way: str) -> None:
    ways = ("approved", "rejected", "expired") if way == "expired" else ("approved", "rejected")
    desk = Desk(asked({"deadline": "2h", "expire": expire}, *ways))
    ticket = desk.ticket()
    assert ticket.due_ms == T0 + 7_200_000
    desk.fire("ask", "deadline")
    assert (desk.jobs, desk.timers) == ({f"on_{way}": 1}, {})
    assert desk.run.tickets[ticket.id].by == "timer"
    with pytest.raises(Conflict):
        desk.answer("approve", ticket=ticket.id)


def test_an_approval_that_expires_with_no_edge_for_it_fails() -> None:
    desk = Desk(asked({"deadline": "2h"}, "approved"))
    desk.fire("ask")
    assert (desk.status, desk.error["code"]) == ("FAILED", "approval_expired")
    desk = Desk(asked({"deadline": "2h"}, "approved", "failure"))
    desk.fire("ask")
    assert desk.jobs == {"on_failure": 1}


def test_reminders_come_again_until_the_answer() -> None:
    desk = Desk(asked({"deadline": "1h", "remind": "20m"}, "approved"))
    for step in (1, 2):
        events = desk.fire("ask", "remind")
        assert [event.what for event in named(events, ev.TicketChanged)] == ["remind"]
        assert desk.ticket().step == step
    assert desk.timers == {"deadline ask": 1_200_000, "remind ask": 1_200_000}
    desk.answer("approve")
    assert desk.timers == {}


def test_a_ladder_is_climbed_rung_by_rung() -> None:
    ladder = [{"after": "1h", "do": "remind"}, {"after": "2h", "do": "reassign", "role": "boss"},
              {"after": "3h", "do": "reject"}]  # fmt: skip
    desk = Desk(asked(0, "approved", "rejected", escalate=ladder))
    desk.fire("ask")
    desk.fire("ask")
    assert desk.ticket().role == "boss"
    with pytest.raises(Refused):
        desk.answer("approve", who=BOB)
    desk.fire("ask")
    assert (desk.jobs, desk.timers) == ({"on_rejected": 1}, {})


def test_an_answer_ends_the_ladder() -> None:
    ladder = [{"after": "1h", "do": "approve"}]
    desk = Desk(asked({"deadline": "5h", "remind": "30m"}, "approved", "rejected", escalate=ladder))
    assert len(desk.timers) == 3
    desk.answer("reject")
    assert desk.timers == {}


# -- cancel -------------------------------------------------------------------------------------------------------


def test_after_a_cancel_nothing_counts_any_more() -> None:
    nodes = {
        "a": function(retry=3),
        "nap": sleep("1h"),
        "ask": approval(timeout={"deadline": 9}),
        "w": wait("x"),
        "b": function(),
    }
    desk = Desk(flow(nodes, edges("a b"), timeout="2h"))
    ticket = desk.ticket().id
    desk.fail("a", transient=True)
    desk.cancel("wrong order")
    assert (desk.status, desk.error["message"], desk.timers) == ("CANCELLED", "wrong order", {})
    assert desk.complete("a", attempt=1) == []
    assert desk.complete("a", attempt=2) == []
    assert desk.run.tickets[ticket].answer == "withdrawn"
    assert desk.do(cmd.Fire("sleep:nap")) == []
    with pytest.raises(Refused):
        desk.intend("a")
    with pytest.raises(Conflict):
        desk.answer("approve", ticket=ticket)


def test_cancelling_again_changes_nothing_and_a_finished_run_cannot_be_cancelled() -> None:
    desk = Desk(flow({"a": function()}))
    desk.cancel()
    assert desk.cancel() == []
    desk = Desk(flow({"a": function()}))
    desk.complete("a")
    with pytest.raises(Conflict) as refused:
        desk.cancel()
    assert refused.value.code == "run_finished"


def test_a_cancel_lists_what_the_world_was_already_told() -> None:
    desk = Desk(flow({"a": function(), "b": function()}))
    desk.intend("a")
    desk.cancel()
    assert desk.error["told"] == ["a"]


def test_a_run_that_does_not_exist_is_not_found() -> None:
    desk = Desk(flow({"a": function()}), begin=False)
    for command in (cmd.Cancel("ann", ""), cmd.Answer("t", "approve", ANN), cmd.Message("m", "x", "", ev.NULL, b"")):
        with pytest.raises(NotFound):
            desk.do(command)
    for quiet in (cmd.Complete("a", 1, ev.NULL, b""), cmd.Fire("x"), cmd.Lost("a", 1), cmd.Release("ann")):
        assert desk.do(quiet) == []
