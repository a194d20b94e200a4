"""Hands jobs that wait to workers with free slots, in the order of the backlog, and says how many more may wait."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from aob.core.errors import AobError
from aob.ports.logger import Logger
from aob.ports.workers import Lane, Turn
from aob.work.remote.backlog import Backlog
from aob.work.remote.lease import Lease, Owner
from aob.work.remote.serving import Serving
from aob.work.remote.worker import Worker

JOBS_MAX: Final = 1_000
"""Jobs of one turn (lane, tenant, priority) that wait for a worker; what is more waits as a token of its run."""
BYTES_MAX: Final = 16 * 1024 * 1024
"""The encoded values of the jobs of one turn that wait for a worker."""
ALONE_MIN: Final = 4
"""Attempts that were lost with their worker, from which on a job may be what ends it: a worker begins one such job at a
time. What is lost with that one is not counted against the others."""
ALONE_S: Final = 30.0
"""For how long a job that may end its worker keeps others of its sort from beginning there."""
PIN_AGAIN_S: Final = 0.5  # until the build of a run is noted again, when its store was away
log: Final = Logger("aob.work")


class Handing:
    """The workers, the owners of jobs, and the jobs that wait."""

    def __init__(self) -> None:
        self.workers: dict[str, Worker] = {}
        self.serving = Serving(self.workers)
        self.owners: list[Owner] = []
        self.paused: frozenset[tuple[str, str]] = frozenset()
        self.jobs_max, self.bytes_max = JOBS_MAX, BYTES_MAX
        self._backlog: Backlog[Lease] = Backlog()
        self._index: dict[tuple[str, str], Lease] = {}
        self._closing = self._pumping = False
        self.acts: Callable[[], bool] = lambda: True
        """Whether this process owns the runs now: else no job leaves."""
        self.here: Callable[[str], bool] | None = None
        """Whether a run's shard is open here, where shards go from process to process; None: all are, always."""

    def clock(self) -> asyncio.AbstractEventLoop:
        """The loop whose time counts."""
        return asyncio.get_running_loop()

    def owns(self, run: str) -> bool:
        """Whether what is not known of a run here is known nowhere."""
        return self.here is None or self.here(run)

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
        alone = worker.alone is not None and self._waits_alone(worker)
        if not worker.declined and not self.paused and not alone:
            return worker.serves
        barred = {name for tenant, name in self.paused if tenant == worker.tenant}.union(worker.declined)
        return lambda lane: lane.handler not in barred and not (alone and lane.alone) and worker.serves(lane)

    def _waits_alone(self, worker: Worker) -> bool:
        """Whether a job that may end the worker has begun there a moment ago and is not over."""
        lease = worker.alone
        assert lease is not None
        there = worker.leases.get(lease.key) is lease
        comes = lease.worker is None and lease.task is not None and self._index.get(lease.key) is lease
        if not (there or comes) or self.clock().time() - worker.alone_s > ALONE_S:
            worker.alone = None
        return worker.alone is not None

    def _give(self, lease: Lease, worker: Worker) -> None:
        worker.credit -= 1
        if lease.lane.alone:
            worker.alone, worker.alone_s = lease, self.clock().time()
        if lease.lane.pins:
            lease.task = self.clock().create_task(self._pins(lease, worker), name="aob-pin")
        else:
            self._given(lease, worker)

    def _given(self, lease: Lease, worker: Worker) -> None:
        """A worker that has a place for it gets a job."""
        raise NotImplementedError

    def _enter(self, lease: Lease, first: bool = False) -> None:
        raise NotImplementedError

    # -- builds -----------------------------------------------------------------------------------------------------

    async def _pins(self, lease: Lease, worker: Worker) -> None:
        """Note the build of a worker for a run, and give it the job if it is that of the run."""
        again_s, took = 0.0, False
        try:
            try:
                await lease.owner.pin(lease.job, worker.build)
            except AobError as error:
                log.info("build_not_noted", run=lease.job.run, build=worker.build, reason=error.detail)
                again_s = PIN_AGAIN_S
            lease.task = None
            if self._index.get(lease.key) is lease and lease.state == "queued":
                self._lane(lease)
                ready = worker.line is not None and not worker.draining
                took = not lease.lane.pins and ready and worker.serves(lease.lane)
                if not took:
                    self.clock().call_later(again_s, self._enters_again, lease)
        finally:
            if not took:
                worker.credit += 1
                self.pump()
        if took:
            self._given(lease, worker)

    def _enters_again(self, lease: Lease) -> None:
        if self._index.get(lease.key) is lease and lease.state == "queued":
            self._enter(lease, first=True)

    def _lane(self, lease: Lease) -> None:
        lane = lease.owner.lane_of(lease.job)
        if lease.job.crashes >= ALONE_MIN:
            lane = lane._replace(alone=True)
        lease.lane = lane if lease.instead is None else lane._replace(handler=lease.instead.handler, needs=())

    def relane(self, run: str, visits: Iterable[str]) -> None:
        """What workers must have for the jobs of a run has changed: those that wait go to others."""
        for visit in visits:
            lease = self._index.get((run, visit))
            check = lease.job.task.spec.verify if lease is not None else ""
            for each in (lease, self._index.get((run, f"{visit}~{check}")) if check else None):
                if each is not None and each.state == "queued" and self._backlog.remove(each):
                    self._lane(each)
                    self._backlog.push(each, first=True)
        self.pump()
