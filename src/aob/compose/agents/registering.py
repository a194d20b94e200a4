"""Registers the agents of an application with the organisations of tenants, as soon as those have declared what the
agents consume."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

import msgspec

from aob.core.errors import AobError, Invalid
from aob.core.organisation import state as org
from aob.core.policy import LOCAL
from aob.ports.logger import Logger
from aob.work.topic_agents import Agent

log: Final = Logger("aob.compose")


async def register(register_agent: Callable[..., Awaitable[object]], agent: Agent, tenant: str) -> None:
    """Registers the versions of an agent of the application, each as its next one if it has changed. Raises Invalid
    `unknown_source` for one that consumes what is not declared."""
    who = msgspec.structs.replace(LOCAL, tenant=tenant)
    for each in (*(agent.older[number] for number in sorted(agent.older)), agent):
        await register_agent(
            who, each.name, description=each.doc, consumes=each.consumes, produces=each.produces,
            capabilities=each.capabilities, handler=each.fn.__qualname__, concurrency=each.concurrency,
            on_poison=each.rules.on_poison, while_waiting=each.rules.while_waiting, code=each.code, kind=each.kind,
        )  # fmt: skip


class Registering:
    """Run `run` where the organisations are. `organisation` is that of a tenant."""

    def __init__(
        self, register_agent: Callable[..., Awaitable[object]], agents: Mapping[str, Agent],
        organisation: Callable[[str], org.Organisation],
    ) -> None:  # fmt: skip
        self._register, self._agents, self._organisation = register_agent, agents, organisation
        self._done: set[tuple[str, str]] = set()
        self._told: dict[tuple[str, str], str] = {}
        self._changed: set[str] = set()
        self._bell = asyncio.Event()

    async def all_of(self, tenant: str) -> None:
        """Registers all agents of a tenant that must have them. Raises Invalid, and what the law refuses."""
        for name, agent in self._agents.items():
            await register(self._register, agent, tenant)
            self._done.add((tenant, name))

    def declared(self, tenant: str) -> None:
        """The organisation of a tenant has changed."""
        self._changed.add(tenant)
        self._bell.set()

    async def run(self, tenants: Iterable[str]) -> None:
        """Looks at these tenants, then at each whose organisation changes; endless. What cannot be registered is told
        in the log."""
        for tenant in {*tenants, LOCAL.tenant}:
            self.declared(tenant)
        while True:
            await self._bell.wait()
            self._bell.clear()
            changed, self._changed = self._changed, set()
            for tenant in sorted(changed):
                for agent in self._agents.values():
                    if (tenant, agent.name) not in self._done:
                        await self._try(tenant, agent)

    async def _try(self, tenant: str, agent: Agent) -> None:
        pair, topics = (tenant, agent.name), self._organisation(tenant).topics
        if tenant != LOCAL.tenant and not any(name in topics for name in agent.consumes):
            return  # this tenant has nothing for it
        try:
            await register(self._register, agent, tenant)
        except AobError as error:
            if self._told.get(pair) != error.code:
                self._told[pair] = error.code
                hint = error.problems[0].hint if isinstance(error, Invalid) and error.problems else error.hint
                log.warning("agent_not_registered", agent=agent.name, tenant=tenant, code=error.code,
                            detail=error.detail, hint=hint)  # fmt: skip
        else:
            self._done.add(pair)
