"""Performs jobs and reports by one callback: bounded, by priority, with timeouts, cancellable. Never raises on a job.
`report(job, result)` is called on the loop, once for each job, with Done or Fault; never for a cancelled one: the
canceller has decided. Jobs are not stored: at a stop, queued and running ones are dropped, and the owner dispatches
them again from its commits."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from time import perf_counter
from typing import Final

import msgspec

from aob.core.errors import said
from aob.ports.logger import Logger
from aob.ports.workers import Done, Fault, Job, Report, Result, Workers
from aob.work.handlers import Place
from aob.work.pool.attempt import Attempt
from aob.work.pool.handler_tasks import task_factory
from aob.work.pool.limits import PROCESSES_MAX, THREADS_MAX, Limits
from aob.work.pool.network_places import KINDS
from aob.work.pool.place_workers import Keep, PlaceWorkers
from aob.work.pool.running import Running
from aob.work.pool.steps import Bare, Perform, never

GRACE_S: Final = 5.0
"""How long an attempt after a timeout may clean up before its fault is reported without waiting for it."""

DRAIN_S: Final = 5.0


class PoolHealth(msgspec.Struct, frozen=True):
    """Present counts, for `aob doctor`. `leaving` were told to stop and have not ended; `blocked` counts, by handler,
    the steps that held the loop too long since the start."""

    waiting: int
    running: int
    leaving: int
    workers: int
    blocked: Mapping[str, int]


def on_loop(job: Job) -> Place:
    """The default place of every job."""
    return "loop"


class Pool(Workers, AbstractAsyncContextManager["Pool"]):
    """The workers of this process: `concurrency` on the loop, besides `threads` and `processes` at a time for handlers
    there; a tenant may hold all of each, with spare ones for tenants that hold few (`Shares`). `place` says where a job
    runs; `keep` stores an output over ROW_MAX before it is reported (`Blobs.put`). Pools with the same `limits` share
    them."""

    def __init__(
        self,
        concurrency: int,
        perform: Perform,
        report: Report,
        *,
        place: Callable[[Job], Place] = on_loop,
        threads: int = THREADS_MAX,
        processes: int = PROCESSES_MAX,
        keep: Keep | None = None,
        running: Running | None = None,
        log: Logger | None = None,
        bare: Bare | None = None,
        limits: Limits | None = None,
    ) -> None:
        limits = limits or Limits(concurrency, threads, processes)
        self._place = place
        self._report = report
        self._log = log or Logger("aob.work")
        self._index: dict[tuple[str, str], Attempt] = {}
        self._blocked: Counter[str] = Counter()
        self._crews = {
            place: PlaceWorkers(shares, perform, self._ended, self._expire, self._saw_blocked, keep, running,
                        index=self._index, stepped=self._stepped, bare=bare or never)
            for place, shares in limits.shares.items()
        }  # fmt: skip
        self._loop_crew = self._crews["loop"]
        self._steps = self._loop_crew.steps
        self._outward = limits.outward
        self._closing = False
        self._continued_at = 0.0
        self.cut_off: list[Job] = []  # attempts that a stop cut off: they were running and did not end in time
        self._empty: asyncio.Event | None = None
        self._stopped: asyncio.Future[None] | None = None

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    @property
    def waiting(self) -> int:
        """The number of jobs that wait for a worker (cancelled ones may still be counted)."""
        return sum(len(crew.lanes) for crew in self._crews.values()) + len(self._outward) + len(self._steps)

    def submit(self, job: Job) -> None:
        """Take a job. A job already held is ignored; a later attempt of its visit replaces the earlier one."""
        if self._closing:
            return
        key, steps = (job.run, job.visit), self._steps
        known = self._index.get(key)
        if known is not None:
            if known.job.attempt >= job.attempt:
                return
            self._drop(known)
        elif key in steps:
            if steps[key][0].attempt >= job.attempt:
                return
            del steps[key]
        if (call := steps.call_of(job)) is not None and not job.has_input_map and self._loop_crew.step(key, job, call):
            return
        attempt = self._index[key] = Attempt(job, key)
        timeout = job.task.spec.timeout
        if timeout.queue_ms:
            attempt.wait(asyncio.get_running_loop(), timeout, self._expire)
        if job.task.kind in KINDS:
            attempt.granted = self._push
            if not self._outward.take(attempt):
                return
        place = self._place
        self._crews["loop" if place is on_loop else place(job)].push(attempt)

    def cancel(self, run: str, visit: str, attempt: int | None = None) -> bool:
        """Stop a job without a report: an async handler is cancelled, a process killed, a thread fenced. Returns False
        when the pool does not hold it (or holds another attempt than the one named)."""
        held = self._of((run, visit))
        if held is None and (step := self._steps.get((run, visit))) and attempt in (None, step[0].attempt):
            del self._steps[run, visit]
            return True
        if held is None or (attempt is not None and held.job.attempt != attempt):
            return False
        self._drop(held)
        return True

    def end(self, run: str, visit: str, attempt: int, fault: Fault) -> bool:
        """Stop an attempt as a timeout does: `fault` is reported once it has ended, after a grace at the latest. False
        when the pool does not hold it."""
        held = self._of((run, visit))
        if held is None and (step := self._steps.get((run, visit))) and step[0].attempt == attempt:
            del self._steps[run, visit]
            self._ended(Attempt(step[0], (run, visit), "running"), fault)
            return True
        if held is None or held.job.attempt != attempt:
            return False
        self._expire(held, fault)
        return True

    def withdraw(self, run: str, visit: str) -> Job | None:
        """Give back a job that no worker has begun. One with a timeout for its wait stays."""
        if step := self._steps.pop((run, visit), None):
            return step[0]
        attempt = self._index.get((run, visit))
        if attempt is None or attempt.state != "queued" or attempt.timers is not None:
            return None
        self._drop(attempt)
        return attempt.job

    def runs(self, run: str, visit: str) -> bool:
        """Whether a worker here has begun this visit."""
        held = self._of((run, visit))
        return held is not None and held.state == "running"

    def _of(self, key: tuple[str, str]) -> Attempt | None:
        return self._index.get(key) or self._loop_crew.at_work(key)

    def held(self) -> dict[tuple[str, str], int]:
        """The run and visit of every waiting or running job here, and its attempt."""
        steps = {key: job.attempt for key, (job, _) in self._steps.items()}
        return steps | {key: attempt.job.attempt for key, attempt in self._index.items()}

    async def stop(self, drain_s: float = DRAIN_S) -> None:
        """Take no new jobs, let running ones end within `drain_s`, then cancel the rest. Idempotent."""
        if self._stopped is not None:
            await asyncio.shield(self._stopped)
            return
        loop = asyncio.get_running_loop()
        self._stopped = loop.create_future()
        self._closing = True
        self._empty = asyncio.Event()
        try:
            self._steps.clear()
            for crew in self._crews.values():
                crew.lanes.clear()
            for attempt in [a for a in self._index.values() if a.state == "queued"]:
                self._drop(attempt)
            await self._drained(drain_s)
            self.cut_off = [attempt.job for attempt in self._index.values()]
            for attempt in list(self._index.values()):
                self._drop(attempt)
            leaving = [task for crew in self._crews.values() for task in crew.leaving]
            if leaving:
                await asyncio.wait(leaving, timeout=GRACE_S)
            for crew in self._crews.values():
                await crew.close()
        finally:
            self._stopped.set_result(None)

    def health(self) -> PoolHealth:
        """Counts of now."""
        states = Counter(attempt.state for attempt in self._index.values())
        crews = self._crews.values()
        return PoolHealth(
            waiting=states["queued"] + len(self._steps),
            running=states["running"],
            leaving=sum(len(crew.leaving) for crew in crews),
            workers=sum(len(crew.workers) for crew in crews),
            blocked=dict(self._blocked),
        )

    async def _drained(self, drain_s: float) -> None:
        if self._empty is None or not self._index:
            return
        try:
            async with asyncio.timeout(drain_s):
                await self._empty.wait()
        except TimeoutError:
            names = sorted({label(attempt.job) for attempt in self._index.values()})
            self._log.warning("pool_drain_ended", running=len(self._index), handlers=names[:10])

    def _drop(self, attempt: Attempt) -> None:
        if attempt.state == "queued":
            self._unqueue(attempt)
        running = attempt.state == "running"
        attempt.state = "gone"
        self._forget(attempt)
        if running:
            self._crews[self._place(attempt.job)].detach(attempt)

    def _unqueue(self, attempt: Attempt) -> None:
        """Remove an attempt from where it waits, so that it is dropped before its turn."""
        attempt.state = "gone"
        lanes = self._outward.lanes_of(attempt)
        (self._crews[self._place(attempt.job)].lanes if lanes is None else lanes).unwanted(_queued)

    def _expire(self, attempt: Attempt, fault: Fault) -> None:
        if attempt.state == "queued":
            self._unqueue(attempt)
            self._tell(attempt, fault)
        elif attempt.state == "running":
            attempt.state = "leaving"
            attempt.verdict = fault
            attempt.disarm()
            self._crews[self._place(attempt.job)].detach(attempt)
            # A retry should not meet the old attempt during its cleanup, so its end is awaited, within bounds.
            asyncio.get_running_loop().call_later(GRACE_S, self._give_up, attempt)

    def _give_up(self, attempt: Attempt) -> None:
        if attempt.state == "leaving" and attempt.verdict is not None:
            self._log.warning("handler_ignores_cancel", **facts(attempt.job))
            attempt.state = "gone"
            self._tell(attempt, attempt.verdict)

    def _ended(self, attempt: Attempt, result: Result) -> None:
        if attempt.state == "running":
            # As `_tell` does, written out: nearly every job takes this path.
            if attempt.timers is not None:
                attempt.disarm()
            if attempt.place:
                self._leave(attempt)
            index = self._index
            if index.get(attempt.key) is attempt:
                del index[attempt.key]
            try:
                self._report(attempt.job, result)
            except Exception:
                self._log.exception("report_failed", **facts(attempt.job))
            if self._empty is not None and not index:
                self._empty.set()
        elif attempt.state == "leaving" and attempt.verdict is not None:
            attempt.state = "gone"
            self._tell(attempt, attempt.verdict)

    def _stepped(self, job: Job, done: Done) -> None:
        """A bare job is done whose start was not observed."""
        try:
            self._report(job, done)
        except Exception:
            self._log.exception("report_failed", **facts(job))

    def _tell(self, attempt: Attempt, result: Result) -> None:
        # Removed first: the callback may submit the next attempt of the same visit.
        self._forget(attempt)
        try:
            self._report(attempt.job, result)
        except Exception:
            self._log.exception("report_failed", **facts(attempt.job))

    def _leave(self, attempt: Attempt) -> None:
        """Free its network place; those that waited for one go to the workers."""
        for ready in self._outward.leave(attempt):
            if ready.granted is not None:
                ready.granted(ready)

    def _push(self, attempt: Attempt) -> None:
        self._crews[self._place(attempt.job)].push(attempt)

    def _forget(self, attempt: Attempt) -> None:
        attempt.disarm()
        if attempt.place:
            self._leave(attempt)
        if self._index.get(attempt.key) is attempt:
            del self._index[attempt.key]
        if self._empty is not None and not self._index:
            self._empty.set()

    def contain(self) -> None:
        """From now on a task of a handler ends only itself, whatever it raises. For a loop that is ours."""
        asyncio.get_running_loop().set_task_factory(task_factory(self._saw_exit))

    def _saw_exit(self, job: Job, error: BaseException) -> None:
        self._log.warning("handler_task_ended", error=type(error).__name__, message=said(error), **facts(job))

    def continued(self) -> None:
        """This process was stopped and continues: no handler has held the loop meanwhile."""
        self._continued_at = perf_counter()

    def _saw_blocked(self, job: Job, seconds: float) -> None:
        # One loop turn later: a signal that reports the stop has been handled by then.
        asyncio.get_running_loop().call_soon(self._judge_blocked, job, seconds, perf_counter() - seconds)

    def _judge_blocked(self, job: Job, seconds: float, began: float) -> None:
        if self._continued_at >= began:
            self._log.info("process_was_stopped", **facts(job))
            return
        self._blocked[label(job)] += 1
        self._log.warning("loop_blocked", ms=round(seconds * 1_000), **facts(job))


def _queued(attempt: Attempt) -> bool:
    return attempt.state == "queued"


def label(job: Job) -> str:
    """The name of a job's work for people: its handler's name, else its kind."""
    name = getattr(job.task.config, "handler", "")
    return name or job.task.kind


def facts(job: Job) -> dict[str, object]:
    """The fields that name a job in a log line."""
    return {"handler": label(job), "run": job.run, "visit": job.visit, "attempt": job.attempt}
