"""Documents and the facts of handlers in; problems with their places, and the compiled graph that runs walk, out."""

from aob.core.graph.compile import compile_workflow
from aob.core.graph.handlers import HandlerFacts, Handlers
from aob.core.graph.ir import IR, Edge, Node
from aob.core.graph.schema import schema_problems

__all__ = ["IR", "Edge", "HandlerFacts", "Handlers", "Node", "compile_workflow", "schema_problems"]
