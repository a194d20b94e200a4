"""The workers of other processes: they attach, present what they hold, and leave. Knows streams as lines that items are
put on; `server.workers` has the gRPC."""

import asyncio
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Final

from aob.core.answers import JsonObject
from aob.core.errors import Conflict, TooLarge, Unavailable
from aob.core.policy import Caller
from aob.ports.logger import Logger
from aob.ports.workers import KIND, OF_AGENT, Job, Lane, Result
from aob.rpc import BEAT_MS, BYTES_MAX, LEASE_MS, PROTOCOL, VALUE_MAX
from aob.rpc import worker_pb2 as pb
from aob.work.facts import KNOWN_MAX, Facts
from aob.work.pool import Running
from aob.work.remote.claims import Claim, Claims, Key
from aob.work.remote.jobs import ack_of
from aob.work.remote.lease import Holder, Lease, Line, Owner
from aob.work.remote.leases import Leases
from aob.work.remote.sending import Sending
from aob.work.remote.worker import Worker, check_hello, same_name, secrets_of

TICK_S: Final = 1.0
STALE_S: Final = 5.0  # a report without a commit for so long is looked after
DECLINED_S: Final = 2.0  # a worker that gives a job back is offered none of its handler for so long
WORKERS_MAX: Final = 10_000
log: Final = Logger("aob.work")


