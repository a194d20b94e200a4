"""Compiles operations by id, and list-form paths, to RFC 6902 operations on the canonical form. Deterministic. Verbs by
id: add_node, connect, insert_between, replace_config, disable, remove_node, disconnect. `in` names the body they act in
(`each`, `each/inner`), by default the root."""

from collections.abc import Callable, Container, Sequence
from typing import Final, NoReturn

import msgspec

from aob.core.errors import Invalid
from aob.core.graph.definition import ID_HINT
from aob.core.graph.normal_form import edge_id, normalise
from aob.core.graph.patch.draft import END, Draft, Unresolved
from aob.core.graph.patch.operation import VERBS, Operation, PatchError, Step, perform, refuse, steps_of
from aob.core.graph.patch.pointer import (
    ID,
    Document,
    Json,
    Place,
    Tokens,
    body_tokens,
    format_pointer,
    member_of,
    object_of,
    place_of,
)
from aob.core.node import ALIASES, KINDS

EDGE_FIELDS: Final = ("on", "when", "else", "order")  # the fields of an edge besides its ends
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


def compile_operations(document: Document, operations: Sequence[Operation]) -> list[Operation]:
    """The equivalent RFC 6902 operations on `document`; canonical ones are kept. Raises PatchError at the first invalid
    operation. Outside input must pass `read_operations` first, which enforces limits."""
    steps_of(operations)
    draft, compiled = Draft(document), list[Operation]()
    for index, operation in enumerate(operations):
        made = _compiled(draft, operation, index)
        for step in made:
            perform(draft, Step(step, index))
        compiled.extend(made)
    return compiled


def _compiled(draft: Draft, operation: Json, index: int) -> list[Operation]:
    if not isinstance(operation, dict):
        refuse(str(index), "an operation is an object", 'write {"op": …}')
    verb = operation.get("op")
    if verb in VERBS:
        return _canonical(draft, operation, index)
    found = BY_ID.get(verb) if isinstance(verb, str) else None
    if found is None:
        refuse(f"{index}/op", f"{verb!r} is no operation", f"use one of {', '.join((*VERBS, *BY_ID))}")
    make, members = found
    unknown = sorted(operation.keys() - {"op", "in", *members})
    if unknown:
        refuse(f"{index}/{unknown[0]}", f"`{verb}` has no `{unknown[0]}`", f"it takes {', '.join(members)} and in")
    return make(_Request(draft, operation, index))


def _canonical(draft: Draft, operation: Operation, index: int) -> list[Operation]:
    """An RFC 6902 operation on maps by id, with `type` as `kind` and `/nodes/-` as the id of its value."""
    step = Step(operation, index)
    place = place_of(step.target)
    if place.what == "document" and step.verb != "test":
        refuse(f"{index}/path", "a patch does not replace the whole workflow", "push a new version instead")
    tokens = _renamed(place, step.target)
    value = _valued(place, step.value, f"{index}/value") if step.verb in {"add", "replace"} else step.value
    if place.what in {"node", "edge"} and place.id == END and not place.rest:
        tokens, value = _appended(draft, step, place)
    elif place.what in {"node", "edge"}:
        _need_id(place, f"{index}/path")
    if step.verb == "test" and place.what == "node" and place.rest == ("type",):
        value = normal_kind(value)
    result: Operation = {"op": step.verb, "path": format_pointer(tokens)}
    if step.source or step.verb in {"move", "copy"}:
        source = place_of(step.source)
        if source.what in {"node", "edge"}:
            _need_id(source, f"{index}/from")
        result["from"] = format_pointer(_renamed(source, step.source))
    if "value" in operation and step.verb in {"add", "replace", "test"}:
        result["value"] = value
    return [*_containers(draft, step, place), result]


def _containers(draft: Draft, step: Step, place: Place) -> list[Operation]:
    """Creates the map when the first edge is added to a document without `edges`."""
    if step.verb != "add" or place.what not in {"node", "edge"} or place.rest:
        return []
    here, name = body_tokens(place.body), f"{place.what}s"
    try:
        holder = draft.get(here)
    except Unresolved:
        return []
    missing = isinstance(holder, dict) and name not in holder
    return [{"op": "add", "path": format_pointer((*here, name)), "value": {}}] if missing else []


