"""Summarizes a document: counts, agents, hosts, handlers and effects. Unreadable nodes count under their kind only."""

import msgspec

from aob.core.document.shape import Tree, Value
from aob.core.graph.compiled.ir import strongest
from aob.core.graph.handlers import Handlers
from aob.core.graph.patch.pointer import member_of, nodes_in
from aob.core.node import KINDS


def describe(document: Tree, handlers: Handlers | None = None) -> Tree:
    """`{nodes, edges, kinds: {kind: count}, agents, approvals, hosts, handlers, effects: {effect: [ids]}}`; ids in
    bodies are paths such as `each/fetch`. `hosts` holds `*` if a host is known only at run time."""
    kinds: dict[str, int] = {}
    effects: dict[str, list[str]] = {"none": [], "keyed": [], "once": []}
    hosts, called = set[str](), set[str]()
    agents: list[str] = []
    approvals: list[str] = []
    nodes = list(nodes_in(document))
    for path, node in nodes:
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
        "edges": sum(len(member_of(body, "edges")) for body in (document, *(node.get("body") for _, node in nodes))),
        "kinds": dict(sorted(kinds.items())),
        "agents": agents,
        "approvals": approvals,
        "hosts": sorted(hosts),
        "handlers": sorted(called),
        "effects": {effect: ids for effect, ids in effects.items() if ids},
    }
