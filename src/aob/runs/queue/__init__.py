"""Ready tokens whose jobs are not submitted yet: a token in, a call to submit it out."""

from aob.runs.queue.parked import PAUSED, Elsewhere, Queue

__all__ = ["PAUSED", "Elsewhere", "Queue"]
