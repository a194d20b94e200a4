"""Who holds which shard: members come, go and die, and each shard has one owner, all have as many, and few move."""

from collections import Counter
from collections.abc import Mapping
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.cluster import ALONE, Lease, Member, Standing, Tenure, handed_over, next_move, to_take, wanted
from aob.core.cluster.balance import MOVE_MS

LONG_MS = 10_000


def standing(owners: list[str], members: list[str], *, since_ms: int = LONG_MS) -> Standing:
    leases = [
        Lease(shard, owner, f"{owner}:1", 1, left_ms=LONG_MS if owner else 0, since_ms=since_ms)
        for shard, owner in enumerate(owners)
    ]
    return Standing(0, [Member(name, f"{name}:1") for name in sorted(members)], leases)


NAMES = st.lists(st.text("abcdefgh", min_size=1, max_size=3), min_size=1, max_size=9, unique=True)


@given(NAMES, NAMES, st.integers(1, 64), st.randoms(use_true_random=False))
def test_every_shard_goes_to_a_member_all_have_as_many_and_the_fewest_move(
    before: list[str], members: list[str], shards: int, dice: Random
) -> None:
    owners = [dice.choice(["", *before]) for _ in range(shards)]
    plan = wanted(standing(owners, members))
    counts = Counter(plan)
    assert set(plan) <= set(members)
    assert max(counts.values()) - min(counts.get(member, 0) for member in members) <= 1
    assert max(counts.values()) <= -(-shards // len(members))
    held = sorted((owners.count(member) for member in members), reverse=True)
    least, more = divmod(shards, len(members))
    must = sum(max(0, count - least - (place < more)) for place, count in enumerate(held))
    moved = sum(owner != to for owner, to in zip(owners, plan, strict=True) if owner in members)
    assert moved == must, "nothing moves that need not"
    assert wanted(standing(plan, members)) == plan, "what is balanced stays"
    assert wanted(standing(owners, members[::-1])) == plan, "everybody makes the same plan"


def of_roles(seen: Standing, roles: Mapping[str, tuple[str, ...]]) -> Standing:
    members = [msgspec.structs.replace(member, roles=roles[member.id]) for member in seen.members]
    return Standing(seen.now_ms, members, seen.leases)


ROLES = [("coordinator",), ("metrics",), ("coordinator", "metrics"), ("coordinator",)]


@given(NAMES, NAMES, st.integers(1, 32), st.randoms(use_true_random=False))
def test_shard_0_belongs_to_a_member_of_the_role_metrics_and_stays_where_it_may(
    before: list[str], members: list[str], shards: int, dice: Random
) -> None:
    owners = [dice.choice(["", *before]) for _ in range(shards)]
    roles = {name: dice.choice(ROLES) for name in members}
    numbers = [name for name in members if "metrics" in roles[name]]
    holding = [name for name in members if "coordinator" in roles[name]]
    seen = of_roles(standing(owners, members), roles)
    plan = wanted(seen)
    assert plan[0] in (numbers or members)
    if owners[0] in (numbers or members):
        assert plan[0] == owners[0], "it moves for no balance"
    assert set(plan[1:]) <= set(holding or numbers)
    counts = Counter(dict.fromkeys(holding or numbers, 0))
    counts.update(plan if plan[0] in counts else plan[1:])
    assert max(counts.values()) - min(counts.values()) <= 1
    assert wanted(of_roles(standing(plan, members), roles)) == plan, "what is balanced stays"
    assert wanted(of_roles(standing(owners, members[::-1]), roles)) == plan


@given(NAMES, st.integers(1, 16), st.randoms(use_true_random=False))
def test_where_one_wants_every_shard_nobody_else_takes_or_moves_any(
    members: list[str], shards: int, dice: Random
) -> None:
    owners = [dice.choice(["", *members]) for _ in range(shards)]
    alone = dice.choice(members)
    seen = of_roles(standing(owners, members), {name: (ALONE,) * (name == alone) for name in members})
    assert next_move(seen) is None
    assert {shard for name in members if name != alone for shard in to_take(seen, name)} == set()
    assert to_take(seen, alone) == [shard for shard, owner in enumerate(owners) if not owner]


def test_a_member_of_the_role_metrics_that_comes_gets_shard_0_and_one_that_goes_gives_it_to_another() -> None:
    roles = {"a": ("coordinator",), "b": ("coordinator",), "m": ("metrics",), "n": ("metrics",)}
    seen = of_roles(standing(["a", "b", "a", "b"], ["a", "b", "m"]), roles)
    assert next_move(seen) == (0, "a", "m")
    both = of_roles(standing(["m", "b", "a", "b"], ["a", "b", "m", "n"]), roles)
    assert dict(handed_over(both, "m")) == {0: "n"}
    last = of_roles(standing(["m", "b", "a", "b"], ["a", "b", "m"]), roles)
    assert dict(handed_over(last, "m")) == {0: "a"}


def test_a_fifth_member_of_sixteen_shards_gets_three_of_them() -> None:
    four = wanted(standing([""] * 16, ["a", "b", "c", "d"]))
    five = wanted(standing(four, ["a", "b", "c", "d", "e"]))
    assert Counter(five) == {"a": 4, "b": 3, "c": 3, "d": 3, "e": 3} or sorted(Counter(five).values()) == [
        3,
        3,
        3,
        3,
        4,
    ]
    assert sum(one != other for one, other in zip(four, five, strict=True)) == 3


def test_shards_are_spread_by_the_names_of_the_members() -> None:
    plans = {tuple(wanted(standing([""] * 16, [f"{turn}a", f"{turn}b", f"{turn}c"]))) for turn in range(20)}
    assert len(plans) == 20


class Cluster:
    """Members that each act on a reading of their own, which may be old, as the leases allow."""

    def __init__(self, shards: int, dice: Random) -> None:
        self.dice, self.now_ms, self.lease_ms = dice, 0, LONG_MS
        self.leases = [Lease(shard) for shard in range(shards)]
        self.until, self.taken = [0] * shards, [0] * shards
        self.members: dict[str, Member] = {}
        self.moves: list[int] = []

    def read(self) -> Standing:
        leases = [
            msgspec.structs.replace(
                lease, left_ms=max(0, self.until[n] - self.now_ms), since_ms=self.now_ms - self.taken[n]
            )
            for n, lease in enumerate(self.leases)
        ]
        return Standing(self.now_ms, [self.members[name] for name in sorted(self.members)], leases)

    def acts(self, name: str, seen: Standing) -> None:
        for shard in to_take(seen, name):
            now = self.read().leases[shard]
            if name in self.members and now.free_for(name):
                assert not (now.counts and now.owner != name), "what is owned is not taken"
                self.leases[shard] = Lease(shard, name, "", now.term + 1)
                self.until[shard], self.taken[shard] = self.now_ms + self.lease_ms, self.now_ms
        move = next_move(seen)
        if move is not None and move[1] == name and self.leases[move[0]].owner == name:
            self.gives(move[0], move[2])
            self.moves.append(self.now_ms)

    def gives(self, shard: int, heir: str) -> None:
        self.leases[shard] = Lease(shard, term=self.leases[shard].term, heir=heir)
        self.until[shard] = self.now_ms + self.lease_ms if heir else 0

    def passes(self, ms: int) -> None:
        self.now_ms += ms
        for shard, lease in enumerate(self.leases):
            if lease.owner in self.members:
                self.until[shard] = self.now_ms + self.lease_ms

    def settled(self) -> bool:
        owners = [lease.owner for lease in self.read().leases if lease.counts]
        counts = Counter(dict.fromkeys(self.members, 0))
        counts.update(owners)
        return len(owners) == len(self.leases) and max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize("seed", range(20))
def test_members_come_go_and_die_and_every_shard_gets_its_one_owner_again(seed: int) -> None:
    dice = Random(seed)
    cluster = Cluster(dice.choice([1, 3, 16, 64]), dice)
    named = 0
    for _ in range(25):
        chance = dice.random()
        if not cluster.members or (chance < 0.5 and len(cluster.members) < 7):
            named += 1
            cluster.members[f"m{named}"] = Member(f"m{named}", "")
        elif chance < 0.75:
            name = dice.choice(sorted(cluster.members))
            for shard, heir in handed_over(cluster.read(), name):
                cluster.gives(shard, heir)
            del cluster.members[name]
        else:
            del cluster.members[dice.choice(sorted(cluster.members))]
        old = cluster.read()
        for _ in range(dice.randrange(60)):
            cluster.passes(dice.choice([50, 500, 2_000]))
            if cluster.members:
                cluster.acts(dice.choice(sorted(cluster.members)), old if dice.random() < 0.2 else cluster.read())
            old = cluster.read() if dice.random() < 0.3 else old
    if not cluster.members:
        cluster.members["last"] = Member("last", "")
    begun, cluster.moves = cluster.now_ms, []
    for _ in range(2_000):
        if cluster.settled():
            break
        cluster.passes(200)
        for name in sorted(cluster.members):
            cluster.acts(name, cluster.read())
    assert cluster.settled()
    pauses = [later - sooner for sooner, later in zip(cluster.moves, cluster.moves[1:], strict=False)]
    assert all(pause >= MOVE_MS for pause in pauses), "one a second"
    assert len(cluster.moves) <= len(cluster.leases)
    assert cluster.now_ms - begun <= cluster.lease_ms + (len(cluster.leases) + 2) * 2 * MOVE_MS


def test_nothing_moves_while_a_shard_has_no_owner_or_was_just_taken() -> None:
    uneven = ["a", "a", "a", "a"]
    assert MOVE_MS == 1_000, "one a second"
    assert next_move(standing(uneven, ["a", "b"])) is not None
    assert next_move(standing(uneven, ["a", "b"], since_ms=MOVE_MS - 1)) is None
    assert next_move(standing(["a", "a", "a", ""], ["a", "b"])) is None
    assert next_move(standing(["a", "b", "a", "b"], ["a", "b"])) is None


def test_a_shard_on_its_way_is_taken_by_its_heir_alone() -> None:
    seen = standing(["a", "a", "", "b"], ["a", "b"])
    leases = [*seen.leases]
    leases[2] = msgspec.structs.replace(leases[2], heir="b", left_ms=LONG_MS)
    seen = Standing(0, seen.members, leases)
    assert (to_take(seen, "a"), to_take(seen, "b")) == ([], [2])


def test_one_that_leaves_takes_nothing_and_names_an_heir_for_each() -> None:
    seen = standing(["a", "a", "a", "b", "b", ""], ["a", "b", "c"])
    leaving = [msgspec.structs.replace(member, leaving=member.id == "a") for member in seen.members]
    seen = Standing(0, leaving, seen.leases)
    assert to_take(seen, "a") == []
    heirs = dict(handed_over(seen, "a"))
    assert heirs.keys() == {0, 1, 2}
    assert set(heirs.values()) == {"b", "c"}
    assert Counter([*heirs.values(), "b", "b"])["b"] <= 3
    alone = Standing(0, [leaving[0]], seen.leases)
    assert dict(handed_over(alone, "a")) == {0: "", 1: "", 2: ""}


def test_an_owner_acts_for_two_thirds_of_a_lease_from_before_it_asked() -> None:
    clock = [100.0]
    tenure = Tenure(9.0, lambda: clock[0])
    assert not tenure.acts
    tenure.renewed(100.0)
    for now_s, acts in ((100.0, True), (105.9, True), (106.0, False), (109.0, False)):
        clock[0] = now_s
        assert tenure.acts is acts
    tenure.renewed(106.5)
    tenure.renewed(101.0)  # an answer that was late shortens nothing
    clock[0] = 112.0
    assert tenure.acts
    tenure.lost()
    tenure.renewed(112.0)
    assert not tenure.acts, "what is lost stays lost"
