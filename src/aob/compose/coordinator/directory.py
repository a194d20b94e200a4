"""Who owns each shard, as this process knows: read with the leases, corrected by what other processes say."""

import asyncio
from collections.abc import Sequence
from typing import Final

from aob.compose.network import Route
from aob.core.cluster import Lease, Member, Standing
from aob.core.errors import AobError
from aob.ports.cluster import Leases

HOME: Final = -1
"""The home as a whole: the owner of shard 0 answers for it."""
FRESH_S: Final = 0.05  # a reading that is younger answers all who look


class LeaseDirectory:
    """A `Directory` over the leases. `own` is the address of this process."""

    def __init__(self, leases: Leases, own: str) -> None:
        self._leases, self.own = leases, own
        self._routes: dict[int, Route] = {}
        self.members: Sequence[Member] = ()
        self.held: Sequence[Lease] = ()
        self.rules = 0
        """The newest rules that documents may use, by the last upgrade that was finished."""
        self._reading: asyncio.Task[None] | None = None
        self._read_s = -1.0

    def told(self, standing: Standing) -> None:
        """One reading of members and leases."""
        self._read_s = asyncio.get_running_loop().time()
        self.members, self.held, self.rules = standing.members, standing.leases, standing.rules
        for lease in standing.leases:
            known = self._routes.get(lease.shard)
            if lease.counts and (known is None or known.epoch <= lease.term):
                self._routes[lease.shard] = Route(lease.address, lease.term)
            elif not lease.counts and known is not None and known.epoch <= lease.term:
                del self._routes[lease.shard]

    def owner(self, shard: int) -> Route | None:
        """The owner as far as known."""
        return self._routes.get(max(shard, 0))

    async def look(self, shard: int) -> Route | None:
        """Read the leases again, unless that was done a moment ago. All who look at once share one reading."""
        if asyncio.get_running_loop().time() - self._read_s > FRESH_S:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read(), name="aob-directory")
            await asyncio.shield(self._reading)
        return self.owner(shard)

    def learn(self, shard: int, route: Route) -> None:
        """Another process says so; it counts if its epoch is higher."""
        known = self._routes.get(shard := max(shard, 0))
        if route.address and route.address != self.own and (known is None or known.epoch < route.epoch):
            self._routes[shard] = route

    def elsewhere(self, shard: int) -> Route:
        """The owner as another process is told; without an address where it is not known, or seems to be this one."""
        route = self.owner(shard)
        return Route("", 0) if route is None or route.address == self.own else route

    async def _read(self) -> None:
        try:
            self.told(await self._leases.standing())
        except AobError:
            self._read_s = asyncio.get_running_loop().time()  # the store is away: what is known still counts
