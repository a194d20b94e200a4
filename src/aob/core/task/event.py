"""The events of tasks and plans. Append-only: fields may be added at the end with a default, none may change or go.
Encoded as JSON arrays led by an integer tag."""

from typing import Final

import msgspec

from aob.core.task.request import Request
from aob.core.value import Cell


class _Event(msgspec.Struct, array_like=True, gc=False):
    pass


class Requested(_Event, tag=1):
    """A task or a plan was asked for; `due_ms` is when it fails if it has not ended (0: never). `plan` is the stream of
    the plan that waits for it."""

    request: Request
    by: str
    at_ms: int
    due_ms: int = 0
    plan: str = ""
    round: int = 0
    entry: int = 0
    correlation: str = ""
    depth: int = 1
    mime_type: str = "application/json"


class Watched(_Event, tag=2):
    """One more plan waits for a task."""

    plan: str
    round: int
    entry: int


class Ended(_Event, tag=3):
    """It has ended: `completed`, `failed` or `cancelled`. `data` is the result of a task as canonical JSON, `error` why
    it was not completed: none or one of each."""

    status: str
    at_ms: int
    took_ms: int = 0
    data: list[Cell] = []
    error: list[Cell] = []
    by: str = ""
    reason: str = ""


class Entry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A task of a round: as the planner named it, its id and type."""

    named: str
    task_id: str
    task_type: str


class Planned(_Event, tag=4):
    """The planner's answer for a round is a plan: none left to do, if it has no entry. `state` is what it says of the
    plan, for the next round."""

    round: int
    entries: tuple[Entry, ...]
    metadata: Cell
    state: str
    took_ms: int
    at_ms: int


class Rejected(_Event, tag=5):
    """The planner's answer for a round is no plan; it is shown why."""

    round: int
    failure: Cell
    at_ms: int


class TaskOver(_Event, tag=6):
    """A task of the round has ended; `result` is what it told. `failed`: it was not completed."""

    round: int
    entry: int
    result: Cell
    failed: bool = False


class Wanted(_Event, tag=7):
    """A caller has asked for a task that a plan had asked for: it goes on when its plans have ended."""

    by: str


TaskEvent = Requested | Watched | Ended | Wanted
PlanEvent = Requested | Ended | Planned | Rejected | TaskOver

task_events: Final = msgspec.json.Decoder(list[TaskEvent])
plan_events: Final = msgspec.json.Decoder(list[PlanEvent])
