"""Documents in; lines that people read, out: what differs between two, how one hangs together, what it holds."""

from aob.core.graph.show.difference import Change, Diff, difference, render_diff
from aob.core.graph.show.facts import describe
from aob.core.graph.show.picture import render_graph

__all__ = ["Change", "Diff", "describe", "difference", "render_diff", "render_graph"]
