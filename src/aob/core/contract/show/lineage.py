"""What moves what: events move metrics and entities, metrics make metrics, alerts watch them and start workflows.

In: a set of contracts. Out: a graph the same every time. Only newest versions are shown.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from aob.core.answers import JsonObject
from aob.core.contract.show.picture import draw
from aob.core.contract.show.thing import Link, Thing
from aob.core.contract.show.tree import tree_lines
from aob.core.contract_model import ContractSet, EventContract, MetricContract, Move


class Graph:
    """Things and links of a set of contracts."""

    def __init__(self, things: Sequence[Thing], links: Sequence[Link]) -> None:
        self.things, self.links = tuple(things), tuple(links)

    @property
    def nodes(self) -> list[JsonObject]:
        """`{id, kind, name, note}` of each thing."""
        return [msgspec.to_builtins(each) for each in self.things]

    @property
    def edges(self) -> list[JsonObject]:
        """`{from, to, kind, expression}` of each link."""
        return [msgspec.to_builtins(each) for each in self.links]

    def text(self) -> str:
        """The graph for a terminal: events, below them what they move, below that what follows."""
        return "\n".join(tree_lines(self.things, self.links))

    def picture(self) -> str:
        """The graph as the text of an SVG file."""
        return draw(self.things, self.links)


def graph_of(contracts: ContractSet, *, metric: str = "", event: str = "") -> Graph:
    """The graph of all newest versions, or what leads to a metric or an event and follows from it. What is named and
    not declared is a thing too, noted as `not declared`."""
    things: dict[str, Thing] = {}
    links: dict[Link, None] = {}
    for each in contracts.newest_events():
        _add(things, "event", each.type, f"version {each.version}")
        links.update(dict.fromkeys(_entities(each)))
    for one in contracts.newest_metrics():
        _add(things, "metric", one.name, one.type + (f", {one.unit}" if one.unit else ""))
        links.update(dict.fromkeys(_moves(one, contracts)))
    for alert in contracts.newest_alerts():
        _add(things, "alert", alert.name, alert.severity)
        links[Link(f"metric/{alert.metric}", f"alert/{alert.name}", "watches", alert.when)] = None
        if alert.start:
            links[Link(f"alert/{alert.name}", f"workflow/{alert.start}", "starts", alert.tag)] = None
    for slo in contracts.slos.values():
        _add(things, "slo", slo.name, f"{slo.objective} {slo.target:g}")
        links[Link(f"metric/{slo.metric}", f"slo/{slo.name}", "promises", slo.good)] = None
    for link in links:
        for end in (link.source, link.target):
            kind, _, name = end.partition("/")
            if end not in things:
                _add(things, kind, name, "not declared" if kind in ("event", "metric") else "")
    names = [f"metric/{metric}"] * bool(metric) + [f"event/{event}"] * bool(event)
    return _part(things.values(), list(links), names) if names else Graph(list(things.values()), list(links))


def _part(things: Iterable[Thing], links: Sequence[Link], names: Sequence[str]) -> Graph:
    """What touches these ids: all that leads to one of them, and all that follows from it."""
    kept = set(names)
    for forward in (True, False):
        asked = list(names)
        seen = set(names)
        while asked:
            here = asked.pop()
            for link in links:
                start, end = (link.source, link.target) if forward else (link.target, link.source)
                if start == here and end not in seen:
                    seen.add(end)
                    asked.append(end)
        kept |= seen
    return Graph(
        [thing for thing in things if thing.id in kept],
        [link for link in links if link.source in kept and link.target in kept],
    )


def _add(things: dict[str, Thing], kind: str, name: str, note: str) -> None:
    things[f"{kind}/{name}"] = Thing(f"{kind}/{name}", kind, name, note)


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
