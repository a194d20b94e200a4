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


@given(ITEMS, st.lists(st.tuples(st.sets(st.sampled_from(LANES)), st.sampled_from(["", "a", "b"])), max_size=80))
def test_each_item_leaves_once_and_only_to_whom_serves_it(
    items: list[tuple[str, Lane, int, bool]], picks: list[tuple[set[Lane], str]]
) -> None:
    backlog: Backlog[Item] = Backlog()
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
