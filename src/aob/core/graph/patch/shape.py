"""Converts nodes, edges and fields of patches (lists, `id` inside, `type`, `task`) to canonical form. Raises
PatchError."""

from collections.abc import Container
from typing import Final

import msgspec

from aob.core.errors import Invalid
from aob.core.graph.definition import ID_HINT
from aob.core.graph.normal_form import edge_id, normalise
from aob.core.graph.patch.operation import PatchError, refuse
from aob.core.graph.patch.pointer import ID, Document, Json, Tokens, member_of, object_of
from aob.core.node import ALIASES

_SHORT_FIELDS: Final = frozenset({"input", "priority", "body"})  # fields of a node with a short form


def normal_id(value: Json, place: str) -> str:
    """The id if it is valid; else raises PatchError."""
    if not isinstance(value, str) or not ID.fullmatch(value):
        refuse(place, f"{str(value)[:80]!r} is no id", ID_HINT)
    return value


def normal_kind(value: Json) -> Json:
    """The canonical name of a kind: `task` is `function`."""
    return ALIASES.get(value, value) if isinstance(value, str) else value


def normal_node(id: str, value: Json, place: str) -> Document:
    """A node without its id, `type` as `kind`, its body as maps."""
    if not isinstance(value, dict):
        refuse(place, f"node `{id}` must be an object", 'write {"kind": …, "config": {…}}')
    if value.get("id", id) != id:
        refuse(f"{place}/id", f"the node's own id differs from `{id}`", "leave it out: the path names it")
    if "type" in value and "kind" in value:
        refuse(f"{place}/type", "`type` and `kind` are the same thing", "write only `kind`")
    return member_of(_normal({"nodes": {id: value}}, place, f"/nodes/{id}")["nodes"], id)


def normal_edge(value: Json, place: str, id: str = "") -> Document:
    """An edge without its id. The id inside must equal the one outside, if there is one."""
    if not isinstance(value, dict):
        refuse(place, "an edge must be an object", 'write {"from": NODE, "to": NODE}')
    edge = dict(value)
    own = edge.pop("id", id)
    if id and own != id:
        refuse(f"{place}/id", f"the edge's own id differs from `{id}`", "leave it out: the path names it")
    for end in ("from", "to"):
        if not isinstance(edge.get(end), str):
            refuse(f"{place}/{end}", f"an edge needs `{end}`", "name a node by its id")
    return edge


def normal_members(what: str, value: Json, place: str) -> Json:
    """All `nodes` or `edges` of a body as a map by id, from a list or from a map."""
    if not isinstance(value, dict | list):
        refuse(place, f"{what} are a map by id", 'write {"ID": {…}}')
    return _normal({"nodes": {}, what: value}, place, f"/{what}")[what]


def normal_part(rest: Tokens, value: Json, place: str) -> Json:
    """The value at `rest` inside a node: numbers as expressions in `input`, a body as maps."""
    if rest[0] not in _SHORT_FIELDS or len(rest) > (2 if rest[0] == "input" else 1):
        return value
    if len(rest) == 2:
        return object_of(normal_part(("input",), {rest[1]: value}, place))[rest[1]]
    made = _normal({"nodes": {"it": {rest[0]: value}}}, place, "/nodes/it")
    return member_of(made["nodes"], "it")[rest[0]]


def normal_field(name: str, value: Json, place: str) -> Json:
    """The value of a field of the workflow."""
    return _normal({"nodes": {}, name: value}, place, "")[name]


def given_id(raw: Json, edge: Document, taken: Container[str], place: str) -> str:
    """The id of an edge in a list, or one made from its ends."""
    if isinstance(raw, dict) and "id" in raw:
        return normal_id(raw["id"], f"{place}/id")
    return edge_id(edge, taken)


def _normal(document: Document, place: str, around: str) -> Document:
    try:
        return normalise(document)
    except Invalid as error:
        problems = [
            msgspec.structs.replace(problem, path=f"/operations/{place}{problem.path.removeprefix(around)}")
            for problem in error.problems
        ]
        raise PatchError(f"the patch cannot be applied: {problems[0].message}", problems) from error
