"""Paused and retired agents, for the shards that do not have the organisation: a record of each tenant says which. The
owner of the organisation writes it, every process of the home follows it."""

from collections.abc import Mapping
from typing import Final

import msgspec

from aob.compose.storage import WrittenLater
from aob.core.organisation import state as org
from aob.journal import Stream
from aob.organisation.cycle import TenantAgents
from aob.ports.cluster import Records

PREFIX: Final = "agents/"
_decode: Final = msgspec.json.Decoder(frozenset[str]).decode


class PausedAgents:
    """What works no more, as this process has read it last."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._of: Mapping[str, frozenset[str]] = {}
        self._wanted: dict[str, frozenset[str]] = {}  # by tenant, until it is written
        self.later = WrittenLater(self._write, "paused_agents_not_kept")
        self.shards: list[TenantAgents] = []

    def has(self, tenant: str, agent: str) -> bool:
        """Whether an agent is to begin nothing."""
        return agent in self._wanted.get(tenant, self._of.get(tenant, frozenset()))

    async def refresh(self) -> None:
        """Read the records again, and let the shards of this process look."""
        found = await self._records.every(PREFIX)
        self._of = {each.name.removeprefix(PREFIX): _decode(each.data) for each in found if each.data}
        self._look()

    def leaves(self, agents: object) -> None:
        """A shard is closed. Idempotent."""
        self.shards = [each for each in self.shards if each is not agents]

    def _look(self) -> None:
        for agents in self.shards:
            agents.look()

    def declared(self, stream: Stream) -> None:
        """The organisation of a tenant has changed, in this process: it is written in a moment."""
        resting = frozenset(name for name, agent in stream.state.agents.items() if rests(agent))
        if resting != self._wanted.get(stream.tenant, self._of.get(stream.tenant, frozenset())):
            self._wanted[stream.tenant] = resting
            self.later.ask(stream.tenant)
            self._look()

    async def _write(self, tenant: str) -> None:
        resting = self._wanted.get(tenant)
        if resting is None:
            return  # written already
        record = await self._records.read(PREFIX + tenant)
        known = _decode(record.data) if record is not None and record.data else frozenset()
        if known != resting:
            version = record.version if record is not None else 0
            await self._records.write(
                PREFIX + tenant, msgspec.json.encode(sorted(resting)), version, "organisation", past=1
            )
        await self.refresh()
        if self._wanted.get(tenant) == resting:
            del self._wanted[tenant]


def rests(agent: org.Agent) -> bool:
    """Whether an agent is to begin nothing."""
    return agent.paused is not None or agent.retired
