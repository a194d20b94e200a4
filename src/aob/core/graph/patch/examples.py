"""Valid patches for models and people, shown with the problems of an invalid one. Data only."""

from typing import Final

from aob.core.graph.patch.pointer import Document

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
