"""Documents and the facts of handlers in; problems with their places, and the compiled graph that runs walk, out.

Rooms inside: `builder` writes documents in Python, `patch` changes them, `show` tells people what they hold.
"""

from aob.core.graph.builder import Workflow
from aob.core.graph.compile import compile_workflow
from aob.core.graph.document import Document, artifact_hash, check, load
from aob.core.graph.handlers import HandlerFacts, Handlers
from aob.core.graph.ir import IR, Node
from aob.core.graph.normalise import normalise
from aob.core.json_schema.problems import schema_problems

__all__ = [
    "IR",
    "Document",
    "HandlerFacts",
    "Handlers",
    "Node",
    "Workflow",
    "artifact_hash",
    "check",
    "compile_workflow",
    "load",
    "normalise",
    "schema_problems",
]