def _need_id(place: Place, where: str) -> None:
    if not ID.fullmatch(place.id):
        message = f"`{place.id[:80]}` is no id: {place.what}s are a map by id"
        refuse(where, message, f"write /{place.what}s/ID, or /{place.what}s/- to add one")


def _renamed(place: Place, tokens: Tokens) -> Tokens:
    return (*tokens[:-1], "kind") if place.what == "node" and place.rest == ("type",) else tokens


def _valued(place: Place, value: Json, where: str) -> Json:
    if place.id == END and not place.rest:
        return value
    if place.what in {"nodes", "edges"}:
        return normal_members(place.what, value, where)
    if place.what == "node" and not place.rest:
        return normal_node(place.id, value, where)
    if place.what == "edge" and not place.rest:
        return normal_edge(value, where, place.id)
    if place.what == "field" and not place.rest:
        return normal_field(place.id, value, where)
    if place.what != "node":
        return value
    return normal_kind(value) if place.rest in {("kind",), ("type",)} else normal_part(place.rest, value, where)


def _appended(draft: Draft, step: Step, place: Place) -> tuple[Tokens, Json]:
    if step.verb != "add":
        refuse(f"{step.index}/path", "`-` only adds", f"name the {place.what} by its id")
    where = f"{step.index}/value"
    here = (*body_tokens(place.body), f"{place.what}s")
    taken = draft.object_at(here)
    if place.what == "edge":
        made = normal_edge(step.value, where)
        id = given_id(step.value, made, taken, where)
    else:
        id = normal_id(step.value.get("id") if isinstance(step.value, dict) else None, f"{where}/id")
        made = normal_node(id, step.value, where)
    if id in taken:
        refuse(f"{where}/id", f"{place.what} `{id}` exists already", "choose another id, or replace it by its path")
    return (*here, id), made


class _Request:
    """One operation by id: its members, checked on read, and the body that it acts in."""

    def __init__(self, draft: Draft, operation: Operation, index: int) -> None:
        self.operation, self.index = operation, index
        path = operation.get("in", "")
        if not isinstance(path, str):
            refuse(f"{index}/in", "`in` is a path of node ids", "write each or each/inner")
        self.body: Tokens = tuple(path.split("/")) if path else ()
        self.base = body_tokens(self.body)
        try:
            around = draft.get(self.base)
        except Unresolved as error:
            refuse(f"{index}/in", error.message, error.hint or "name a node that has a body")
        self.nodes, self.edges = member_of(around, "nodes"), member_of(around, "edges")
        # A document may lack `edges` (or a body `nodes`): the first one added creates the map.
        self.missing = {name for name in ("nodes", "edges") if not isinstance(object_of(around).get(name), dict)}

    def refuse(self, member: str, message: str, hint: str = "") -> NoReturn:
        refuse(f"{self.index}/{member}", message, hint)

    def known(self, member: str) -> str:
        """A member that names an existing node."""
        id = normal_id(self.operation.get(member), f"{self.index}/{member}")
        if id not in self.nodes:
            self.refuse(member, f"there is no node `{id}`", "add it first: the order of operations counts")
        return id

    def fresh(self) -> tuple[str, Document]:
        """`id` and `node` of a new node."""
        id = normal_id(self.operation.get("id"), f"{self.index}/id")
        if id in self.nodes:
            self.refuse("id", f"node `{id}` exists already", "choose another id, or use replace_config")
        return id, normal_node(id, self.operation.get("node"), f"{self.index}/node")

    def add(self, what: str, id: str, value: Json, rest: Tokens = ()) -> list[Operation]:
        made: list[Operation] = []
        if what in self.missing:
            self.missing.discard(what)
            made.append({"op": "add", "path": format_pointer((*self.base, what)), "value": {}})
        return [*made, {"op": "add", "path": format_pointer((*self.base, what, id, *rest)), "value": value}]

    def remove(self, what: str, id: str) -> Operation:
        return {"op": "remove", "path": format_pointer((*self.base, what, id))}

    def between(self) -> list[str]:
        """Ids of the edges from `from` to `to`, filtered by `on` and `edge` if given."""
        source, target = self.known("from"), self.known("to")
        wanted_on, wanted_id = self.operation.get("on"), self.operation.get("edge")
        return [
            id
            for id, edge in sorted(self.edges.items())
            if isinstance(edge, dict) and (edge.get("from"), edge.get("to")) == (source, target)
            and (wanted_on is None or edge.get("on", "success") == wanted_on)
            and (wanted_id is None or id == wanted_id)
        ]  # fmt: skip

    def one_between(self) -> tuple[str, Document]:
        """The only edge from `from` to `to`."""
        found = self.between()
        if not found:
            self.refuse("from", f"there is no such edge from `{self.operation['from']}` to `{self.operation['to']}`")
        if len(found) > 1:
            self.refuse("from", f"several edges match: {', '.join(found)}", "name one with `edge`")
        return found[0], object_of(self.edges[found[0]])


