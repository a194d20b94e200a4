"""The versions of agents that an application has side by side: which one a key belongs to, and how its state becomes
that of another. A key changes its version between records only, with nothing in its hands."""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

from aob.core.agent import Key, keys
from aob.core.agent_name import agent_key_of, agent_of
from aob.core.value import decode
from aob.work.topic_agents import Agent, json_of

MIGRATION_S_MAX: Final = 60.0  # that a function may take for one state
TRIED_MAX: Final = 10_000  # keys whose migration has failed in this process, and is not tried again meanwhile


class Versions:
    """The versions of the agents of one shard. `assigned` says which declared version a key belongs to as it is
    deployed; 0: nobody says."""

    def __init__(self, agents: Mapping[str, Agent]) -> None:
        self._agents = agents
        self.assigned: Callable[[str, str], int] = lambda agent, key: 0
        self._tried: dict[tuple[str, int], None] = {}

    def wanted(self, name: str) -> int:
        """The version that a key without one gets: as it is deployed, or the oldest that is here."""
        agent = self._agents.get(agent_of(name))
        if agent is None or not agent.version:
            return 1
        wanted = self.assigned(agent.name, agent_key_of(name))
        return wanted if wanted and agent.of(wanted) is not None else min((agent.version, *agent.older))

    def of(self, key: Key) -> Agent | None:
        """The agent in the version of a key; None where the application does not have that."""
        agent = self._agents[key.agent]
        return agent.of(key.version or self.wanted(key.name))

    def next(self, key: Key) -> int:
        """The version that a free key moves to before its next record; 0: none."""
        agent = self._agents[key.agent]
        if not agent.version or not key.version or key.open is not None or key.queue or key.holds:
            return 0
        assigned = self.assigned(agent.name, key.subject)
        if not assigned and agent.of(key.version) is not None:
            return 0
        to = self.wanted(key.name)
        if to == key.version or (key.name, to) in self._tried or agent.way(key.version, to) is None:
            return 0
        return to

    async def moved(self, key: Key, to: int, state: bytes) -> bytes:
        """The state of a key as a version wants it. Raises what its function raises, ValueError for a state that is too
        large, TimeoutError."""
        value = await performed(self._agents[key.agent].way(key.version, to) or [], decode(state))
        data = json_of(value)
        if len(data) > keys.STATE_MAX:
            raise ValueError(f"a state of {len(data):,} bytes, and {keys.STATE_MAX:,} are allowed")
        return data

    def failed(self, key: Key, to: int) -> None:
        """A migration has failed: it is not tried again by this process."""
        self._tried[key.name, to] = None
        while len(self._tried) > TRIED_MAX:
            del self._tried[next(iter(self._tried))]


async def performed(way: list[Callable[..., Any]], value: Any) -> Any:
    """A state after the functions of a way. Raises what they raise, TimeoutError."""
    async with asyncio.timeout(MIGRATION_S_MAX):
        for function in way:
            made: Any = function(value)
            value = await made if inspect.isawaitable(made) else made
    return value
