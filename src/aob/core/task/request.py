"""A request for a task or a plan: the message of seed 002, checked. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import Invalid, Problem, TooLarge
from aob.core.instant import is_moment
from aob.core.task.limit import ID_CHARS_MAX, REQUEST_BYTES_MAX, TYPE_CHARS_MAX
from aob.core.value import Cell, canonical, decode, digest_of

Kind = Literal["task", "plan"]
PRIORITIES: Final[Mapping[str, str]] = {"low": "low", "normal": "medium", "medium": "medium", "high": "high"}
"""The words of `metadata.priority`, and what they are for the pool."""
_PAYLOAD: Final = {"task": "parameters", "plan": "context"}
_METADATA: Final = frozenset({"request_id", "timestamp", "priority"})
_EXAMPLE: Final = {
    "task": '{"task_id": "t-1", "task_type": "resize", "parameters": {}}',
    "plan": '{"plan_id": "p-1", "plan_type": "triage", "context": {}}',
}


class Request(msgspec.Struct, array_like=True, frozen=True):
    """A request. `given` is the whole message as canonical JSON; `digest` is of what counts for a repetition: all of it
    but the time at which it was made."""

    id: str
    type: str
    given: Cell
    digest: bytes
    priority: str = "medium"
    request_id: str = ""

    def payload(self, kind: Kind) -> JsonObject:
        """The parameters of a task, the context of a plan."""
        found: JsonObject = self.whole().get(_PAYLOAD[kind]) or {}
        return found

    def whole(self) -> JsonObject:
        """The message."""
        told: JsonObject = decode(self.given)
        return told

    def unknown(self, kind: Kind) -> tuple[JsonObject, JsonObject]:
        """The members that no rule names, of the message and of its metadata: they come back with the result."""
        whole = self.whole()
        known = {f"{kind}_id", f"{kind}_type", _PAYLOAD[kind], "metadata", "result", "status", "error"}
        metadata = whole.get("metadata") or {}
        return (
            {name: value for name, value in whole.items() if name not in known},
            {name: value for name, value in metadata.items() if name not in _METADATA},
        )


def read_request(kind: Kind, message: JsonValue) -> Request:
    """A request from its message. Raises Invalid with every problem, TooLarge."""
    if not isinstance(message, dict):
        why = f"a request for a {kind} is an object"
        raise Invalid(why, [Problem("", why, "bad_request", hint=_EXAMPLE[kind])], code="bad_request")
    problems = list(_problems(kind, message))
    if problems:
        raise Invalid(f"this is no request for a {kind}", problems, code="bad_request")
    data = canonical(message)
    if len(data) > REQUEST_BYTES_MAX:
        raise TooLarge(f"a request for a {kind} has {len(data):,} bytes, at most {REQUEST_BYTES_MAX:,} are taken",
                       hint="put large data into a blob and give its hash")  # fmt: skip
    metadata = message.get("metadata") or {}
    same = {**message, "metadata": {name: value for name, value in metadata.items() if name != "timestamp"}}
    same[_PAYLOAD[kind]] = message.get(_PAYLOAD[kind]) or {}
    return Request(
        message[f"{kind}_id"], message[f"{kind}_type"], msgspec.Raw(data), digest_of(canonical(same)),
        PRIORITIES[metadata.get("priority", "normal")], metadata.get("request_id", ""),
    )  # fmt: skip


def _problems(kind: Kind, message: JsonObject) -> Iterator[Problem]:
    for name, most in ((f"{kind}_id", ID_CHARS_MAX), (f"{kind}_type", TYPE_CHARS_MAX)):
        text = message.get(name)
        if not isinstance(text, str) or not 0 < len(text) <= most or not text.isprintable():
            yield Problem(f"/{name}", f"must be a printable text of 1 to {most} characters", "bad_request",
                          hint=_EXAMPLE[kind])  # fmt: skip
    payload, metadata = message.get(_PAYLOAD[kind], {}), message.get("metadata", {})
    for name, value in ((_PAYLOAD[kind], payload), ("metadata", metadata)):
        if value is not None and not isinstance(value, dict):
            yield Problem(f"/{name}", "must be an object", "bad_request")
    if kind == "plan" and isinstance(payload, dict):
        yield from _of_context(payload)
    if isinstance(metadata, dict):
        yield from _of_metadata(metadata)


def _of_context(context: JsonObject) -> Iterator[Problem]:
    if not isinstance(context.get("previous_results", []), list):
        yield Problem("/context/previous_results", "must be a list of results", "bad_request")
    if not isinstance(context.get("current_state", ""), str):
        yield Problem("/context/current_state", "must be a text", "bad_request", hint='"initial"')


def _of_metadata(metadata: JsonObject) -> Iterator[Problem]:
    request_id, time = metadata.get("request_id", ""), metadata.get("timestamp")
    if (
        not isinstance(request_id, str)
        or len(request_id) > ID_CHARS_MAX
        or (request_id and not request_id.isprintable())
    ):
        yield Problem("/metadata/request_id", f"must be a printable text of at most {ID_CHARS_MAX} characters",
                      "bad_request")  # fmt: skip
    if time is not None and not (isinstance(time, str) and is_moment(time)):
        yield Problem("/metadata/timestamp", "must be RFC 3339", "bad_time", hint="2026-01-31T12:00:00Z")
    priority = metadata.get("priority", "normal")
    if not isinstance(priority, str) or priority not in PRIORITIES:
        yield Problem("/metadata/priority", f"must be one of {', '.join(PRIORITIES)}", "bad_request")
