"""What models decided, read back from the records of their calls; how they would decide now; what came of a record."""

from aob.organisation.decided.decisions import Decisions
from aob.organisation.decided.forking import Forking
from aob.organisation.decided.tracing import Tracing

__all__ = ["Decisions", "Forking", "Tracing"]