def _add_node(request: _Request) -> list[Operation]:
    id, node = request.fresh()
    return request.add("nodes", id, node)


def _connect(request: _Request) -> list[Operation]:
    edge: Document = {"from": request.known("from"), "to": request.known("to")}
    edge.update(_plain_outcome(object_of(request.nodes[request.known("from")])))
    edge.update({name: request.operation[name] for name in EDGE_FIELDS if name in request.operation})
    if "id" in request.operation:
        id = normal_id(request.operation["id"], f"{request.index}/id")
        if id in request.edges:
            request.refuse("id", f"edge `{id}` exists already", "leave the id out, or choose another")
    else:
        id = edge_id(edge, request.edges)
    return request.add("edges", id, edge)


def _plain_outcome(node: Document) -> Document:
    """The default `on` of an edge if it is not `success`: an approval's is `approved`."""
    kind = KINDS.get(str(node.get("kind")))
    return {"on": kind.outcomes[0]} if kind and kind.outcomes[0] != "success" else {}


def _insert_between(request: _Request) -> list[Operation]:
    """Replaces an edge by two: the first keeps its outcome and condition, the second is plain."""
    id, node = request.fresh()
    old, edge = request.one_between()
    first: Document = {**edge, "to": id}
    second: Document = {"from": id, "to": edge["to"], **_plain_outcome(node)}
    first_id = edge_id(first, request.edges)
    second_id = edge_id(second, {*request.edges, first_id})
    return [
        request.remove("edges", old),
        *request.add("nodes", id, node),
        *request.add("edges", first_id, first),
        *request.add("edges", second_id, second),
    ]


def _replace_config(request: _Request) -> list[Operation]:
    id = request.known("id")
    if not isinstance(request.operation.get("config"), dict):
        request.refuse("config", "`config` must be an object")
    node = {"kind": object_of(request.nodes[id]).get("kind"), "config": request.operation["config"]}
    return request.add("nodes", id, normal_node(id, node, str(request.index))["config"], ("config",))


def _disable(request: _Request) -> list[Operation]:
    id = request.known("id")
    if object_of(request.nodes[id]).get("kind") == "branch":
        request.refuse("id", f"`{id}` is a branch and cannot be disabled", "disconnect the edges it should not take")
    return request.add("nodes", id, True, ("disabled",))


def _remove_node(request: _Request) -> list[Operation]:
    id = request.known("id")
    ends = [
        edge_name
        for edge_name, edge in sorted(request.edges.items())
        if isinstance(edge, dict) and id in {edge.get("from"), edge.get("to")}
    ]
    return [*(request.remove("edges", name) for name in ends), request.remove("nodes", id)]


def _disconnect(request: _Request) -> list[Operation]:
    if "id" not in request.operation:
        return [request.remove("edges", request.one_between()[0])]
    id = normal_id(request.operation["id"], f"{request.index}/id")
    if id not in request.edges:
        request.refuse("id", f"there is no edge `{id}`")
    return [request.remove("edges", id)]


BY_ID: Final[dict[str, tuple[Callable[[_Request], list[Operation]], tuple[str, ...]]]] = {
    "add_node": (_add_node, ("id", "node")),
    "connect": (_connect, ("from", "to", "id", *EDGE_FIELDS)),
    "insert_between": (_insert_between, ("id", "node", "from", "to", "on", "edge")),
    "replace_config": (_replace_config, ("id", "config")),
    "disable": (_disable, ("id",)),
    "remove_node": (_remove_node, ("id",)),
    "disconnect": (_disconnect, ("id", "from", "to", "on", "edge")),
}
