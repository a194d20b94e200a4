"""What a planner answers, read: the tasks of a round, or why it is no plan. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import CallerError, Invalid
from aob.core.hint import meant
from aob.core.task.event import Entry
from aob.core.task.limit import ID_CHARS_MAX
from aob.core.task.request import Request, read_request
from aob.core.task.rule import PlanType, Types
from aob.core.value import Cell, canonical, digest_of

METADATA_BYTES_MAX = 16 * 1024
REASON_CHARS_MAX = 300  # of why one entry is no task


class Planned(NamedTuple):
    """A round: its tasks with their requests, and what the planner says of itself."""

    entries: tuple[Entry, ...]
    requests: tuple[Request, ...]
    metadata: Cell
    state: str


class Wrong(Exception):  # noqa: N818  # not an error of ours: the planner is shown it
    """An answer is no plan: `failure` has `code`, `message`, and `entries` with a reason each."""

    def __init__(self, code: str, message: str, entries: list[JsonValue] | None = None) -> None:
        super().__init__(message)
        self.failure: JsonObject = {"code": code, "message": message, **({"entries": entries} if entries else {})}


def read_plan(
    answer: JsonValue, plan_id: str, metadata: JsonObject, round: int, so_far: int, type: PlanType, types: Types
) -> Planned:
    """The tasks that a planner wants next. `metadata` is given to each; `so_far` tasks the plan has had. Raises Wrong
    with every reason."""
    told = answer if isinstance(answer, dict) else {"next_task_ids": answer}
    named, tasks, said = told.get("next_task_ids", []), told.get("tasks") or {}, told.get("metadata") or {}
    if not isinstance(named, list) or not all(isinstance(each, str) and each for each in named):
        raise Wrong("bad_plan", "next_task_ids is to be a list of texts")
    if not isinstance(tasks, dict) or not isinstance(said, dict):
        raise Wrong("bad_plan", "tasks and metadata are to be objects")
    if len(canonical(said)) > METADATA_BYTES_MAX:
        raise Wrong("bad_plan", f"metadata is over {METADATA_BYTES_MAX:,} bytes")
    _within(len(named), so_far, round, type)
    entries, requests = list[Entry](), list[Request]()
    problems = list[JsonValue]()
    for number, entry in enumerate(named):
        try:
            if entry in named[:number]:
                raise Wrong("entry_twice", "it is in the list twice")
            request = _request(entry, _id_of(plan_id, round, number), tasks, metadata, types)
        except Wrong as wrong:
            said_why = str(wrong)[:REASON_CHARS_MAX]
            problems.append({"entry": entry[:ID_CHARS_MAX], **wrong.failure, "message": said_why})
        else:
            entries.append(Entry(entry, request.id, request.type))
            requests.append(request)
    if problems:
        raise Wrong("bad_entries", f"{len(problems)} of {len(named)} entries are no tasks", problems[:100])
    state = said.get("state")
    return Planned(
        tuple(entries), tuple(requests), msgspec.Raw(canonical(said)), state if isinstance(state, str) else ""
    )


def _id_of(plan_id: str, round: int, number: int) -> str:
    """The id of a task of a type alone: that of its plan and its place. Of a long id the end is a digest."""
    place = f".{round}.{number}"
    if len(plan_id) + len(place) > ID_CHARS_MAX:
        digest = digest_of(plan_id.encode())[:8].hex()
        plan_id = f"{plan_id[: ID_CHARS_MAX - len(place) - len(digest) - 1]}~{digest}"
    return plan_id + place


def _within(count: int, so_far: int, round: int, type: PlanType) -> None:
    """Raises Wrong for more than the type of the plan allows."""
    if count > type.fan_out:
        raise Wrong("fan_out", f"{count} tasks in one round, at most {type.fan_out} are allowed")
    if count and round > type.rounds:
        raise Wrong("too_many_rounds", f"there were {type.rounds} rounds, which is all: an empty list ends the plan")
    if so_far + count > type.tasks:
        raise Wrong("too_many_tasks", f"{so_far + count} tasks in one plan, at most {type.tasks} are allowed")


def _request(entry: str, id: str, tasks: JsonObject, metadata: JsonObject, types: Types) -> Request:
    """The task that an entry stands for: one that the answer defines, a type, or `type#key`."""
    if entry in tasks:
        given = tasks[entry]
        if not isinstance(given, dict) or not isinstance(given.get("task_type"), str):
            raise Wrong("bad_task", "its definition is to be {task_type, parameters}")
        more = given.get("metadata") or {}
        if not isinstance(more, dict):
            raise Wrong("bad_task", "its metadata is to be an object")
        message = {**given, "task_id": entry, "metadata": {**metadata, **more}}
    elif entry in types.tasks:
        message = {"task_id": id, "task_type": entry, "parameters": {}, "metadata": metadata}
    elif entry.partition("#")[0] in types.tasks:
        name, _, key = entry.partition("#")
        message = {"task_id": id, "task_type": name, "parameters": {"key": key}, "metadata": metadata}
    else:
        hint = meant(entry, [*tasks, *types.tasks], "there are")
        raise Wrong("unknown_entry", f"it is neither in `tasks` nor a registered type{f': {hint}' if hint else ''}")
    known = types.tasks.get(message["task_type"])
    if known is None:
        hint = meant(message["task_type"], types.tasks, "types")
        raise Wrong("task_type_unknown", f"no type {message['task_type'][:80]!r} is registered: {hint}")
    try:
        request = read_request("task", message)
    except CallerError as error:
        raise Wrong(error.code, "; ".join(_said(error))) from None
    if problems := known.check(request.payload("task")):
        raise Wrong("bad_parameters", "; ".join(f"{each.path or '/'}: {each.message}" for each in problems))
    return request


def _said(error: CallerError) -> Iterator[str]:
    yield error.detail
    if isinstance(error, Invalid):
        yield from (f"{each.path}: {each.message}" for each in error.problems)
