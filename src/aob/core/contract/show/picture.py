"""The graph of contracts as a picture (SVG): columns from events to workflows, a curve for each edge.

In: a graph. Out: the text of an SVG file, the same every time; it loads nothing and runs nothing.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from aob.core.contract.show.thing import Link, Thing
from aob.core.graph.show.picture import layers_of

BOX_WIDTH: Final = 200
BOX_HEIGHT: Final = 44
GAP_X: Final = 110
GAP_Y: Final = 18
MARGIN: Final = 24
NAME_MAX: Final = 24
NOTE_MAX: Final = 30
_SWEEPS: Final = 6
_COLOURS: Final[Mapping[str, tuple[str, str]]] = {
    "event": ("#e8f1fb", "#2563a8"),
    "metric": ("#e9f7ee", "#1f7a46"),
    "entity": ("#f5f0fb", "#6d3fb0"),
    "alert": ("#fdecea", "#b3261e"),
    "slo": ("#fff6df", "#92640a"),
    "workflow": ("#eef0f2", "#3b4652"),
}
_DASHED: Final = frozenset({"retracts"})


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
    """Ids by column; within one, near to what they hang on."""
    ids = [node.id for node in things]
    ends = [(edge.source, edge.target) for edge in links]
    layers = layers_of(ids, ends)
    if layers is None:  # metrics made of themselves: the check says so, the picture still shows them
        layers = {id: 0 if id.startswith("event/") else 1 for id in ids}
    columns: list[list[str]] = [[] for _ in range(max(layers.values(), default=0) + 1)]
    for id in ids:
        columns[layers[id]].append(id)
    for sweep in range(_SWEEPS):
        backward = sweep % 2 == 1
        for column in columns[::-1] if backward else columns:
            at = {id: (number + 0.5) / len(each) for each in columns for number, id in enumerate(each)}
            near = {id: [at[t if s == id else s] for s, t in ends if (s if backward else t) == id] for id in column}
            order = {id: number for number, id in enumerate(column)}
            column.sort(key=lambda id: (sum(near[id]) / len(near[id]) if near[id] else at[id], order[id]))
    return columns


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
