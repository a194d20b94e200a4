"""Contracts in; what moves what, as a graph, as text and as a picture, and the types of events, out."""

from aob.core.contract.show.lineage import Graph, graph_of
from aob.core.contract.show.types import types_of

__all__ = ["Graph", "graph_of", "types_of"]
