"""The laws of tasks and plans under any order of commands: one end, one result, and a state that its events say."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from aob.core.agent_name import agent_stream, placing, work_id_of, work_stream
from aob.core.errors import CallerError, Conflict
from aob.core.task import Types, events, plans, requests, rules, tasks
from aob.core.task import commands as cmd
from aob.core.task import messages as msg
from aob.core.value import canonical, decode
from aob.ports.log import RECORD_BYTES_MAX

TYPES = Types(
    {name: rules.TaskType(name, deadline_ms=50, fail_plan=name == "vital") for name in ("plain", "vital")},
    {"p": rules.PlanType("p", fan_out=3, rounds=3, tasks=6, tries=2)},
)
ROUNDS = st.sampled_from([
    [], ["plain"], ["plain", "vital#x"], ["plain#a", "plain#b", "plain#c"], ["nobody"], ["plain"] * 2, "no list", None,
    ["plain#a", "plain#b", "plain#c", "plain#d"], {"next_task_ids": ["t"], "tasks": {"t": {"task_type": "plain"}}},
    {"next_task_ids": ["t"], "tasks": {"t": 7}}, {"next_task_ids": [], "metadata": {"state": "over"}},
])  # fmt: skip


def request(kind: Any, **more: Any) -> requests.Request:
    type = "plain" if kind == "task" else "p"
    return requests.read_request(kind, {f"{kind}_id": "i", f"{kind}_type": type, **more})


def read_back(state: Any, decoder: Any, evolve: Any, told: list[Any]) -> Any:
    """The state that the encoded events say."""
    fresh = type(state)(state.name)
    for event in decoder.decode(msgspec.json.encode(told)):
        evolve(fresh, event)
    return fresh


def results(decisions: list[msg.Decision], kind: Any) -> list[Any]:
    return [decode(each.data) for told in decisions for each in told.records if each.topic == msg.RESULTS[kind]]


TASK_COMMANDS = st.one_of(
    st.just("submit"), st.just("give"), st.just("done"), st.just("failed"), st.just("late answer"), st.just("cancel"),
    st.just("stop"), st.just("ring"), st.just("other content"),
)  # fmt: skip


def of_task(task: tasks.Task, word: str) -> Any:
    plan = work_stream("plan", "default", "p")
    return {
        "submit": cmd.Submit(request("task"), "ann"), "other content": cmd.Submit(request("task", more=1), "ann"),
        "give": msg.Give(request("task"), plan, 1, 0), "done": cmd.Answer(task.ask, Raw(b'{"result":7,"took_ms":3}')),
        "failed": cmd.Answer(task.ask, Raw(b'{"code":"x","message":"y","transient":true}'), True),
        "late answer": cmd.Answer("another", Raw(b"{}")), "cancel": cmd.Cancel("ann"), "stop": msg.Stop(plan, "over"),
        "ring": cmd.Ring(),
    }[word]  # fmt: skip


@given(st.lists(TASK_COMMANDS, max_size=12))
@settings(max_examples=200, deadline=None)
def test_a_task_ends_once_and_every_plan_that_waits_is_told(words: list[str]) -> None:
    task, told, decisions, watched = tasks.Task(work_stream("task", "default", "i")), list[Any](), list[Any](), 0
    at_once = 0
    for now, word in enumerate(words):
        try:
            decision = tasks.decide(task, of_task(task, word), TYPES, now)
        except CallerError:
            continue
        at_once += word == "give" and bool(decision.told)  # it has ended, or is another task
        watched += word == "give" and not decision.told
        decisions.append(decision)
        for event in decision.events:
            tasks.evolve(task, event)
        told += decision.events
    ended = [event for event in told if isinstance(event, events.Ended)]
    assert len(ended) == len(results(decisions, "task")) == int(task.final)
    assert len([event for event in told if isinstance(event, events.Requested)]) <= 1
    over = [each for decision in decisions for each in decision.told]
    assert len(over) == at_once + (watched if task.final else 0)
    again = read_back(task, events.task_events, tasks.evolve, told)
    assert again.status == task.status
    if task.final:
        assert again.result() == task.result() == results(decisions, "task")[0]


@given(
    st.lists(st.tuples(ROUNDS, st.sampled_from(["completed", "failed", "cancel", "ring", "agent fails"])), max_size=8)
)
@settings(max_examples=200, deadline=None)
def test_a_plan_asks_its_planner_until_it_ends_and_tells_each_round(steps: list[tuple[Any, str]]) -> None:
    plan, told, decisions = plans.Plan(work_stream("plan", "default", "i")), list[Any](), list[msg.Decision]()

    def decided(command: Any) -> msg.Decision:
        decision = plans.decide_plan(plan, command, TYPES, len(told))
        for event in decision.events:
            plans.evolve_plan(plan, event)
        told.extend(decision.events)
        decisions.append(decision)
        return decision

    decided(cmd.Submit(request("plan", context={"current_state": "initial"}), "ann"))
    for answer, word in steps:
        if plan.final:
            break
        if word == "agent fails":
            decided(cmd.Answer(plan.ask, Raw(b'{"code":"x","message":"y"}'), True))
            continue
        asked = decided(cmd.Answer(plan.ask, Raw(canonical({"result": answer, "took_ms": 1}))))
        gives = [each.body for each in asked.told if isinstance(each.body, msg.Give)]
        assert len(gives) <= 3
        if word in {"cancel", "ring"} and not plan.final:
            stopped = decided(cmd.Cancel("ann") if word == "cancel" else cmd.Ring())
            assert len(stopped.told) == len(gives)
            continue
        for give in gives:
            error = None if word == "completed" else msg.error_of("x", "y")
            result = msg.result_message("task", give.request, msg.result_of(1, "x/y"), word, error, 1, 1)
            for _ in range(2):  # the second one says nothing new
                decided(msg.Over(give.round, give.entry, Raw(canonical(result))))
    told_rounds = results(decisions, "plan")
    planned = [event for event in told if isinstance(event, events.Planned) and event.entries]
    assert len(told_rounds) == len(planned) + int(plan.final)
    assert len(plan.rounds) <= 3
    assert plan.count <= 6
    again = read_back(plan, events.plan_events, plans.evolve_plan, told)
    assert (again.status, again.round, again.state, again.context()) == (
        plan.status, plan.round, plan.state, plan.context(),
    )  # fmt: skip
    if plan.final:
        assert told_rounds[-1]["result"]["next_task_ids"] == []
        assert again.result() == told_rounds[-1]


@given(st.text(max_size=20), st.text(min_size=1, max_size=20))
def test_a_task_lies_where_the_records_of_its_id_do(id: str, other: str) -> None:
    for kind in ("task", "plan"):
        assert work_id_of(work_stream(kind, "default", id)) == id
        assert placing(work_stream(kind, "default", id)) == placing(id)
    assert placing(agent_stream("default", "a", work_stream("task", "t", other))) == placing(other)


def test_only_the_time_of_a_request_may_differ_in_a_repetition() -> None:
    task = tasks.Task(work_stream("task", "default", "i"))
    for event in tasks.decide(task, cmd.Submit(request("task", metadata={"timestamp": "2026-01-01T00:00:00Z"}), "a"),
                              TYPES, 1).events:  # fmt: skip
        tasks.evolve(task, event)
    again = cmd.Submit(request("task", metadata={"timestamp": "2026-01-02T00:00:00Z"}), "b")
    assert tasks.decide(task, again, TYPES, 2).events == []
    for more in ({"parameters": {"a": 1}}, {"metadata": {"priority": "high"}}, {"more": 1}):
        with pytest.raises(Conflict, match="other content"):
            tasks.decide(task, cmd.Submit(request("task", **more), "a"), TYPES, 2)


def test_results_over_the_limit_of_a_plan_are_shown_without_data() -> None:
    plan = plans.Plan(work_stream("plan", "default", "i"))
    decision = plans.decide_plan(plan, cmd.Submit(request("plan"), "a"), TYPES, 1)
    for event in decision.events:
        plans.evolve_plan(plan, event)
    answer = cmd.Answer(plan.ask, Raw(b'{"result":["plain#a","plain#b"]}'))
    planned = plans.decide_plan(plan, answer, TYPES, 2)
    for event in planned.events:
        plans.evolve_plan(plan, event)
    for each in planned.told:
        assert isinstance(each.body, msg.Give)
        result = msg.result_of("x" * 200_000, "text/plain")
        told = msg.result_message("task", each.body.request, result, "completed", None, 1, 1)
        over = plans.decide_plan(plan, msg.Over(1, each.body.entry, Raw(canonical(told))), TYPES, 3)
        for event in over.events:
            plans.evolve_plan(plan, event)
    first, second = plan.context()["previous_results"]
    assert len(first["result"]["data"]) == 200_000
    assert second["result"] == {"data": None, "mime_type": "text/plain", "size_bytes": 200_002, "omitted": True}


def planned(answer: Any, type: rules.PlanType, id: str = "i") -> tuple[plans.Plan, Any]:
    """A plan whose planner has answered this, and what was decided then."""
    plan, types = plans.Plan(work_stream("plan", "default", id)), Types(TYPES.tasks, {"p": type})
    asked = cmd.Submit(request("plan", plan_id=id), "a")
    for event in plans.decide_plan(plan, asked, types, 1).events:
        plans.evolve_plan(plan, event)
    decision = plans.decide_plan(plan, cmd.Answer(plan.ask, Raw(canonical({"result": answer}))), types, 2)
    for event in decision.events:
        plans.evolve_plan(plan, event)
    return plan, decision


@pytest.mark.parametrize("member", ["metadata", "unknown"])
def test_no_record_of_a_plan_is_over_the_limit_of_a_record(member: str) -> None:
    many = 1_000
    plan, decision = planned([f"plain#{n}" for n in range(many)], rules.PlanType("p", fan_out=many))
    error = msg.error_of("exception", "x" * 5_000)
    types = Types(TYPES.tasks, {"p": rules.PlanType("p", fan_out=many)})
    for each in decision.told:
        told = msg.result_message(
            "task", each.body.request, msg.result_of(None, "a/" + "b" * 100), "failed", error, 1, 1
        )
        told[member] = "y" * 10_000
        over = plans.decide_plan(plan, msg.Over(1, each.body.entry, Raw(canonical(told))), types, 3)
        for event in over.events:
            plans.evolve_plan(plan, event)
    kept = sum(len(bytes(each)) for each in plan.rounds[0].results if each is not None)
    assert kept < RECORD_BYTES_MAX
    (question,) = over.records
    assert len(question.data) < RECORD_BYTES_MAX
    shown = decode(question.data)["context"]["previous_results"]
    assert len(shown) == many
    assert shown[-1] == {"omitted": True}
    last = plans.decide_plan(plan, cmd.Answer(plan.ask, Raw(b'{"result":[]}')), types, 4)
    assert max(len(each.data) for each in last.records) < RECORD_BYTES_MAX


@pytest.mark.parametrize("metadata", [[1], "text", 7])
def test_a_task_of_a_plan_with_odd_metadata_is_no_task(metadata: Any) -> None:
    answer = {"next_task_ids": ["a"], "tasks": {"a": {"task_type": "plain", "metadata": metadata}}}
    plan, _ = planned(answer, TYPES.plans["p"])
    assert plan.failure is not None
    (entry,) = decode(plan.failure)["entries"]
    assert (entry["entry"], entry["code"]) == ("a", "bad_task")


def test_a_plan_with_a_long_id_has_tasks_of_a_type_alone() -> None:
    first, second = (planned(["plain"], TYPES.plans["p"], "p" * 199 + end)[1] for end in "ab")
    (one,), (other,) = first.told, second.told
    assert one.body.request.id != other.body.request.id
    assert len(one.body.request.id) == 200
    assert one.body.request.id.endswith(".1.0")


def test_a_task_that_a_caller_asks_for_too_outlives_its_plan() -> None:
    stream, plan = work_stream("task", "default", "i"), work_stream("plan", "default", "p")
    task, told = tasks.Task(stream), list[Any]()
    for command in (msg.Give(request("task"), plan, 1, 0), cmd.Submit(request("task"), "a"), msg.Stop(plan, "over")):
        for event in tasks.decide(task, command, TYPES, 1).events:
            told.append(event)
            tasks.evolve(task, event)
    assert task.status == "running"
    assert read_back(task, events.task_events, tasks.evolve, told).own
    assert tasks.decide(task, cmd.Submit(request("task"), "b"), TYPES, 1).events == []
