"""Documents in; what people read of them, out: how one hangs together, and what it holds."""

from aob.core.graph.show.facts import describe
from aob.core.graph.show.picture import edge_words, render_graph

__all__ = ["describe", "edge_words", "render_graph"]
