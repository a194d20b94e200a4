"""Nodes, edges and bodies as patches may write them (lists, `id` inside, `type`, `task`) to their canonical form.

In: a value and where it stands in the patch. Out: a new value in map form, ids out of it. Raises PatchError.
"""

import hashlib
from collections.abc import Container
from typing import Final

from aob.core.graph.patch.operation import refuse
from aob.core.graph.patch.place import ID
from aob.core.graph.patch.pointer import Document, Json
from aob.core.node import ALIASES

ID_HINT: Final = "an id begins with a letter or _, and has letters, digits, _ and -, 64 at most"


def normal_id(value: Json, place: str) -> str:
    """The id if it is one. Raises PatchError."""
    if not isinstance(value, str) or not ID.fullmatch(value):
        refuse(place, f"{str(value)[:80]!r} is no id", ID_HINT)
    return value


def normal_kind(value: Json) -> Json:
    """A kind under its own name: `task` is `function`."""
    return ALIASES.get(value, value) if isinstance(value, str) else value


def normal_node(id: str, value: Json, place: str) -> Document:
    """A node without its id, `type` as `kind`, its body as maps."""
    if not isinstance(value, dict):
        refuse(place, f"node `{id}` must be an object", 'write {"kind": …, "config": {…}}')
    node = dict(value)
    if node.pop("id", id) != id:
        refuse(f"{place}/id", f"the node's own id differs from `{id}`", "leave it out: the path names it")
    if "type" in node:
        kind = node.pop("type")
        if node.setdefault("kind", kind) != kind:
            refuse(f"{place}/type", "`type` and `kind` differ", "write only `kind`")
    if "kind" in node:
        node["kind"] = normal_kind(node["kind"])
    if isinstance(node.get("body"), dict):
        node["body"] = normal_body(node["body"], f"{place}/body")
    return node


def normal_edge(value: Json, place: str, id: str = "") -> Document:
    """An edge without its id. The id inside must be the one outside, if there is one."""
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


def normal_body(value: Json, place: str) -> Json:
    """A body (or a whole document's part) with nodes and edges as maps by id."""
    if not isinstance(value, dict):
        return value
    body = dict(value)
    if "nodes" in body:
        body["nodes"] = normal_nodes(body["nodes"], f"{place}/nodes")
    if "edges" in body:
        body["edges"] = normal_edges(body["edges"], f"{place}/edges")
    return body


def normal_nodes(value: Json, place: str) -> Json:
    """Nodes as a map by id, from a list of objects with `id` or from a map."""
    if isinstance(value, dict):
        return {normal_id(id, place): normal_node(id, node, f"{place}/{id}") for id, node in value.items()}
    if not isinstance(value, list):
        refuse(place, "nodes are a map by id", 'write {"email": {"kind": …}}')
    nodes: dict[str, Json] = {}
    for index, node in enumerate(value):
        here = f"{place}/{index}"
        id = normal_id(node.get("id") if isinstance(node, dict) else None, f"{here}/id")
        if id in nodes:
            refuse(f"{here}/id", f"node `{id}` stands twice")
        nodes[id] = normal_node(id, node, here)
    return nodes


def normal_edges(value: Json, place: str) -> Json:
    """Edges as a map by id, from a list (ids made from their ends) or from a map."""
    if isinstance(value, dict):
        return {normal_id(id, place): normal_edge(edge, f"{place}/{id}", id) for id, edge in value.items()}
    if not isinstance(value, list):
        refuse(place, "edges are a map by id", 'write {"e1": {"from": …, "to": …}}')
    edges: dict[str, Json] = {}
    for index, raw in enumerate(value):
        here = f"{place}/{index}"
        edge = normal_edge(raw, here)
        id = given_id(raw, edge, edges, here)
        if id in edges:
            refuse(f"{here}/id", f"edge `{id}` stands twice")
        edges[id] = edge
    return edges


def given_id(raw: Json, edge: Document, taken: Container[str], place: str) -> str:
    """The id that an edge of a list carries, or one made from its ends."""
    if isinstance(raw, dict) and "id" in raw:
        return normal_id(raw["id"], f"{place}/id")
    return edge_id(edge, taken)


def edge_id(edge: Document, taken: Container[str]) -> str:
    """An id made from what the edge joins, so that two patches that add the same edge meet in the same id."""
    on = edge.get("on", "success")
    name = f"{edge['from']}-{edge['to']}" + ("" if on == "success" else f"-{on}")
    if len(name) > 56 or not ID.fullmatch(name):
        name = "edge-" + hashlib.sha256(name.encode()).hexdigest()[:16]
    id, number = name, 2
    while id in taken:
        id, number = f"{name}-{number}", number + 1
    return id
