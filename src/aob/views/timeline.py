"""One committed event as people and tools read it: its name, its place, its time, its fields."""

import re
from typing import Any, Final

import msgspec

from aob.core.event.value import decode
from aob.runs import Fact

_SNAKE: Final = re.compile(r"(?<!^)(?=[A-Z])")
_HIDDEN: Final = frozenset({"digest", "fed", "starved", "reset", "undone", "took"})


def name_of(event: Any) -> str:
    """The name of an event: `NodeCompleted` is `node_completed`."""
    return _SNAKE.sub("_", type(event).__name__).lower()


def entry(fact: Fact) -> dict[str, Any]:
    """A timeline entry: `seq position at type` and the event's own fields; empty ones are left out."""
    event = fact.event
    told: dict[str, Any] = {
        "seq": fact.seq, "position": fact.position, "at": fact.at_ms, "run": fact.stream, "type": name_of(event),
    }  # fmt: skip
    for field in event.__struct_fields__:
        if field in _HIDDEN or field == "run":
            continue
        value = getattr(event, field)
        if isinstance(value, msgspec.Raw):
            value = decode(value)
        if value not in (None, "", [], {}, (), False) or field == "attempt":
            told["event_type" if field == "type" else field] = _plain(value)
    if "output" in told and told["type"] == "node_completed":
        told["hash"] = event.digest.hex()
    return told


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return msgspec.to_builtins(value) if not isinstance(value, str | int | float | bool | dict | list) else value
