"""Who owns each shard, as this process knows: read with the leases, corrected by what other processes say."""

from collections.abc import Sequence
from typing import Final

from aob.compose.network import Route
from aob.compose.network.routes import Routes
from aob.core.cluster import Lease, Member, Standing
from aob.core.errors import AobError
from aob.ports.cluster import Leases

HOME: Final = -1
"""The home as a whole: the owner of shard 0 answers for it."""


class LeaseDirectory(Routes):
    """A `Directory` over the leases. `own` is the address of this process."""

    def __init__(self, leases: Leases, own: str) -> None:
        super().__init__()
        self._leases, self.own = leases, own
        self.members: Sequence[Member] = ()
        self.held: Sequence[Lease] = ()
        self.rules = 0
        """The newest rules that documents may use, by the last upgrade that was finished."""

    def told(self, standing: Standing) -> None:
        """One reading of members and leases."""
        self._noted()
        self.members, self.held, self.rules = standing.members, standing.leases, standing.rules
        for lease in standing.leases:
            known = self._routes.get(lease.shard)
            if lease.counts and (known is None or known.epoch <= lease.term):
                self._routes[lease.shard] = Route(lease.address, lease.term)
            elif not lease.counts and known is not None and known.epoch <= lease.term:
                del self._routes[lease.shard]

    def owner(self, shard: int) -> Route | None:
        """The owner as far as known."""
        return super().owner(max(shard, 0))

    def learn(self, shard: int, route: Route) -> None:
        """Another process says so; it counts if its epoch is higher, and it is not this process."""
        if route.address != self.own:
            super().learn(max(shard, 0), route)

    def elsewhere(self, shard: int) -> Route:
        """The owner as another process is told; without an address where it is not known, or seems to be this one."""
        route = self.owner(shard)
        return Route("", 0) if route is None or route.address == self.own else route

    async def _read(self) -> None:
        try:
            self.told(await self._leases.standing())
        except AobError:
            self._noted()  # the store is away: what is known still counts
