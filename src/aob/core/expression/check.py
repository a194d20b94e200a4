"""Checks the names, node ids and fields that an expression reads, following paths through JSON Schemas; there, unknown
constructs are `dyn`, never errors. The CEL library checks types. Never evaluates."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, TypeGuard

import msgspec

from aob.core.expression.fault import Complaint, meant
from aob.core.expression.library import Value
from aob.core.expression.paths import Path, unguarded
from aob.core.expression.tree import Tree

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

Declared = tuple[tuple[str, str], ...]  # names and paths with their CEL types, sorted
Shape = Schema | str  # the shape of a top-level name: the JSON Schema of its value, or its CEL type
DOUBLE: Final = "double"
NAMES_CACHE_MAX: Final = 256
STANDARD: Final = {**dict.fromkeys(("inputs", "nodes", "item", "loop", "run"), DYN), "now": "timestamp"}
_WHERE: Final = {"item": "it exists in the body of a map only", "loop": "it exists in the body of a loop only"}
_TEXT: Final[Schema] = {"type": "string"}
_RUN: Final[Schema] = {"properties": {
    "id": _TEXT, "workflow": _TEXT, "tag": _TEXT, "version": _TEXT, "tenant": _TEXT,
    "labels": {"type": "object", "additionalProperties": _TEXT},
}}  # fmt: skip
_LOOP: Final[Schema] = {"properties": {"index": {"type": "integer"}, "previous": {}}}
_NODE: Final = "output"
_FACTS: Final = ("output", "error", "state", "exhausted")
"""The facts of a node: the state always; the others when it completed, failed, or is a loop that `max` ended."""


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


class Scope(msgspec.Struct, frozen=True):
    """What may be used: node ids, top-level names, the schemas of the inputs and of nodes' outputs, and the shapes of
    other names. Names with a shape are checked strictly: optional fields need `has`, a number is a double."""

    nodes: frozenset[str]
    names: frozenset[str]
    node_types: Mapping[str, Schema]
    inputs: Schema
    shapes: Mapping[str, Shape] = {}


@lru_cache(maxsize=NAMES_CACHE_MAX)
def declared_of(names: frozenset[str]) -> Declared:
    """All names declared to the checker, also those not allowed here: they get a better message."""
    return tuple(sorted({**dict.fromkeys(names, DYN), **STANDARD}.items()))


class Verdict(msgspec.Struct, frozen=True):
    """The problems of the paths, and the types of those with a schema."""

    complaints: tuple[Complaint, ...]
    types: Mapping[str, str]


class Remark(msgspec.Struct, frozen=True):
    """A problem of a path: of its root, or of the field at an index of its steps."""

    path: Path
    at: int
    message: str
    hint: str


_ROOT: Final = -1


def check_paths(text: str, tree: Tree, paths: tuple[Path, ...], scope: Scope) -> Verdict:
    """Check every path of an expression."""
    remarks: list[Remark] = []
    types: dict[str, str] = {}
    tested = {(path.root, *path.fields) for path in paths if path.tested}
    for path in paths:
        shape = scope.shapes.get(path.root)
        if isinstance(shape, str):
            types[path.root] = shape
            continue
        schema, skipped = _schema(path, scope)
        found = follow(schema, path.fields[skipped:]) if schema else NOTHING
        remark = _judge(path, found, skipped, scope)
        if remark is not None:
            remarks.append(remark)
        if found.types:
            types.update(_types(path, found.types, skipped, tested, strict=shape is not None))
    if scope.shapes and not remarks:
        remarks += _missing(tree, scope.shapes)
    offsets = tree.offsets() if remarks else {}
    complaints = (Complaint(_offset(text, offsets, each.path, each.at), each.message, each.hint) for each in remarks)
    return Verdict(tuple(complaints), types)


def _missing(tree: Tree, shapes: Mapping[str, Shape]) -> list[Remark]:
    """Optional fields that are read without `has`."""

    def optional(path: Path) -> list[int]:
        shape = shapes.get(path.root)
        return [] if shape is None or isinstance(shape, str) else optional_steps(shape, path.fields)

    found = []
    for path, at in unguarded(tree.root, optional):
        name = ".".join((path.root, *path.fields[: at + 1]))
        hint = f"write has({name}) ? {name} : …, or has({name}) && …"
        found.append(Remark(path, at, f"{name} may be missing", hint))
    return found


def _offset(text: str, offsets: Mapping[int, int], path: Path, at: int) -> int:
    """The offset of the root or of a field. A step's own position is its dot or bracket, or the `(` of `has`."""
    if at == _ROOT:
        return offsets.get(path.id, 0)
    step = path.steps[at]
    if path.tested and at == len(path.steps) - 1:
        before = path.steps[at - 1].id if at else path.id
        found = re.compile(rf"\.\s*(?={re.escape(step.field)})").search(text, offsets.get(before, 0) + 1)
        return found.end() if found else offsets.get(step.id, 0)
    offset = offsets.get(step.id, 0) + 1
    return offset + len(text[offset:]) - len(text[offset:].lstrip())


