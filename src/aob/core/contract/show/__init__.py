"""Contracts in; what moves what, as a graph, as text and as a picture, out."""

from aob.core.contract.show.lineage import Graph, graph_of, part_of
from aob.core.contract.show.picture import draw_graph
from aob.core.contract.show.tree import graph_lines

__all__ = ["Graph", "draw_graph", "graph_lines", "graph_of", "part_of"]
