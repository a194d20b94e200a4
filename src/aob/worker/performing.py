"""Performs what a worker holds, by the pool of this process, and turns results into answers."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from typing import Any, Final, Protocol

import msgspec

from aob.core.errors import shown
from aob.core.graph.compiled import NodeSpec, Task, Timeouts
from aob.core.node import FunctionConfig
from aob.core.value import canonical, decode
from aob.ports.logger import Logger
from aob.ports.telemetry import Telemetry
from aob.ports.workers import Done, Fault, Job, Result
from aob.work import STOPPED, UNCERTAIN, Context, HandlerTable, WorkError, under_trace
from aob.work.kinds import barer, perform_function, placer
from aob.work.pool import Perform, Pool, Processes, Threads
from aob.work.secrets import NOWHERE, Secrets, Vault
from aob.worker.agents import OfferedAgents
from aob.worker.blobs import Values
from aob.worker.context import StreamContext
from aob.worker.holding import Held, Holding, decline
from aob.worker.wire import pb

PROCESSES: Final = 2
TASKS_MAX: Final = 4_096
CANCELLED: Final = Fault("cancelled", "the server has cancelled this attempt", True)
UNSAID: Final = frozenset({"exception", CANCELLED.code})

log: Final = Logger("aob.worker")


class _Beating(Job, eq=False):
    """A job whose beginning is told to the server."""

    beat: Callable[[], None] = lambda: None

    def pulse(self) -> None:
        """The work begins."""
        self.beat()


class _Node(msgspec.Struct, frozen=True):
    """What a call needs to know of its node."""

    id: str
    hash: str
    rules: int


class _Called(msgspec.Struct, frozen=True):
    """The tools of a handler's call."""

    handlers: HandlerTable
    threads: Threads
    processes: Processes
    vault: Secrets


class Kinds(Protocol):
    """Performs built-in kinds."""

    def lacks(self, kind: str) -> str:
        """What is missing for jobs of a kind now; empty: nothing."""

    def perform(self, job: Job, context: Context) -> Coroutine[object, object, object]:
        """The work of a job."""


class Given:
    """The secrets that the home has given for the names in Hello, else those of this process's own environment."""

    def __init__(self, holding: Holding) -> None:
        self._holding, self._own = holding, Vault(NOWHERE)

    def value(self, name: str, host: str | None) -> str:
        """The value of a secret. Raises WorkError `secret_missing`."""
        return self._holding.secrets.get(name) or self._own.value(name, host)


