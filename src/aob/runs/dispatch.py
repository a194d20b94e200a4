"""From committed effects to jobs, and from results back to commands. The only place where runs and work meet."""

import asyncio
import math
from collections.abc import Callable, Collection, Container, Coroutine, Iterable, Set
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import Raw

from aob.core.duration import format_duration
from aob.core.errors import AobError, TooLarge, Unavailable, said, shown
from aob.core.graph.compiled import Node
from aob.core.items import items_in
from aob.core.node import KINDS
from aob.core.run import AFTER_MAX_MS, Effects, Run, pending
from aob.core.run.record import commands as cmd
from aob.core.run.state import READY, Token
from aob.core.run.stepping import DeniedError, Needs, Step, input_value
from aob.core.value import ITEMS, ROW_MAX, Ref, canonical, decode, digest_of, inline
from aob.journal import Committed, Journal, Recovered, SetAside, Stream, Stuck, value_error
from aob.ports.blobs import GONE
from aob.ports.logger import Logger
from aob.ports.workers import Done, Fault, Job, Result, Workers
from aob.runs.context import RunContext
from aob.runs.values import Values
from aob.work import STOPPED, UNCERTAIN
from aob.work.pool import Running, mark

log = Logger("aob.runs")
STORING_S: Final = 5.0
"""How long a stop waits for outputs that are being stored."""
AGAIN_S: Final = 1.0
SAID_MAX: Final = 300
"""Characters of what a handler said, in the question whether its effect has happened."""
STORE_AGAIN_S: Final = 0.5
"""Pause between two tries to reach values while their store is away."""


