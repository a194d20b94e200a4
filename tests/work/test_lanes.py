"""PriorityQueue: order within a priority, urgency between them, and no starving."""

from hypothesis import given
from hypothesis import strategies as st

from aob.testing.world.loop import replaced
from aob.work.pool import PriorityQueue
from aob.work.pool import priority_queue as lanes_module

PRIORITY = st.sampled_from(["high", "medium", "low"])


@given(st.lists(PRIORITY, max_size=60))
def test_all_that_is_pushed_comes_out_once_and_in_order_within_its_priority(pushed: list[str]) -> None:
    lanes: PriorityQueue[tuple[str, int]] = PriorityQueue()
    for n, priority in enumerate(pushed):
        lanes.push((priority, n), priority)
    assert len(lanes) == len(pushed)
    out = [lanes.pop() for _ in pushed]
    assert lanes.pop() is None
    assert not lanes
    for priority in ("high", "medium", "low"):
        mine = [item[1] for item in out if item and item[0] == priority]
        assert mine == [n for n, p in enumerate(pushed) if p == priority]


@given(st.integers(0, 20), st.integers(0, 7))
def test_a_low_item_waits_for_at_most_eight_picks_while_urgent_ones_keep_coming(before: int, turn: int) -> None:
    lanes: PriorityQueue[str] = PriorityQueue()
    for _ in range(turn):
        lanes.pop()
    for _ in range(before):
        lanes.push("high", "high")
    lanes.push("low", "low")
    picked = []
    for _ in range(8):
        lanes.push("high", "high")
        lanes.push("medium", "medium")
        picked.append(lanes.pop())
    assert "low" in picked


def test_while_all_lanes_are_full_most_picks_are_urgent() -> None:
    lanes: PriorityQueue[str] = PriorityQueue()
    for priority in ("high", "medium", "low"):
        for _ in range(100):
            lanes.push(priority, priority)
    picked = [lanes.pop() for _ in range(80)]
    assert [picked.count(p) for p in ("high", "medium", "low")] == [50, 20, 10]


def test_an_unknown_priority_is_medium() -> None:
    lanes: PriorityQueue[str] = PriorityQueue()
    lanes.push("what", "whatever")
    lanes.push("normal", "normal")
    assert [lanes.pop(), lanes.pop()] == ["what", "normal"]


@given(st.lists(st.tuples(PRIORITY, st.sampled_from(["a", "b", "c"]), st.booleans()), max_size=80))
def test_what_is_not_wanted_any_more_is_let_go_of_and_the_others_keep_their_order(
    pushed: list[tuple[str, str, bool]],
) -> None:
    lanes: PriorityQueue[int] = PriorityQueue()
    gone: set[int] = set()
    with replaced((lanes_module, "GONE_MIN", 2)):
        for n, (priority, tenant, stays) in enumerate(pushed):
            lanes.push(n, priority, tenant)
            if not stays:
                gone.add(n)
                lanes.unwanted(lambda item: item not in gone)
                assert len(lanes) <= 2 * (n + 1 - len(gone)) + 3
    out = [item for _ in range(len(lanes)) if (item := lanes.pop()) is not None and item not in gone]
    assert sorted(out) == [n for n, (_, _, stays) in enumerate(pushed) if stays]
    for key in {(priority, tenant) for priority, tenant, _ in pushed}:
        mine = [n for n in out if pushed[n][:2] == key]
        assert mine == sorted(mine)
