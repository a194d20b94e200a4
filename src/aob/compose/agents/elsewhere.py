"""Connects the agents of a shard with the hub of workers: records go to a worker that offers their agent while one is
attached, else they are handled in this process."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aob.core.agent_name import AGENT
from aob.core.graph import HandlerFacts
from aob.journal import Committed
from aob.organisation.cycle import TenantAgents
from aob.organisation.elsewhere import Elsewhere
from aob.ports.workers import Fault, Job, Lane, Result, Workers
from aob.runs import Core
from aob.runs.remote import BothWorkers
from aob.work import WorkError
from aob.work.remote import Asked, Hub, Lease, RemoteWorkers


class AgentWorkers(BothWorkers):
    """The workers of this process, and those of others while one offers the agent; with `waits`, only those."""

    def __init__(self, here: Workers, away: Workers, hub: Hub, elsewhere: Elsewhere, *, waits: bool) -> None:
        super().__init__(here, away, (), self._goes)
        self.here, self._hub, self._agents, self.waits = here, hub, elsewhere, waits

    def _goes(self, job: Job) -> bool:
        if self._agents.at_home(job):
            return False
        if self.waits or self._hub.knows(job.run, job.visit, job.attempt, job.key) or self.offered(job):
            job.input = self._agents.given(job)
            return True
        return False

    def offered(self, job: Job) -> bool:
        """Whether a worker of another process takes a job."""
        return not self._hub.lacks(Lane(self._agents.offered_as(job)), job.tenant)

    async def stop(self, drain_s: float = 0.0) -> None:
        """Those of other processes go on there; those of this one are the shard's."""
        await self._elsewhere.stop(drain_s)


class _Guard:
    """What is done around the call of an agent: nothing, for its effects have intents of their own."""

    def __init__(self, elsewhere: Elsewhere) -> None:
        self._elsewhere = elsewhere

    def context(self, job: Job, /) -> Any:
        return self._elsewhere.context(job)

    def effect(self, lease: Lease, facts: HandlerFacts) -> str:
        return "none"

    def needs(self, lease: Lease, facts: HandlerFacts) -> bool:
        return False

    async def performed(
        self, lease: Lease, out: Callable[[], Awaitable[Result]], ask: Callable[[Lease, Asked], Awaitable[Result]]
    ) -> Result | None:  # fmt: skip
        return await out()

    def said(self, fault: Fault) -> WorkError:
        return WorkError(fault.message, code=fault.code, transient=fault.transient, detail=fault.detail)


class _Owner:
    """The agents of a shard, as owner of leases."""

    def __init__(self, hub: Hub, elsewhere: Elsewhere) -> None:
        self._hub, self._elsewhere, self._changes = hub, elsewhere, -1
        self.guard = _Guard(elsewhere)
        self.workers: AgentWorkers

    def report(self, job: Job, result: Result, /) -> None:
        self._elsewhere.report(job, result)

    def stands(self, run: str, visit: str, attempt: int, tenant: str) -> bool:
        return run.startswith(AGENT) and self._elsewhere.stands(run, visit, attempt, tenant)

    def lane_of(self, job: Job) -> Lane:
        return Lane(self._elsewhere.offered_as(job))

    async def pin(self, job: Job, build: str) -> None:
        """Nothing: the name that a worker offers has the version."""

    def look(self) -> None:
        changes, workers = self._hub.serving.changes, self.workers
        if changes == self._changes:
            return
        self._changes = changes
        for job in () if workers.waits else self._hub.unserved(self):
            workers.here.submit(job)
        for run, visit in workers.here.held() if self._hub.workers else ():
            if run.startswith(AGENT) and (found := workers.here.withdraw(run, visit)) is not None:
                workers.submit(found)

    def parked(self) -> Iterable[tuple[Lane, int, float]]:
        return ()


def connect_agents(core: Core, hub: Hub, agents: TenantAgents, *, waits: bool) -> None:
    """From now on records go to workers of other processes while one offers their agent; with `waits`, always. Before
    `working`."""
    elsewhere = Elsewhere(agents)
    owner = _Owner(hub, elsewhere)
    agents.workers = owner.workers = AgentWorkers(core.pool, RemoteWorkers(hub, owner), hub, elsewhere, waits=waits)
    agents.left = owner.workers.stop
    agents.may_come_back = hub.awaits
    before = core.committed_too

    def committed(commit: Committed) -> None:
        if before is not None:
            before(commit)
        for told in commit.told if hub.unacked else ():
            name = told.stream.name
            if told.stream.law is agents.law and name in hub.unacked:
                ended = [
                    visit for visit, lease in hub.unacked[name].items()
                    if not elsewhere.stands(name, visit, lease.job.attempt, "")
                ]  # fmt: skip
                hub.committed(name, ended)

    core.committed_too = committed
