"""Leases: jobs that wait for a worker, are at one, or are reported and not committed yet. Each is reported once."""

from collections.abc import Iterable
from typing import Final

from aob.ports.logger import Logger
from aob.ports.workers import LOST, Fault, Job, Lane, Result
from aob.rpc import LEASE_MS
from aob.rpc import worker_pb2 as pb
from aob.work.pool import Attempt, Running
from aob.work.remote.away import Away
from aob.work.remote.claims import Claim, Key
from aob.work.remote.handing import ALONE_MIN, Handing
from aob.work.remote.jobs import ack_of
from aob.work.remote.lease import Asked, Lease, Owner, WorkerFaultError
from aob.work.remote.sending import Sending
from aob.work.remote.worker import Worker

GRACE_S: Final = 5.0  # how long a worker may take to end a call after a time-out
log: Final = Logger("aob.work")


class Leases(Handing):
    """The jobs of handlers of other processes."""

    def __init__(
        self, sending: Sending, *, lease_ms: int = LEASE_MS, running: Running | None = None
    ) -> None:  # fmt: skip
        super().__init__()
        self._sending, self._away, self.lease_ms = sending, Away(running), lease_ms
        sending.broken = self._broken
        self.counts = {"given": 0, "declined": 0, "lost": 0, "strays": 0}
        self.unacked: dict[str, dict[str, Lease]] = {}
        """Results that are reported and not committed yet, by run, then by visit."""
        self._expected: dict[Key, Lease] = {}  # a worker had them when the process before ended
        self._awaited: dict[Key, int] = {}  # attempts that are expected once they are submitted
        self._age, self._since_s = 0, 0.0

    @property
    def gathers(self) -> bool:
        """Whether workers of the process before may still be on their way to this one."""
        return self.here is not None and self.clock().time() - self._since_s <= self.lease_ms / 1_000

    def _claimed(self, lease: Lease) -> Claim | None:
        """What a worker holds of a job that is submitted only now."""
        raise NotImplementedError

    # -- jobs come and go -------------------------------------------------------------------------------------------

    def submit(self, job: Job, owner: Owner) -> None:
        """Lease a job to the next worker that serves its lane."""
        if self._closing:
            return
        self._away.begin()
        key = (job.run, job.visit)
        known = self._index.get(key)
        if known is not None:
            if known.job.attempt >= job.attempt:
                return
            self._drop(known)
        told = self.unacked.get(job.run, {}).get(job.visit) if self.unacked else None
        if told is not None:
            if told.job.attempt == job.attempt:
                told.job = job  # the commit with its report did not come to be
                self.clock().call_soon(self._told, told)
                return
            self._ack(told)
        lease = self._made(job, key, owner)
        timeout = job.task.spec.timeout
        if timeout.queue_ms:
            lease.wait(self.clock(), timeout, self._expire)
        claim, awaited = self._claimed(lease), self._awaited.pop(key, 0) == job.attempt
        if claim is not None:
            if claim.until_s and claim.worker.line is not None:  # it has not heard of it yet
                claim.worker.line.put(pb.ServerItem(keep=pb.Keep(run=job.run, visit=job.visit, attempt=job.attempt)))
            self._adopt(lease, claim.worker)
            if claim.result is not None:
                self._answered(lease, *claim.result)
        elif (self._away.before and self._comes_back(lease)) or awaited:
            self._expected[key] = lease
            lease.state = "running"
            if lease.holder:
                self._away.lists(lease, lease.holder)  # a life that ends before that worker comes does not forget it
        else:
            self._enter(lease)

    def _comes_back(self, lease: Lease) -> bool:
        """Whether a worker had this attempt in the life before, and may still present it."""
        lease.holder = self._away.holder(lease.job.key, lease.job.attempt)
        return bool(lease.holder) and all(worker.holder != lease.holder for worker in self.workers.values())

    def _made(self, job: Job, key: Key, owner: Owner, instead: Asked | None = None) -> Lease:
        self._age += 1
        age = self._age if job.crashes <= ALONE_MIN else -self._age  # what was lost alone is found out first
        lease = self._index[key] = Lease(
            job, key, owner=owner, lane=Lane(""), age=age, rank=Lease.rank_of(job.priority), instead=instead,
            at_s=self.clock().time(),
        )  # fmt: skip
        self._lane(lease)
        return lease

    def cancel(self, run: str, visit: str, attempt: int | None = None) -> bool:
        """End a lease without a report. Its worker is told."""
        told = self.unacked.get(run, {}).get(visit) if self.unacked else None
        if told is not None and attempt in (None, told.job.attempt):
            self._ack(told)
        lease = self._index.get((run, visit))
        if lease is None or attempt not in (None, lease.job.attempt):
            return False
        self._drop(lease)
        return True

    def withdraw(self, run: str, visit: str) -> Job | None:
        """Give back a job that no worker has, and for which nothing has begun."""
        lease = self._index.get((run, visit))
        if lease is None or lease.state != "queued" or lease.task is not None:
            return None
        lease.job.queued_ms += round((self.clock().time() - lease.at_s) * 1_000)  # its queue timeout goes on
        self._drop(lease)
        return lease.job

    def runs(self, run: str, visit: str) -> bool:
        """Whether a worker has this visit."""
        lease = self._index.get((run, visit))
        return lease is not None and lease.state == "running"

    def held(self, owner: Owner) -> list[Lease]:
        """Every job of an owner here."""
        return [lease for lease in self._index.values() if lease.owner is owner and lease.instead is None]

    def committed(self, run: str, visits: Iterable[str]) -> None:
        """These visits of a run have ended an attempt, durably."""
        of_run = self.unacked.get(run)
        if of_run is not None:
            for visit in visits:
                told = of_run.get(visit)
                if told is not None:
                    self._ack(told)

    # -- from the backlog to a worker -------------------------------------------------------------------------------

    def knows(self, run: str, visit: str, attempt: int, key: str) -> bool:
        """Whether a worker has this attempt, or its result, or may present it: it is submitted at once."""
        return (
            (run, visit) in self._index or visit in self.unacked.get(run, {}) or bool(self._away.holder(key, attempt))
            or self._awaited.get((run, visit)) == attempt
        )  # fmt: skip

    def _broken(self, lease: Lease, fault: Fault) -> None:
        """The values of a job cannot be sent: the attempt has failed."""
        if self._index.get(lease.key) is lease:
            self._let_go(lease)
            lease.worker = None
            self._result(lease, fault, True)

    def _enter(self, lease: Lease, first: bool = False) -> None:
        if not self._sending.encode(lease):
            return
        lease.state = "queued"
        self._backlog.push(lease, first or lease.age < 0)
        self.pump()

    def _given(self, lease: Lease, worker: Worker) -> None:
        if self._needs_guard(lease, worker):
            self._guards(lease, worker)
        else:
            self._send(lease, worker)

    def _needs_guard(self, lease: Lease, worker: Worker) -> bool:
        """Whether a call needs care that has not begun."""
        facts, guard = worker.handlers[lease.handler], lease.owner.guard
        lease.effect = guard.effect(lease, facts)
        return lease.waits is None and guard.needs(lease, facts)

    def _send(self, lease: Lease, worker: Worker) -> None:
        self._hold(lease, worker)
        self.counts["given"] += 1
        self._sending.send(lease)

    def _hold(self, lease: Lease, worker: Worker) -> None:
        """From now on a worker has it."""
        lease.state, lease.worker = "running", worker
        worker.leases[lease.key] = lease
        timeout = lease.job.task.spec.timeout
        if lease.timers is not None or timeout.run_ms or timeout.start_ms or timeout.heartbeat_ms:
            lease.arm(self.clock(), timeout, self._expire)
        self._away.lists(lease, worker.holder)

    def _adopt(self, lease: Lease, worker: Worker) -> None:
        """A worker has it already."""
        lease.begun = True
        self._backlog.remove(lease)
        self._expected.pop(lease.key, None)
        if self._needs_guard(lease, worker):
            self._guards(lease, None)
        self._hold(lease, worker)

    def _let_go(self, lease: Lease) -> None:
        """No worker has it any more."""
        if lease.worker is not None and lease.worker.leases.get(lease.key) is lease:
            del lease.worker.leases[lease.key]

    def _back(self, lease: Lease) -> None:
        """It has not begun: another worker may have it, as the same attempt."""
        if lease.state == "leaving":
            self._verdict(lease)
            return
        self._let_go(lease)
        self._away.unlists(lease)
        lease.worker = None
        lease.disarm()
        self._enter(lease, first=True)

    def _guards(self, lease: Lease, worker: Worker | None) -> None:
        """Begin a call that needs an intent before it, a look into the memo, or a check of what happened. `worker` has
        a place for it; None: its worker has it already."""
        lease.disarm()
        lease.guarded = True
        if worker is not None:
            self._away.lists(
                lease, worker.holder
            )  # before its intent is committed: that it is not there shows that it never came
        lease.task = self.clock().create_task(self._guarded(lease, worker), name="aob-lease")

    async def _guarded(self, lease: Lease, worker: Worker | None) -> None:
        result = await lease.owner.guard.performed(lease, lambda: self._out(lease, worker), self._asked)
        if worker is not None and lease.waits is None:  # it was not needed
            worker.credit += 1
            self.pump()
        if result is None or lease.state == "gone":
            if self._index.get(lease.key) is lease:
                self._drop(lease)
        else:
            self._ended(lease, result)

    async def _out(self, lease: Lease, worker: Worker | None) -> Result:
        """Make the call at a worker."""
        lease.waits = self.clock().create_future()
        if lease.early is not None:
            self._result(lease, *lease.early)
        elif worker is not None:
            if worker.line is None or worker.draining:
                self._enter(lease, first=True)
            else:
                self._send(lease, worker)
        return await lease.waits

    async def _asked(self, lease: Lease, asked: Asked) -> Result:
        """Make another call for a job, at any worker."""
        visit = f"{lease.job.visit}~{asked.handler}"
        job = Job(**{**{name: getattr(lease.job, name) for name in Job.__struct_fields__}, "visit": visit})
        inner = self._made(job, (job.run, visit), lease.owner, asked)
        inner.waits = self.clock().create_future()
        self._enter(inner)
        try:
            return await inner.waits
        finally:
            if self._index.get(inner.key) is inner:
                self._drop(inner)

    def _lose_all(self, worker: Worker, why: str, ours: bool = False) -> None:
        """A worker is gone. When one that may end it had just begun, only that one can be the reason."""
        alone = worker.alone if worker.alone is not None and self._waits_alone(worker) else None
        for lease in list(worker.leases.values()):
            self._lose(lease, why, ours or (alone is not None and lease is not alone))

    def _lose(self, lease: Lease, why: str, ours: bool = False) -> None:
        """Its worker is gone."""
        self._let_go(lease)
        if lease.state == "leaving":
            lease.worker = None
            self._verdict(lease)
            return
        self.counts["lost"] += 1
        name = lease.worker.id if lease.worker is not None else ""
        job = lease.job
        log.warning("lease_lost", worker=name, why=why, run=job.run, visit=job.visit, attempt=job.attempt)
        lease.worker = None
        self._result(lease, Fault(LOST, why, True, {"stop": ours}), True)

    def _answered(self, lease: Lease, result: Result, unexpected: bool) -> None:
        """Its worker reports it."""
        self._let_go(lease)
        lease.answered = True
        if lease.state == "leaving":
            self._verdict(lease)
        else:
            self._result(lease, result, unexpected)

    def _result(self, lease: Lease, result: Result, unexpected: bool) -> None:
        """The call of a lease is over: its guard hears it, or it is reported."""
        waits = lease.waits
        if waits is None:
            if lease.guarded:
                lease.early = (result, unexpected)
            else:
                self._ended(lease, result)
            return
        lease.disarm()
        if lease.instead is not None and lease.answered:
            self._ack(lease)
        if not waits.done():
            if not isinstance(result, Fault):
                waits.set_result(result)
            else:
                waits.set_exception(WorkerFaultError(result) if unexpected else lease.owner.guard.said(result))

    def _ended(self, lease: Lease, result: Result) -> None:
        lease.disarm()
        lease.state = "gone"
        if self._index.get(lease.key) is lease:
            del self._index[lease.key]
        self._expected.pop(lease.key, None)
        lease.result = result
        if lease.answered and lease.worker is not None:
            lease.at_s = self.clock().time()
            self.unacked.setdefault(lease.job.run, {})[lease.job.visit] = lease
        else:
            self._away.unlists(lease)
        self._told(lease)

    def _told(self, lease: Lease) -> None:
        assert lease.result is not None
        try:
            lease.owner.report(lease.job, lease.result)
        except Exception:
            log.exception("report_failed", run=lease.job.run, visit=lease.job.visit, attempt=lease.job.attempt)

    def _ack(self, lease: Lease) -> None:
        """Its result is committed, or cannot count any more."""
        job = lease.job
        self._away.unlists(lease)
        of_run = self.unacked.get(job.run, {})
        if of_run.get(job.visit) is lease:
            del of_run[job.visit]
            if not of_run:
                del self.unacked[job.run]
        worker = self.workers.get(lease.worker.id) if lease.worker is not None else None
        if worker is not None and worker.line is not None:
            worker.line.put(ack_of(job.run, job.visit, job.attempt))

    def _drop(self, lease: Lease) -> None:
        """Nothing from it counts any more."""
        state, lease.state = lease.state, "gone"
        lease.disarm()
        if state == "queued":
            self._backlog.remove(lease)
            self.pump()  # there is room for another
        del self._index[lease.key]
        self._expected.pop(lease.key, None)
        if lease.task is not None:
            lease.task.cancel()
        self._away.unlists(lease)
        if lease.worker is not None and not lease.answered:
            self._tell_cancel(lease)
            self._let_go(lease)
        elif lease.instead is None:
            self._ack(lease)

    def _tell_cancel(self, lease: Lease) -> None:
        worker, job = lease.worker, lease.job
        if worker is not None and worker.line is not None:
            worker.line.put(pb.ServerItem(cancel=pb.Cancel(run=job.run, visit=job.visit, attempt=job.attempt)))

    def _expire(self, attempt: Attempt, fault: Fault) -> None:
        assert isinstance(attempt, Lease)
        lease = attempt
        if lease.state == "queued":
            self._backlog.remove(lease)
            self._result(lease, fault, True)
        elif lease.state == "running":
            lease.state, lease.verdict = "leaving", fault
            lease.disarm()
            self._tell_cancel(lease)
            # A retry should not meet the old attempt during its cleanup.
            self.clock().call_later(GRACE_S, self._give_up, lease)

    def _give_up(self, lease: Lease) -> None:
        if lease.state == "leaving":
            self._let_go(lease)
            lease.worker = None
            self._verdict(lease)

    def _verdict(self, lease: Lease) -> None:
        assert lease.verdict is not None
        self._let_go(lease)
        lease.state = "running"
        self._result(lease, lease.verdict, True)
