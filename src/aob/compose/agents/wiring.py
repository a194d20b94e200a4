"""Wires the agents of an application to a shard: its journal, its workers, its topics."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from functools import partial
from urllib.parse import quote

from aob.compose.agents.paused import PausedAgents
from aob.compose.agents.registering import Registering
from aob.compose.agents.work import agents_of
from aob.core.agent import Rules
from aob.core.organisation import state as org
from aob.core.organisation import version_of
from aob.core.policy import LOCAL
from aob.journal import Journal
from aob.organisation import OrganisationLaw, Organisations
from aob.organisation.cycle import TASK, AgentLaw, Agents, Histories, TenantAgents, Values
from aob.organisation.services import Services
from aob.ports.log import Admitting, Logged, Topics
from aob.ports.workers import Job, Workers
from aob.runs import Core, told
from aob.tasks import PlanLaw, TaskLaw
from aob.work import HandlerTable
from aob.work.pool import Perform
from aob.work.tools import Tools

LOG_CHARS_MAX = 200  # of the name of a key's log


def agent_laws(handlers: HandlerTable) -> tuple[AgentLaw, TaskLaw, PlanLaw]:
    """The laws of the keys of agents, of tasks and of plans, with the rules and types that the application says. A key
    of an agent that it has no more goes on under the default ones."""
    agents = handlers.agents
    law = AgentLaw(lambda tenant, name: agents[name].rules if name in agents else _DEFAULT)
    return law, TaskLaw(handlers.types), PlanLaw(handlers.types)


_DEFAULT = Rules()


def make_agents(
    core: Core, law: AgentLaw, handlers: HandlerTable, tools: Tools, topics: Topics, log: Admitting,
    paused: PausedAgents, acts: Callable[[], bool],
) -> TenantAgents:  # fmt: skip
    """The agents of an application on one shard, for every tenant; services for the home's own. `acts` says whether
    this process may act for the shard."""

    def opened(stream: str, visit: str, tenant: str) -> Callable[..., None]:
        return core.logs.opened(quote(stream, safe="")[:LOG_CHARS_MAX], visit, tenant)

    async def read(tenant: str, topic: str, partition: int, start: int, limit: int) -> list[Logged]:
        found, at = list[Logged](), start
        for row in await journal.read_records(tenant, topic, partition, start, limit):
            if row.first > at:
                break  # what is between was written while another shard had the partition
            found += [each for each in row.logged(f"shard {journal.shard}") if each.offset >= start]
            at = row.end
        return found[:limit] or await topics.read(tenant, topic, partition, at, limit)

    journal = core.journal
    agents = agents_of(handlers, journal)
    law.here = lambda partition: partition not in journal.foreign
    law.partitions_of = lambda: journal.partitions
    law.generation = partial(_generation, journal)
    values = Values(core.values.fetch, core.values.put)
    histories = Histories(partial(told, core))

    organisation = Organisations(journal, lambda: core.newest_rules())

    def make(tenant: str, workers: Workers) -> Agents:
        made = Agents(journal, law, workers, agents, tenant, read, values, tools, opened, histories)
        made.log = log
        made.paused = partial(paused.has, tenant)
        made.versions.assigned = lambda name, key: _assigned(organisation.of(tenant), name, key)
        return made

    served = TenantAgents(journal, law, core.pool, agents, make)
    served.stands = paused.declared
    paused.shards.append(served)
    own = partial(paused.has, LOCAL.tenant)
    served.services = Services(journal, agents, LOCAL.tenant, log, acts, tools, opened, own)
    return served


def _generation(journal: Journal, tenant: str, group: str, topic: str, partition: int) -> int:
    mark, _ = journal.topics.marks.get((group, (tenant, topic, partition)), (None, 0))
    return mark.generation if mark is not None else 0


def _assigned(organisation: org.Organisation, name: str, key: str) -> int:
    """The declared version that a key belongs to as its agent is deployed; 0: nobody says."""
    known = organisation.agents.get(name)
    number = version_of(known.deployment, name, key) if known is not None else 0
    code = known.version(number).definition.code if known is not None and number else ""
    return int(code[1:]) if code[:1] == "v" and code[1:].isdecimal() else 0


async def registering(
    stack: AsyncExitStack, register_agent: Callable[..., Awaitable[object]], core: Core, handlers: HandlerTable,
    changes: TenantAgents, *, patient: bool,
) -> None:  # fmt: skip
    """Registers the agents of an application in the shard that has the organisations, and those of other tenants as
    they declare what those consume, until `stack` is left. Raises Invalid unless `patient`: a cluster goes on without
    agents whose topics are not declared yet."""
    organisations = Organisations(core.journal, lambda: core.newest_rules())
    made = Registering(register_agent, agents_of(handlers), organisations.of)
    changes.declared = made.declared
    if not patient:
        await made.all_of(LOCAL.tenant)
    known = [each.tenant for each in core.journal.streams.values() if each.law.kind == OrganisationLaw.kind]
    stack.callback(asyncio.create_task(made.run(known), name="aob-register").cancel)


def with_agents(perform: Perform, agents: Callable[[], TenantAgents]) -> Perform:
    """Performs the jobs of agents, too."""

    def performs(job: Job) -> Coroutine[object, object, object]:
        return agents().performed(job) if job.task.kind == TASK else perform(job)

    return performs
