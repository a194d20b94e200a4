"""What a model needs to propose a patch: the operations, the node kinds and valid examples, as text. Pure."""

from collections.abc import Mapping
from typing import Final

import msgspec

from aob.core.errors import Problem
from aob.core.graph.patch import EXAMPLES
from aob.core.node import HIDDEN, KINDS
from aob.ports.model import Json

GRAPH_CHARS_MAX: Final = 60_000
NOT_BEGUN: Final = "not begun"  # the state of a node that a patch may change

_OPERATIONS: Final = """\
You may change the rest of this run by a patch: put `patch: {"reason": ..., "operations": [...]}` into your answer.
Leave `patch` out when nothing needs to change. Nodes that were dispatched already cannot be changed. The graph says
how many agents may still be added (`agents_left`).
Operations by id:
  {"op": "add_node", "id": ID, "node": {...}}
  {"op": "connect", "from": ID, "to": ID, "on"?: OUTCOME, "when"?: CEL (only from a branch), "else"?: true}
  {"op": "insert_between", "from": ID, "to": ID, "id": ID, "node": {...}}
  {"op": "replace_config", "id": ID, "config": {...}}
  {"op": "disable", "id": ID}, {"op": "remove_node", "id": ID}, {"op": "disconnect", "from": ID, "to": ID}
RFC 6902 operations on /nodes/ID and /edges/ID are valid too.
A node is {"kind": KIND, "config": {...}, "input"?: {NAME: CEL}, "retry"?, "timeout"?}. CEL may use `inputs` and
`nodes.ID.output` of nodes before it; `{NAME}` in texts of a config is filled from the node's input.
An added node must be connected, or it is refused."""


def patch_guide() -> str:
    """The guide for the system prompt of an agent that may patch."""
    kinds = "\n".join(f"  {name}: {_fields(kind.config)}" for name, kind in sorted(KINDS.items()))
    return f"{_OPERATIONS}\nKinds and the fields of their config (`?` = may be left out):\n{kinds}\n{examples()}"


def examples() -> str:
    """Valid patches, for the guide and for the answer to an invalid one."""
    lines = ["Valid patches of a workflow whose nodes are process -> check -> done:"]
    for example in EXAMPLES:
        operations = msgspec.json.encode({"operations": example["operations"]}).decode()
        lines.append(f"  {example['title']}:\n    {operations}")
    return "\n".join(lines)


def shown(graph: Mapping[str, Json]) -> Mapping[str, Json]:
    """The graph as far as a patch may change it: nodes that have begun by kind only, without values of headers."""
    document = graph.get("document")
    if not isinstance(document, Mapping):
        return graph
    state = graph.get("state") or {}
    nodes = {
        id: _shown(node) if state.get(id, NOT_BEGUN) == NOT_BEGUN else _named(node)
        for id, node in document.get("nodes", {}).items()
    }
    return {**graph, "document": {**document, "nodes": nodes}}


def _named(node: Mapping[str, Json]) -> Json:
    handler = node.get("config", {}).get("handler")
    return {"kind": node.get("kind"), **({"config": {"handler": handler}} if handler else {})}


def _shown(node: Mapping[str, Json]) -> Json:
    config, body = node.get("config"), node.get("body")
    told = dict(node)
    if isinstance(config, Mapping) and config.get("headers"):
        told["config"] = {**config, "headers": dict.fromkeys(config["headers"], HIDDEN)}
    if isinstance(body, Mapping):
        inner = {id: _shown(each) for id, each in body.get("nodes", {}).items()}
        told["body"] = {**body, "nodes": inner}
    return told


def graph_text(graph: Mapping[str, Json]) -> str:
    """The result of `ctx.graph()` as a model is shown it; a very large document as an outline."""
    text = msgspec.json.encode(graph).decode()
    if len(text) <= GRAPH_CHARS_MAX:
        return text
    document = graph.get("document", {})
    outline = {
        "nodes": {id: node.get("kind") for id, node in document.get("nodes", {}).items()},
        "edges": [[edge.get("from"), edge.get("to")] for edge in document.get("edges", {}).values()],
    }
    cut = msgspec.json.encode({**graph, "document": outline, "note": "too large: an outline"}).decode()
    return cut[:GRAPH_CHARS_MAX]


def told(problem: Mapping[str, Json] | Problem) -> str:
    """A problem of a patch as the model gets it."""
    return str(msgspec.convert(problem, Problem, from_attributes=True))


def _fields(config: type[msgspec.Struct]) -> str:
    return ", ".join(
        field.encode_name if field.required else f"{field.encode_name}?" for field in msgspec.structs.fields(config)
    )
