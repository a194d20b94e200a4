"""Hands jobs that wait to workers with free slots, in the order of the backlog, and says how many more may wait."""

import asyncio
from collections.abc import Callable
from typing import Final

from aob.ports.workers import Lane, Turn
from aob.work.remote.backlog import Backlog
from aob.work.remote.lease import Lease, Owner
from aob.work.remote.serving import Serving
from aob.work.remote.worker import Worker

JOBS_MAX: Final = 1_000
"""Jobs of one turn (lane, tenant, priority) that wait for a worker; what is more waits as a token of its run."""
BYTES_MAX: Final = 16 * 1024 * 1024
"""The encoded values of the jobs of one turn that wait for a worker."""


class Handing:
    """The workers, the owners of jobs, and the jobs that wait."""

    def __init__(self) -> None:
        self.workers: dict[str, Worker] = {}
        self.serving = Serving(self.workers)
        self.owners: list[Owner] = []
        self.paused: frozenset[str] = frozenset()
        self.jobs_max, self.bytes_max = JOBS_MAX, BYTES_MAX
        self._backlog: Backlog[Lease] = Backlog()
        self._closing = self._pumping = False
        self.acts: Callable[[], bool] = lambda: True
        """Whether this process owns the runs now: else no job leaves."""

    def clock(self) -> asyncio.AbstractEventLoop:
        """The loop whose time counts."""
        return asyncio.get_running_loop()

    def room(self, turn: Turn) -> int:
        """How many more jobs of a turn may wait here."""
        load = self._backlog.loads.get(turn)
        if load is None:
            return self.jobs_max
        return self.jobs_max - load.count if load.bytes < self.bytes_max else 0

    def pump(self) -> None:
        """Give out jobs, once this turn of the loop is over."""
        if not self._pumping and not self._closing:
            self._pumping = True
            self.clock().call_soon(self._pump)

    def _pump(self) -> None:
        self._pumping = False
        backlog = self._backlog
        ready = [worker for worker in self.workers.values() if worker.free] if backlog and self.acts() else []
        while ready and backlog and not self._closing:
            left: list[Worker] = []
            for worker in ready:  # a job each, in turns
                lease = backlog.take(self._wanted(worker), worker.tenant)
                if lease is not None:
                    self._give(lease, worker)
                    if worker.free:
                        left.append(worker)
            ready = left
        if self.owners:
            for owner in self.owners:
                owner.look()
            self.owners.append(self.owners.pop(0))  # each is the first to fill what became free, in turns

    def _wanted(self, worker: Worker) -> Callable[[Lane], bool]:
        if not worker.declined and not self.paused:
            return worker.serves
        barred = self.paused.union(worker.declined)
        return lambda lane: lane.handler not in barred and worker.serves(lane)

    def _give(self, lease: Lease, worker: Worker) -> None:
        raise NotImplementedError
