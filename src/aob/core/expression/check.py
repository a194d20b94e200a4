"""What an expression may read here: its paths and the declarations in, complaints and the declared types out.

Never evaluates. Names, node ids and fields are judged here; how types fit together is judged by the library.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from aob.core.expression.fault import Complaint, meant
from aob.core.expression.paths import Path
from aob.core.expression.schema import DYN, NUMBER, Schema, follow

Declared = tuple[tuple[str, str], ...]
"""Names and paths with their CEL types, sorted."""

STANDARD: Final[dict[str, str]] = {
    "inputs": DYN,
    "nodes": DYN,
    "item": DYN,
    "loop": DYN,
    "run": DYN,
    "now": "timestamp",
}
_WHERE: Final = {
    "item": "it exists in the body of a map only",
    "loop": "it exists in the body of a loop only",
}
_RUN: Final[Schema] = {"properties": {"id": {"type": "string"}, "workflow": {"type": "string"}}}
_LOOP: Final[Schema] = {"properties": {"index": {"type": "integer"}, "previous": {}}}
_NODE: Final = "output"


class Scope(msgspec.Struct, frozen=True):
    """What may be used: node ids, top-level names, and the schemas of the inputs and of nodes' outputs."""

    nodes: frozenset[str]
    names: frozenset[str]
    node_types: Mapping[str, Schema]
    inputs: Schema

    @property
    def declared(self) -> Declared:
        """Every name that the checker shall know, also those that may not be used here: they get a better message."""
        return tuple(sorted({**dict.fromkeys(self.names, DYN), **STANDARD}.items()))


class Verdict(msgspec.Struct, frozen=True):
    """What is wrong with the paths, and the types of those with a schema."""

    complaints: tuple[Complaint, ...]
    types: Mapping[str, str]


def _field_offset(text: str, offset: int) -> int:
    """From a dot or a bracket to the field behind it."""
    at = offset + 1
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def check_paths(text: str, paths: tuple[Path, ...], offsets: Mapping[int, int], scope: Scope) -> Verdict:
    """Judge every path of an expression."""
    complaints: list[Complaint] = []
    types: dict[str, str] = {}
    tested = {(path.root, *path.fields) for path in paths if path.tested}
    for path in paths:
        places = [_field_offset(text, offsets.get(step.id, 0)) for step in path.steps]
        start = offsets.get(path.id, 0)
        complaints.extend(_judge(path, start, places, scope))
        types.update(_types(path, scope, tested))
    return Verdict(tuple(complaints), types)


def _judge(path: Path, start: int, places: list[int], scope: Scope) -> Iterator[Complaint]:
    if path.root not in scope.names:
        if path.root in STANDARD:
            yield Complaint(start, f"there is no {path.root} here", _WHERE.get(path.root, ""))
        return
    if path.root == "nodes":
        problem = _node(path, start, places, scope)
        if problem is not None:
            yield problem
            return
    schema, fields, skipped = _schema(path, scope)
    found = follow(schema, fields)
    if found.stop < 0 or (path.tested and skipped + found.stop == len(path.steps) - 1):
        return
    at = skipped + found.stop
    owner = ".".join((path.root, *path.fields[:at]))
    field = path.fields[at]
    hint = meant(field, found.known, f"it has {', '.join(found.known)}" if found.known else "it has no fields")
    yield Complaint(places[at], f"{owner} has no field {field}", hint)


def _node(path: Path, start: int, places: list[int], scope: Scope) -> Complaint | None:
    if not path.steps:
        return Complaint(start, "a node must be named", "write nodes.ID.output")
    ident = path.fields[0]
    if ident not in scope.nodes:
        known = f"before it come {', '.join(sorted(scope.nodes))}" if scope.nodes else "no node comes before it"
        return Complaint(places[0], f"there is no node {ident} that comes before", meant(ident, scope.nodes, known))
    if len(path.steps) == 1 and not path.tested:
        return Complaint(places[0], f"nodes.{ident} is not a value", f"write nodes.{ident}.{_NODE}")
    if len(path.steps) > 1 and path.fields[1] != _NODE:
        return Complaint(places[1], f"a node has no {path.fields[1]}", f"write nodes.{ident}.{_NODE}")
    return None


def _schema(path: Path, scope: Scope) -> tuple[Schema, tuple[str, ...], int]:
    """The schema that a path walks through, the fields within it, and how many steps come before them."""
    fields = path.fields
    if path.root == "nodes":
        return (scope.node_types.get(fields[0], {}) if len(fields) > 1 else {}), fields[2:], 2
    return {"inputs": scope.inputs, "run": _RUN, "loop": _LOOP}.get(path.root, {}), fields, 0


def _types(path: Path, scope: Scope, tested: set[tuple[str, ...]]) -> dict[str, str]:
    """The type of the longest part of a path that has one. A part that `has` asks for stays open: it may be missing."""
    schema, fields, skipped = _schema(path, scope)
    types = follow(schema, fields).types
    for length in range(len(types), 0, -1):
        steps = path.steps[: skipped + length]
        whole = (path.root, *(step.field for step in steps))
        if types[length - 1] != DYN and all(step.dotted for step in steps) and whole not in tested:
            return {".".join(whole): types[length - 1]}
    return {}


def declarations(types: Mapping[str, str], declared: Declared) -> tuple[Declared, ...]:
    """The declarations to check under: one, or two when a JSON number may be an int or a double."""
    if not types:
        return ()
    kinds = ("int", "double") if NUMBER in types.values() else ("int",)
    return tuple(
        tuple(sorted({**dict(declared), **{k: kind if v == NUMBER else v for k, v in types.items()}}.items()))
        for kind in kinds
    )
