"""The law of one task: asked for once, given to the agent of its type, ended once. Pure: no clock, no I/O."""

import msgspec

from aob.core.agent_name import work_id_of
from aob.core.answers import JsonObject
from aob.core.errors import Invalid, NotFound
from aob.core.event import derived_id
from aob.core.task import command as cmd
from aob.core.task import event as ev
from aob.core.task import message as msg
from aob.core.task.limit import WATCHERS_MAX
from aob.core.task.message import CANCELLED, COMPLETED, FAILED, FINAL, RUNNING, Decision, Give, Made, Over, Told
from aob.core.task.refusing import closed, repeated, unknown_type
from aob.core.task.request import Request
from aob.core.task.rule import JSON, Types, topic_of
from aob.core.value import Cell, canonical, decode

DEADLINE = "deadline"


class Task(msgspec.Struct, gc=False, eq=False):
    """A task as its events say. `watchers` are the plans that wait for it: stream, round, entry; `own`: a caller has
    asked for it, too."""

    name: str
    request: Request | None = None
    by: str = ""
    requested_ms: int = 0
    due_ms: int = 0
    correlation: str = ""
    depth: int = 1
    mime_type: str = JSON
    watchers: list[tuple[str, int, int]] = []
    own: bool = True
    status: str = ""
    ended_ms: int = 0
    took_ms: int = 0
    data: Cell | None = None
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
    def plan(self) -> str:
        """The id of the plan that asked for it; empty: none did."""
        return work_id_of(self.watchers[0][0]) if self.watchers else ""

    @property
    def ask(self) -> str:
        """The id under which its agent answers."""
        return derived_id("ask", self.name)

    def result(self) -> JsonObject:
        """The message of its result. Only of one that has ended."""
        assert self.request is not None
        data = decode(self.data) if self.data is not None else None
        return msg.result_message(
            "task", self.request, msg.result_of(data, self.mime_type), self.status, self.error, self.took_ms,
            self.ended_ms,
        )  # fmt: skip


def evolve(task: Task, event: object) -> None:
    """Applies an event."""
    match event:
        case ev.Requested():
            task.request, task.by, task.requested_ms, task.due_ms = event.request, event.by, event.at_ms, event.due_ms
            task.correlation, task.depth, task.mime_type = event.correlation, event.depth, event.mime_type
            task.status = RUNNING
            task.own = not event.plan
            if event.plan:
                task.watchers.append((event.plan, event.round, event.entry))
        case ev.Watched():
            task.watchers.append((event.plan, event.round, event.entry))
        case ev.Wanted():
            task.own = True
        case ev.Ended():
            task.status, task.ended_ms, task.took_ms = event.status, event.at_ms, event.took_ms
            task.data, task.error = (each[0] if each else None for each in (event.data, event.error))
            task.ended_by, task.reason = event.by, event.reason


def decide(task: Task, command: object, types: Types, now: int) -> Decision:
    """The events of a command. Raises Conflict `task_exists` `task_ended`, Invalid, NotFound; changes nothing then."""
    match command:
        case cmd.Submit():
            return _submitted(task, command, types, now)
        case Give():
            return _given(task, command, types, now)
        case cmd.Answer():
            return _answered(task, command, now)
        case cmd.Cancel():
            _there(task)
            if task.status == CANCELLED:
                return Decision()
            if task.final:
                raise closed("task", task.id, task.status)
            said = msg.error_of(CANCELLED, command.reason or f"cancelled by {command.by}")
            return _ended(task, CANCELLED, now, error=said, by=command.by, reason=command.reason)
        case msg.Stop():
            return _stopped(task, command, now)
        case _:
            if not task.status or task.final:
                return Decision()
            said = msg.error_of(DEADLINE, "it had not ended when its time was over", retryable=True)
            return _ended(task, FAILED, now, error=said)


def _there(task: Task) -> None:
    if not task.status:
        raise NotFound(f"there is no task {task.id[:64]!r}", code="task_not_found", hint="aob task list")


def _submitted(task: Task, command: cmd.Submit, types: Types, now: int) -> Decision:
    if task.request is not None:
        repeated("task", task.request, command.request)
        return Decision() if task.own or task.final else Decision([ev.Wanted(command.by)])
    known = types.tasks.get(command.request.type)
    if known is None:
        raise unknown_type("task", command.request.type, types.tasks)
    if problems := known.check(command.request.payload("task")):
        raise Invalid(f"a task of type {known.name} does not take these parameters", problems, code="bad_parameters")
    due = now + known.deadline_ms if known.deadline_ms else 0
    begun = ev.Requested(
        command.request, command.by, now, due, correlation=command.correlation, depth=command.depth,
        mime_type=known.mime_type,
    )  # fmt: skip
    return _begun(task, begun)


