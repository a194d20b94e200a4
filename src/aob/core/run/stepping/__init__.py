"""One decision in progress: reads a run, its graphs and values; collects inputs of nodes and new events."""

from aob.core.run.stepping.given import Given, Graphs, Needs
from aob.core.run.stepping.names import input_cell, input_value
from aob.core.run.stepping.step import DeniedError, Step

__all__ = ["DeniedError", "Given", "Graphs", "Needs", "Step", "input_cell", "input_value"]
