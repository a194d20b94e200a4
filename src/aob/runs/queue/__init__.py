"""What waits before it goes on: ready tokens whose jobs are not submitted yet, and starts of a tenant with many."""

from aob.runs.queue.left import LeftBehind
from aob.runs.queue.others import Nobody, Others, reporter
from aob.runs.queue.parked import Elsewhere, Queue, late
from aob.runs.queue.turns import AT_ONCE, Turns

__all__ = ["AT_ONCE", "Elsewhere", "LeftBehind", "Nobody", "Others", "Queue", "Turns", "late", "reporter"]
