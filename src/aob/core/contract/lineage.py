"""The lineage of the newest contracts: what changes, derives, watches or starts what; as data, text, or SVG. A picture
has its nodes in rows: each below its predecessors, and close to its neighbours. Deterministic."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Final, NamedTuple

import msgspec

from aob.core.answers import JsonObject
from aob.core.contract_model import ContractSet, MetricContract, Move

EXPRESSION_MAX: Final = 60
_VERBS: Final = {"moves": "+", "retracts": "-", "makes": "=", "sets": "key", "watches": "when", "promises": "good"}
BOX_WIDTH: Final = 200
BOX_HEIGHT: Final = 44
GAP_X: Final = 110
GAP_Y: Final = 18
MARGIN: Final = 24
_SWEEPS: Final = 4  # of the order of a row by its neighbours
NAME_MAX: Final = 24
NOTE_MAX: Final = 30
_COLOURS: Final[Mapping[str, tuple[str, str]]] = {
    "event": ("#e8f1fb", "#2563a8"),
    "metric": ("#e9f7ee", "#1f7a46"),
    "entity": ("#f5f0fb", "#6d3fb0"),
    "alert": ("#fdecea", "#b3261e"),
    "slo": ("#fff6df", "#92640a"),
    "workflow": ("#eef0f2", "#3b4652"),
}
_DASHED: Final = frozenset({"retracts"})


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


def tree_lines(things: Sequence[Thing], links: Sequence[Link]) -> list[str]:
    """The lines of a graph, from its sources to its sinks, without control characters."""
    nodes = {node.id: node for node in things}
    after: dict[str, list[Link]] = {}
    for edge in links:
        after.setdefault(edge.source, []).append(edge)
    moved = {edge.target for edge in links}
    shown = set[str]()
    lines: list[str] = []
    for node in (*(each for each in things if each.id not in moved), *things):
        if node.id not in shown:
            lines += [_title(node), *_below(node.id, nodes, after, shown)]
    return ["".join(each if each.isprintable() else "?" for each in line) for line in lines]


def _title(node: Thing) -> str:
    return f"{node.kind} {node.name}" + (f"  ({node.note})" if node.note else "")


def _below(id: str, nodes: dict[str, Thing], after: dict[str, list[Link]], shown: set[str]) -> Iterator[str]:
    if id in shown:
        return
    shown.add(id)
    edges = after.get(id, [])
    for number, edge in enumerate(edges):
        last = number == len(edges) - 1
        again = "  …" if edge.target in shown and after.get(edge.target) else ""
        yield f"{'└─ ' if last else '├─ '}{_title(nodes[edge.target])}{_expression(edge)}{again}"
        for line in _below(edge.target, nodes, after, shown):
            yield ("   " if last else "│  ") + line


def _expression(edge: Link) -> str:
    if not edge.expression:
        return ""
    text = " ".join(edge.expression.split())
    text = text if len(text) <= EXPRESSION_MAX else text[: EXPRESSION_MAX - 1] + "…"
    return f"  {_VERBS.get(edge.kind, edge.kind)} {text}"


class Graph(NamedTuple):
    """The nodes and edges of a set of contracts."""

    things: Sequence[Thing]
    links: Sequence[Link]

    @property
    def nodes(self) -> list[JsonObject]:
        """`{id, kind, name, note}` of each node."""
        return [msgspec.to_builtins(each) for each in self.things]

    @property
    def edges(self) -> list[JsonObject]:
        """`{from, to, kind, expression}` of each edge."""
        return [msgspec.to_builtins(each) for each in self.links]

    def text(self) -> str:
        """The graph for a terminal: events, below each what it changes, and so on."""
        return "\n".join(tree_lines(self.things, self.links))

    def picture(self) -> str:
        return draw(self.things, self.links)


def graph_of(contracts: ContractSet, *, metric: str = "", event: str = "") -> Graph:
    """The graph of all, or of what leads to and follows from a metric or event. Undeclared names are nodes too."""
    things: dict[str, Thing] = {}
    links: dict[Link, None] = {}
    for each in contracts.newest_events():
        _add(things, "event", each.type, f"version {each.version}")
        for set_ in each.entities:
            links[Link(f"event/{each.type}", f"entity/{set_.entity}", "sets", set_.key)] = None
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
    """All that leads to one of these ids, and all that follows from it."""
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


def draw(things: Sequence[Thing], links: Sequence[Link]) -> str:
    """The SVG of a graph."""
    columns = _columns(things, links)
    spots = _spots(columns)
    width = MARGIN * 2 + max(len(columns) * (BOX_WIDTH + GAP_X) - GAP_X, BOX_WIDTH)
    height = MARGIN * 2 + max((len(column) for column in columns), default=1) * (BOX_HEIGHT + GAP_Y) - GAP_Y
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'role="img" font-family="system-ui, sans-serif">',
        "<title>What moves what</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" fill="#7a8591"/></marker></defs>',
        *(_curve(edge, spots) for edge in links),
        *(_box(node, spots[node.id]) for node in things),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _columns(things: Sequence[Thing], links: Sequence[Link]) -> list[list[str]]:
    """Ids by column; within one, near their neighbours."""
    ids = [node.id for node in things]
    ends = [(edge.source, edge.target) for edge in links]
    layers = layers_of(ids, ends)
    if layers is None:  # circular metrics: the check reports them, the picture still shows them
        layers = {id: 0 if id.startswith("event/") else 1 for id in ids}
    rows = Rows({id: layers[id] for id in ids}, ends)
    return [[id for id in row if id not in rows.passing] for row in rows.rows]


def _spots(columns: Sequence[Sequence[str]]) -> dict[str, tuple[int, int]]:
    """The upper left corner of each box; columns are centred."""
    tallest = max((len(column) for column in columns), default=1)
    spots: dict[str, tuple[int, int]] = {}
    for number, column in enumerate(columns):
        top = MARGIN + (tallest - len(column)) * (BOX_HEIGHT + GAP_Y) // 2
        for row, id in enumerate(column):
            spots[id] = (MARGIN + number * (BOX_WIDTH + GAP_X), top + row * (BOX_HEIGHT + GAP_Y))
    return spots


def _curve(edge: Link, spots: Mapping[str, tuple[int, int]]) -> str:
    (x1, y1), (x2, y2) = spots[edge.source], spots[edge.target]
    x1, y1, y2 = x1 + BOX_WIDTH, y1 + BOX_HEIGHT // 2, y2 + BOX_HEIGHT // 2
    bend = max((x2 - x1) // 2, GAP_X // 2)
    dashes = ' stroke-dasharray="5 4"' if edge.kind in _DASHED else ""
    words = escape(f"{edge.kind} {edge.expression}".strip(), quote=True)
    return (
        f'<path d="M{x1} {y1} C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}" fill="none" stroke="#7a8591" '
        f'stroke-width="1.4"{dashes} marker-end="url(#tip)"><title>{_printable(words)}</title></path>'
    )


def _box(node: Thing, spot: tuple[int, int]) -> str:
    x, y = spot
    fill, line = _COLOURS.get(node.kind, _COLOURS["workflow"])
    name, note = _short(node.name, NAME_MAX), _short(f"{node.kind}  {node.note}".strip(), NOTE_MAX)
    return (
        f'<g><title>{_printable(escape(node.id))}</title><rect x="{x}" y="{y}" width="{BOX_WIDTH}" '
        f'height="{BOX_HEIGHT}" rx="6" fill="{fill}" stroke="{line}"/>'
        f'<text x="{x + 12}" y="{y + 19}" font-size="14" font-weight="600" fill="{line}">{name}</text>'
        f'<text x="{x + 12}" y="{y + 35}" font-size="11" fill="#4b5560">{note}</text></g>'
    )


def _short(text: str, most: int) -> str:
    return _printable(escape(text if len(text) <= most else text[: most - 1] + "…", quote=True))


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)


def layers_of(ids: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int] | None:
    """The layer of each node, from 0: one below its lowest predecessor. None if there is a cycle."""
    waiting = dict.fromkeys(ids, 0)
    after: dict[str, list[str]] = {id: [] for id in ids}
    for source, target in edges:
        waiting[target] += 1
        after[source].append(target)
    layers = {id: 0 for id in ids if not waiting[id]}
    ready = list(layers)
    for id in ready:
        for target in after[id]:
            layers[target] = max(layers.get(target, 0), layers[id] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return layers if len(ready) == len(waiting) else None


class Rows:
    """Ids in rows; a long edge has a placeholder `target@row` (in `passing`) in each row it passes. `links` are the
    edges from each row to the next. Edges that do not lead down are omitted."""

    def __init__(self, layers: Mapping[str, int], edges: Sequence[tuple[str, str]]) -> None:
        self.rows: list[list[str]] = [[] for _ in range(max(layers.values(), default=-1) + 1)]
        self.passing: dict[str, None] = {}
        for id, row in layers.items():
            self.rows[row].append(id)
        self.links: list[list[tuple[str, str]]] = [[] for _ in self.rows]
        for source, target in edges:
            if layers[source] < layers[target]:
                self._route(source, target, layers)
        for _ in range(_SWEEPS):
            self._sort()

    def _route(self, source: str, target: str, layers: Mapping[str, int]) -> None:
        here = source
        for row in range(layers[source] + 1, layers[target]):
            passing = f"{target}@{row}"
            if passing not in self.passing:
                self.passing[passing] = None
                self.rows[row].append(passing)
            self._link(row - 1, here, passing)
            here = passing
        self._link(layers[target] - 1, here, target)

    def _link(self, row: int, source: str, target: str) -> None:
        if (source, target) not in self.links[row]:
            self.links[row].append((source, target))

    def _sort(self) -> None:
        """Moves each cell below the middle of those above it, then above the middle of those below it."""
        count = len(self.rows)
        for row in range(1, count):
            self._sort_row(row, [(target, source) for source, target in self.links[row - 1]], self.rows[row - 1])
        for row in range(count - 2, -1, -1):
            self._sort_row(row, self.links[row], self.rows[row + 1])

    def _sort_row(self, row: int, links: Sequence[tuple[str, str]], others: Sequence[str]) -> None:
        at = {id: number for number, id in enumerate(others)}
        old = {id: number for number, id in enumerate(self.rows[row])}
        near: dict[str, list[int]] = {}
        for mine, other in links:
            near.setdefault(mine, []).append(at[other])
        weight = {id: sum(near[id]) / len(near[id]) if id in near else float(old[id]) for id in old}
        self.rows[row].sort(key=lambda id: (weight[id], old[id]))
