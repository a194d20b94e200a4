"""The JSON Schema of a patch body, and valid examples, for models that write patches and for people. Data only."""

from typing import Final

from aob.core.graph.patch.pointer import Document, Json

_ID: Final[Document] = {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_-]{0,63}$"}
_POINTER: Final[Document] = {"type": "string", "pattern": "^(/([^~]|~[01])*)?$", "maxLength": 4096}
_NODE: Final[Document] = {"type": "object", "description": "a node as it stands in a document: kind, config, input, …"}
_ON: Final[Document] = {"type": "string", "description": "the outcome of `from` that is followed; default success"}
_IN: Final[Document] = {"type": "string", "description": "the body to act in, such as each or each/inner"}


def _rfc(verb: str, *needed: str) -> Document:
    """An operation of RFC 6902: further members are ignored, as the RFC says."""
    members: Document = {"op": {"const": verb}, "path": _POINTER}
    if "from" in needed:
        members["from"] = _POINTER
    if "value" in needed:
        members["value"] = True
    required: list[Json] = ["op", "path", *needed]
    return {"type": "object", "required": required, "properties": members}


def _by_id(verb: str, needed: Document, free: Document | None = None) -> Document:
    """An operation by id: unknown members are refused."""
    members: Document = {"op": {"const": verb}, **needed, **(free or {}), "in": _IN}
    required: list[Json] = ["op", *needed]
    return {"type": "object", "required": required, "properties": members, "additionalProperties": False}


_EDGE_FIELDS: Final[Document] = {
    "on": _ON,
    "when": {"type": "string", "description": "CEL, on edges of a branch"},
    "else": {"type": "boolean"},
    "order": {"type": "integer"},
}

_DISCONNECT: Final[Document] = {
    **_by_id("disconnect", {}, {"id": _ID, "from": _ID, "to": _ID, "on": _ON, "edge": _ID}),
    "anyOf": [{"required": ["id"]}, {"required": ["from", "to"]}],
}

_OPERATIONS: Final[list[Json]] = [
    _rfc("add", "value"),
    _rfc("remove"),
    _rfc("replace", "value"),
    _rfc("move", "from"),
    _rfc("copy", "from"),
    _rfc("test", "value"),
    _by_id("add_node", {"id": _ID, "node": _NODE}),
    _by_id("connect", {"from": _ID, "to": _ID}, {"id": _ID, **_EDGE_FIELDS}),
    _by_id("insert_between", {"id": _ID, "node": _NODE, "from": _ID, "to": _ID}, {"on": _ON, "edge": _ID}),
    _by_id("replace_config", {"id": _ID, "config": {"type": "object"}}),
    _by_id("disable", {"id": _ID}),
    _by_id("remove_node", {"id": _ID}),
    _DISCONNECT,
]

PATCH_SCHEMA: Final[Document] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "patch",
    "type": "object",
    "required": ["operations"],
    "properties": {
        "operations": {"type": "array", "maxItems": 256, "items": {"oneOf": _OPERATIONS}},
        "base": {"type": "string", "description": "hash of the graph that the patch was written against"},
        "kind": {"enum": ["agent", "optimizer", "plan", "person"]},
        "reason": {"type": "string", "maxLength": 4096},
        "id": {"type": "string", "maxLength": 128},
    },
}


EXAMPLE_DOCUMENT: Final[Document] = {
    "workflow": "order",
    "nodes": {
        "process": {"kind": "function", "config": {"handler": "process"}},
        "check": {"kind": "function", "config": {"handler": "check"}},
        "done": {"kind": "function", "config": {"handler": "done"}},
    },
    "edges": {"e1": {"from": "process", "to": "check"}, "e2": {"from": "check", "to": "done"}},
}  # the workflow that the examples are written against

EXAMPLES: Final[tuple[Document, ...]] = (
    {
        "title": "Add a node after another: an email once `process` has succeeded",
        "operations": [
            {
                "op": "add_node",
                "id": "email",
                "node": {
                    "kind": "notify",
                    "config": {"to": "mailto:{email}", "subject": "Your order", "text": "It is on its way."},
                    "input": {"email": "inputs.email"},
                },
            },
            {"op": "connect", "from": "process", "to": "email"},
        ],
    },
    {
        "title": "Put an approval between two nodes; the edge from `check` to `done` is split",
        "operations": [
            {
                "op": "insert_between",
                "id": "review",
                "node": {"kind": "approval", "config": {"role": "finance", "text": "Ship this order?"}},
                "from": "check",
                "to": "done",
            }
        ],
    },
    {
        "title": "Store a result, and tell a person only when storing failed",
        "operations": [
            {
                "op": "add_node",
                "id": "upload",
                "node": {
                    "kind": "object",
                    "config": {"op": "put", "key": "orders/{order_id}.json"},
                    "input": {"order_id": "inputs.order_id", "value": "nodes.process.output"},
                },
            },
            {"op": "connect", "from": "process", "to": "upload"},
            {
                "op": "add_node",
                "id": "alarm",
                "node": {"kind": "notify", "config": {"to": "slack:ops", "text": "An upload failed."}},
            },
            {"op": "connect", "from": "upload", "to": "alarm", "on": "failure"},
        ],
    },
    {
        "title": "Change the configuration of a node that has not begun yet, and skip another",
        "operations": [
            {"op": "replace_config", "id": "done", "config": {"handler": "done_quietly"}},
            {"op": "disable", "id": "check"},
        ],
    },
    {
        "title": "The same kind of change as RFC 6902: nodes and edges are maps by id",
        "operations": [
            {"op": "test", "path": "/nodes/done/kind", "value": "function"},
            {"op": "add", "path": "/nodes/archive", "value": {"kind": "function", "config": {"handler": "archive"}}},
            {"op": "add", "path": "/edges/e3", "value": {"from": "done", "to": "archive"}},
        ],
    },
)
