"""The answers of the API about tasks and plans, as shapes. Data only."""

from typing import NotRequired, TypedDict

from aob.core.answers import JsonObject


class TaskView(TypedDict):
    """A task. `result`, `error` and `metadata` are those of its result once it has ended (RFC 3339 in UTC); members of
    the request that no rule names are beside them. `status` is `running` until then. `plan_id`: the plan that asked
    for it."""

    task_id: str
    task_type: str
    status: str
    parameters: JsonObject
    result: JsonObject | None
    error: JsonObject | None
    metadata: JsonObject
    plan_id: str | None
    by: str
    requested_at: str
    ended_at: str | None


class TaskSubmitted(TaskView):
    """A task, and whether this request was the first one."""

    created: bool


class TaskRow(TypedDict):
    """A task in a list."""

    task_id: str
    task_type: str
    status: str
    plan_id: str | None
    request_id: str
    requested_at: str
    ended_at: str | None
    requested_ms: int


class TaskList(TypedDict):
    """Tasks, the newest first; `next` is the cursor of the next page."""

    tasks: list[TaskRow]
    next: str | None


class RoundView(TypedDict):
    """A round of a plan: its tasks in order, how many of them have ended, and what the planner said of it."""

    round: int
    task_ids: list[str]
    ended: int
    metadata: JsonObject
    execution_time_ms: int


class PlanView(TypedDict):
    """A plan. `result` is its last result once it has ended, with `task_results`; `context` is that of its request.
    `state` is what the planner has said of it, `failure` why its last answer was no plan."""

    plan_id: str
    plan_type: str
    status: str
    context: JsonObject
    result: JsonObject | None
    error: JsonObject | None
    metadata: JsonObject
    by: str
    requested_at: str
    ended_at: str | None
    rounds: list[RoundView]
    state: str
    failure: NotRequired[JsonObject]


class PlanSubmitted(PlanView):
    """A plan, and whether this request was the first one."""

    created: bool


class PlanRow(TypedDict):
    """A plan in a list."""

    plan_id: str
    plan_type: str
    status: str
    request_id: str
    requested_at: str
    ended_at: str | None
    requested_ms: int


class PlanList(TypedDict):
    """Plans, the newest first; `next` is the cursor of the next page."""

    plans: list[PlanRow]
    next: str | None
