"""The graph of contracts as lines of text: each event, below it what it moves, below that what follows.

In: a graph. Out: lines. A thing that stands twice is unfolded where it stands first.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from aob.core.contract.show.thing import Link, Thing

EXPRESSION_MAX: Final = 60
_VERBS: Final = {"moves": "+", "retracts": "-", "makes": "=", "sets": "key", "watches": "when", "promises": "good"}


def tree_lines(things: Sequence[Thing], links: Sequence[Link]) -> list[str]:
    """The lines of a graph, from what nothing moves down to what moves nothing. Shows nothing a terminal would obey."""
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
        yield f"{'└─ ' if last else '├─ '}{_title(nodes[edge.target])}{_words(edge)}{again}"
        for line in _below(edge.target, nodes, after, shown):
            yield ("   " if last else "│  ") + line


def _words(edge: Link) -> str:
    if not edge.expression:
        return ""
    text = " ".join(edge.expression.split())
    text = text if len(text) <= EXPRESSION_MAX else text[: EXPRESSION_MAX - 1] + "…"
    return f"  {_VERBS.get(edge.kind, edge.kind)} {text}"
