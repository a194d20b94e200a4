"""Performs jobs and reports results by a callback: bounded, prioritised, with timeouts, cancellable."""

from aob.work.pool.attempt import Attempt
from aob.work.pool.limits import Limits
from aob.work.pool.network_places import OUTWARD_MAX
from aob.work.pool.pool import Pool
from aob.work.pool.priority_queue import PriorityQueue
from aob.work.pool.processes import Processes
from aob.work.pool.running import HOLDER, Running, mark
from aob.work.pool.steps import Bare, Perform
from aob.work.pool.threads import Threads

__all__ = [
    "HOLDER",
    "OUTWARD_MAX",
    "Attempt",
    "Bare",
    "Limits",
    "Perform",
    "Pool",
    "PriorityQueue",
    "Processes",
    "Running",
    "Threads",
    "mark",
]
