"""Workflow documents in, lines for the terminal out: a graph as layers, what a patch added marked."""

from collections.abc import Mapping
from typing import Final

Graph = Mapping[str, Mapping[str, Mapping[str, object]]]
"""A canonical document, as far as its nodes and edges are concerned."""

ARROW: Final = " → "


def layers(document: Graph) -> list[list[str]]:
    """Node ids by their longest way from the start; within a layer by name."""
    sources: dict[str, set[str]] = {node: set() for node in document["nodes"]}
    for edge in document.get("edges", {}).values():
        sources[str(edge["to"])].add(str(edge["from"]))
    depth: dict[str, int] = {}
    while len(depth) < len(sources):
        ready = [node for node in sources if node not in depth and sources[node] <= depth.keys()]
        if not ready:  # a checked document has no cycle; say what is known of any other
            break
        for node in ready:
            depth[node] = max((depth[source] + 1 for source in sources[node]), default=0)
    rows: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node in sorted(depth):
        rows[depth[node]].append(node)
    return rows


def picture(document: Graph, added: frozenset[str] = frozenset()) -> str:
    """One line in rich markup: layers from left to right, nodes of one layer parted by a dot, added ones in green."""
    return ARROW.join(" · ".join(marked(node, added) for node in row) for row in layers(document))


def marked(node: str, added: frozenset[str]) -> str:
    """A node's name, in green with a plus when it was added."""
    return f"[bold green]+{node}[/]" if node in added else node


def added_nodes(before: Graph, after: Graph) -> frozenset[str]:
    """The ids of the nodes that only the later document has."""
    return frozenset(after["nodes"]) - frozenset(before["nodes"])
