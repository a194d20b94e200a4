"""Ready tokens whose jobs are not submitted yet: a token in, a call to submit it out."""

from aob.runs.queue.left import LeftBehind
from aob.runs.queue.parked import Elsewhere, Queue, late

__all__ = ["Elsewhere", "LeftBehind", "Queue", "late"]
