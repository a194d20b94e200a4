"""Renders documents for people: their structure and their content."""

from aob.core.graph.show.facts import describe
from aob.core.graph.show.picture import edge_words, render_graph

__all__ = ["describe", "edge_words", "render_graph"]
