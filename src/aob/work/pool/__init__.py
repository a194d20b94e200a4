"""Performs jobs and reports results by a callback: bounded, prioritised, with timeouts, cancellable."""

from aob.work.pool.crew import Keep
from aob.work.pool.lanes import Lanes
from aob.work.pool.outward import OUTWARD_MAX, Outward
from aob.work.pool.pool import Pool, PoolHealth
from aob.work.pool.processes import Processes
from aob.work.pool.running import Running, mark
from aob.work.pool.steps import Bare, Perform
from aob.work.pool.threads import Threads

__all__ = [
    "OUTWARD_MAX", "Bare", "Keep", "Lanes", "Outward", "Perform", "Pool", "PoolHealth", "Processes",
    "Running", "Threads", "mark",
]  # fmt: skip
