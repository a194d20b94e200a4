"""The order in which jobs leave for workers: tenants in turns by weight, priorities 8:4:1, then age."""

from collections import Counter
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from aob.ports.workers import Lane
from aob.work.remote.backlog import Backlog


class Item(NamedTuple):
    tenant: str
    lane: Lane
    rank: int
    age: int
    size: int = 1


def test_priorities_of_a_tenant_get_8_4_and_1_of_13_while_all_wait() -> None:
    backlog: Backlog[Item] = Backlog()
    for age in range(300):
        backlog.push(Item("t", Lane("h"), age % 3, age))
    took = [backlog.take(lambda lane: True) for _ in range(26)]
    assert Counter(item.rank for item in took if item is not None) == {0: 16, 1: 8, 2: 2}


def test_tenants_take_turns_by_weight_however_many_jobs_one_has() -> None:
    backlog: Backlog[Item] = Backlog({"b": 3})
    for age in range(1_000):
        backlog.push(Item("a", Lane("h"), 1, age))
    for age in range(1_000, 1_100):
        backlog.push(Item("b", Lane("h"), 1, age))
    took = [backlog.take(lambda lane: True) for _ in range(40)]
    assert Counter(item.tenant for item in took if item is not None) == {"a": 10, "b": 30}


LANES = [Lane("x"), Lane("y"), Lane("z")]
ITEMS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(LANES), st.integers(0, 2), st.booleans()), max_size=60
)


@given(
    ITEMS, st.lists(st.tuples(st.sets(st.sampled_from(LANES)), st.sampled_from(["", "a", "b"])), max_size=80),
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 5)),
)  # fmt: skip
def test_each_item_leaves_once_and_only_to_whom_serves_it(
    items: list[tuple[str, Lane, int, bool]], picks: list[tuple[set[Lane], str]], weights: dict[str, int]
) -> None:
    backlog: Backlog[Item] = Backlog(weights)
    waiting: dict[int, Item] = {}
    for age, (tenant, lane, rank, first) in enumerate(items):
        waiting[age] = Item(tenant, lane, rank, age)
        backlog.push(waiting[age], first)
    for serves, tenant in picks:
        item = backlog.take(serves.__contains__, tenant)
        fits = [each for each in waiting.values() if each.lane in serves and tenant in ("", each.tenant)]
        assert (item is None) == (not fits)
        if item is not None:
            assert item in fits
            del waiting[item.age]
            assert not backlog.remove(item)
        assert len(backlog) == len(waiting)
        assert backlog.lanes == dict(Counter(each.lane for each in waiting.values()))
    assert {item.lane for item in backlog.oldest().values()} == {item.lane for item in waiting.values()}
    assert sorted(item.age for item in backlog.clear()) == sorted(waiting)
    assert not backlog


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(1, 5), min_size=1),
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=30), st.integers(1, 120),
)  # fmt: skip
def test_while_tenants_have_jobs_each_gets_its_weight_of_every_round(
    weights: dict[str, int], uneven: list[str], picks: int
) -> None:
    """However many jobs each has: after any number of picks no tenant is further than one turn from its share."""
    backlog: Backlog[Item] = Backlog(weights)
    tenants = sorted(set(uneven))
    for age, tenant in enumerate([*uneven * 3, *tenants * 130]):
        backlog.push(Item(tenant, Lane("h"), age % 3, age))
    took = Counter(item.tenant for _ in range(picks) if (item := backlog.take(lambda lane: True)) is not None)
    total = sum(weights.get(tenant, 1) for tenant in tenants)
    for tenant in tenants:
        weight = weights.get(tenant, 1)
        assert abs(took[tenant] - picks * weight / total) <= weight


@given(st.lists(st.tuples(st.sampled_from(LANES), st.booleans()), min_size=1, max_size=40))
def test_within_a_priority_the_oldest_is_first_over_all_lanes_that_a_worker_serves(
    items: list[tuple[Lane, bool]],
) -> None:
    backlog: Backlog[Item] = Backlog()
    waits = [Item("t", lane, 1, age) for age, (lane, _) in enumerate(items)]
    for item in sorted(waits, key=lambda item: (LANES.index(item.lane), item.age)):
        backlog.push(item)
    serves = {lane for lane, served in items if served}
    took = [backlog.take(serves.__contains__) for _ in waits]
    assert [item for item in took if item is not None] == [item for item in waits if item.lane in serves]


def test_a_tenant_whose_jobs_a_worker_does_not_serve_holds_up_no_other_whatever_its_weight() -> None:
    backlog: Backlog[Item] = Backlog({"a": 5})
    backlog.push(Item("a", Lane("x"), 1, 1))
    for age in (2, 3):
        backlog.push(Item("b", Lane("y"), 1, age))
    for age in (2, 3):
        took = backlog.take([Lane("y")].__contains__)
        assert took is not None
        assert took.age == age


@given(st.lists(st.integers(0, 2), min_size=1, max_size=200))
def test_no_priority_starves(ranks: list[int]) -> None:
    """The oldest of a priority leaves within thirteen picks of its tenant, whatever else there is."""
    backlog: Backlog[Item] = Backlog()
    for age, rank in enumerate([*ranks, *[0, 1, 2] * 30]):
        backlog.push(Item("t", Lane("h"), rank, age))
    for _ in range(6):
        waits = {rank for rank in range(3) if any(backlog._tenants["t"].ranks[rank])}
        took = [item for _ in range(13) if (item := backlog.take(lambda lane: True)) is not None]
        assert waits == {item.rank for item in took}
        for rank in waits:
            ages = [item.age for item in took if item.rank == rank]
            assert ages == sorted(ages)
