"""What models decided, read back from the records of their calls; and how they would decide now."""

from aob.organisation.decided.decisions import Decisions
from aob.organisation.decided.forking import Forking

__all__ = ["Decisions", "Forking"]
