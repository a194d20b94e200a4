"""The members of a cluster and the leases of its shards, as one reading of the store says."""

from collections.abc import Sequence

import msgspec


class Member(msgspec.Struct, frozen=True):
    """A process that owns shards. `id` is of one life of it, `address` where its peers reach it; `release` and `rules`
    are what its code writes. `roles` say which shards it is for (none: as a coordinator), `grpc` where its workers come
    to. One that is `leaving` gives its shards away and takes none."""

    id: str
    address: str
    release: str = ""
    rules: int = 0
    leaving: bool = False
    roles: tuple[str, ...] = ()
    grpc: str = ""


class Lease(msgspec.Struct, frozen=True):
    """Who owns a shard (empty: nobody). `term` grows with each taking; `left_ms` is how long it still counts,
    `since_ms` how long ago it was taken; a released one names the `heir` that may take it before that time is over."""

    shard: int
    owner: str = ""
    address: str = ""
    term: int = 0
    heir: str = ""
    left_ms: int = 0
    since_ms: int = 0

    @property
    def counts(self) -> bool:
        """Whether the shard has an owner."""
        return bool(self.owner) and self.left_ms > 0

    def free_for(self, member: str) -> bool:
        """Whether this member may take it: the lease is over, or was released to it, or is its own."""
        return self.left_ms <= 0 or self.owner == member or (not self.owner and self.heir == member)


class Standing(msgspec.Struct, frozen=True):
    """The living members and all leases, by the clock of the store. `rules` are the newest ones that documents may use,
    by the last upgrade that was finished (0: those of the members)."""

    now_ms: int
    members: Sequence[Member]
    leases: Sequence[Lease]
    rules: int = 0
