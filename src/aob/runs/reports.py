"""What workers report becomes commands to the journal: outputs stored first, faults as errors, what is cut off as lost.

In: jobs and their results. Out: commands, each with the commit that its job rests on. A report is never lost between
here and its commit, for the token stays ready until then.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any, Final

from msgspec import Raw

from aob.core.errors import AobError, said, shown
from aob.core.run import AFTER_MAX_MS
from aob.core.run.record import commands as cmd
from aob.core.run.state import Token
from aob.core.value import ROW_MAX, Ref, canonical, decode, digest_of, inline
from aob.journal import Journal, Stuck
from aob.ports.logger import Logger
from aob.ports.workers import Done, Fault, Job, Result, Workers
from aob.runs.context import RunContext
from aob.runs.values import Values
from aob.work import STOPPED, UNCERTAIN

log = Logger("aob.runs")
SAID_MAX: Final = 300
"""Characters of what a handler said, in the question whether its effect has happened."""


class Reports:
    """Tells the journal what became of jobs."""

    journal: Journal
    pool: Workers

    def __init__(self, values: Values) -> None:
        self._values = values
        self._held: dict[tuple[str, str], RunContext] = {}
        self.cut_off: list[Job] = []
        """Attempts that met the end of our own processes: no law hears of it."""
        self._storing: dict[asyncio.Task[None], Job] = {}
        """Jobs whose output is being stored: no command tells of them yet."""
        self._stuck: dict[tuple[str, str], Stuck] = {}

    def _again_later(self, job: Job) -> None:
        raise NotImplementedError

    async def _patiently(self, run: str, visit: str, work: Callable[[], Coroutine[Any, Any, bytes]]) -> bytes:
        raise NotImplementedError

    def report(self, job: Job, result: Result) -> None:
        """A worker's result becomes a command; nothing is lost between here and its commit, for the token stays ready
        until then and would be dispatched again after a crash. Never raises: a report that cannot be made is a failure
        of the attempt that says so. One that rests on a commit that does not count is dropped."""
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
            patch = context.patch if context is not None else result.patch
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
            self._failed(job, Fault(error.code, error.detail, True))
            return
        done.ref = Ref(digest_of(done.data), len(done.data))
        self.report(job, done)

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
                self._again_later(job)
            return
        if fault.code == UNCERTAIN or self._in_the_middle(job):
            self._tell(job, cmd.Lost(job.visit, job.attempt, "cut", fault.message[:SAID_MAX]))
            return
        told = Raw(_told(fault))
        self._tell(job, cmd.Fail(job.visit, job.attempt, told, fault.transient, _after_ms(fault.detail)))


def acting(token: Token) -> bool:
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
