"""Workers of one place: perform attempts and report results through one callback. Bounded, made on demand, shared by
the tenants whose jobs suspend. A worker is a long-lived task that drives one coroutine after another by hand. A handler
that never suspends finishes within the same loop step and costs no task; only one that suspends wakes the next worker.
Each job has its own context (contextvars), and `asyncio.current_task()` is the worker."""

import asyncio
import contextvars
import types
from collections.abc import Callable, Coroutine, Generator
from time import perf_counter

from aob.core.graph.compiled import Timeouts
from aob.core.value import ROW_MAX, Ref
from aob.ports.workers import Done, Fault, Job, Result
from aob.work.outcome import by_a_person, fault_of, result_of
from aob.work.pool.attempt import Attempt, Expire
from aob.work.pool.handler_tasks import SEAT, Seat
from aob.work.pool.priority_queue import PriorityQueue
from aob.work.pool.running import Running
from aob.work.pool.shares import Shares
from aob.work.pool.stepping import BLOCK_S, BURST_JOBS, BURST_S, Rest, Stepping
from aob.work.pool.steps import Bare, Perform, never

Keep = Callable[[str, bytes], Coroutine[object, object, Ref]]
"""Stores a large output of a tenant durably, before its result is reported."""


class PlaceWorkers(Stepping):
    """The workers of one place. `ended(attempt, result)` is called once for each attempt when it ends."""

    def __init__(
        self,
        shares: Shares,
        perform: Perform,
        ended: Callable[[Attempt, Result], None],
        expire: Expire,
        blocked: Callable[[Job, float], None],
        keep: Keep | None,
        running: Running | None = None,
        *,
        index: dict[tuple[str, str], Attempt],
        stepped: Callable[[Job, Done], None],
        bare: Bare = never,
    ) -> None:
        super().__init__(index, stepped, bare)
        self._limit, self._shares = shares.limit, shares
        shares.users.append(self._freed)
        self._perform = perform
        self._ended = ended
        self._expire = expire
        self._blocked = blocked
        self._keep = keep
        self._running = running
        self.lanes: PriorityQueue[Attempt] = PriorityQueue()
        self.workers: dict[asyncio.Task[None], None] = {}  # ended in their order, so that a simulated world repeats
        self.leaving: set[asyncio.Task[None]] = set()
        self._idle: list[asyncio.Future[None]] = []
        self._awake = 0  # workers in their loop: neither idle nor inside a suspended handler

    def push(self, attempt: Attempt) -> None:
        """Queue an attempt for a worker."""
        job = attempt.job
        self.lanes.push(attempt, job.priority, job.tenant)
        if not self._awake:
            self._go_on()

    def detach(self, attempt: Attempt) -> None:
        """Tell the worker of a running attempt to stop; its place is free for another one at once."""
        task = attempt.task
        if task is None:
            return
        self.workers.pop(task, None)
        self.leaving.add(task)
        task.cancel()
        self._release(attempt)
        if not self._awake:
            self._go_on()

    async def close(self) -> None:
        """End all workers. Attempts that still run were detached before."""
        for task in self.workers:
            task.cancel()
        await asyncio.gather(*self.workers, return_exceptions=True)
        self.workers.clear()
        self._idle.clear()
        if self._freed in self._shares.users:
            self._shares.users.remove(self._freed)

    def _freed(self) -> None:
        """A worker of this place is free, in this pool or another that shares its limit."""
        if not self._awake and (self.lanes or self.steps):
            self._go_on()

    def _release(self, attempt: Attempt) -> None:
        """The attempt no longer holds its worker."""
        if attempt.holds:
            attempt.holds = False
            self._shares.give(attempt.job.tenant)

    def _may(self, attempt: Attempt) -> bool:
        return self._shares.may(attempt.job.tenant)

    def _go_on(self) -> None:
        """Wake a worker when none is awake and a job may begin."""
        lanes = self.lanes
        if self.steps:
            self._queue_steps()
        if lanes and (self._shares.total < self._limit or lanes.any_that(self._may)):
            self._wake()

    def _wake(self) -> None:
        while self._idle:
            sleeper = self._idle.pop()
            if not sleeper.done():
                self._awake += 1
                sleeper.set_result(None)
                return
        if len(self.workers) < self._shares.most:
            self._awake += 1
            # In a new context: the waking code may be working for a handler.
            loop, context = asyncio.get_running_loop(), contextvars.Context()
            task = loop.create_task(self._work(), name="aob-worker", context=context)
            self.workers[task] = None
            task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self.workers.pop(task, None)
        self.leaving.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error  # a bug in the pool itself: report it to the loop's exception handler

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        me = asyncio.current_task()
        pop, begin = self.lanes.pop, self._begin
        shares, limit, steps = self._shares, self._limit, self.steps
        seat = Seat()
        SEAT.set(seat)
        burst = perf_counter()
        jobs = 0
        running = self._running
        slot = running.take() if running is not None else 0
        try:
            while True:
                if steps:
                    if await self._on_steps(me, slot, seat):
                        return
                    burst, jobs = perf_counter(), 0
                    continue
                attempt = pop() if shares.total < limit else self.lanes.pop_that(self._may)
                if attempt is None:
                    seat.job = None
                    if running is not None:
                        running.clear(slot)
                    sleeper = loop.create_future()
                    self._idle.append(sleeper)
                    self._awake -= 1
                    await sleeper  # its waker counts it as awake
                    burst = perf_counter()
                    jobs = 0
                    continue
                if attempt.state != "queued":
                    continue
                attempt.task = me
                seat.job = job = attempt.job
                if running is not None and slot:
                    running.begin(slot, job.key, job.attempt)
                rest = begin(attempt, loop)
                if rest is not None:
                    await self._through(attempt, rest)
                if attempt.told_to_stop:
                    return  # another worker has this place now
                jobs += 1
                if jobs >= BURST_JOBS or perf_counter() - burst > BURST_S:
                    await asyncio.sleep(0)
                    burst = perf_counter()
                    jobs = 0
        finally:
            if running is not None:
                running.give(slot)
            self._awake -= 1
            if not self._awake and (self.lanes or self.steps):
                self._go_on()

    async def _on_steps(self, me: "asyncio.Task[None] | None", slot: int, seat: Seat) -> bool:
        """Perform a burst of bare jobs, which arrived first; the remaining ones then alternate with later arrivals.
        True when another has the place of this worker."""
        if self._shares.total >= self._limit:
            self._queue_steps()
        elif (begun := self._step(me, slot, seat)) is not None:
            await self._through(*begun)
            return begun[0].told_to_stop
        elif self.steps:
            if any(self.lanes.rings):
                self._queue_steps()
            await asyncio.sleep(0)
        return False

    async def _through(self, attempt: Attempt, rest: Rest | None) -> None:
        """Await the rest of an attempt; meanwhile it holds its worker."""
        if rest is None:
            return
        attempt.holds = True
        self._shares.take(attempt.job.tenant)
        try:
            await rest
        finally:
            self._release(attempt)

    def _begin(self, attempt: Attempt, loop: asyncio.AbstractEventLoop) -> Rest | None:
        """Perform a job as far as it gets in one step. The rest, where it must wait, is to be awaited."""
        attempt.state = "running"
        job = attempt.job
        timeout: Timeouts = job.task.spec.timeout
        if timeout.run_ms or timeout.start_ms or timeout.heartbeat_ms:
            attempt.arm(loop, timeout, self._expire)
            job = attempt.job
        elif attempt.timers is not None:
            attempt.disarm()  # the queue timeout: it was picked up in time
        began = perf_counter()
        try:
            coroutine = self._perform(job)
            context = contextvars.copy_context()
            waits = context.run(coroutine.send, None)
        except StopIteration as stop:
            return self._end(attempt, stop.value, began)
        except BaseException as error:  # SystemExit too: a handler must not end the platform
            if by_a_person(error):
                raise
            self._ended(attempt, fault_of(error))
            return None
        if perf_counter() - began > BLOCK_S:
            self._blocked(job, perf_counter() - began)
        return self._rest(attempt, coroutine, context, waits, began)

    def _end(self, attempt: Attempt, raw: object, began: float, since: float = 0.0) -> Rest | None:
        """Report a handler's return value; an output to be stored first is left to be awaited."""
        now = perf_counter()
        if now - (since or began) > BLOCK_S:
            self._blocked(attempt.job, now - (since or began))
        raw = result_of(raw)
        if isinstance(raw, Fault):
            self._ended(attempt, raw)
            return None
        raw.took_us = int((now - began) * 1e6)
        if len(raw.data) > ROW_MAX and self._keep is not None and raw.ref is None:
            return self._kept(attempt, raw, self._keep)
        self._ended(attempt, raw)
        return None

    async def _rest(
        self,
        attempt: Attempt,
        coroutine: Coroutine[object, object, object],
        context: contextvars.Context,
        waits: object,
        began: float,
    ) -> None:
        """The rest of a job whose handler has suspended."""
        try:
            raw = await self._carry(coroutine, context, waits, attempt.job)
        except BaseException as error:
            if by_a_person(error):
                raise
            itself = isinstance(error, asyncio.CancelledError) and not attempt.told_to_stop and _cancelled()
            self._ended(attempt, fault_of(error))
            if itself:
                raise  # by the handler, whose task this is, or by the closing loop: another worker takes its place
            return
        left = self._end(attempt, raw, began, perf_counter())
        if left is not None:
            await left

    async def _kept(self, attempt: Attempt, done: Done, keep: Keep) -> None:
        """Store a large output, then report it."""
        self._awake -= 1
        if not self._awake:
            self._go_on()
        result: Result = done
        try:
            done.ref = await keep(attempt.job.tenant, done.data)
        except Exception as error:
            result = fault_of(error)
        finally:
            self._awake += 1
        self._ended(attempt, result)

    @types.coroutine
    def _carry(
        self, coroutine: Coroutine[object, object, object], context: contextvars.Context, waits: object, job: Job
    ) -> Generator[object, object, object]:
        """Drive a suspended coroutine to its end, timing each of its steps."""
        while True:
            self._awake -= 1
            if not self._awake and (self.lanes or self.steps):
                self._go_on()
            error: BaseException | None = None
            sent: object = None
            try:
                sent = yield waits
            except BaseException as thrown:
                error = thrown
            self._awake += 1
            began = perf_counter()
            try:
                waits = context.run(coroutine.send, sent) if error is None else context.run(coroutine.throw, error)
            except StopIteration as stop:
                return stop.value
            finally:
                if perf_counter() - began > BLOCK_S:
                    self._blocked(job, perf_counter() - began)


def _cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
