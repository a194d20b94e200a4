"""Makes the JSON Schema of feed entries from the union of a run's events. Pure; the caller caches it. An entry has the
fields of its event as shown by `timeline.entry`: empty ones are omitted, so none is required."""

from typing import Any, Final, get_args

import msgspec
from msgspec import inspect

from aob.core.answers import JsonObject
from aob.core.run.record import RunEvent
from aob.views.timeline import HIDDEN, name_of

_PLAIN: Final[dict[type[inspect.Type], JsonObject]] = {
    inspect.IntType: {"type": "integer"},
    inspect.FloatType: {"type": "number"},
    inspect.StrType: {"type": "string"},
    inspect.BoolType: {"type": "boolean"},
    inspect.NoneType: {"type": "null"},
    inspect.BytesType: {"type": "string", "pattern": "^[0-9a-f]*$"},
}


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
    for plain, schema in _PLAIN.items():
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
