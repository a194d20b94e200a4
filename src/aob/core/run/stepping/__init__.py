"""One decision as it is made: a run, its graphs and values in; what nodes get, and events as they are added, out."""

from aob.core.run.stepping.given import Given, Graphs, Needs
from aob.core.run.stepping.names import input_cell, input_value
from aob.core.run.stepping.step import DeniedError, Step

__all__ = ["DeniedError", "Given", "Graphs", "Needs", "Step", "input_cell", "input_value"]
