"""The law of one plan: its planner is asked round by round, what it names is done as tasks, their results are shown to
it, until it names none. Pure: no clock, no I/O."""

from typing import Any

import msgspec

from aob.core.agent_name import work_id_of, work_stream
from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import NotFound
from aob.core.event import derived_id
from aob.core.instant import iso
from aob.core.task import command as cmd
from aob.core.task import event as ev
from aob.core.task import message as msg
from aob.core.task.limit import PLAN_BYTES_MAX, PLAN_SHORT_BYTES_MAX
from aob.core.task.message import CANCELLED, COMPLETED, FAILED, FINAL, RUNNING, Decision, Give, Made, Over, Stop, Told
from aob.core.task.planning import Planned, Wrong, read_plan
from aob.core.task.refusing import closed, repeated, unknown_type
from aob.core.task.request import Request
from aob.core.task.rule import PlanType, Types, topic_of
from aob.core.value import Cell, canonical, decode

INITIAL = "initial"


class Round(msgspec.Struct, gc=False):
    """The tasks of a round and the results of those that have ended."""

    entries: tuple[ev.Entry, ...]
    results: list[Cell | None]
    metadata: Cell
    took_ms: int
    at_ms: int


class Plan(msgspec.Struct, gc=False, eq=False):
    """A plan as its events say. `round` is the one that its planner is asked for, or whose tasks are being done;
    `state` what the planner has said of the plan."""

    name: str
    request: Request | None = None
    by: str = ""
    requested_ms: int = 0
    due_ms: int = 0
    correlation: str = ""
    depth: int = 1
    status: str = ""
    rounds: list[Round] = []
    tries: int = 0
    failure: Cell | None = None
    state: str = ""
    ended_ms: int = 0
    took_ms: int = 0
    error: Cell | None = None
    ended_by: str = ""
    reason: str = ""

    @property
    def id(self) -> str:
        """Its id."""
        return work_id_of(self.name)

    @property
    def final(self) -> bool:
        """Whether it has ended."""
        return self.status in FINAL

    @property
    def round(self) -> int:
        """The round that its planner is asked for next, from 1, or that is under way."""
        return len(self.rounds) + (0 if self.rounds and None in self.rounds[-1].results else 1)

    @property
    def ask(self) -> str:
        """The id under which its planner answers."""
        return derived_id("ask", self.name, self.round, self.tries)

    @property
    def count(self) -> int:
        """The tasks of all rounds."""
        return sum(len(each.entries) for each in self.rounds)

    def results(self) -> list[JsonValue]:
        """The results of all its tasks that have ended, in order; once there is too much, without data."""
        return _bounded([each for round in self.rounds for each in round.results])

    def context(self) -> JsonObject:
        """What its planner is shown."""
        assert self.request is not None
        given = self.request.payload("plan")
        if not self.rounds:
            first: JsonObject = {"previous_results": [], **given}
            return {**first, "current_state": given.get("current_state") or INITIAL}
        state = self.state or RUNNING
        return {**given, "previous_results": _bounded(self.rounds[-1].results), "current_state": state}

    def result(self) -> JsonObject:
        """The message of its last result. Only of one that has ended."""
        assert self.request is not None
        said = self.rounds[-1].metadata if self.rounds else None
        told = _result(self.request, (), said)
        told["task_results"] = self.results()
        return msg.result_message(
            "plan", self.request, told, self.status, self.error, self.took_ms, self.ended_ms
        )  # fmt: skip


def _result(request: Request, entries: tuple[ev.Entry, ...], metadata: Cell | None) -> JsonObject:
    named = [each.named for each in entries]
    told: JsonObject = {"next_task_ids": named}
    if [each.task_id for each in entries] != named:
        told["task_ids"] = [each.task_id for each in entries]
    more = decode(metadata) if metadata is not None else {}
    told["metadata"] = {**more, "plan_type": request.type}
    return told


def _bounded(results: list[Cell | None]) -> list[JsonValue]:
    """Results that a record can hold: once there is too much, without data, and at last without anything."""
    found, whole, short = list[JsonValue](), 0, 0
    for cell in results:
        if cell is None:
            continue
        whole += len(bytes(cell))
        if whole <= PLAN_BYTES_MAX:
            found.append(decode(cell))
            continue
        told = _short(cell)
        short += len(canonical(told))
        found.append(told if short <= PLAN_SHORT_BYTES_MAX else {"omitted": True})
    return found