def _begun(task: Task, event: ev.Requested) -> Decision:
    """It is handed to the agent of its type."""
    request, now = event.request, event.at_ms
    more = {"plan_id": work_id_of(event.plan)} if event.plan else {}
    record = Made(topic_of("task", request.type), "task.request", canonical({**request.whole(), **more}), task.ask)
    return Decision([event], [
        record, msg.state_update("task", request, RUNNING, "", now, **more),
        msg.execution_event("task", request, "requested", now, by=event.by, **more),
    ])  # fmt: skip


def _given(task: Task, give: Give, types: Types, now: int) -> Decision:
    """A plan asks; a request that cannot be met is answered with a failed result."""
    if task.request is not None:
        if task.request.digest != give.request.digest or len(task.watchers) >= WATCHERS_MAX:
            said = f"there is another task {give.request.id!r}, with other content"
            return _refused(give, msg.error_of("task_exists", said), now)
        if task.final:
            return Decision(told=[_over(task, give.plan, give.round, give.entry)])
        return Decision([ev.Watched(give.plan, give.round, give.entry)])
    known = types.tasks.get(give.request.type)
    if known is None:
        wrong = unknown_type("task", give.request.type, types.tasks)
        return _refused(give, msg.error_of("task_type_unknown", wrong.detail), now)
    due = now + known.deadline_ms if known.deadline_ms else 0
    plan = work_id_of(give.plan)
    event = ev.Requested(
        give.request, f"plan:{plan}", now, due, give.plan, give.round, give.entry, plan, give.depth, known.mime_type
    )  # fmt: skip
    return _begun(task, event)


def _refused(give: Give, error: Cell, now: int) -> Decision:
    told = msg.result_message("task", give.request, msg.result_of(None, JSON), FAILED, error, 0, now)
    return Decision(told=[Told(give.plan, Over(give.round, give.entry, msgspec.Raw(canonical(told))))])


def _answered(task: Task, answer: cmd.Answer, now: int) -> Decision:
    if not task.status or task.final or answer.ask != task.ask:
        return Decision()
    if answer.failed:
        return _ended(task, FAILED, now, error=msg.reported_error(answer.data))
    told = decode(answer.data)
    data = canonical(told.get("result"))
    if (wrong := msg.too_large(data)) is not None:
        return _ended(task, FAILED, now, error=wrong)
    return _ended(task, COMPLETED, now, data=msgspec.Raw(data), took_ms=int(told.get("took_ms", 0)))


def _ended(
    task: Task, status: str, now: int, *, data: Cell | None = None, error: Cell | None = None,
    took_ms: int | None = None, by: str = "", reason: str = "",
) -> Decision:  # fmt: skip
    assert task.request is not None
    took = max(0, now - task.requested_ms) if took_ms is None else took_ms
    event = ev.Ended(status, now, took, [data] if data else [], [error] if error else [], by, reason[:1_000])
    after = msgspec.structs.replace(task)
    evolve(after, event)
    result = after.result()
    more = {"plan_id": task.plan} if task.plan else {}
    records = [
        Made(msg.RESULTS["task"], "task.result", canonical(result)),
        msg.state_update("task", task.request, status, RUNNING, now, **more),
        msg.execution_event("task", task.request, status, now, execution_time_ms=took, **more),
    ]
    return Decision([event], records, [_over(after, *watcher) for watcher in task.watchers])


def _over(task: Task, plan: str, round: int, entry: int) -> Told:
    return Told(plan, Over(round, entry, msgspec.Raw(canonical(task.result()))))


def _stopped(task: Task, stop: msg.Stop, now: int) -> Decision:
    """Its plan has ended; others may wait for it still."""
    others = task.own or any(watcher[0] != stop.plan for watcher in task.watchers)
    if not task.status or task.final or others:
        return Decision()
    said = msg.error_of(CANCELLED, stop.reason)
    return _ended(task, CANCELLED, now, error=said, by=f"plan:{work_id_of(stop.plan)}", reason=stop.reason)
