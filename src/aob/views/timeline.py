"""One committed event for people and tools: its name, place, time and fields. Never raises: an event that cannot be
shown is reported as such, so that a feed continues after it."""

import re
from functools import cache
from typing import Any, Final, get_args

import msgspec
from msgspec import inspect

from aob.core.answers import JsonObject
from aob.core.run.record import NodeCompleted, RunEvent
from aob.core.value import decode, digest_of_cell
from aob.ports.logger import Logger
from aob.runs import Fact

_SNAKE: Final = re.compile(r"(?<!^)(?=[A-Z])")
UNSHOWN_MAX: Final = 500
HIDDEN: Final = frozenset({"digest", "signalled_taken", "signalled_skipped", "reset", "undone", "took"})
"""Fields for the engine only."""
log = Logger("aob.views")
_SCHEMAS: Final[dict[type[inspect.Type], JsonObject]] = {
    inspect.IntType: {"type": "integer"},
    inspect.FloatType: {"type": "number"},
    inspect.StrType: {"type": "string"},
    inspect.BoolType: {"type": "boolean"},
    inspect.NoneType: {"type": "null"},
    inspect.BytesType: {"type": "string", "pattern": "^[0-9a-f]*$"},
}


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


def feed_schemas(ref: str) -> dict[str, JsonObject]:
    """A schema per event, named after it with the suffix `Event`, and `RunFeedEvent`, which is one of them. `ref` is
    the template of references (`#/$defs/{name}`)."""
    schemas: dict[str, JsonObject] = {}
    names: dict[str, str] = {}
    for kind in get_args(RunEvent):
        schemas[f"{kind.__name__}Event"] = _entry(kind)
        names[name_of(kind)] = ref.format(name=f"{kind.__name__}Event")
    schemas["RunFeedEvent"] = {
        "description": "An event of a run; `type` says which. Events of a later release may have further fields.",
        "oneOf": [{"$ref": each} for each in names.values()],
        "discriminator": {"propertyName": "type", "mapping": names},
    }
    return schemas


def events_schema() -> JsonObject:
    """The JSON Schema of every entry of `GET /v1/runs/events` and of a run's own feed."""
    defs = feed_schemas("#/$defs/{name}")
    whole = defs.pop("RunFeedEvent")
    whole.pop("discriminator")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Events of runs, as feeds and timelines tell them",
        **whole,
        "$defs": defs,
    }


def _entry(kind: type[Any]) -> JsonObject:
    properties: JsonObject = {
        "seq": {"type": "integer", "minimum": 0},
        "position": {"type": "string"},
        "at": {"type": "integer", "description": "ms since 1970"},
        "run": {"type": "string"},
        "type": {"const": name_of(kind)},
        "unshown": {"type": "string", "description": "why the fields cannot be shown"},
    }
    for field in msgspec.structs.fields(kind):
        if field.name not in HIDDEN and field.name != "run":
            name = "event_type" if field.name == "type" else field.name
            properties[name] = _schema(inspect.type_info(field.type))
    if "output" in properties:
        properties["hash"] = {"type": "string"}
    text = " ".join((kind.__doc__ or "").split())
    required = ["seq", "position", "at", "run", "type"]
    return {"type": "object", "description": text, "properties": properties, "required": required}


def _schema(kind: inspect.Type) -> JsonObject:
    """The schema of a field as `timeline` renders it: bytes as hexadecimal, tuples as lists, any type as any JSON."""
    if isinstance(kind, inspect.Metadata):
        return _schema(kind.type)
    for plain, schema in _SCHEMAS.items():
        if isinstance(kind, plain):
            return dict(schema)
    if isinstance(kind, inspect.LiteralType):
        return {"enum": list(kind.values)}
    if isinstance(kind, inspect.UnionType):
        return {"anyOf": [_schema(each) for each in kind.types]}
    if isinstance(kind, inspect.ListType | inspect.VarTupleType | inspect.SetType | inspect.FrozenSetType):
        return {"type": "array", "items": _schema(kind.item_type)}
    if isinstance(kind, inspect.DictType):
        return {"type": "object", "additionalProperties": _schema(kind.value_type)}
    if isinstance(kind, inspect.StructType) and not kind.array_like:
        return {"type": "object", "properties": {each.encode_name: _schema(each.type) for each in kind.fields}}
    return {}
