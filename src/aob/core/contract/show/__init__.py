"""Contracts in; what moves what, as a graph, as text and as a picture, out."""

from aob.core.contract.show.lineage import Graph, graph_of

__all__ = ["Graph", "graph_of"]