class Performing(AbstractAsyncContextManager["Performing"]):
    """The pool of a worker. `slots` jobs at once, in threads as many; `cpu` handlers in `processes`; built-in kinds by
    `kinds`. `telemetry` takes the spans of jobs that have a trace."""

    def __init__(
        self, handlers: HandlerTable, holding: Holding, values: Values, slots: int, processes: int = PROCESSES,
        kinds: Kinds | None = None, telemetry: Telemetry | None = None,
    ) -> None:  # fmt: skip
        self._telemetry = telemetry
        self._handlers, self._holding, self._values, self._kinds = handlers, holding, values, kinds
        self._agents = OfferedAgents(handlers.agents)
        self._slots, self._processes = slots, processes
        self._stack = AsyncExitStack()
        self._tasks: dict[tuple[bytes, str], Task] = {}
        self._timed: set[int] = set()
        self._aside: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._tools: _Called
        self.pool: Pool
        holding.performer = self

    async def __aenter__(self) -> "Performing":
        threads = await self._stack.enter_async_context(Threads())
        processes = await self._stack.enter_async_context(Processes(self._processes))
        self._tools = tools = _Called(self._handlers, threads, processes, Given(self._holding))
        self._barer = barer(tools)
        self.pool = Pool(
            self._slots, self._perform, self._report, place=placer(tools), threads=self._slots,
            processes=self._processes, bare=self._bare,
        )  # fmt: skip
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop(0)
        await self._stack.aclose()

    async def stop(self, drain_s: float) -> None:
        """End everything; what does not end in time is cut off, and reported by nobody."""
        self._stopping = True
        for task in list(self._aside):
            task.cancel()
        await asyncio.gather(*self._aside, return_exceptions=True)
        await self.pool.stop(drain_s)

    def give_back(self) -> None:
        """Decline every job that has not begun."""
        for held in self._holding.unfinished():
            if self.pool.withdraw(held.job.run, held.job.visit) is not None:
                self._holding.finish(held, decline(held, "draining"))

    # -- what the holding asks for

    def begin(self, held: Held) -> None:
        """Perform it."""
        job = held.job
        lacks = "" if not job.kind else "no built-in kinds" if self._kinds is None else self._kinds.lacks(job.kind)
        if lacks:
            self._holding.finish(held, decline(held, f"this worker has {lacks}"))
        elif not job.kind and job.handler not in self._handlers and job.handler not in self._agents:
            self._holding.finish(held, decline(held, f"this worker has no handler {job.handler!r}"))
        elif job.HasField("ref") or job.HasField("resume_ref"):
            self._beside(self._fetched(held))
        else:
            self._submit(held, job.input or b"null", job.resume)

    def end(self, held: Held) -> None:
        """Stop it, then tell that it was cancelled."""
        if not self.pool.end(*held.key, CANCELLED):
            self._holding.finish(held, _failure(held, CANCELLED))

    def drop(self, held: Held) -> None:
        """Stop it."""
        self.pool.cancel(*held.key)

    # -- jobs

    async def _fetched(self, held: Held) -> None:
        job = held.job
        try:
            value = await self._values.into(job.input or b"null", job.ref if job.HasField("ref") else None)
            resume = await self._values.into(job.resume, job.resume_ref if job.HasField("resume_ref") else None)
        except WorkError as error:
            self._holding.finish(held, decline(held, f"its input cannot be had: {error}"))
            return
        if held.result is None and not held.ended:
            self._submit(held, value, resume)

    def _submit(self, held: Held, value: bytes, resume: bytes) -> None:
        given = held.job
        try:
            task = self._task(given, timed=bool(given.start_ms or given.heartbeat_ms))
            arguments = decode(value)
            if given.offered:
                known = self._handlers[given.handler].signature.parameters
                arguments = {name: each for name, each in arguments.items() if name in known}
            job = _Beating(
                given.run, given.visit, given.attempt, task, arguments, given.by_name, given.key, given.tenant,
                given.mode, given.priority, given.depth or 1, decode(resume) if resume else None, not given.patched,
                trace=given.traceparent,
            )  # fmt: skip
        except (msgspec.MsgspecError, ValueError, KeyError, TypeError) as error:
            log.warning("job_not_read", run=given.run, visit=given.visit, error=str(error))
            self._holding.finish(held, decline(held, f"this worker cannot read it: {error}"))
            return
        if id(task) in self._timed:
            beat = pb.WorkerItem(beat=pb.Beat(run=given.run, visit=given.visit, attempt=given.attempt))
            job.beat = lambda: self._holding.tell(held, beat)
        self.pool.submit(job)

    def _task(self, given: pb.Job, *, timed: bool) -> Task:
        """The call of a handler for a node, without what its server judges: times, intents, checks and the memo. A node
        of a built-in kind keeps its effect, for the intent that its work asks for, and how long it may take."""
        data, handler = given.task, given.handler
        task = self._tasks.get((data, handler))
        if task is None:
            if len(self._tasks) >= TASKS_MAX:
                self._tasks.clear()
                self._timed.clear()
            if given.kind:
                task = _kept(msgspec.json.decode(data, type=Task), given.kind)
            elif handler in self._agents:
                node = msgspec.json.decode(data, type=_Node)
                task = Task(node.id, "agent-record", None, NodeSpec(), node.hash, node.rules)
            else:
                node = msgspec.json.decode(data, type=_Node)
                task = Task(node.id, "function", FunctionConfig(handler), NodeSpec(), node.hash, node.rules)
            self._tasks[data, handler] = task
            if timed:
                self._timed.add(id(task))
        return task

    def _bare(self, task: Task) -> Perform | None:
        return None if id(task) in self._timed else self._barer(task)

    def _perform(self, job: Job, *, traced: bool = False) -> Coroutine[object, object, object]:
        if job.trace and not traced:
            return under_trace(job, self._telemetry, partial(self._perform, traced=True))
        held = self._holding.of(job.run, job.visit, job.attempt)
        if held is None:
            raise asyncio.CancelledError
        if held.job.kind and self._kinds is not None:
            return self._kinds.perform(job, StreamContext(self._holding, self._values, held, job.resume))
        if held.job.handler in self._agents:
            stream = StreamContext(self._holding, self._values, held, job.resume)
            return self._agents.performed(held.job.handler, job, stream, self._tools.vault)
        takes = self._handlers[job.task.config.handler].takes_ctx
        context = StreamContext(self._holding, self._values, held, job.resume) if takes else None
        called = perform_function(job, context, self._tools)
        return _watched(held, called) if acts_once(held) else called

    # -- results

    def _report(self, job: Job, result: Result) -> None:
        held = self._holding.of(job.run, job.visit, job.attempt)
        if held is None:
            return
        if isinstance(result, Fault):
            if result.code == STOPPED and self._stopping:
                return  # cut off by our own end: it is lost
            self._holding.finish(held, _failure(held, result))
        elif self._values.fits(result.data):
            self._holding.finish(held, _done(held, result, result.data, None))
        else:
            self._beside(self._stored(held, result))

    async def _stored(self, held: Held, done: Done) -> None:
        try:
            data, ref = await self._values.out(done.data)
        except WorkError as error:
            self._holding.finish(held, _failure(held, error.fault))
            return
        self._holding.finish(held, _done(held, done, data, ref))

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="aob-worker-value")
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)


