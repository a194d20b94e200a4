"""Port `Leases`: the members of a cluster and who owns each shard, by the clock of the store. A lease only says when to
try: who is right is said by the epoch of the shard, in the store, at each commit."""

from typing import Final, Protocol

import msgspec

from aob.core.cluster import Lease, Member, Standing

FORGOTTEN: Final = 10
"""After so many leases without a sign of life a member is forgotten."""


class Renewed(msgspec.Struct, frozen=True):
    """What a member still has: the time of the store, and the shards with their terms."""

    now_ms: int
    terms: dict[int, int]


class Leases(Protocol):
    """The leases of the shards of one cluster. All times are the store's; a lease has one length in a cluster.

    Every function may be repeated. One that raises Unavailable may have happened or not.
    """

    async def join(self, member: Member) -> int:
        """Be a member, or say anew what it is (`leaving`), for the length of a lease; returns the time of the store."""

    async def leave(self, member: str) -> None:
        """Be no member any more. Its leases are released to nobody in particular."""

    async def standing(self) -> Standing:
        """The members whose time is not over, by id, and the lease of every shard, by number; one reading."""

    async def take(self, shard: int, member: str) -> Lease:
        """Own a shard if its lease is over, or was released to this member, or is its own: the term is one more.
        Returns the lease as it is now, another's where it was not free. Raises NotFound `no_shard`, and Conflict
        `no_member` for one whose membership is over."""

    async def renew(self, member: str) -> Renewed:
        """Prolong the membership and every lease that this member owns, also where their time is over and nobody took
        it. One that left, or has been away for many leases, has nothing."""

    async def release(self, shard: int, member: str, heir: str = "") -> bool:
        """Own a shard no more; returns whether this member did. For the length of a lease only `heir` takes it, then
        anybody; at once anybody, when none is named."""

    async def close(self) -> None:
        """Close all resources. Idempotent."""