class Hub(Leases):
    """Leases jobs of all owners of a process to workers of other processes. `running` lists what is at them, for the
    next start: its entries are awaited for a lease time before they are lost."""

    def __init__(
        self, sending: Sending, facts: Facts, *, lease_ms: int = LEASE_MS, running: Running | None = None
    ) -> None:
        super().__init__(sending, lease_ms=lease_ms, running=running)
        self.facts = facts
        self.secrets: Callable[[Caller, Iterable[str]], dict[str, str]] = lambda who, names: {}
        """Those secrets that a worker's handlers name and may be given."""
        self.settings: Callable[[], pb.Settings] = pb.Settings
        """What counts here for built-in kinds."""
        self.url = ""
        """Where workers find the HTTP server."""
        self._claims = Claims()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def clock(self) -> asyncio.AbstractEventLoop:
        """The loop whose time counts; the first call begins to watch it."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._since_s = self._loop.time()
            self._timer = self._loop.call_later(TICK_S, self._tick)
        return self._loop

    def offers(self, handler: str) -> bool:
        """Whether a worker has a handler now."""
        return any(handler in worker.handlers for worker in self.workers.values())

    def performs_kinds(self) -> bool:
        """Whether a worker of built-in kinds is here."""
        return any(worker.offers for worker in self.workers.values())

    def awaits(self, run: str, visit: str, attempt: int, key: str) -> bool:
        """Whether a worker may have this attempt and present it: it is not lost before a lease time is over."""
        if self.here is not None:
            self._awaited[run, visit] = attempt
        return self.here is not None or bool(self._away.holder(key, attempt))

    def knows(self, run: str, visit: str, attempt: int, key: str) -> bool:
        return (run, visit) in self._claims or super().knows(run, visit, attempt, key)

    def lacks(self, lane: Lane, tenant: str) -> str:
        """Why no worker takes jobs of a lane from a tenant; empty: one does."""
        return self.serving.lacks(lane, tenant)

    def told(self, tenant: str) -> list[JsonObject]:
        """The workers of a tenant, and those of all tenants, by name."""
        now = self.clock().time()
        return [worker.told(now) for _, worker in sorted(self.workers.items()) if worker.tenant in ("", tenant)]

    def stands(self, run: str, visit: str, attempt: int, tenant: str = "") -> bool:
        """Whether an attempt of a tenant (empty: of any) is to be done now."""
        return any(owner.stands(run, visit, attempt, tenant) for owner in self.owners)

    def stop(self) -> None:
        """No worker is given a job any more, and every stream ends. What workers have goes on there: they come back to
        the next process. Idempotent."""
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        gone = Unavailable("the home is stopping", code="stopping", hint="come back in a moment")
        for worker in self.workers.values():
            if worker.line is not None:
                worker.line.end(gone)

    def abandon(self, owner: Owner) -> list[Job]:
        """Forget the jobs of an owner that stops, and go on with none of them; returns those that workers have."""
        self.owners = [each for each in self.owners if each is not owner]
        mine = [lease for lease in self._index.values() if lease.owner is owner]
        reported = [lease for of_run in self.unacked.values() for lease in of_run.values() if lease.owner is owner]
        for lease in (*mine, *reported):
            if self.here is not None and lease.worker is not None and lease.instead is None:
                self._drops(lease.worker, lease.key, lease.job.attempt)  # so that the next owner hears of it
        for lease in mine:
            self._backlog.remove(lease)
            lease.state = "gone"
            lease.disarm()
            del self._index[lease.key]
            if lease.worker is not None:
                lease.worker.leases.pop(lease.key, None)
            if lease.task is not None:
                lease.task.cancel()
        for of_run in list(self.unacked.values()):
            for visit in [visit for visit, lease in of_run.items() if lease.owner is owner]:
                del of_run[visit]
        self.unacked = {run: of_run for run, of_run in self.unacked.items() if of_run}
        return [lease.job for lease in mine if lease.worker is not None and lease.instead is None]

    # -- workers come and go ----------------------------------------------------------------------------------------

    def attach(self, hello: pb.Hello, who: Caller, line: Line, all_tenants: bool = False) -> Worker:
        """A worker opens a stream. Raises CallerError for a Hello that cannot be, Unavailable."""
        check_hello(hello, PROTOCOL)
        if self._closing:
            raise Unavailable("the home is stopping", code="stopping", hint="come back in a moment")
        worker = Worker(hello, who, all_tenants)
        known = self.workers.get(worker.id)
        if known is None and len(self.workers) >= WORKERS_MAX:
            raise Unavailable(f"{WORKERS_MAX:,} workers are here", code="too_many_workers")
        if not self.facts.has_room(worker.tenant, worker.handlers):
            raise TooLarge(f"workers of {worker.tenant} have declared {KNOWN_MAX:,} handlers", code="worker_hello")
        worker.since_s = worker.seen_s = self.clock().time()
        if known is not None:
            self._replaced(known, worker)
        self.workers[worker.id] = worker
        self.serving.changed()
        self.pump()
        worker.line = line
        line.put(pb.ServerItem(welcome=pb.Welcome(
            protocol=PROTOCOL, lease_ms=self.lease_ms, beat_ms=min(BEAT_MS, self.lease_ms // 3), bytes_max=BYTES_MAX,
            value_max=VALUE_MAX, url=self.url, secrets=self.secrets(who, secrets_of(hello)),
        )))  # fmt: skip
        if worker.offers:
            line.put(pb.ServerItem(settings=self.settings()))
        for tenant, name in self.paused:
            self._says_paused(worker, tenant, name, True)
        self._presented(worker, line, hello)
        own = (each for name, each in worker.handlers.items() if not name.startswith((KIND, OF_AGENT)))
        self.facts.learn(worker.tenant, worker.id, own)
        log.info("worker_attached", worker=worker.id, build=worker.build, holds=len(worker.leases))
        return worker

    def say_settings(self) -> None:
        """Other settings count from now on for built-in kinds: those who perform them hear of it before the next
        job."""
        told = pb.ServerItem(settings=self.settings())
        for worker in self.workers.values():
            if worker.offers and worker.line is not None:
                worker.line.put(told)

    def unserved(self, owner: Owner) -> list[Job]:
        """Jobs of built-in kinds and of agents that wait although no worker is here for them: they are given back."""
        found = [
            lease for lease in self._index.values()
            if lease.owner is owner and lease.state == "queued" and lease.returns
            and self.lacks(lease.lane, lease.tenant)
        ]  # fmt: skip
        now = self.clock().time()
        for lease in found:
            lease.job.queued_ms += round((now - lease.at_s) * 1_000)
            self._drop(lease)
        return [lease.job for lease in found]

    def pause(self, names: frozenset[tuple[str, str]]) -> None:
        """No jobs of these handlers, by tenant and name, are given out from now on; workers hear of it."""
        before, self.paused = self.paused, names
        for worker in self.workers.values():
            for tenant, name in before ^ names:
                self._says_paused(worker, tenant, name, (tenant, name) in names)
        self.pump()

    def _says_paused(self, worker: Worker, tenant: str, name: str, paused: bool) -> None:
        if worker.line is not None and worker.tenant == tenant and name in worker.handlers:
            worker.line.put(pb.ServerItem(pause=pb.Pause(handler=name, paused=paused)))

    def _replaced(self, known: Worker, worker: Worker) -> None:
        """The same worker is here again: the stream before ends. What another process of that name had is lost."""
        again = known.incarnation == worker.incarnation
        line, known.line = known.line, None
        if line is not None:
            what = "stream" if again else "process"
            line.end(Conflict(
                f"another {what} of the worker {known.name!r} is attached", code="worker_replaced",
                hint="give each process a name of its own: --name",
            ))  # fmt: skip
        if again:
            worker.leases, worker.done = known.leases, known.done
            for lease in worker.leases.values():
                lease.worker = worker
        else:
            self._lose_all(known, "another process took its name")

    def _presented(self, worker: Worker, line: Line, hello: pb.Hello) -> None:
        """What a worker holds is kept or dropped; what it should hold and does not is given out again."""
        here: set[Key] = set()
        for held in hello.held:
            key = (held.run, held.visit)
            here.add(key)
            keeps = self._keeps(worker, key, held.attempt, held.done)
            if keeps:
                line.put(pb.ServerItem(keep=pb.Keep(run=held.run, visit=held.visit, attempt=held.attempt)))
            elif keeps is not None:
                line.put(pb.ServerItem(drop=pb.Drop(run=held.run, visit=held.visit, attempt=held.attempt)))
        for key, lease in list(worker.leases.items()):
            if key not in here and lease.begun:
                self._lose(lease, "its worker has it no more", ours=True)
            elif key not in here:
                self._back(lease)
        for key, lease in list(self._expected.items()):
            if key not in here and same_name(lease.holder, worker):
                del self._expected[key]
                if lease.holder == worker.holder:
                    self._back(lease)
                else:
                    self._lose(lease, "its worker was started again")

    def _keeps(self, worker: Worker, key: Key, attempt: int, done: bool) -> bool | None:
        """Whether a worker is to go on with an attempt; None: that is not known yet."""
        lease = self._index.get(key)
        if lease is None:
            told = self.unacked.get(key[0], {}).get(key[1])
            if told is not None and told.job.attempt == attempt:
                return done and told.worker is not None and told.worker.id == worker.id
            if not self.owns(key[0]):
                until_s = self.clock().time() + self.lease_ms / 1_000
                return None if self._claims.add(key, Claim(attempt, worker, until_s=until_s)) else False
            return self.stands(*key, attempt, worker.tenant) and self._claims.add(key, Claim(attempt, worker))
        if lease.job.attempt != attempt or worker.tenant not in ("", lease.tenant) or lease.state == "leaving":
            return False
        if not worker.may_have(lease.handler, lease.lane):
            had = done and lease.worker is worker  # it was done while the worker had all that it takes
            comes = lease.key in self._expected and lease.holder == worker.holder
            if not had and (comes or lease.worker is worker):
                self._lose(lease, "its worker has other labels or handlers now", ours=True)
            return had
        if lease.worker is not None or (lease.guarded and lease.waits is None):
            return lease.worker is worker
        self._adopt(lease, worker)
        return True

    def _claimed(self, lease: Lease) -> Claim | None:
        found = None
        for claim in self._claims.take(lease.key):
            worker = claim.worker
            if self.workers.get(worker.id) is not worker:
                continue
            ours = claim.attempt == lease.job.attempt and worker.tenant in ("", lease.tenant)
            if found is None and ours and worker.may_have(lease.handler, lease.lane):
                found = claim
            else:
                self._drops(worker, lease.key, claim.attempt)
        return found

    def detached(self, worker: Worker, line: Line, in_order: bool) -> None:
        """A stream ended. Its worker has a lease time to come back; what one that drained `in_order` still has is lost
        now."""
        if worker.line is not line:
            return
        worker.line, worker.credit, worker.seen_s = None, 0, self.clock().time()
        if worker.draining and in_order:
            self._lose_all(worker, "its worker has stopped", ours=True)
        if not worker.leases:
            self._left(worker)

    def _left(self, worker: Worker) -> None:
        if self.workers.get(worker.id) is worker:
            del self.workers[worker.id]
            self.serving.changed()
            self.facts.leave(worker.tenant, worker.id)
            log.info("worker_left", worker=worker.id)
            self.pump()

    # -- what workers say -------------------------------------------------------------------------------------------

    def wants(self, worker: Worker, jobs: int) -> None:
        """A worker has free slots."""
        if not worker.draining:
            worker.credit = min(worker.credit + jobs, max(worker.slots, 1))
            self.pump()

    def drains(self, worker: Worker) -> None:
        """A worker takes no more jobs."""
        worker.draining, worker.credit = True, 0
        self.serving.changed()
        self.pump()

    def reported(self, worker: Worker, key: Key, attempt: int, result: Result, unexpected: bool) -> None:
        """A worker reports an attempt. One that it does not hold is not heard, and need not be kept."""
        lease = worker.leases.get(key)
        if lease is not None and lease.job.attempt == attempt:
            worker.done += 1
            self._answered(lease, result, unexpected)
            return
        told = self.unacked.get(key[0], {}).get(key[1]) if self.unacked else None
        if told is not None and told.job.attempt == attempt and told.worker is not None and told.worker.id == worker.id:
            return  # its Ack is on its way
        claim = self._claims.of(key, attempt, worker)
        if claim is not None:
            claim.result = (result, unexpected)
            return
        self.counts["strays"] += 1
        if self.owns(key[0]):
            self._acks(worker, key, attempt)
        else:
            self._drops(worker, key, attempt)

    def declined(self, worker: Worker, key: Key, attempt: int) -> None:
        """A worker gives a job back that has not begun."""
        self._acks(worker, key, attempt)
        lease = worker.leases.get(key)
        if lease is None or lease.job.attempt != attempt:
            return
        self.counts["declined"] += 1
        worker.declined[lease.handler] = self.clock().time() + DECLINED_S
        self._back(lease)

    def _acks(self, worker: Worker, key: Key, attempt: int) -> None:
        if worker.line is not None:
            worker.line.put(ack_of(*key, attempt))

    def _drops(self, worker: Holder, key: Key, attempt: int) -> None:
        """This process knows nothing of it (any more)."""
        if worker.line is not None:
            worker.line.put(pb.ServerItem(drop=pb.Drop(run=key[0], visit=key[1], attempt=attempt)))

    # -- time -------------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        loop = self.clock()
        now, lease_s = loop.time(), self.lease_ms / 1_000
        for worker in list(self.workers.values()):
            if worker.declined:
                worker.declined = {name: until for name, until in worker.declined.items() if until > now}
            if now - worker.seen_s > lease_s:
                self._silent(worker)
        over = now - self._since_s > lease_s
        if over:
            self._away.before = {}
        for lease in list(self._expected.values()):
            if over if lease.holder else now - lease.at_s > lease_s:
                self._lose(lease, "its worker did not come back")
        for lease in [each for of_run in self.unacked.values() for each in of_run.values()]:
            if now - lease.at_s > STALE_S:
                job = lease.job
                lease.at_s = now
                if not self.stands(job.run, job.visit, job.attempt):
                    self._ack(lease)
        self._look_at_claims(now)
        self.pump()
        self._timer = loop.call_later(min(TICK_S, lease_s / 4), self._tick)

    def _look_at_claims(self, now: float) -> None:
        """Forget those of attempts that are not to be done, or whose shard did not come."""
        for key, claim in self._claims:
            if claim.until_s > now and not self.owns(key[0]):
                continue
            if not self.stands(*key, claim.attempt, claim.worker.tenant):
                self._claims.forget(key, claim)
                if claim.until_s:
                    self._drops(claim.worker, key, claim.attempt)
                elif claim.result is not None:
                    self._acks(claim.worker, key, claim.attempt)
        for key, attempt in list(self._awaited.items()):
            if not self.stands(*key, attempt):
                del self._awaited[key]

    def _silent(self, worker: Worker) -> None:
        """No frame came for a lease time."""
        self._lose_all(worker, "its worker was silent for too long")
        line, worker.line = worker.line, None
        if line is not None:
            line.end(Unavailable("no frame came for a lease time", code="worker_silent", hint="come back"))
        self._left(worker)

    def lanes(self) -> dict[Lane, tuple[int, float]]:
        """How many jobs wait in each lane, here or with their runs, and for how many seconds the oldest does."""
        now = self.clock().time()
        oldest: dict[Lane, Lease] = self._backlog.oldest()
        waits = [(lane._replace(alone=False), count, oldest[lane].at_s) for lane, count in self._backlog.lanes.items()]
        found: dict[Lane, tuple[int, float]] = {}
        for lane, count, since_s in chain(waits, *(owner.parked() for owner in self.owners)):
            many, longest = found.get(lane, (0, 0.0))
            found[lane] = many + count, max(longest, now - since_s)
        return found
