"""Bare jobs at a worker: each is a call, a context and one step. One that must wait becomes an attempt."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from time import perf_counter
from typing import Final

from aob.core.value import ROW_MAX
from aob.ports.workers import Done, Job, Result
from aob.work.outcome import by_a_person, fault_of, result_of
from aob.work.pool.attempt import Attempt
from aob.work.pool.handler_tasks import Seat
from aob.work.pool.priority_queue import PriorityQueue
from aob.work.pool.running import Running
from aob.work.pool.shares import Shares
from aob.work.pool.steps import STEPS_MAX, Bare, Perform, Steps

BURST_JOBS: Final = 64
BURST_S: Final = 0.002  # A worker gives the loop a turn after this many jobs, or this long, whichever is sooner

BLOCK_S: Final = 0.1  # a step of a handler that holds the loop this long is reported

Rest = Coroutine[object, object, None]  # the rest of a job that must wait


class Stepping:
    """The bare jobs of one place. The owner of the workers defines how an attempt ends and continues."""

    lanes: PriorityQueue[Attempt]
    _limit: int
    _shares: Shares
    _awake: int
    _running: Running | None
    _blocked: Callable[[Job, float], None]
    _ended: Callable[[Attempt, Result], None]

    def __init__(self, index: dict[tuple[str, str], Attempt], stepped: Callable[[Job, Done], None], bare: Bare) -> None:
        self._index, self._stepped = index, stepped
        self.steps = Steps(bare)
        self._at_work: tuple[Seat, asyncio.Task[None] | None] = Seat(), None
        self._seen: Attempt | None = None

    def _wake(self) -> None:
        raise NotImplementedError

    def _end(self, attempt: Attempt, raw: object, began: float, since: float = 0.0) -> Rest | None:
        raise NotImplementedError

    def _rest(
        self,
        attempt: Attempt,
        coroutine: Coroutine[object, object, object],
        context: contextvars.Context,
        waits: object,
        began: float,
    ) -> Rest:
        raise NotImplementedError

    def step(self, key: tuple[str, str], job: Job, call: Perform) -> bool:
        """Take a bare job before all that is queued later, if nothing is queued now. False when it must be queued
        itself."""
        steps = self.steps
        if any(self.lanes.rings):
            return False
        if steps:
            if job.tenant != steps.tenant or job.priority != steps.priority or len(steps) >= STEPS_MAX:
                return False
            steps[key] = job, call
            return True
        if self._shares.total >= self._limit:
            return False
        steps.tenant, steps.priority = job.tenant, job.priority
        steps[key] = job, call
        if not self._awake:
            self._wake()
        return True

    def _queue_steps(self) -> None:
        """Other jobs wait: queue the remaining bare jobs with them."""
        while self.steps:
            key, (job, _) = self.steps.popitem(last=False)
            attempt = self._index[key] = Attempt(job, key)
            self.lanes.push(attempt, job.priority, job.tenant)

    def _step(self, me: "asyncio.Task[None] | None", slot: int, seat: Seat) -> tuple[Attempt, Rest | None] | None:
        """Perform a burst of bare jobs. The first that suspends, whose output must be stored, or that was cancelled, is
        an attempt from now on; its rest is to be awaited."""
        steps, stepped, copy_context = self.steps, self._stepped, contextvars.copy_context
        running = self._running if slot else None
        now, left = perf_counter(), BURST_JOBS
        until = now + BURST_S
        while steps and left and now < until:
            key, (job, call) = steps.popitem(last=False)
            left -= 1
            seat.job = job
            if running is not None:
                running.begin(slot, job.key, job.attempt)
            self._at_work = seat, me
            began = perf_counter()
            rest: Rest | None = None
            try:
                coroutine = call(job)
                context = copy_context()
                waits = context.run(coroutine.send, None)
            except StopIteration as stop:
                now = perf_counter()
                raw = result_of(stop.value)
                if type(raw) is Done and len(raw.data) <= ROW_MAX and now - began < BLOCK_S and seat.job is job:
                    # As in `_end`, written out: most jobs take this path.
                    raw.took_us = int((now - began) * 1e6)
                    seat.job = None
                    stepped(job, raw)
                    continue
                attempt = self._attempt_of(key, job)
                if isinstance(raw, Done):
                    rest = self._end(attempt, raw, began)
                else:
                    self._ended(attempt, raw)
            except BaseException as error:  # as in `_begin`
                if by_a_person(error):
                    raise
                now = perf_counter()
                attempt = self._attempt_of(key, job)
                self._ended(attempt, fault_of(error))
            else:
                now = perf_counter()
                if now - began > BLOCK_S:
                    self._blocked(job, now - began)
                attempt = self._attempt_of(key, job)
                rest = self._rest(attempt, coroutine, context, waits, began)
            if rest is not None or attempt.told_to_stop:
                return attempt, rest
        self._at_work = Seat(), None  # what its worker performs next is no step
        return None

    def at_work(self, key: tuple[str, str]) -> Attempt | None:
        """The bare job that is in its first step now, as an attempt."""
        seat, worker = self._at_work
        job = seat.job
        if worker is None or job is None or (job.run, job.visit) != key or key in self._index:
            return None
        seat.job = None  # `_step` sees that it was observed
        self._seen = self._index[key] = Attempt(job, key, "running", worker)
        return self._seen

    def _attempt_of(self, key: tuple[str, str], job: Job) -> Attempt:
        """A bare job as a running attempt."""
        seat, worker = self._at_work
        self._at_work = Seat(), None
        if seat.job is None and self._seen is not None:
            attempt, self._seen, seat.job = self._seen, None, job
        else:
            attempt = self._index[key] = Attempt(job, key, "running", worker)
        return attempt
