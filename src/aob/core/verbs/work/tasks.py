"""Verbs of tasks and plans: submit, show (and wait), list, cancel."""

from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from aob.core.answers import JsonObject
from aob.core.task import answers, limits
from aob.core.verb import LIVE, Gives, Http, Verb, ok

PAGE_MAX: Final = 500
WAIT_MS_MAX: Final = 30_000
Id: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=limits.ID_CHARS_MAX)]
Type: TypeAlias = Annotated[str, msgspec.Meta(max_length=limits.TYPE_CHARS_MAX)]
Status: TypeAlias = Literal["", "running", "completed", "failed", "cancelled"]
Limit: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX)]
Cursor: TypeAlias = Annotated[str, msgspec.Meta(max_length=1_000, description="`next` of the page before.")]
WaitMs: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=WAIT_MS_MAX)]
Reason: TypeAlias = Annotated[str, msgspec.Meta(max_length=1_000)]


class SubmitTask(msgspec.Struct, frozen=True):
    """The request: `{"task_id": …, "task_type": …, "parameters": {…}, "metadata": {"request_id", "timestamp",
    "priority"}}`. Members that no rule names come back with the result."""

    request: JsonObject


class NamedTask(msgspec.Struct, frozen=True):
    """A task by its id; the answer waits up to `wait_ms` for its end."""

    task_id: Id
    wait_ms: WaitMs = 0


class CancelTask(msgspec.Struct, frozen=True):
    """A task by its id, and why it is not needed."""

    task_id: Id
    reason: Reason = ""


class ListTasks(msgspec.Struct, frozen=True):
    """Tasks of a status, a type, a plan, a request; of all where it is empty."""

    status: Status = ""
    type: Type = ""
    plan_id: Annotated[str, msgspec.Meta(max_length=limits.ID_CHARS_MAX)] = ""
    request_id: Annotated[str, msgspec.Meta(max_length=limits.ID_CHARS_MAX)] = ""
    limit: Limit = 50
    cursor: Cursor = ""


class SubmitPlan(msgspec.Struct, frozen=True):
    """The request: `{"plan_id": …, "plan_type": …, "context": {"previous_results", "current_state"}, "metadata": {…}}`.
    Members that no rule names come back with the result."""

    request: JsonObject


class NamedPlan(msgspec.Struct, frozen=True):
    """A plan by its id; the answer waits up to `wait_ms` for its end."""

    plan_id: Id
    wait_ms: WaitMs = 0


class CancelPlan(msgspec.Struct, frozen=True):
    """A plan by its id, and why it is not needed."""

    plan_id: Id
    reason: Reason = ""


class ListPlans(msgspec.Struct, frozen=True):
    """Plans of a status, a type, a request; of all where it is empty."""

    status: Status = ""
    type: Type = ""
    request_id: Annotated[str, msgspec.Meta(max_length=limits.ID_CHARS_MAX)] = ""
    limit: Limit = 50
    cursor: Cursor = ""


SUBMIT: Final = Verb(
    "submit_task", SubmitTask, "run", "task", "work",
    Http("POST", "/v1/tasks", "submit_task",
         "Ask for a task. The same id with the same content answers again, with other content it is refused "
         "(`task_exists`).",
         (Gives(201, answers.TaskSubmitted, "It is committed."),
          Gives(200, answers.TaskSubmitted, "It was asked for before.")),
         whole="request", refuses=(409, 413)),
)  # fmt: skip
SHOW: Final = Verb(
    "task", NamedTask, "view", "task", "work",
    Http("GET", "/v1/tasks/{task_id}", "show_task", "Show a task with its result; wait for its end with `wait_ms`.",
         ok(answers.TaskView, "The task."), cost=LIVE),
)  # fmt: skip
LIST: Final = Verb(
    "tasks", ListTasks, "view", "task", "every",
    Http("GET", "/v1/tasks", "list_tasks", "List tasks, the newest first.", ok(answers.TaskList, "A page.")),
)  # fmt: skip
CANCEL: Final = Verb(
    "cancel_task", CancelTask, "run", "task", "work",
    Http("POST", "/v1/tasks/{task_id}/cancel", "cancel_task", "Cancel a task: no later result of it counts.",
         ok(answers.TaskView, "The task, cancelled."), takes="CancelTaskBody", optional=True, refuses=(409,)),
)  # fmt: skip
SUBMIT_PLAN: Final = Verb(
    "submit_plan", SubmitPlan, "run", "plan", "work",
    Http("POST", "/v1/plans", "submit_plan",
         "Ask for a plan: its planner is asked round by round, what it names is done as tasks. Repeated as a task is.",
         (Gives(201, answers.PlanSubmitted, "It is committed."),
          Gives(200, answers.PlanSubmitted, "It was asked for before.")),
         whole="request", refuses=(409, 413)),
)  # fmt: skip
SHOW_PLAN: Final = Verb(
    "plan", NamedPlan, "view", "plan", "work",
    Http("GET", "/v1/plans/{plan_id}", "show_plan",
         "Show a plan with its rounds and its result; wait for its end with `wait_ms`.",
         ok(answers.PlanView, "The plan."), cost=LIVE),
)  # fmt: skip
LIST_PLANS: Final = Verb(
    "plans", ListPlans, "view", "plan", "every",
    Http("GET", "/v1/plans", "list_plans", "List plans, the newest first.", ok(answers.PlanList, "A page.")),
)  # fmt: skip
CANCEL_PLAN: Final = Verb(
    "cancel_plan", CancelPlan, "run", "plan", "work",
    Http("POST", "/v1/plans/{plan_id}/cancel", "cancel_plan", "Cancel a plan, and the tasks that only it waits for.",
         ok(answers.PlanView, "The plan, cancelled."), takes="CancelPlanBody", optional=True, refuses=(409,)),
)  # fmt: skip

VERBS: Final = (SUBMIT, SHOW, LIST, CANCEL, SUBMIT_PLAN, SHOW_PLAN, LIST_PLANS, CANCEL_PLAN)
