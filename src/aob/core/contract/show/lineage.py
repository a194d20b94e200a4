"""What moves what: events move metrics and entities, metrics make metrics, alerts watch them and start workflows.

In: a set of contracts. Out: a graph as plain data, the same every time. Only newest versions are shown.
"""

from collections.abc import Iterator, Mapping

import msgspec

from aob.core.contract.model import ContractSet, EventContract, MetricContract, Move


class Thing(msgspec.Struct, frozen=True):
    """A node: `kind` is `event`, `metric`, `entity`, `alert`, `slo` or `workflow`; `id` is `kind/name`."""

    id: str
    kind: str
    name: str
    note: str = ""


class Link(msgspec.Struct, frozen=True, rename={"source": "from", "target": "to"}):
    """An edge: `kind` is `moves`, `retracts`, `makes`, `sets`, `watches`, `promises` or `starts`."""

    source: str
    target: str
    kind: str
    expression: str = ""


class Graph(msgspec.Struct, frozen=True):
    """Nodes and edges. As JSON: `{nodes: [{id, kind, name, note}], edges: [{from, to, kind, expression}]}`."""

    nodes: tuple[Thing, ...]
    edges: tuple[Link, ...]


def graph_of(contracts: ContractSet) -> Graph:
    """The graph of all newest versions. What is named and not declared is a node too, noted as `not declared`."""
    nodes: dict[str, Thing] = {}
    edges: dict[Link, None] = {}
    for event in contracts.newest_events():
        _add(nodes, "event", event.type, f"version {event.version}")
        edges.update(dict.fromkeys(_entities(event)))
    for metric in contracts.newest_metrics():
        _add(nodes, "metric", metric.name, metric.type + (f", {metric.unit}" if metric.unit else ""))
        edges.update(dict.fromkeys(_moves(metric, contracts)))
    for alert in contracts.newest_alerts():
        _add(nodes, "alert", alert.name, alert.severity)
        edges[Link(f"metric/{alert.metric}", f"alert/{alert.name}", "watches", alert.when)] = None
        if alert.start:
            edges[Link(f"alert/{alert.name}", f"workflow/{alert.start}", "starts", alert.tag)] = None
    for slo in contracts.slos.values():
        _add(nodes, "slo", slo.name, f"{slo.objective} {slo.target:g}")
        edges[Link(f"metric/{slo.metric}", f"slo/{slo.name}", "promises", slo.good)] = None
    for edge in edges:
        for end in (edge.source, edge.target):
            kind, _, name = end.partition("/")
            if end not in nodes:
                _add(nodes, kind, name, "not declared" if kind in ("event", "metric") else "")
    return Graph(tuple(nodes.values()), tuple(edges))


def part_of(graph: Graph, *names: str) -> Graph:
    """What touches these ids (`metric/revenue`): all that leads to one of them, and all that follows from it."""
    kept = set(names)
    for forward in (True, False):
        asked = list(names)
        seen = set(names)
        while asked:
            here = asked.pop()
            for edge in graph.edges:
                start, end = (edge.source, edge.target) if forward else (edge.target, edge.source)
                if start == here and end not in seen:
                    seen.add(end)
                    asked.append(end)
        kept |= seen
    return Graph(
        tuple(node for node in graph.nodes if node.id in kept),
        tuple(edge for edge in graph.edges if edge.source in kept and edge.target in kept),
    )


def _add(nodes: dict[str, Thing], kind: str, name: str, note: str) -> None:
    nodes[f"{kind}/{name}"] = Thing(f"{kind}/{name}", kind, name, note)


def _entities(event: EventContract) -> Iterator[Link]:
    for each in event.entities:
        yield Link(f"event/{event.type}", f"entity/{each.entity}", "sets", each.key)


def _moves(metric: MetricContract, contracts: ContractSet) -> Iterator[Link]:
    for move in metric.moves:
        kind = "retracts" if move.retract else "moves"
        yield Link(f"event/{move.on}", f"metric/{metric.name}", kind, _words(metric, move))
    declared: Mapping[str, object] = contracts.metrics
    for name in sorted(metric.operands):
        if name in declared:
            yield Link(f"metric/{name}", f"metric/{metric.name}", "makes", metric.value)


def _words(metric: MetricContract, move: Move) -> str:
    words = move.value or ("" if metric.type in ("funnel", "sessions", "join") else "1")
    if metric.type == "funnel" and move.step < len(metric.steps):
        words = metric.steps[move.step]
    elif metric.type == "join":
        words = ("left", "right")[move.step] if move.step in (0, 1) else ""
    elif move.part:
        words = f"{move.part} {words}"
    return f"{words} when {move.when}" if move.when else words