def _short(cell: Cell) -> JsonObject:
    """A result without data, and without what its request said besides."""
    told: JsonObject = decode(cell)
    result = {**told.get("result", {}), "data": None, "omitted": True}
    return {"task_id": told["task_id"], "status": told["status"], "result": result}


def evolve_plan(plan: Plan, event: object) -> None:
    """Applies an event."""
    match event:
        case ev.Requested():
            plan.request, plan.by, plan.requested_ms, plan.due_ms = event.request, event.by, event.at_ms, event.due_ms
            plan.correlation, plan.depth, plan.status = event.correlation, event.depth, RUNNING
        case ev.Planned():
            if event.entries:
                results: list[Cell | None] = [None] * len(event.entries)
                plan.rounds.append(Round(event.entries, results, event.metadata, event.took_ms, event.at_ms))
            elif plan.rounds:
                plan.rounds[-1].metadata = event.metadata
            plan.state, plan.tries, plan.failure = event.state, 0, None
        case ev.Rejected():
            plan.tries, plan.failure = plan.tries + 1, event.failure
        case ev.TaskOver():
            plan.rounds[event.round - 1].results[event.entry] = event.result
        case ev.Ended():
            plan.status, plan.ended_ms, plan.took_ms = event.status, event.at_ms, event.took_ms
            plan.error = event.error[0] if event.error else None
            plan.ended_by, plan.reason = event.by, event.reason


def decide_plan(plan: Plan, command: object, types: Types, now: int) -> Decision:
    """The events of a command. Raises Conflict `plan_exists` `plan_ended`, Invalid, NotFound; changes nothing then."""
    match command:
        case cmd.Submit():
            return _submitted(plan, command, types, now)
        case cmd.Answer():
            return _answered(plan, command, types, now)
        case Over():
            return _over(plan, command, types, now)
        case cmd.Cancel():
            _there(plan)
            if plan.status == CANCELLED:
                return Decision()
            if plan.final:
                raise closed("plan", plan.id, plan.status)
            said = command.reason or f"cancelled by {command.by}"
            return _ended(plan, [], CANCELLED, now, error=msg.error_of(CANCELLED, said), by=command.by, reason=said)
        case _:
            if not plan.status or plan.final:
                return Decision()
            error = msg.error_of("deadline", "it had not ended when its time was over", retryable=True)
            return _ended(plan, [], FAILED, now, error=error)


def _there(plan: Plan) -> None:
    if not plan.status:
        raise NotFound(f"there is no plan {plan.id[:64]!r}", code="plan_not_found", hint="aob plan list")


def _submitted(plan: Plan, command: cmd.Submit, types: Types, now: int) -> Decision:
    if plan.request is not None:
        repeated("plan", plan.request, command.request)
        return Decision()
    known = types.plans.get(command.request.type)
    if known is None:
        raise unknown_type("plan", command.request.type, types.plans)
    due = now + known.deadline_ms if known.deadline_ms else 0
    event = ev.Requested(
        command.request, command.by, now, due, correlation=command.correlation, depth=command.depth
    )  # fmt: skip
    return _with(plan, [event], [
        msg.state_update("plan", command.request, RUNNING, "", now),
        msg.execution_event("plan", command.request, "requested", now, by=command.by),
    ])  # fmt: skip


def _after(plan: Plan, events: list[Any]) -> Plan:
    """The plan as it will be; leaves the given one."""
    rounds = [Round(each.entries, [*each.results], each.metadata, each.took_ms, each.at_ms) for each in plan.rounds]
    after = msgspec.structs.replace(plan, rounds=rounds)
    for event in events:
        evolve_plan(after, event)
    return after


def _with(plan: Plan, events: list[Any], records: list[Made]) -> Decision:
    """These events, and the question to its planner that follows from them."""
    after = _after(plan, events)
    assert after.request is not None
    asked: JsonObject = {
        **after.request.whole(), "context": after.context(), "round": after.round, "attempt": after.tries + 1,
    }  # fmt: skip
    if after.failure is not None:
        asked["failure"] = decode(after.failure)
    question = Made(topic_of("plan", after.request.type), "plan.request", canonical(asked), after.ask)
    return Decision(events, [question, *records])


