"""The graphs that measures run."""

from typing import Any

INPUTS = {"order_id": 17, "amount": 12.5, "customer": "abcdef", "items": [1, 2, 3]}


def chain(name: str, nodes: int, handler: str = "noop") -> dict[str, Any]:
    """A chain of function nodes."""
    return {
        "workflow": name,
        "nodes": {f"n{i}": {"kind": "function", "config": {"handler": handler}} for i in range(nodes)},
        "edges": {f"e{i}": {"from": f"n{i}", "to": f"n{i + 1}"} for i in range(nodes - 1)},
    }


def fan(name: str, width: int) -> dict[str, Any]:
    """One node, `width` nodes after it, and a join."""
    nodes: dict[str, Any] = {"first": {"kind": "function", "config": {"handler": "noop"}}, "all": {"kind": "join"}}
    edges: dict[str, Any] = {}
    for i in range(width):
        nodes[f"w{i}"] = {"kind": "function", "config": {"handler": "noop"}}
        edges[f"o{i}"] = {"from": "first", "to": f"w{i}"}
        edges[f"i{i}"] = {"from": f"w{i}", "to": "all"}
    return {"workflow": name, "nodes": nodes, "edges": edges}


def mapped(name: str) -> dict[str, Any]:
    """A map over the list in the inputs, and a node after it."""
    return {
        "workflow": name,
        "nodes": {
            "each": {
                "kind": "map", "config": {"items": "inputs.items"},
                "body": {"nodes": {"one": {"kind": "function", "config": {"handler": "noop"}}}, "edges": {}},
            },
            "after": {"kind": "function", "config": {"handler": "noop"}},
        },
        "edges": {"e": {"from": "each", "to": "after"}},
    }  # fmt: skip


def waiting(name: str) -> dict[str, Any]:
    """A workflow that begins with a `wait`: a start and nothing else."""
    return {"workflow": name, "nodes": {"go": {"kind": "wait", "config": {"message": "go"}}}, "edges": {}}
