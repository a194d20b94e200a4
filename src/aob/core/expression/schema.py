"""Follows paths through a JSON Schema: types of values, impossible fields. Unknown constructs are `dyn`, never
errors."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeGuard

import msgspec

from aob.core.expression.library import Value

Schema = Mapping[str, Value]

DYN: Final = "dyn"
NUMBER: Final = "number"  # not a CEL type: a JSON number, which may arrive as an int or as a double

REF_DEPTH_MAX: Final = 16
_OPAQUE: Final = frozenset(
    {"allOf", "anyOf", "oneOf", "not", "if", "$dynamicRef", "dependentSchemas", "patternProperties"}
)
_ANYTHING: Final[Schema] = {}
_SIMPLE: Final = {
    "string": "string",
    "boolean": "bool",
    "integer": "int",
    "number": NUMBER,
    "null": "null",
    "object": "map<string, dyn>",
}


class Typed(msgspec.Struct, frozen=True):
    """The types along a path: after each field; `stop` is the index of a field that cannot exist, or -1."""

    types: tuple[str, ...]
    stop: int = -1
    known: tuple[str, ...] = ()


NOTHING: Final = Typed(())


def _is_schema(value: Value) -> TypeGuard[Schema]:
    return isinstance(value, Mapping)


def _resolve(schema: Value, root: Schema) -> Schema:
    """The schema after local references; empty for one that cannot be followed."""
    for _ in range(REF_DEPTH_MAX):
        if not _is_schema(schema):
            return _ANYTHING
        ref = schema.get("$ref")
        if ref is None:
            return schema
        if not isinstance(ref, str) or not ref.startswith("#"):
            return _ANYTHING
        schema = _pointed(root, ref[1:])
    return _ANYTHING


def _pointed(root: Schema, pointer: str) -> Value:
    value: Value = root
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if not _is_schema(value) or key not in value:
            return None
        value = value[key]
    return value


def signature(schema: Schema, root: Schema) -> str:
    """The CEL type of the values of a schema, `number` for a JSON number, `dyn` when it may be several."""
    kind = schema.get("type")
    if not isinstance(kind, str) or _OPAQUE & schema.keys():
        return DYN
    if kind != "array":
        return _SIMPLE.get(kind, DYN)
    items = schema.get("items")
    inner = _SIMPLE.get(str(_resolve(items, root).get("type")), DYN) if _is_schema(items) else DYN
    return f"list<{DYN if inner == NUMBER else inner}>"


def _member(schema: Schema, field: str) -> Value:
    """The schema of a field of an object, or None when it cannot exist."""
    properties = schema.get("properties")
    if schema.get("type", "object") != "object" or _OPAQUE & schema.keys():
        return _ANYTHING
    if _is_schema(properties) and field in properties:
        return properties[field]
    more = schema.get("additionalProperties")
    if more is None:
        return None if _is_schema(properties) and properties else _ANYTHING
    return None if more is False else more


def optional_steps(schema: Schema, fields: Sequence[str]) -> list[int]:
    """The steps of a path that lead to a declared but not required field."""
    found: list[int] = []
    here = _resolve(schema, schema)
    for index, field in enumerate(fields):
        properties, required = here.get("properties"), here.get("required")
        declared = _is_schema(properties) and field in properties and not _OPAQUE & here.keys()
        if declared and not (isinstance(required, Sequence) and field in required):
            found.append(index)
        below = _member(here, field)
        if below is None:
            break
        here = _resolve(below, schema)
    return found


def follow(schema: Schema, fields: Sequence[str]) -> Typed:
    """Follow a path through a schema, from its root."""
    types: list[str] = []
    here = _resolve(schema, schema)
    for index, field in enumerate(fields):
        below = _member(here, field)
        if below is None:
            properties = here.get("properties")
            return Typed(tuple(types), index, tuple(properties) if _is_schema(properties) else ())
        here = _resolve(below, schema)
        types.append(signature(here, schema))
    return Typed(tuple(types))