def _answered(plan: Plan, answer: cmd.Answer, types: Types, now: int) -> Decision:
    if not plan.status or plan.final or answer.ask != plan.ask:
        return Decision()
    assert plan.request is not None
    if answer.failed:
        return _ended(plan, [], FAILED, now, error=msg.reported_error(answer.data))
    told = decode(answer.data)
    known = types.plans.get(plan.request.type) or PlanType(plan.request.type)
    named = {"request_id": plan.request.request_id} if plan.request.request_id else {}
    priority = (plan.request.whole().get("metadata") or {}).get("priority", "normal")
    metadata: JsonObject = {**named, "priority": priority, "timestamp": iso(now)}
    try:
        planned = read_plan(told.get("result"), plan.id, metadata, plan.round, plan.count, known, types)
    except Wrong as wrong:
        return _rejected(plan, wrong, known, now)
    return _planned(plan, planned, int(told.get("took_ms", 0)), now)


def _rejected(plan: Plan, wrong: Wrong, known: PlanType, now: int) -> Decision:
    """The planner is asked again and shown why, so often as its type says."""
    assert plan.request is not None
    event = ev.Rejected(plan.round, msgspec.Raw(canonical(wrong.failure)), now)
    told = msg.execution_event("plan", plan.request, "rejected", now, round=plan.round, failure=wrong.failure)
    if plan.tries + 1 < known.tries:
        return _with(plan, [event], [told])
    error = msg.error_of("invalid_plan", f"{known.tries} answers of the planner were no plan: {wrong}")
    ended = _ended(plan, [event], FAILED, now, error=error)
    ended.records.append(told)
    return ended


def _planned(plan: Plan, planned: Planned, took_ms: int, now: int) -> Decision:
    assert plan.request is not None
    event = ev.Planned(plan.round, planned.entries, planned.metadata, planned.state, took_ms, now)
    if not planned.entries:
        return _ended(plan, [event], COMPLETED, now)
    told = msg.result_message(
        "plan", plan.request, _result(plan.request, planned.entries, planned.metadata), COMPLETED, None, took_ms, now
    )
    records = [
        Made(msg.RESULTS["plan"], "plan.result", canonical(told)),
        msg.execution_event("plan", plan.request, "planned", now, round=plan.round,
                            task_ids=[each.task_id for each in planned.entries]),
    ]  # fmt: skip
    tenant = plan.name.split("/", 2)[1]
    given = [
        Told(work_stream("task", tenant, request.id), Give(request, plan.name, plan.round, entry, plan.depth + 1))
        for entry, request in enumerate(planned.requests)
    ]
    return Decision([event], records, given)


def _over(plan: Plan, over: Over, types: Types, now: int) -> Decision:
    """A task has ended; once all of its round have, the planner is asked for the next one."""
    if not plan.status or plan.final or over.round != len(plan.rounds):
        return Decision()
    round = plan.rounds[-1]
    if over.entry >= len(round.entries) or round.results[over.entry] is not None:
        return Decision()
    told = decode(over.result)
    failed = told["status"] != COMPLETED
    kept = sum(len(bytes(each)) for each in round.results if each is not None) + len(bytes(over.result))
    cell = over.result if kept <= PLAN_BYTES_MAX else msgspec.Raw(canonical(_short(over.result)))
    event = ev.TaskOver(over.round, over.entry, cell, failed)
    type = types.tasks.get(round.entries[over.entry].task_type)
    if failed and type is not None and type.fail_plan:
        why = (told.get("error") or {}).get("message", told["status"])
        error = msg.error_of("task_failed", f"task {told['task_id']} ({type.name}): {why}")
        return _ended(plan, [event], FAILED, now, error=error)
    if round.results.count(None) > 1:
        return Decision([event])
    return _with(plan, [event], [])


def _ended(
    plan: Plan, events: list[Any], status: str, now: int, *, error: Cell | None = None, by: str = "",
    reason: str = "",
) -> Decision:  # fmt: skip
    assert plan.request is not None
    took = max(0, now - plan.requested_ms)
    ended = ev.Ended(status, now, took, [], [error] if error else [], by, reason[:1_000])
    after = _after(plan, [*events, ended])
    assert after.request is not None
    records = [
        Made(msg.RESULTS["plan"], "plan.result", canonical(after.result())),
        msg.state_update("plan", after.request, status, RUNNING, now),
        msg.execution_event("plan", after.request, status, now, execution_time_ms=took, rounds=len(after.rounds)),
    ]
    tenant = plan.name.split("/", 2)[1]
    open_ones = [
        each.task_id for round in after.rounds[-1:]
        for each, result in zip(round.entries, round.results, strict=True) if result is None
    ]  # fmt: skip
    stop = Stop(plan.name, f"its plan {plan.id} is {status}")
    told = [Told(work_stream("task", tenant, id), stop) for id in open_ones]
    return Decision([*events, ended], records, told)