def _judge(path: Path, found: Typed, skipped: int, scope: Scope) -> Remark | None:
    if path.root not in scope.names:
        if path.root in STANDARD:
            return Remark(path, _ROOT, f"there is no {path.root} here", _WHERE.get(path.root, ""))
        return None  # a name of the language, such as a type: checked by the library
    if path.root == "nodes":
        remark = _node(path, scope)
        if remark is not None:
            return remark
    at = skipped + found.stop
    if found.stop < 0 or (path.tested and at == len(path.steps) - 1):
        return None
    owner, field = ".".join((path.root, *path.fields[:at])), path.fields[at]
    hint = meant(field, found.known, f"it has {', '.join(found.known)}" if found.known else "it has no fields")
    return Remark(path, at, f"{owner} has no field {field}", hint)


def _node(path: Path, scope: Scope) -> Remark | None:
    if not path.steps:
        return Remark(path, _ROOT, "a node must be named", "write nodes.ID.output")
    ident = path.fields[0]
    if ident not in scope.nodes:
        known = f"before it come {', '.join(sorted(scope.nodes))}" if scope.nodes else "no node comes before it"
        return Remark(path, 0, f"there is no node {ident} that comes before", meant(ident, scope.nodes, known))
    if len(path.steps) == 1 and not path.tested:
        return Remark(path, 0, f"nodes.{ident} is not a value", f"write nodes.{ident}.{_NODE}")
    if len(path.steps) > 1 and path.fields[1] not in _FACTS:
        hint = meant(path.fields[1], _FACTS, f"write nodes.{ident}.{_NODE}, or .error, or .state")
        return Remark(path, 1, f"a node has no {path.fields[1]}", hint)
    return None


def _schema(path: Path, scope: Scope) -> tuple[Schema, int]:
    """The schema of a path, and how many of its steps precede the schema."""
    if path.root == "nodes":
        known = len(path.steps) > 1 and path.fields[1] == _NODE
        return (scope.node_types.get(path.fields[0], {}) if known else {}), 2
    shape = scope.shapes.get(path.root)
    if shape is not None and not isinstance(shape, str):
        return shape, 0
    return {"inputs": scope.inputs, "run": _RUN, "loop": _LOOP}.get(path.root, {}), 0


def _types(
    path: Path, types: tuple[str, ...], skipped: int, tested: set[tuple[str, ...]], *, strict: bool = False
) -> dict[str, str]:
    """The type of the longest part of a path that has one. A part tested by `has` stays untyped: it may be missing."""
    for length in range(len(types), 0, -1):
        steps = path.steps[: skipped + length]
        whole = (path.root, *(step.field for step in steps))
        if types[length - 1] != DYN and all(step.dotted for step in steps) and whole not in tested:
            return {".".join(whole): DOUBLE if strict and types[length - 1] == NUMBER else types[length - 1]}
    return {}


def declarations(types: Mapping[str, str], declared: Declared) -> tuple[Declared, ...]:
    """The declarations to check: one, or two when a JSON number may be an int or a double."""
    if not types:
        return ()
    kinds = ("int", "double") if NUMBER in types.values() else ("int",)
    return tuple(
        tuple(sorted({**dict(declared), **{k: kind if v == NUMBER else v for k, v in types.items()}}.items()))
        for kind in kinds
    )
