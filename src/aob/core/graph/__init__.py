"""Documents and the facts of handlers in; problems with their places, and the compiled graph that runs walk, out.

Rooms inside: `builder` writes documents in Python, `compiled` is what runs walk, `patch` changes documents, `show`
tells people what they hold.
"""

from aob.core.graph.compile import compile_workflow
from aob.core.graph.document import artifact_hash, check, load
from aob.core.graph.handlers import Accepted, HandlerFacts, Handlers
from aob.core.graph.normal_form import normalise

__all__ = ["Accepted", "HandlerFacts", "Handlers", "artifact_hash", "check", "compile_workflow", "load", "normalise"]
