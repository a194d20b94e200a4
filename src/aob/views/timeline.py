"""One committed event for people and tools: its name, place, time and fields. Never raises: an event that cannot be
shown is reported as such, so that a feed continues after it."""

import re
from functools import cache
from typing import Any, Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.run.record import NodeCompleted
from aob.core.value import decode, digest_of_cell
from aob.ports.logger import Logger
from aob.runs import Fact

_SNAKE: Final = re.compile(r"(?<!^)(?=[A-Z])")
UNSHOWN_MAX: Final = 500
HIDDEN: Final = frozenset({"digest", "signalled_taken", "signalled_skipped", "reset", "undone", "took"})
"""Fields for the engine only."""
log = Logger("aob.views")


def name_of(event: Any) -> str:
    """The name of an event, or of its class: `NodeCompleted` is `node_completed`."""
    return _name(event if isinstance(event, type) else type(event))


@cache
def _name(kind: type) -> str:
    return _SNAKE.sub("_", kind.__name__).lower()


def shown(fact: Fact) -> tuple[str, str, JsonObject]:
    """The position, name and entry of a fact, computed once for all subscribers."""
    if fact.shown is None:
        fact.shown = fact.position, name_of(fact.event), entry(fact)
    told: tuple[str, str, JsonObject] = fact.shown
    return told


def entry(fact: Fact) -> JsonObject:
    """A timeline entry: `seq position at type` and the event's own fields; empty ones are omitted. If the fields cannot
    be shown, `unshown` says why."""
    event = fact.event
    told: JsonObject = {
        "seq": fact.seq, "position": fact.position, "at": fact.at_ms, "run": fact.stream, "type": name_of(event),
    }  # fmt: skip
    try:
        return {**told, **_fields(event)}
    except Exception as error:
        log.error("event_not_shown", run=fact.stream, seq=fact.seq, type=told["type"], exc_info=error)
        return {**told, "unshown": f"{type(error).__name__}: {error}"[:UNSHOWN_MAX]}


def _fields(event: Any) -> JsonObject:
    told: JsonObject = {}
    for field in event.__struct_fields__:
        if field in HIDDEN or field == "run":
            continue
        value = _plain(getattr(event, field))
        if value not in (None, "", [], {}, False) or field == "attempt":
            told["event_type" if field == "type" else field] = value
    if "output" in told and isinstance(event, NodeCompleted):
        told["hash"] = digest_of_cell(event.output).hex()
    return told


def _plain(value: Any) -> Any:
    """A field as JSON, whatever its type: cells inside tuples, digests, structs."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, msgspec.Raw):
        return decode(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    return msgspec.to_builtins(value)
