"""Wires the agents of an application to a shard: its journal, its workers, its topics."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Final
from urllib.parse import quote

from aob.core.agent import Rules
from aob.core.errors import AobError
from aob.core.organisation import state as org
from aob.core.policy import LOCAL
from aob.journal import Journal
from aob.organisation import Organisations
from aob.organisation.cycle import TASK, AgentLaw, Agents, Histories, Values
from aob.ports.log import Admitting, Logged, Topics
from aob.ports.logger import Logger
from aob.ports.workers import Job
from aob.runs import Core, told
from aob.work.pool import Perform
from aob.work.tools import Tools
from aob.work.topic_agents import Agent

AGAIN_S: Final = 1.0  # until an agent that could not be registered is tried again
log: Final = Logger("aob.compose")
LOG_CHARS_MAX = 200  # of the name of a key's log


def agent_law(agents: Mapping[str, Agent]) -> AgentLaw:
    """The law of the keys of agents, with the rules that the application says. A key of an agent that it has no more
    goes on under the default ones."""
    return AgentLaw(lambda tenant, name: agents[name].rules if name in agents else _DEFAULT)


_DEFAULT = Rules()


def make_agents(
    core: Core, law: AgentLaw, agents: Mapping[str, Agent], tools: Tools, topics: Topics, log: Admitting
) -> Agents:
    """The agents of an application on one shard."""

    def opened(stream: str, visit: str, tenant: str) -> Callable[..., None]:
        return core.logs.opened(quote(stream, safe="")[:LOG_CHARS_MAX], visit, tenant)

    async def read(tenant: str, topic: str, partition: int, start: int, limit: int) -> list[Logged]:
        found, at = list[Logged](), start
        for row in await journal.read_records(tenant, topic, partition, start, limit):
            if row.first > at:
                break  # what is between was written while another shard had the partition
            found += [each for each in row.logged(f"shard {journal.shard}") if each.offset >= start]
            at = row.end
        return found[:limit] if at > start else await topics.read(tenant, topic, partition, start, limit)

    journal = core.journal
    law.here = lambda partition: partition not in journal.foreign
    law.partitions_of = lambda: journal.partitions
    law.generation = partial(_generation, journal)
    values = Values(core.values.fetch, core.values.put)
    histories = Histories(partial(told, core))
    made = Agents(journal, law, core.pool, agents, LOCAL.tenant, read, values, tools, opened, histories)
    made.log = log
    organisation = Organisations(journal, lambda: core.newest_rules())
    made.paused = lambda name: _paused(organisation.of(LOCAL.tenant), name)
    return made


def _generation(journal: Journal, tenant: str, group: str, topic: str, partition: int) -> int:
    mark, _ = journal.topics.marks.get((group, (tenant, topic, partition)), (None, 0))
    return mark.generation if mark is not None else 0


def _paused(organisation: org.Organisation, name: str) -> bool:
    known = organisation.agents.get(name)
    return known is not None and known.paused is not None


async def register(register_agent: Callable[..., Awaitable[object]], agents: Mapping[str, Agent]) -> None:
    """Registers the agents of an application, each as its next version if it has changed. Raises Invalid
    `unknown_source` for one that consumes a topic which is not declared."""
    for agent in agents.values():
        await register_agent(
            LOCAL, agent.name, description=agent.doc, consumes=agent.consumes, produces=agent.produces,
            capabilities=agent.capabilities, handler=agent.fn.__qualname__, concurrency=agent.concurrency,
            while_waiting=agent.rules.while_waiting, code=agent.code,
        )  # fmt: skip


async def register_patiently(
    register_agent: Callable[..., Awaitable[object]], agents: Mapping[str, Agent]
) -> None:  # fmt: skip
    """The same, an agent at a time, where many processes serve a home: one that consumes what is not declared yet is
    told in the log, and registered as soon as it is."""
    left, told = dict(agents), dict[str, str]()
    while left:
        for name, agent in list(left.items()):
            try:
                await register(register_agent, {name: agent})
            except AobError as error:
                if told.get(name) != error.code:
                    told[name] = error.code
                    hint = next((each.hint for each in getattr(error, "problems", ())), "") or error.hint
                    log.warning("agent_not_registered", agent=name, code=error.code, detail=error.detail, hint=hint)
            else:
                del left[name]
        if left:
            await asyncio.sleep(AGAIN_S)


def with_agents(perform: Perform, agents: Callable[[], Agents]) -> Perform:
    """Performs the jobs of agents, too."""

    def performs(job: Job) -> Coroutine[object, object, object]:
        return agents().performed(job) if job.task.kind == TASK else perform(job)

    return performs
