"""Draws a graph as text: nodes in layers, lines between them, conditions below. A graph with a cycle, or too wide
for a terminal, is listed instead."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from aob.core.document.shape import Tree, Value
from aob.core.graph.show.rows import Rows, layers_of

WIDTH_MAX: Final = 100  # columns of a picture
NODES_DRAWN_MAX: Final = 200
GAP: Final = 3
CONDITION_CHARS_MAX: Final = 80
_SHAPES: Final = {
    "branch": ("<", ">"),
    "join": ("<", ">"),
    "approval": ("(", ")"),
    "timer": ("(", ")"),
    "wait": ("(", ")"),
    "agent": ("{", "}"),
}
UP: Final = 1
DOWN: Final = 2
LEFT: Final = 4
RIGHT: Final = 8
_CHARS: Final = {
    0: " ", UP: "│", DOWN: "│", UP | DOWN: "│", LEFT: "─", RIGHT: "─", LEFT | RIGHT: "─",
    UP | RIGHT: "└", UP | LEFT: "┘", DOWN | RIGHT: "┌", DOWN | LEFT: "┐",
    UP | DOWN | RIGHT: "├", UP | DOWN | LEFT: "┤", LEFT | RIGHT | DOWN: "┬", LEFT | RIGHT | UP: "┴",
    UP | DOWN | LEFT | RIGHT: "┼",
}  # fmt: skip


class _Span(NamedTuple):
    """The columns that the lines of one source occupy in its row, and their target if they share one."""

    low: int
    high: int
    goal: int | None

    def mixes(self, other: "_Span") -> bool:
        """Whether the two would be ambiguous in one row; lines to the same target may meet."""
        apart = self.high < other.low or other.high < self.low
        return not apart and (self.goal is None or self.goal != other.goal)


def _lane(lanes: list[list[_Span]], span: _Span) -> int:
    """The first row where the span is unambiguous, or a new one."""
    for number, lane in enumerate(lanes):
        if not any(span.mixes(other) for other in lane):
            lane.append(span)
            return number
    lanes.append([span])
    return len(lanes) - 1


class Canvas:
    """The rows between two rows of cells. Lines from one cell, or to one, share a row; others only if disjoint."""

    def __init__(self, links: Sequence[tuple[int, int]]) -> None:
        lanes: list[list[_Span]] = []
        rows: dict[int, int] = {}
        for source in sorted({source for source, _ in links}):
            targets = [target for start, target in links if start == source]
            goal = targets[0] if len(targets) == 1 else None
            rows[source] = _lane(lanes, _Span(min(source, *targets), max(source, *targets), goal))
        self._bits: list[dict[int, int]] = [{} for _ in lanes]
        for source, target in links:
            self._draw(source, target, rows[source])

    def _draw(self, source: int, target: int, row: int) -> None:
        for above in range(row):
            self._mark(above, source, UP | DOWN)
        for below in range(row + 1, len(self._bits)):
            self._mark(below, target, UP | DOWN)
        if source == target:
            self._mark(row, source, UP | DOWN)
            return
        low, high = sorted((source, target))
        self._mark(row, source, UP | (RIGHT if source == low else LEFT))
        self._mark(row, target, DOWN | (RIGHT if target == low else LEFT))
        for column in range(low + 1, high):
            self._mark(row, column, LEFT | RIGHT)

    def _mark(self, row: int, column: int, bits: int) -> None:
        self._bits[row][column] = self._bits[row].get(column, 0) | bits

    def lines(self) -> list[str]:
        """The rows as text."""
        return ["".join(_CHARS[row.get(column, 0)] for column in range(max(row, default=-1) + 1)) for row in self._bits]


def render_graph(document: Tree, *, marks: Mapping[str, str] | None = None, width_max: int = WIDTH_MAX) -> list[str]:
    """The picture of a document: `[job]`, `<branch or join>`, `(waits)`, `{agent}`; edges with conditions are listed
    below, bodies of map and loop indented. `marks` prefixes nodes with a sign, such as `+` for those added by a
    patch."""
    nodes, edges = _plain(document)
    lines = _drawn(nodes, edges, marks or {}, width_max)
    told = [edge for edge in edges if edge.get("on", "success") != "success" or edge.get("when") or edge.get("else")]
    if told:
        lines += ["", *(f"  {edge_words(edge)}" for edge in told)]
    for id, node in nodes.items():
        body = node.get("body") if isinstance(node, dict) else None
        if isinstance(body, dict):
            inner = {key[len(id) + 1 :]: mark for key, mark in (marks or {}).items() if key.startswith(f"{id}/")}
            lines += ["", f"{id}:", *(f"  {line}" for line in render_graph(body, marks=inner, width_max=width_max - 2))]
    return [line.rstrip() for line in lines]


def edge_words(edge: Mapping[str, Value]) -> str:
    """An edge for people: `risky → review  when risk > 0.7`. Safe for a terminal."""
    words = f"{edge.get('from')} → {edge.get('to')}"
    if edge.get("on", "success") != "success":
        words += f"  on {edge['on']}"
    if edge.get("when"):
        text = " ".join(str(edge["when"]).split())
        words += f"  when {text if len(text) <= CONDITION_CHARS_MAX else text[: CONDITION_CHARS_MAX - 1] + '…'}"
    if edge.get("else"):
        words += "  else"
    return "".join(each if each.isprintable() else "?" for each in words)


def _plain(body: Tree) -> tuple[Tree, list[Tree]]:
    nodes, edges = body.get("nodes"), body.get("edges")
    known = nodes if isinstance(nodes, dict) else {}
    found = edges.values() if isinstance(edges, dict) else ()
    ends = [edge for edge in found if isinstance(edge, dict) and edge.get("from") in known and edge.get("to") in known]
    return known, ends


def _drawn(nodes: Tree, edges: list[Tree], marks: Mapping[str, str], width_max: int) -> list[str]:
    labels = {id: _label(id, node, marks.get(id, "")) for id, node in nodes.items()}
    layers = layers_of(list(nodes), [(edge["from"], edge["to"]) for edge in edges])
    if layers is None or len(nodes) > NODES_DRAWN_MAX:
        return _listed(labels, edges)
    grid = _Grid(layers, labels, sorted({(edge["from"], edge["to"]) for edge in edges}))
    lines = grid.lines()
    return lines if max(map(len, lines), default=0) <= width_max else _listed(labels, edges)


def _label(id: str, node: Value, mark: str) -> str:
    kind = str(node.get("kind")) if isinstance(node, dict) else ""
    left, right = _SHAPES.get(kind, ("[", "]"))
    return f"{mark}{left}{id}{right}"


def _listed(labels: Mapping[str, str], edges: Sequence[Tree]) -> list[str]:
    after: dict[str, list[str]] = {}
    for edge in edges:
        after.setdefault(edge["from"], []).append(edge["to"])
    return [f"{label} → {', '.join(after[id])}" if id in after else label for id, label in labels.items()]


class _Grid(Rows):
    """The cells of a text picture: their labels, and the columns of their middles."""

    def __init__(self, layers: Mapping[str, int], labels: Mapping[str, str], edges: Sequence[tuple[str, str]]) -> None:
        super().__init__({id: layers[id] for id in labels}, edges)
        self.labels = {**dict.fromkeys(self.passing, "│"), **labels}
        self.middle: dict[str, int] = {}
        for row in range(len(self.rows)):
            self._place(row)
        left = min((middle - len(self.labels[id]) // 2 for id, middle in self.middle.items()), default=0)
        self.middle = {id: middle - left for id, middle in self.middle.items()}

    def _place(self, row: int) -> None:
        """Sets the columns of a row: each cell as near to the middle of those above it as its neighbours allow."""
        above: dict[str, list[int]] = {}
        for source, target in self.links[row - 1] if row else ():
            above.setdefault(target, []).append(self.middle[source])
        edge: int | None = None  # the first cell may be anywhere: the whole picture is shifted right at the end
        wanted: list[tuple[str, int, int]] = []
        for id in self.rows[row]:
            half = len(self.labels[id]) // 2
            wish = sum(above[id]) // len(above[id]) if id in above else (edge or 0) + half
            start = wish - half if edge is None else max(edge, wish - half)
            wanted.append((id, start + half, wish))
            edge = start + len(self.labels[id]) + GAP
        drift = sum(middle - wish for _, middle, wish in wanted) // max(len(wanted), 1)
        for id, middle, _ in wanted:
            self.middle[id] = middle - drift

    def lines(self) -> list[str]:
        """The picture: each row of cells with the lines below it."""
        lines: list[str] = []
        for row, cells in enumerate(self.rows):
            text = ""
            for id in cells:
                start = self.middle[id] - len(self.labels[id]) // 2
                text = text.ljust(start) + self.labels[id]
            lines.append(text)
            if self.links[row]:
                canvas = Canvas([(self.middle[source], self.middle[target]) for source, target in self.links[row]])
                lines.extend(canvas.lines())
        return lines
