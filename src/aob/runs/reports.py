"""Turns workers' reports into commands: stores outputs first, reports faults as errors and cut-off attempts as lost. A
report cannot be lost before its commit: the token stays ready until then."""

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any, Final

from msgspec import Raw

from aob.core.errors import AobError, Unavailable, said, shown
from aob.core.problem import outward
from aob.core.run import AFTER_MAX_MS
from aob.core.run.record import commands as cmd
from aob.core.run.state import Token
from aob.core.value import ROW_MAX, Ref, canonical, decode, digest_of, inline
from aob.journal import Journal, Stuck, value_error
from aob.ports.blobs import GONE
from aob.ports.logger import Logger
from aob.ports.workers import LOST, Done, Fault, Job, Result, Workers
from aob.runs.context import RunContext
from aob.runs.queue import LeftBehind
from aob.runs.values import Values
from aob.work import STOPPED, UNCERTAIN

log = Logger("aob.runs")
STORE_AGAIN_S: Final = 0.5  # pause between attempts to reach values while their store is unavailable
SAID_MAX: Final = 300  # characters of a handler's message in the question whether its effect has happened


class Reports:
    """Reports the outcome of jobs to the journal."""

    journal: Journal
    pool: Workers
    left_behind: LeftBehind

    def __init__(self, values: Values) -> None:
        self._values = values
        self._held: dict[tuple[str, str], RunContext] = {}
        self.cut_off: list[Job] = []  # attempts cut off by the end of our own processes; not reported to a law
        self._storing: dict[asyncio.Task[None], Job] = {}  # jobs whose output is being stored; not reported yet
        self._stuck: dict[tuple[str, str], Stuck] = {}

    def _again_later(self, job: Job) -> None:
        raise NotImplementedError

    async def _patiently(self, run: str, visit: str, work: Callable[[], Coroutine[Any, Any, bytes]]) -> bytes:
        """Retries while the disk is full or a library does not answer: keeps results in memory until they can be
        written, retries reads until they succeed. Logs it once; `aob why` shows it."""
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
                        self._stuck[key] = Stuck(self.journal.clock_ms(), outward(error).detail)
                        log.warning("value_out_of_reach", run=run, visit=visit, exc_info=failed)
                await asyncio.sleep(STORE_AGAIN_S)
        finally:
            if self._stuck.pop(key, None) is not None:
                log.info("value_is_back", run=run, visit=visit)

    def report(self, job: Job, result: Result) -> None:
        """Turns a worker's result into a command. After a crash before its commit the job is dispatched again, for its
        token is still ready. Never raises: a report that cannot be made becomes a failure of the attempt. Drops a
        report that rests on a discarded commit."""
        if self.left_behind:
            self.left_behind.over(job.run, job.visit)
        if not self.journal.epochs.counts(job.epoch, job.row):
            return
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
                    self._storing[storing] = job
                    storing.add_done_callback(lambda done: self._storing.pop(done, None))
                    return
                if result.ref is None:
                    beside = data
                self._values.remember(job.tenant, digest, data)
            patch = (context.patch if context is not None else "") or result.patch
            took = result.took_us if job.mode == "full" else 0
            self._tell(
                job, cmd.Complete(job.visit, job.attempt, cell, digest, took, result.memo, result.usage, patch, beside)
            )
        except Exception as error:
            log.error("report_not_made", run=job.run, visit=job.visit, attempt=job.attempt, exc_info=error)
            told = canonical({"code": "report_not_made", "message": f"{type(error).__name__}: {said(error)}"})
            self._tell(job, cmd.Fail(job.visit, job.attempt, Raw(told), True))

    def _tell(self, job: Job, command: cmd.Complete | cmd.Fail | cmd.Lost) -> None:
        self.journal.tell(job.run, command, job.epoch, job.row)

    async def _store_first(self, job: Job, done: Done) -> None:
        try:
            await self._patiently(job.run, job.visit, lambda: self._values.put(job.tenant, done.data))
        except AobError as error:
            self._failed(job, Fault(error.code, outward(error).detail, True))
            return
        done.ref = Ref(digest_of(done.data), len(done.data))
        self.report(job, done)

    def storing(self) -> set[str]:
        """The runs with an output that is being stored."""
        return {job.run for job in self._storing.values()}

    def stuck(self, run_id: str) -> dict[str, Stuck]:
        """Visits of a run whose value cannot be read or stored for now; `` is the run itself."""
        found = {visit: stuck for (run, visit), stuck in self._stuck.items() if run == run_id}
        own = self.journal.stuck.get(run_id)
        return found if own is None else {"": own, **found}

    def _token(self, job: Job) -> Token | None:
        stream = self.journal.streams.get(job.run)
        token: Token | None = stream.state.tokens.get(job.visit) if stream is not None else None
        return token

    def _in_the_middle(self, job: Job) -> bool:
        """Whether the visit committed an intent with effect `once` that has no result."""
        token = self._token(job)
        return any(
            decode(intent.what).get("effect", "once") == "once"
            for intent in (token.intents.open if token is not None and token.intents else ())
        )

    def _failed(self, job: Job, fault: Fault) -> None:
        if fault.code == STOPPED:
            self.cut_off.append(job)
            log.info("attempt_cut_off", run=job.run, visit=job.visit, attempt=job.attempt, reason=fault.message)
            if self.journal.broken is None and not self.journal.closing:  # another process ended
                self._again_later(job)
            return
        if fault.code == LOST:
            stopped = isinstance(fault.detail, dict) and fault.detail.get("stop")
            self._tell(job, cmd.Lost(job.visit, job.attempt, "stop" if stopped else "crash"))
            return
        if fault.code == UNCERTAIN or self._in_the_middle(job):
            self._tell(job, cmd.Lost(job.visit, job.attempt, "cut", fault.message[:SAID_MAX]))
            return
        told = Raw(_told(fault))
        self._tell(job, cmd.Fail(job.visit, job.attempt, told, fault.transient, _after_ms(fault.detail)))


def acting(token: Token) -> bool:
    """Whether the token has an intent without a result."""
    return bool(token.intents and token.intents.open)


def _told(fault: Fault) -> bytes:
    """A fault as the error of a record."""
    error: dict[str, Any] = {"code": fault.code, "message": fault.message}
    if fault.detail is not None:
        error["detail"] = fault.detail
    try:
        told = canonical(error)
    except Exception:  # a handler's own detail may raise anything when it is encoded
        told = canonical({"code": fault.code, "message": fault.message, "detail": shown(fault.detail)})
    return told if inline(told) else canonical({"code": fault.code[:200], "message": fault.message[:2_000]})


def _after_ms(detail: Any) -> int:
    """How long the service asks to wait before the next attempt; 0 if it gives no valid time."""
    if not isinstance(detail, dict):
        return 0
    for name, unit in (("retry_after_ms", 1), ("retry_after_s", 1_000)):
        value = detail.get(name)
        if isinstance(value, int | float) and value > 0 and math.isfinite(value):
            return int(min(value * unit, AFTER_MAX_MS))
    return 0