def acts_once(held: Held) -> bool:
    """Whether an effect must not be repeated blindly; an unknown one counts as such."""
    return held.job.effect not in {"none", "keyed"}


async def _watched(held: Held, called: Coroutine[object, object, object]) -> object:
    """Notes whether a handler of effect `once` says itself how it failed; else it is unknown how far it got."""
    try:
        return await called
    except WorkError as error:
        fault: object = getattr(error, "fault", None)  # a class of the handler's own may lack it
        sent = isinstance(fault, Fault) and isinstance(fault.detail, Mapping) and bool(fault.detail.get("sent"))
        held.said = not sent and not (isinstance(fault, Fault) and fault.code == UNCERTAIN)
        raise


def _kept(task: Task, kind: str) -> Task:
    """A node of a built-in kind, as this process performs it. Raises ValueError for another kind."""
    if task.kind != kind:
        raise ValueError(f"the node is of kind {task.kind!r}, the job of {kind!r}")
    spec = NodeSpec(effect=task.spec.effect, timeout=Timeouts(run_ms=task.spec.timeout.run_ms))
    return msgspec.structs.replace(task, spec=spec)


def _done(held: Held, done: Done, data: bytes, ref: pb.Ref | None) -> pb.WorkerItem:
    run, visit, attempt = held.key
    sent = pb.WorkerItem()  # filled in place: a message that is handed to another is copied
    item = sent.done
    item.run, item.visit, item.attempt, item.output, item.took_us = run, visit, attempt, data, done.took_us
    if ref is not None:
        item.ref.CopyFrom(ref)
    if done.usage:
        item.usage = canonical(done.usage)
    if done.patch:
        item.patch = done.patch
    return sent


def _failure(held: Held, fault: Fault) -> pb.WorkerItem:
    run, visit, attempt = held.key
    detail = b""
    if fault.detail is not None:
        try:
            detail = canonical(fault.detail)
        except Exception:  # a handler's own detail may raise anything when it is encoded
            detail = canonical(shown(fault.detail))
    return pb.WorkerItem(
        fail=pb.Fail(
            run=run, visit=visit, attempt=attempt, code=fault.code, message=fault.message,
            permanent=not fault.transient, detail=detail,
            unexpected=not held.said if acts_once(held) else fault.code in UNSAID,
        )
    )  # fmt: skip
