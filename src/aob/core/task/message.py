"""What tasks and plans tell: results in the form of seed 002, changes of state, and each other. Pure."""

from typing import Any, Final

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.instant import iso
from aob.core.task.limit import MESSAGE_CHARS_MAX, RESULT_BYTES_MAX
from aob.core.task.request import Kind, Request
from aob.core.value import Cell, canonical, decode

REQUESTS: Final = {"task": "task-requests", "plan": "plan-requests"}
RESULTS: Final = {"task": "task-results", "plan": "plan-results"}
STATES: Final = "state-updates"
EVENTS: Final = "execution-events"
TOPICS: Final = (*REQUESTS.values(), STATES, *RESULTS.values(), EVENTS)
"""The topics that tasks and plans are asked for and told of by."""
COMPLETED, FAILED, CANCELLED, RUNNING = "completed", "failed", "cancelled", "running"
FINAL: Final = frozenset({COMPLETED, FAILED, CANCELLED})


class Made(msgspec.Struct, frozen=True, gc=False):
    """A record that a decision appends: its key is the id of the task or plan. `n` tells those of one decision apart;
    with `ask` the answer comes back under that id."""

    topic: str
    type: str
    data: bytes
    ask: str = ""


class Give(msgspec.Struct, tag="give", frozen=True):
    """A plan asks for a task, which is the `entry`-th of its round."""

    request: Request
    plan: str
    round: int
    entry: int
    depth: int = 1


class Stop(msgspec.Struct, tag="stop", frozen=True):
    """A plan does not need a task any more."""

    plan: str
    reason: str


class Over(msgspec.Struct, tag="over", frozen=True):
    """A task has ended: its result as it is told."""

    round: int
    entry: int
    result: Cell


class Told(msgspec.Struct, frozen=True, gc=False):
    """A message to the stream of a task or a plan."""

    stream: str
    body: Give | Stop | Over


class Decision(msgspec.Struct, gc=False):
    """Events; the records to append and the messages to send in the same commit."""

    events: list[Any] = []
    records: list[Made] = []
    told: list[Told] = []


def error_of(code: str, message: str, *, retryable: bool = False) -> Cell:
    """The error of a result."""
    return msgspec.Raw(
        canonical({"code": code[:200], "message": message[:MESSAGE_CHARS_MAX], "retryable": retryable})
    )  # fmt: skip


def reported_error(data: Cell) -> Cell:
    """The error of a result from what an agent failed with."""
    told = decode(data)
    given: JsonObject = told if isinstance(told, dict) else {}
    return error_of(
        str(given.get("code", "failed")), str(given.get("message", "it failed")),
        retryable=given.get("transient") is True,
    )  # fmt: skip


def result_of(data: JsonValue, mime_type: str) -> JsonObject:
    """The `result` of a task: its data, its type, and its size as canonical JSON."""
    return {"data": data, "mime_type": mime_type, "size_bytes": len(canonical(data))}


def too_large(data: bytes) -> Cell | None:
    """Why a result is refused; None: it is not."""
    if len(data) <= RESULT_BYTES_MAX:
        return None
    said = f"the result has {len(data):,} bytes, at most {RESULT_BYTES_MAX:,} are taken; put it into a blob"
    return error_of("result_too_large", said)


def result_message(
    kind: Kind, request: Request, result: JsonObject, status: str, error: Cell | None, took_ms: int, at_ms: int
) -> JsonObject:
    """A result as it goes out, with what of the request no rule names."""
    more, metadata = request.unknown(kind)
    told: JsonObject = {**more, f"{kind}_id": request.id, "result": result, "status": status}
    if error is not None:
        told["error"] = decode(error)
    named: JsonObject = {"request_id": request.request_id} if request.request_id else {}
    told["metadata"] = {**metadata, **named, "execution_time_ms": took_ms, "timestamp": iso(at_ms)}
    return told


def state_update(kind: Kind, request: Request, state: str, before: str, at_ms: int, **more: JsonValue) -> Made:
    """The record of a change of state."""
    told: JsonObject = {
        "kind": kind, f"{kind}_id": request.id, f"{kind}_type": request.type, "state": state, "previous": before,
        "timestamp": iso(at_ms), **more,
    }  # fmt: skip
    return Made(STATES, f"{kind}.state", canonical(told))


def execution_event(kind: Kind, request: Request, what: str, at_ms: int, **more: JsonValue) -> Made:
    """The record of something that happened to a task or a plan."""
    told: JsonObject = {
        "event": f"{kind}.{what}", f"{kind}_id": request.id, f"{kind}_type": request.type, "timestamp": iso(at_ms),
        **({"request_id": request.request_id} if request.request_id else {}), **more,
    }  # fmt: skip
    return Made(EVENTS, f"{kind}.{what}", canonical(told))