class Dispatcher:
    """Submits what a commit made ready, stops what it ended, and tells the journal what workers report.

    A visit whose handler is not loaded stays ready and is not submitted: it waits for a process that has it.
    """

    def __init__(
        self, values: Values, open_log: Callable[[str, str], Callable[..., None]], handlers: Container[str]
    ) -> None:
        self._values, self._open_log, self._handlers = values, open_log, handlers
        self._held: dict[tuple[str, str], RunContext] = {}
        self._stores: set[asyncio.Task[None]] = set()
        self._begun = False
        self.cut_off: list[Job] = []
        """Attempts that met the end of our own processes: no law hears of it."""
        self._storing: set[tuple[str, str, int]] = set()
        """Reports whose output is being stored: no command tells of them yet."""
        self._stuck: dict[tuple[str, str], Stuck] = {}
        self.journal: Journal
        self.pool: Workers

    def recovered(self, found: Recovered) -> None:
        """After a start: every ready token is a job again; one cut off in the middle of an effect is uncertain.

        Where only the store was away, workers still hold their jobs and go on, and what they have reported is known.
        """
        if not self._begun:
            return  # the gate and the numbers are not there yet: `begin` will look
        known = {
            (run, command.visit, command.attempt)
            for run, command in found.again
            if isinstance(command, cmd.Complete | cmd.Fail | cmd.Lost)
        } | self._storing
        known.update((*job, attempt) for job, attempt in self.pool.held().items())
        wanted: set[tuple[str, str]] = set()
        for stream in found.streams.values():
            if stream.law.kind != "run" or stream.ended or stream.name in found.aside:
                continue
            wanted.update((stream.name, visit) for visit in self._take_up(stream, known))
        for held in self.pool.held().keys() - wanted:
            self.pool.cancel(*held)  # it ended in a commit whose reply was lost

    async def begin(self, running: Running | None) -> None:
        """From now on jobs are dispatched, first those that stand since before: what the process before was working at
        is lost, all others go on as they stood. Nothing is dispatched before its commit."""
        await self._all_durable()
        self._begun = True  # from here on nothing is awaited: what a commit makes ready, or stands, is submitted once
        if running is not None:
            running.anew()
        before, why = (running.before, "crash" if running.crashed else "stop") if running is not None else ((), "crash")
        for stream in list(self.journal.streams.values()):
            if stream.law.kind != "run" or stream.ended:
                continue
            self._take_up(stream, frozenset(), before, why)

    def _take_up(
        self, stream: Stream, known: Set[tuple[str, str, int]], lost: Collection[bytes] = (), why: str = "crash"
    ) -> Iterable[str]:
        """Goes on with what is pending of a run, but for the jobs of which something is known; what was cut off, or is
        among the lost, is told to its law. Returns all visits that have a job."""
        stands, run_id = pending(stream.state), stream.name
        if stands.goes_on:
            self.journal.behind(run_id, cmd.Continue())
        for visit, attempt in stands.jobs.items():
            token = stream.state.tokens[visit]
            if (run_id, visit, attempt) in known:
                continue
            if (lost and mark(f"{run_id}/{visit}", attempt) in lost) or _acting(token):
                self.journal.tell(run_id, cmd.Lost(visit, attempt, why))
            else:
                self._submit(stream, stream.state, token)
        return stands.jobs

    async def _all_durable(self) -> None:
        """Waits until no stream is ahead of its commits: timers and alerts may have decided something meanwhile."""
        while True:
            durable = self.journal.durable_row
            late = (each for each in self.journal.streams.values() if each.chunks and each.chunks[-1].row > durable)
            stream = next(late, None)
            if stream is None:
                return
            try:
                await self.journal.settled(stream)
            except Unavailable:
                if not await self.journal.mended():
                    return

    async def end(self, running: Running | None) -> None:
        """After the pool has stopped: outputs that are being stored are waited for, and what was cut off is listed."""
        if self._stores:
            await asyncio.wait(self._stores, timeout=STORING_S)
        if running is not None:
            cut_off = [(job.key, job.attempt) for job in (*self.pool.cut_off, *self.cut_off)]
            stored = [(f"{run}/{visit}", attempt) for run, visit, attempt in self._storing]
            running.stop([*cut_off, *stored])

    def committed(self, commit: Committed) -> None:
        """The effects of a commit."""
        for told in commit.told:
            effects = told.changes.effects
            if effects is None:
                continue
            stream = told.stream
            run = stream.state
            if effects.jobs and self._begun:
                tokens = run.tokens
                for visit, attempt in effects.jobs:
                    token = tokens.get(visit)
                    if token is not None and token.attempt == attempt and token.state == READY:
                        self._submit(stream, run, token)
            if effects.gone:
                self._stop(stream.name, effects)
            if effects.goes_on and self._begun:
                self.journal.behind(stream.name, cmd.Continue())

    def _stop(self, run_id: str, effects: Effects) -> None:
        for visit in effects.gone:
            self.pool.cancel(run_id, visit)
            if self._held:
                self._held.pop((run_id, visit), None)

    def _submit(self, stream: Stream, run: Run, token: Token) -> None:
        scope = run.scopes[token.scope]
        graphs = stream.derived.graphs
        ir = graphs.body(scope.version, scope.body) if scope.body else graphs.ir(scope.version)
        node = ir.nodes[token.node]
        if (node.kind != "function" or node.config.handler not in self._handlers) and self.lacks(node):
            self._wait_for_worker(stream, token, node)
            return
        resume = step = None
        try:
            if node.input is None and len(node.ins) == 1 and token.resume is None:
                # The one in-edge of a ready node is taken: its source's output is the input.
                value = decode(scope.done[node.ins[0].source.id].output)
                if type(value) is dict and ("$ref" in value or ITEMS in value):
                    step = Step(run, stream.derived, self.journal.now_ms)
                    value = input_value(step, scope, node)
            else:
                step = Step(run, stream.derived, self.journal.now_ms)
                value = input_value(step, scope, node)
                resume = step.load(token.resume) if token.resume is not None else None
        except Needs as needs:
            fetch = partial(self._values.fetch, stream.tenant, needs.ref.digest)
            self.journal.aside(self._first(stream, token, fetch, lambda run: self._submit(stream, run, token)))
            return
        except DeniedError as denied:
            error = canonical({"code": denied.code, "message": denied.detail})
            self.journal.tell(stream.name, cmd.Fail(token.visit, token.attempt, Raw(error), False))
            return
        run_id, visit = stream.name, token.visit
        job = Job(
            run_id, visit, token.attempt, node.task, value, node.input is not None, f"{run_id}/{visit}", run.tenant,
            run.mode, node.spec.priority or run.priority, run.depth, resume,
        )  # fmt: skip
        if run.graph_ops and node.kind == "http":
            job.pushed = graphs.as_pushed(scope.body, node)
        if step is not None and step.items and (sequences := items_in(value)):
            hold = partial(self._values.hold, stream.tenant, sequences)
            self.journal.aside(self._first(stream, token, hold, lambda run: self.pool.submit(job)))
        else:
            self.pool.submit(job)

    def lacks(self, node: Node) -> str:
        """The first handler that a node calls and that is not loaded; empty when all are."""
        for _, name in KINDS[node.kind].handlers(node.config):
            if name not in self._handlers:
                return name
        return ""

    def _wait_for_worker(self, stream: Stream, token: Token, node: Node) -> None:
        queue_ms = node.spec.timeout.queue_ms
        if not queue_ms:
            return
        message = f"no worker has the handler {self.lacks(node)!r} after {format_duration(queue_ms)}"
        error = Raw(canonical({"code": "timeout_queue", "message": message}))
        command = cmd.Fail(token.visit, token.attempt, error, True)
        asyncio.get_running_loop().call_later(queue_ms / 1_000, self.journal.tell, stream.name, command)

    async def _first(
        self, stream: Stream, token: Token, work: Callable[[], Coroutine[Any, Any, bytes]], go: Callable[[Run], None]
    ) -> None:
        """Goes on with a token once what its job needs is at hand: work itself never waits for a store."""
        attempt = token.attempt
        try:
            await self._patiently(stream.name, token.visit, work)
        except AobError as error:
            if error.code in GONE:  # our fault, and not the node's
                self.journal.tell(stream.name, SetAside(error.detail))
                return
            told = Raw(canonical({"code": error.code, "message": error.detail}))
            self.journal.tell(stream.name, cmd.Fail(token.visit, attempt, told, not isinstance(error, TooLarge)))
            return
        run: Run = stream.state
        if run.tokens.get(token.visit) is token and token.state == READY and token.attempt == attempt:
            go(run)

    def context(self, job: Job) -> RunContext:
        """The context of a job, made when somebody asks for it."""
        stream = self.journal.streams.get(job.run)
        context = RunContext(self.journal, stream, job, self._values, self._open_log)
        self._held[(job.run, job.visit)] = context
        return context

    def verify(self, job: Job) -> list[Any] | None:
        """What was intended and never settled, when a handler should look whether it happened; else None."""
        token = self._token(job)
        if token is None or not token.verify:
            return None
        return [
            {"kind": intent.kind, "what": msgspec.json.decode(intent.what)}
            for intent in (token.intents.open if token.intents else ())
        ]

    def running(self, run: Run) -> frozenset[str]:
        """Visits of a run that a worker has begun with."""
        return frozenset(visit for visit in run.tokens if self.pool.runs(run.id, visit))

    def report(self, job: Job, result: Result) -> None:
        """A worker's result becomes a command; nothing is lost between here and its commit, for the token stays ready
        until then and would be dispatched again after a crash. Never raises: a report that cannot be made is a failure
        of the attempt that says so."""
        try:
            context = self._held.pop((job.run, job.visit), None) if self._held else None
            if isinstance(result, Fault):
                self._failed(job, result)
                return
            data = result.data
            beside, digest = None, b""
            if inline(data):
                cell = Raw(data)
            else:
                digest = digest_of(data)
                cell = Ref(digest, len(data)).cell()
                if len(data) > ROW_MAX and result.ref is None:
                    storing = self.journal.aside(self._store_first(job, result))
                    self._stores.add(storing)
                    storing.add_done_callback(self._stores.discard)
                    return
                if result.ref is None:
                    beside = data
                self._values.remember(job.tenant, digest, data)
            patch = context.patch if context is not None else result.patch
            took = result.took_us if job.mode == "full" else 0
            self.journal.tell(
                job.run,
                cmd.Complete(job.visit, job.attempt, cell, digest, took, result.memo, result.usage, patch, beside),
            )
        except Exception as error:
            log.error("report_not_made", run=job.run, visit=job.visit, attempt=job.attempt, exc_info=error)
            told = canonical({"code": "report_not_made", "message": f"{type(error).__name__}: {said(error)}"})
            self.journal.tell(job.run, cmd.Fail(job.visit, job.attempt, Raw(told), True))

    async def _store_first(self, job: Job, done: Done) -> None:
        key = (job.run, job.visit, job.attempt)
        self._storing.add(key)
        try:
            await self._patiently(job.run, job.visit, lambda: self._values.put(job.tenant, done.data))
        except AobError as error:
            self._failed(job, Fault(error.code, error.detail, True))
            return
        finally:
            self._storing.discard(key)
        done.ref = Ref(digest_of(done.data), len(done.data))
        self.report(job, done)

    async def _patiently(self, run: str, visit: str, work: Callable[[], Coroutine[Any, Any, bytes]]) -> bytes:
        """A full disk, or a library that does not answer, is nobody's failure: what was done is kept in memory until it
        can be written, what is needed is asked for until it can be read. Logged once, and named by `aob why`."""
        key = (run, visit)
        try:
            while True:
                try:
                    return await work()
                except Exception as failed:
                    error = value_error(failed)
                    if not isinstance(error, Unavailable) or error.code in GONE:
                        raise error from failed
                    if key not in self._stuck:
                        self._stuck[key] = Stuck(self.journal.clock_ms(), error.detail)
                        log.warning("value_out_of_reach", run=run, visit=visit, exc_info=failed)
                await asyncio.sleep(STORE_AGAIN_S)
        finally:
            if self._stuck.pop(key, None) is not None:
                log.info("value_is_back", run=run, visit=visit)

    def stuck(self, run_id: str) -> dict[str, Stuck]:
        """Visits of a run whose value cannot be read or stored for now; under `` what the run itself needs."""
        found = {visit: stuck for (run, visit), stuck in self._stuck.items() if run == run_id}
        own = self.journal.stuck.get(run_id)
        return found if own is None else {"": own, **found}

    def _token(self, job: Job) -> Token | None:
        stream = self.journal.streams.get(job.run)
        token: Token | None = stream.state.tokens.get(job.visit) if stream is not None else None
        return token

    def _in_the_middle(self, job: Job) -> bool:
        """Whether the visit has committed to an effect that happens once and never said what came of it."""
        token = self._token(job)
        return any(
            decode(intent.what).get("effect", "once") == "once"
            for intent in (token.intents.open if token is not None and token.intents else ())
        )

    def _failed(self, job: Job, fault: Fault) -> None:
        if fault.code == STOPPED:
            self.cut_off.append(job)
            log.info("attempt_cut_off", run=job.run, visit=job.visit, attempt=job.attempt, reason=fault.message)
            if self.journal.broken is None and not self.journal.closing:  # it was another process that ended
                asyncio.get_running_loop().call_later(AGAIN_S, self._again, job)
            return
        if fault.code == UNCERTAIN or self._in_the_middle(job):
            self.journal.tell(job.run, cmd.Lost(job.visit, job.attempt, "cut", fault.message[:SAID_MAX]))
            return
        told = Raw(_told(fault))
        self.journal.tell(job.run, cmd.Fail(job.visit, job.attempt, told, fault.transient, _after_ms(fault.detail)))

    def _again(self, job: Job) -> None:
        """An attempt that met the end of another process is made again, where this one lives on."""
        self.cut_off = [each for each in self.cut_off if each is not job]
        stream = self.journal.streams.get(job.run)
        token = self._token(job)
        if stream is None or token is None or token.attempt != job.attempt or token.state != READY:
            return
        if _acting(token):
            self.journal.tell(job.run, cmd.Lost(job.visit, job.attempt, "stop"))
        else:
            self._submit(stream, stream.state, token)


def _acting(token: Token) -> bool:
    """Whether an intent of it has no result yet."""
    return bool(token.intents and token.intents.open)


def _told(fault: Fault) -> bytes:
    """A fault as the error of a record."""
    error: dict[str, Any] = {"code": fault.code, "message": fault.message}
    if fault.detail is not None:
        error["detail"] = fault.detail
    try:
        told = canonical(error)
    except Exception:  # a detail of the handler's own, which may raise anything when it is looked at
        told = canonical({"code": fault.code, "message": fault.message, "detail": shown(fault.detail)})
    return told if inline(told) else canonical({"code": fault.code[:200], "message": fault.message[:2_000]})


def _after_ms(detail: Any) -> int:
    """How long the service asks to wait before the next attempt; 0 when it says nothing that is a time."""
    if not isinstance(detail, dict):
        return 0
    for name, unit in (("retry_after_ms", 1), ("retry_after_s", 1_000)):
        value = detail.get(name)
        if isinstance(value, int | float) and value > 0 and math.isfinite(value):
            return int(min(value * unit, AFTER_MAX_MS))
    return 0
