"""Performs jobs and reports results by a callback: bounded, prioritised, with timeouts, cancellable."""

from aob.work.pool.network_places import OUTWARD_MAX, NetworkPlaces
from aob.work.pool.place_workers import Keep
from aob.work.pool.pool import Pool, PoolHealth
from aob.work.pool.priority_queue import PriorityQueue
from aob.work.pool.processes import Processes
from aob.work.pool.running import Running, mark
from aob.work.pool.steps import Bare, Perform
from aob.work.pool.threads import Threads

__all__ = [
    "OUTWARD_MAX",
    "Bare",
    "Keep",
    "NetworkPlaces",
    "Perform",
    "Pool",
    "PoolHealth",
    "PriorityQueue",
    "Processes",
    "Running",
    "Threads",
    "mark",
]  # fmt: skip
