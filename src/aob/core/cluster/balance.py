"""Which member holds which shard: as many each, give or take one, with the fewest moves from what is. Every member
comes to the same plan by itself, from the same reading, and acts on its own part of it. A plan from an older reading
does no harm: a lease is taken only where it is free."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from aob.core.cluster.standing import Lease, Standing

MOVE_MS: Final = 1_000
"""How long the cluster waits after a shard was taken before it moves another one for balance."""


def wanted(standing: Standing) -> list[str]:
    """The member that is to hold each shard; empty where no member can. Those that hold shards keep as many as they
    may, the ones that rendezvous hashing gives them first; the rest go where it says."""
    members = sorted(member.id for member in standing.members if not member.leaving)
    if not members:
        return [""] * len(standing.leases)
    holds: dict[str, list[int]] = {member: [] for member in members}
    for lease in standing.leases:
        if (owner := _owner(lease)) in holds:
            holds[owner].append(lease.shard)
    least, more = divmod(len(standing.leases), len(members))
    order = sorted(members, key=lambda member: (-len(holds[member]), _weight(member, -1)))
    room = {member: least + (place < more) for place, member in enumerate(order)}
    plan = [""] * len(standing.leases)
    for member, shards in holds.items():
        kept = sorted(shards, key=lambda shard: _weight(member, shard), reverse=True)[: room[member]]
        room[member] -= len(kept)
        for shard in kept:
            plan[shard] = member
    for shard, member in enumerate(plan):
        if not member:
            to = max((each for each in members if room[each]), key=lambda each: _weight(each, shard))
            room[to] -= 1
            plan[shard] = to
    return plan


def to_take(standing: Standing, me: str) -> list[int]:
    """The shards that this member takes now: nobody has them, and they are to be its own."""
    plan = wanted(standing)
    return [
        lease.shard for lease in standing.leases
        if plan[lease.shard] == me and not (lease.owner == me and lease.counts) and lease.free_for(me)
    ]  # fmt: skip


def next_move(standing: Standing) -> tuple[int, str, str] | None:
    """The one shard that moves next for balance: from whom, and to whom. None while another is on its way, while one
    has no owner, and for a while after one was taken: so the whole cluster moves one a second."""
    living = {member.id for member in standing.members}
    if any(not lease.counts or lease.owner not in living or lease.since_ms < MOVE_MS for lease in standing.leases):
        return None
    plan = wanted(standing)
    moves = ((lease.shard, lease.owner, plan[lease.shard]) for lease in standing.leases)
    return next((move for move in moves if move[2] and move[1] != move[2]), None)


def handed_over(standing: Standing, me: str) -> Sequence[tuple[int, str]]:
    """All shards of a member that leaves, and to whom each goes (empty: to whoever takes it)."""
    others = [member for member in standing.members if member.id != me]
    plan = wanted(Standing(standing.now_ms, others, standing.leases))
    return [(lease.shard, plan[lease.shard]) for lease in standing.leases if lease.owner == me]


def _owner(lease: Lease) -> str:
    return lease.owner if lease.counts else lease.heir if lease.left_ms > 0 else ""


def _weight(member: str, shard: int) -> bytes:
    return blake2b(f"{shard} {member}".encode(), digest_size=8).digest()
