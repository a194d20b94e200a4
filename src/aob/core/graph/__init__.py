"""Checks documents and compiles them to the graph that runs execute. `builder` writes documents in Python, `compiled`
is the graph, `patch` changes documents."""

from aob.core.graph.compile import compile_workflow
from aob.core.graph.compiled.ir import UNKNOWN_HANDLER, Accepted, HandlerFacts, Handlers
from aob.core.graph.document import artifact_hash, check, load
from aob.core.graph.normal_form import normalise

__all__ = [
    "UNKNOWN_HANDLER", "Accepted", "HandlerFacts", "Handlers", "artifact_hash", "check", "compile_workflow", "load",
    "normalise",
]  # fmt: skip
