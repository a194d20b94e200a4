"""The agents of one shard for all tenants: each tenant that has records of what an agent consumes is served apart, with
keys, marks, budgets and records of its own."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Final

import msgspec

from aob.core.agent.record import Input
from aob.core.agent_name import tenant_of
from aob.core.asked import GivenUp
from aob.journal import Committed, Journal, Recovered, Stream
from aob.organisation.cycle.context import Graphs
from aob.organisation.cycle.law import AgentLaw
from aob.organisation.cycle.reading import log
from aob.organisation.cycle.running import Agents
from aob.organisation.law import OrganisationLaw
from aob.organisation.services import Services
from aob.ports.topics import every_end
from aob.ports.workers import Job, Result, Workers
from aob.work.pool import Running
from aob.work.topic_agents import Agent

TENANTS_MAX: Final = 1_000  # tenants whose agents one shard serves


class TenantAgents:
    """`make` makes the agents of a tenant; `workers` perform the jobs of all, in turns. `begin` starts reading;
    `committed` and `report` are called by the shard."""

    def __init__(
        self, journal: Journal, law: AgentLaw, workers: Workers, agents: Mapping[str, Agent],
        make: Callable[[str, Workers], Agents],
    ) -> None:  # fmt: skip
        self.journal, self.law, self.workers, self.agents = journal, law, workers, agents
        self.may_come_back: Callable[[str, str, int, str], bool] = lambda name, visit, attempt, key: False
        """Whether a worker of another process may still have an attempt."""
        self.left: Callable[[], Awaitable[None]] | None = None
        """Gives up the jobs that are with workers of other processes."""
        self.declared: Callable[[str], None] = lambda tenant: None
        """Called with a tenant whose organisation has changed; where the organisations are."""
        self.stands: Callable[[Stream], None] = lambda organisation: None
        """Called with each organisation that this shard has, at the start and when it has changed."""
        law.dropped = self._dropped
        self._leaving: set[int] = set()  # partitions of which nothing begins
        self.graphs: dict[str, Graphs] = {}
        """What gives the threads of graphs, by tenant."""
        self.services: Services | None = None
        self._make = make
        self._of: dict[str, Agents] = {}
        self._consumed = {topic for agent in agents.values() for topic in agent.consumes}
        self._streams: Mapping[str, list[Stream]] = {}
        self._full = False

    # -- tenants ----------------------------------------------------------------------------------------------------

    def of(self, tenant: str) -> Agents | None:
        """The agents of a tenant; None for one that has none here."""
        return self._of.get(tenant)

    def _serve(self, tenant: str) -> Agents | None:
        known = self._of.get(tenant)
        if known is not None:
            return known
        if len(self._of) >= TENANTS_MAX:
            if not self._full:
                self._full = True
                log.error("too_many_tenants", limit=TENANTS_MAX, tenant=tenant)
            return None
        made = self._of[tenant] = self._make(tenant, self.workers)
        made.may_come_back, made.graphs = self.may_come_back, self.graphs.get(tenant)
        for partition in self._leaving:
            made.hold(partition)
        made.streams = lambda: self._streams.get(tenant, ())
        return made

    def _heard(self, tenant: str, topic: str) -> None:
        """Records of a topic are durable: its tenant may be a new one."""
        if topic in self._consumed and tenant not in self._of and (made := self._serve(tenant)) is not None:
            self.journal.aside(made.begin())

    # -- life -------------------------------------------------------------------------------------------------------

    async def begin(self, running: Running | None = None) -> None:
        """Continues what the keys have, and reads from where the groups are. Without agents nothing is read."""
        if not self.agents:
            return
        self.journal.bells.heard = self._heard
        self._group()
        for stream in self.journal.streams.values():
            if stream.law.kind == OrganisationLaw.kind:
                self.stands(stream)
        for tenant in sorted({*self._streams, *await self._with_records()}):
            if (made := self._serve(tenant)) is not None:
                await made.begin(running)
        if self.services is not None:
            self.services.begin()

    async def _with_records(self) -> set[str]:
        """The tenants that have records of what agents consume in this shard."""
        ends = every_end(self.journal.store, ("", "", -1))
        return {end.tenant async for end in ends if end.topic in self._consumed}

    async def _look(self) -> None:
        """Serves tenants whose records came with a partition."""
        for tenant in sorted(await self._with_records() - self._of.keys()):
            if (made := self._serve(tenant)) is not None:
                await made.begin()

    async def end(self) -> None:
        """Reads and dispatches no more."""
        self.journal.bells.heard = None
        if self.services is not None:
            await self.services.end()
        for each in self._of.values():
            await each.end()
        if self.left is not None:
            await self.left()

    def _group(self) -> None:
        """The keys that are in memory, by tenant."""
        found = defaultdict[str, list[Stream]](list)
        for stream in self.journal.streams.values():
            if stream.law is self.law:
                found[tenant_of(stream.name)].append(stream)
        self._streams = found

    # -- what the shard tells ---------------------------------------------------------------------------------------

    def committed(self, commit: Committed) -> None:
        """Goes on with the keys that a commit is about, each tenant's with its own."""
        if not self.agents:
            return
        mine = defaultdict[str, list[Any]](list)
        for told in commit.told:
            if told.stream.law is self.law:
                mine[tenant_of(told.stream.name)].append(told)
            elif isinstance(told.changes.effects, GivenUp):
                mine[told.stream.tenant].append(told)
            elif told.stream.law.kind == OrganisationLaw.kind:
                mine[told.stream.tenant].append(told)
                self.declared(told.stream.tenant)
                self.stands(told.stream)
        for tenant, found in mine.items():
            if (agents := self._of.get(tenant)) is not None:
                agents.committed(msgspec.structs.replace(commit, told=found))

    def recovered(self, found: Recovered) -> None:
        """The shard was recovered: everything is read again."""
        self._group()
        for each in self._of.values():
            each.recovered(found)

    def look(self) -> None:
        """An agent may have been resumed."""
        for each in self._of.values():
            each.look()

    def arrived(self, streams: Iterable[Stream]) -> None:
        """Keys came with their partition: none of their jobs is known here."""
        found = defaultdict[str, list[Stream]](list)
        for stream in streams:
            if stream.law is self.law:
                found[tenant_of(stream.name)].append(stream)
        for tenant in sorted({*found, *self._of}):  # of each, there may be records that none of its keys has
            known = tenant in self._of
            if (agents := self._serve(tenant)) is not None:
                agents.arrived(found[tenant])
                if not known:
                    self.journal.aside(agents.begin())
        if self.agents:
            self.journal.aside(self._look())
        self._settle()

    def hold(self, partition: int) -> None:
        """A partition is about to leave: nothing of it begins."""
        self._leaving.add(partition)
        self._settle()
        for each in self._of.values():
            each.hold(partition)

    def stay(self, partition: int) -> None:
        """It stays."""
        self._leaving.discard(partition)
        for each in self._of.values():
            each.stay(partition)
        self._settle()

    def gone(self, partition: int) -> None:
        """It is another shard's from now on."""
        self._leaving.discard(partition)
        for each in self._of.values():
            each.gone(partition)
        self._settle()

    def _settle(self) -> None:
        if self.services is not None:
            self.services.look(frozenset(self._leaving))

    def _dropped(self, name: str, given: Input) -> None:
        if (agents := self._of.get(tenant_of(name))) is not None:
            agents.dropped(name, given)

    def report(self, job: Job, result: Result) -> None:
        """Turns the result of a job into a command to its key."""
        if (agents := self._of.get(job.tenant)) is not None:
            agents.report(job, result)

    def performed(self, job: Job) -> Coroutine[Any, Any, object]:
        """The coroutine of a job of an agent, for the pool."""
        return self._of[job.tenant].performed(job)
