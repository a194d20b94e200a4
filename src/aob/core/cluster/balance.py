"""Which member holds which shard. Shard 0, which has the home's own streams and its numbers, belongs to a member of the
role `metrics` while one lives, and never moves for balance. The others belong to coordinators: as many each, give or
take one, with the fewest moves from what is. Every member comes to the same plan by itself, from the same reading, and
acts on its own part of it. A plan from an older reading does no harm: a lease is taken only where it is free."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from aob.core.cluster.standing import Lease, Member, Standing

ALONE: Final = "home"
"""The role of a process that is to have every shard: nobody else takes any while it lives, and none moves."""
MAIN: Final = 0
"""The shard that the home's main process has."""

MOVE_MS: Final = 1_000
"""How long the cluster waits after a shard was taken before it moves another one for balance."""


def wanted(standing: Standing) -> list[str]:
    """The member that is to hold each shard; empty where no member can. Those that hold shards keep as many as they
    may, the ones that rendezvous hashing gives them first; the rest go where it says."""
    present = [member for member in standing.members if not member.leaving]
    owners = [_owner(lease) for lease in standing.leases]
    if alone := _of_role(present, ALONE):
        return [owner or alone[0] for owner in owners]
    numbers, holding = _of_role(present, "metrics"), _of_role(present, "coordinator", "")
    numbers, holding = numbers or holding, holding or numbers
    if not present or not owners:
        return [""] * len(owners)
    main = owners[MAIN]
    if main not in numbers and numbers != holding:
        main = max(numbers, key=lambda member: _weight(member, MAIN))
    if main in numbers and main not in holding:
        return [main, *_spread(owners, holding, range(1, len(owners)))]
    return _spread([main, *owners[1:]], holding, range(len(owners)))


def _spread(owners: Sequence[str], members: Sequence[str], shards: range) -> list[str]:
    """The member of each of these shards. Whoever is said to own shard 0 has it."""
    holds: dict[str, list[int]] = {member: [] for member in members}
    for shard in shards:
        if owners[shard] in holds:
            holds[owners[shard]].append(shard)
    least, more = divmod(len(shards), len(members))
    order = sorted(members, key=lambda member: (-len(holds[member]), _weight(member, -1)))
    room = {member: least + (place < more) for place, member in enumerate(order)}
    plan: dict[int, str] = {}
    for member, held in holds.items():
        first = sorted(held, key=lambda shard: (shard == MAIN, _weight(member, shard)), reverse=True)
        plan |= dict.fromkeys(first[: room[member]], member)
        room[member] -= min(len(held), room[member])
    for shard in shards:
        if shard not in plan:
            to = max((each for each in members if room[each]), key=lambda each: _weight(each, shard))
            room[to] -= 1
            plan[shard] = to
    return [plan[shard] for shard in shards]


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


def _of_role(members: Sequence[Member], *roles: str) -> list[str]:
    """The members that have one of these roles (empty: that name none), in order."""
    return sorted(member.id for member in members if any(role in (member.roles or ("",)) for role in roles))


def _owner(lease: Lease) -> str:
    return lease.owner if lease.counts else lease.heir if lease.left_ms > 0 else ""


def _weight(member: str, shard: int) -> bytes:
    return blake2b(f"{shard} {member}".encode(), digest_size=8).digest()
