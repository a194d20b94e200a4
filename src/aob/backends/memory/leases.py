"""The port `Leases` in memory: the processes of a test or of a simulated world share the object."""

from collections.abc import Callable

import msgspec

from aob.core.cluster import Lease, Member, Standing
from aob.core.errors import Conflict, NotFound
from aob.ports.cluster import FORGOTTEN, Renewed


class MemoryLeases:
    """Leases of so many shards, of this length, by this clock."""

    def __init__(self, shards: int, lease_ms: int, now_ms: Callable[[], int]) -> None:
        self._lease_ms, self._now_ms = lease_ms, now_ms
        self._members: dict[str, tuple[Member, int]] = {}
        self._leases = {number: Lease(number) for number in range(shards)}
        self._until = dict.fromkeys(self._leases, 0)
        self._taken = dict.fromkeys(self._leases, 0)

    async def join(self, member: Member) -> int:
        now_ms = self._now_ms()
        forgotten_ms = now_ms - FORGOTTEN * self._lease_ms
        self._members = {id: known for id, known in self._members.items() if known[1] > forgotten_ms}
        self._members[member.id] = member, now_ms + self._lease_ms
        return now_ms

    async def leave(self, member: str) -> None:
        self._members.pop(member, None)
        for shard in self._of(member):
            await self.release(shard, member)

    async def standing(self) -> Standing:
        now_ms = self._now_ms()
        members = sorted((each for each, until in self._members.values() if until > now_ms), key=lambda each: each.id)
        return Standing(now_ms, members, [self._lease(shard, now_ms) for shard in self._leases])

    async def take(self, shard: int, member: str) -> Lease:
        now_ms = self._now_ms()
        if shard not in self._leases:
            raise NotFound(f"there is no shard {shard}", code="no_shard")
        known = self._members.get(member)
        if known is None or known[1] <= now_ms:
            raise Conflict(f"{member} is no member of the cluster", code="no_member")
        lease = self._lease(shard, now_ms)
        if not lease.free_for(member):
            return lease
        self._leases[shard] = Lease(shard, member, known[0].address, lease.term + 1)
        self._until[shard], self._taken[shard] = now_ms + self._lease_ms, now_ms
        return self._lease(shard, now_ms)

    async def renew(self, member: str) -> Renewed:
        now_ms = self._now_ms()
        known = self._members.get(member)
        if known is None:
            return Renewed(now_ms, {})
        self._members[member] = known[0], now_ms + self._lease_ms
        mine = self._of(member)
        self._until |= dict.fromkeys(mine, now_ms + self._lease_ms)
        return Renewed(now_ms, {shard: self._leases[shard].term for shard in mine})

    async def release(self, shard: int, member: str, heir: str = "") -> bool:
        lease = self._leases[shard]
        if lease.owner != member:
            return False
        self._leases[shard] = Lease(shard, term=lease.term, heir=heir)
        self._until[shard] = self._now_ms() + self._lease_ms if heir else 0
        return True

    async def close(self) -> None:
        """Does nothing."""

    def _of(self, member: str) -> list[int]:
        return [shard for shard, lease in self._leases.items() if lease.owner == member]

    def _lease(self, shard: int, now_ms: int) -> Lease:
        left_ms, since_ms = max(0, self._until[shard] - now_ms), now_ms - self._taken[shard]
        return msgspec.structs.replace(self._leases[shard], left_ms=left_ms, since_ms=since_ms)
