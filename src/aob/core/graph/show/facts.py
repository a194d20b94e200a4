"""Summarizes a document: counts, agents, hosts, handlers and effects. Unreadable nodes count under their kind only."""

from collections.abc import Iterator

import msgspec

from aob.core.document.shape import Tree, Value
from aob.core.graph.compiled.spec import strongest
from aob.core.graph.handlers import Handlers
from aob.core.node import KINDS


def describe(document: Tree, handlers: Handlers | None = None) -> Tree:
    """`{nodes, edges, kinds: {kind: count}, agents, approvals, hosts, handlers, effects: {effect: [ids]}}`; ids in
    bodies are paths such as `each/fetch`. `hosts` holds `*` if a host is known only at run time."""
    kinds: dict[str, int] = {}
    effects: dict[str, list[str]] = {"none": [], "keyed": [], "once": []}
    hosts, called = set[str](), set[str]()
    agents: list[str] = []
    approvals: list[str] = []
    for path, node in _nodes(document, ""):
        name = str(node.get("kind"))
        kinds[name] = kinds.get(name, 0) + 1
        kind = KINDS.get(name)
        if kind is None:
            continue
        if name == "agent":
            agents.append(path)
        elif name == "approval":
            approvals.append(path)
        try:
            config: Value = msgspec.convert(node.get("config", {}), kind.config)
        except msgspec.ValidationError:
            continue
        hosts.update(kind.hosts(config))
        called.update(handler for _, handler in kind.handlers(config))
        declared = handlers.get(config.handler) if handlers is not None and name == "function" else None
        own = str(node.get("effect") or "")
        handlers_own = declared.effect if declared is not None else own or kind.effect(config)
        effects.setdefault(strongest((own or "none", handlers_own)), []).append(path)
    return {
        "nodes": sum(kinds.values()),
        "edges": sum(1 for _ in _edges(document)),
        "kinds": dict(sorted(kinds.items())),
        "agents": agents,
        "approvals": approvals,
        "hosts": sorted(hosts),
        "handlers": sorted(called),
        "effects": {effect: ids for effect, ids in effects.items() if ids},
    }


def _nodes(body: Value, path: str) -> Iterator[tuple[str, Tree]]:
    nodes = body.get("nodes") if isinstance(body, dict) else None
    for id, node in nodes.items() if isinstance(nodes, dict) else ():
        if isinstance(node, dict):
            yield f"{path}{id}", node
            yield from _nodes(node.get("body"), f"{path}{id}/")


def _edges(body: Value) -> Iterator[Value]:
    if not isinstance(body, dict):
        return
    edges, nodes = body.get("edges"), body.get("nodes")
    yield from edges.values() if isinstance(edges, dict) else ()
    for node in nodes.values() if isinstance(nodes, dict) else ():
        if isinstance(node, dict):
            yield from _edges(node.get("body"))
