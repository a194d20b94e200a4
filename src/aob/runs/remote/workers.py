"""Connects the runs of a shard with a hub of workers: jobs of handlers that this process has go to its pool, all other
function jobs to the hub, and those of built-in kinds while a worker performs them. Says which results are committed, so
that workers may forget them."""

from collections.abc import Callable, Container, Iterable
from typing import Any, Final

from aob.core.run.record import commands as cmd
from aob.core.run.record import events as ev
from aob.core.run.state import READY
from aob.journal import Committed
from aob.ports.workers import Job, Lane, Result, Workers
from aob.runs.core import Core
from aob.work.kinds import needs_of
from aob.work.remote import Guard, Hub, RemoteWorkers
from aob.work.tools import Tools

ENDS: Final = frozenset({
    ev.NodeCompleted, ev.NodeFailed, ev.AttemptFailed, ev.NodeHeld, ev.TokenReady, ev.TicketOpened
})  # fmt: skip
"""Events that end an attempt of their visit."""


class BothWorkers(Workers):
    """The workers of this process, and those of others for handlers that are not loaded here, for nodes that ask for
    labels, and for the jobs of built-in kinds that are `away`."""

    def __init__(
        self, here: Workers, elsewhere: Workers, loaded: Container[str], away: Callable[[Job], bool]
    ) -> None:  # fmt: skip
        self._here, self._elsewhere, self._loaded, self._away = here, elsewhere, loaded, away

    @property
    def cut_off(self) -> list[Job]:  # type: ignore[override]  # read only
        """What a stop cut off here. Workers of other processes go on."""
        return self._here.cut_off

    def submit(self, job: Job) -> None:
        task = job.task
        if self._away(job) if task.kind != "function" else task.spec.worker or task.config.handler not in self._loaded:
            self._elsewhere.submit(job)
        else:
            self._here.submit(job)

    def cancel(self, run: str, visit: str, attempt: int | None = None) -> bool:
        found = self._here.cancel(run, visit, attempt)
        return self._elsewhere.cancel(run, visit, attempt) or found

    def withdraw(self, run: str, visit: str) -> Job | None:
        return self._here.withdraw(run, visit) or self._elsewhere.withdraw(run, visit)

    def runs(self, run: str, visit: str) -> bool:
        return self._here.runs(run, visit) or self._elsewhere.runs(run, visit)

    def held(self) -> dict[tuple[str, str], int]:
        return self._here.held() | self._elsewhere.held()

    async def stop(self, drain_s: float = 0.0) -> None:
        """Those of other processes first: what comes of their jobs is not awaited."""
        await self._elsewhere.stop(drain_s)
        await self._here.stop(drain_s)


class _Runs:
    """The runs of a shard, as owner of leases."""

    def __init__(self, core: Core, hub: Hub, tools: Tools) -> None:
        self._core, self._hub, self._changes = core, hub, -1
        self.guard = Guard(core.dispatch.context, core.dispatch.verify, tools.memo, tools)

    def report(self, job: Job, result: Result) -> None:
        self._core.dispatch.report(job, result)

    def stands(self, run: str, visit: str, attempt: int, tenant: str) -> bool:
        stream = self._core.journal.streams.get(run)
        if stream is None or stream.law.kind != "run" or tenant not in ("", stream.tenant):
            return False
        token = stream.state.tokens.get(visit)
        return token is not None and token.attempt == attempt and token.state == READY

    def lane_of(self, job: Job) -> Lane:
        return self._core.dispatch.queue.lane_of(job)

    async def pin(self, job: Job, build: str) -> None:
        decided = await self._core.journal.ask(job.run, cmd.Pin(build))
        self._core.dispatch.queue.relane(decided.stream)

    def look(self) -> None:
        dispatch, changes = self._core.dispatch, self._hub.serving.changes
        if changes != self._changes:
            self._changes = changes
            for job in () if dispatch.queue.kinds_wait else self._hub.unserved(self):
                dispatch.pool.submit(job)
            if self._hub.performs_kinds():
                dispatch.rethink(self._core.pool)
        dispatch.queue.look()

    def parked(self) -> Iterable[tuple[Lane, int, float]]:
        return self._core.dispatch.queue.lanes()


def connect(core: Core, hub: Hub, tools: Tools, *, kinds_wait: bool = False) -> None:
    """From now on jobs of handlers that are not loaded here go to the workers of a hub, and those of built-in kinds
    while one performs them; with `kinds_wait`, always. Before `working`."""
    owner = _Runs(core, hub, tools)
    remote, queue = RemoteWorkers(hub, owner), core.dispatch.queue

    def away(job: Job) -> bool:
        return queue.away(job.task, job.run, job.visit, job.attempt, job.key, job.tenant)

    core.workers = core.dispatch.pool = BothWorkers(core.pool, remote, core.dispatch.loaded, away)
    queue.elsewhere, queue.kinds_wait = hub, kinds_wait
    queue.needs = lambda task: needs_of(task, tools.model.name_of(""))
    hub.pause(queue.paused)

    def committed(commit: Committed) -> None:
        unacked = hub.unacked
        if unacked:
            for told in commit.told:
                if told.stream.name in unacked:
                    hub.committed(told.stream.name, _ended(told.events))

    core.committed_too = committed


def _ended(events: Iterable[Any]) -> list[str]:
    return [event.visit for event in events if type(event) in ENDS]
