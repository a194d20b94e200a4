"""Funnels, sessions and joins: contributions add up to a recount, whatever the order in which touches came."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.contract_model import MetricContract, MetricType
from aob.core.metric.history import Contribution, Touch
from aob.core.metric.subject import Refolding, SubjectFold, answer_of, width_of

WITHIN_MS = 10
Sums = dict[tuple[int, tuple[str, ...]], tuple[float, ...]]


def contract(kind: MetricType, value: str = "") -> MetricContract:
    """A metric that follows subjects."""
    return MetricContract(
        kind,
        1,
        kind,
        key="data.key",
        within_ms=WITHIN_MS,
        value=value,
        steps=("a", "b", "c") if kind == "funnel" else (),
    )


KINDS = [contract("funnel"), contract("sessions"), contract("join"), contract("join", "right.data.n - left.data.n")]
ids = [f"{each.type}{'-value' if each.value else ''}" for each in KINDS]


def touched(data: bytes) -> list[Touch]:
    """A stream of touches, at most 25: each is six bytes."""
    made = []
    for place in range(0, len(data) - 5, 6):
        key, at_ms, step, dim, n, sign = data[place : place + 6]
        at_ms %= 61
        made.append(Touch("xy"[key % 2], at_ms, at_ms, step % 3, ("pq"[dim % 2],), 1 if sign % 5 else -1, {"n": n % 3}))
    return made


streams = st.binary(min_size=18, max_size=150).map(touched)
steps_of = st.binary(min_size=50, max_size=50).map(
    lambda data: [(step % 5, behind % 13) for step, behind in zip(data[::2], data[1::2], strict=True)]
)
"""For each touch of a stream how far time goes on, and how late it comes."""


def summed(contributions: Iterable[Contribution]) -> Sums:
    """Cells: sums by place, without those that came to nothing."""
    cells: Sums = {}
    for at_ms, dims, values in contributions:
        held = cells.get((at_ms, dims)) or (0.0,) * len(values)
        cells[at_ms, dims] = tuple(old + new for old, new in zip(held, values, strict=True))
    return {place: values for place, values in cells.items() if any(values)}


def there(touches: Iterable[Touch], data: bool) -> dict[str, list[tuple[Touch, int]]]:
    """What each subject did, once retractions are taken off, in order of time."""
    held: Counter[tuple[object, ...]] = Counter()
    named: dict[tuple[object, ...], Touch] = {}
    for touch in touches:
        place = (touch.key, touch.at_ms, touch.step, touch.dims, touch.data["n"] if data else 0)  # type: ignore[index]
        held[place] += touch.sign
        named[place] = touch
    found = defaultdict(list)
    for place in sorted(held):  # type: ignore[type-var]
        if held[place] > 0:
            found[named[place].key].append((named[place], held[place]))
    return found


def recount(metric: MetricContract, touches: list[Touch]) -> Sums:
    """The cells of a stream, counted anew in the plainest way."""
    told: list[Contribution] = []
    for history in there(touches, bool(metric.value)).values():
        if metric.type == "funnel":
            told += attempts(history)
        elif metric.type == "sessions":
            told += visits(history)
        else:
            told += pairs(history, bool(metric.value))
    return summed(told)


def attempts(history: list[tuple[Touch, int]]) -> list[Contribution]:
    """Attempts at the funnel: the first beginning after the end of the one before."""
    told, end = [], -1
    for first, _ in history:
        if first.step or first.at_ms <= end:
            continue
        end, reached, since = first.at_ms + WITHIN_MS, [1.0, 0.0, 0.0], (first.at_ms, 0)
        for step in (1, 2):
            later = [t.at_ms for t, _ in history if t.step == step and since[0] <= t.at_ms <= end]
            if not later:
                break
            reached[step], since = 1.0, (min(later), step)
        told.append(Contribution(first.at_ms, first.dims, tuple(reached)))
    return told


def visits(history: list[tuple[Touch, int]]) -> list[Contribution]:
    """Sessions: cut where nothing comes for longer than the gap."""
    told: list[Contribution] = []
    stretch: list[tuple[Touch, int]] = []
    for index, (touch, count) in enumerate(history):
        stretch.append((touch, count))
        if index + 1 == len(history) or history[index + 1][0].at_ms - touch.at_ms > WITHIN_MS:
            first = stretch[0][0]
            events = sum(number for _, number in stretch)
            told.append(Contribution(first.at_ms, first.dims, (1.0, float(events), float(touch.at_ms - first.at_ms))))
            stretch = []
    return told


def pairs(history: list[tuple[Touch, int]], data: bool) -> list[Contribution]:
    """Each left one with the first right one that follows it in time."""
    told = []
    for left, count in history:
        if left.step:
            continue
        after = [t for t, _ in history if t.step == 1 and 0 <= t.at_ms - left.at_ms <= WITHIN_MS]
        values = (1.0, 0.0, 0.0, 0.0)
        if after:
            right = min(after, key=lambda t: (t.at_ms, t.dims, t.data["n"]))  # type: ignore[index]
            n = right.data["n"] - left.data["n"] if data else right.at_ms - left.at_ms  # type: ignore[index]
            values = (1.0, 1.0, 1.0, float(n))
        told.append(Contribution(left.at_ms, left.dims, tuple(count * value for value in values)))
    return told


def folded(fold: SubjectFold, touches: Iterable[Touch]) -> list[Contribution]:
    """All that the touches changed."""
    return [each for touch in touches for each in fold.add(touch)]


@pytest.mark.parametrize("metric", KINDS, ids=ids)
@given(touches=streams, dice=st.integers(0, 10**9).map(random.Random))
def test_contributions_in_any_order_add_up_to_a_recount(
    metric: MetricContract, touches: list[Touch], dice: random.Random
) -> None:
    want = recount(metric, touches)
    assert summed(folded(SubjectFold(metric), touches)) == want
    dice.shuffle(touches)
    assert summed(folded(SubjectFold(metric), touches)) == want


@pytest.mark.parametrize("metric", KINDS, ids=ids)
@given(touches=streams, cut=st.integers(0, 25))
def test_a_fold_read_back_goes_on_as_if_nothing_had_been(
    metric: MetricContract, touches: list[Touch], cut: int
) -> None:
    straight, first, again = SubjectFold(metric), SubjectFold(metric), SubjectFold(metric)
    told = folded(first, touches[:cut])
    pages = dict(first.pages(full=True))
    folded(straight, touches[:cut])
    again.load(pages)
    assert dict(again.pages(full=True)) == pages
    assert folded(again, touches[cut:]) == folded(straight, touches[cut:])
    folded(first, touches[cut:])
    pages |= dict(first.pages())
    last = SubjectFold(metric)
    last.load(pages)
    assert dict(last.pages(full=True)) == dict(straight.pages(full=True)) == dict(again.pages(full=True))
    assert len(last) == len(straight)
    assert told == folded(SubjectFold(metric), touches[:cut])


@pytest.mark.parametrize("metric", KINDS, ids=ids)
@given(
    touches=streams,
    steps=steps_of,
    late=st.integers(0, 12),
)
def test_what_is_settled_tells_as_before_of_all_that_is_not_too_late(
    metric: MetricContract, touches: list[Touch], steps: list[tuple[int, int]], late: int
) -> None:
    """Time goes on in small steps; a touch comes at most `late` behind the newest, and the horizon is just as far."""
    newest, stream = 20, []
    for touch, (step, behind) in zip(touches, steps, strict=False):
        newest += step
        at_ms = newest - min(behind, late)
        stream.append(touch._replace(key="x", at_ms=at_ms, seen_ms=newest, sign=1))
    fold = SubjectFold(metric, horizon_ms=late)
    told = []
    for touch in stream:
        told += fold.add(touch)
        for _ in range(16):
            fold.forget()
    assert summed(told) == recount(metric, stream)
    assert fold.missed == 0


@given(streams)
def test_nothing_is_kept_of_what_lies_before_the_horizon(touches: list[Touch]) -> None:
    for metric in KINDS:
        fold = SubjectFold(metric, horizon_ms=5)
        folded(fold, touches)
        assert fold.add(Touch("z", 10_000, 10_000, step=2)) == [] or metric.type == "sessions"
        for _ in range(16):
            fold.forget()
        assert len(fold) == 1
        assert fold.add(Touch("x", 9_994, 10_000)) == []
        assert fold.missed >= 1


@pytest.mark.parametrize("metric", KINDS, ids=ids)
def test_a_subject_with_very_many_touches_is_bounded_and_still_right_for_what_comes_in_order(
    metric: MetricContract,
) -> None:
    touches = [Touch("bot", at_ms, at_ms, at_ms % 3 % 2, ("p",), 1, {"n": 1}) for at_ms in range(1_000)]
    fold = SubjectFold(metric)
    told = folded(fold, touches)
    assert summed(told) == recount(metric, touches)
    assert fold.size() < 130 * 250 + 1_000
    assert fold.add(touches[0]) == []
    assert fold.missed == 1


def test_subjects_are_bounded_and_the_quiet_ones_go_first() -> None:
    fold = SubjectFold(contract("sessions"), subjects_max=1_024)
    for number in range(4_000):
        fold.add(Touch(f"k{number}", number, number))
    assert len(fold) <= 1_024
    assert len(fold) + fold.missed == 4_000
    assert fold.add(Touch("k3999", 4_000, 4_000)) == [Contribution(3_999, (), (0.0, 1.0, 1.0))]


def test_the_value_of_a_pair_may_be_missing_and_is_then_no_part_of_the_average() -> None:
    metric = contract("join", "right.time - left.time")
    fold = SubjectFold(metric)
    told = folded(fold, [Touch("x", 3, 3, 0, (), 1, {}), Touch("x", 7, 7, 1, (), 1, {})])
    assert summed(told) == {(3, ()): (1.0, 1.0, 1.0, 4.0)}
    metric = contract("join", "right.data.n")
    told = folded(SubjectFold(metric), [Touch("x", 3, 3, 0, (), 1, {}), Touch("x", 7, 7, 1, (), 1, {})])
    assert answer_of(metric, told[0].values) == {"pairs": 0, "average": None, "unmatched": 1}
    assert answer_of(metric, summed(told)[3, ()]) == {"pairs": 1, "average": None, "unmatched": 0}


def test_answers_name_what_they_tell_and_averages_of_nothing_are_null() -> None:
    funnel, sessions, join = KINDS[:3]
    assert answer_of(funnel, (4.0, 2.0, 1.0)) == {"a": 4, "b": 2, "c": 1, "conversion": 0.25}
    assert answer_of(funnel, ()) == {"a": 0, "b": 0, "c": 0, "conversion": None}
    assert answer_of(sessions, (2.0, 6.0, 50.0)) == {"sessions": 2, "events_per_session": 3.0, "duration_ms": 25.0}
    assert answer_of(join, ()) == {"pairs": 0, "average": None, "unmatched": 0}
    assert [width_of(each) for each in KINDS[:3]] == [3, 3, 4]
    nameless = msgspec.structs.replace(funnel, steps=())
    assert answer_of(nameless, (1.0,)) == {"0": 1, "conversion": 1.0}


def test_two_folds_of_one_metric_share_nothing() -> None:
    one, other = SubjectFold(KINDS[1]), SubjectFold(KINDS[1])
    one.add(Touch("x", 1, 1))
    assert (len(one), len(other)) == (1, 0)
    assert other.add(Touch("x", 2, 2)) == [Contribution(2, (), (1.0, 1.0, 0.0))]


def test_one_event_never_counts_for_two_steps_of_a_funnel() -> None:
    metric = contract("funnel")
    look = Touch("x", 5, 5, 0, ("p",), 1, None, (1,))
    fold = SubjectFold(metric)
    assert summed(folded(fold, [look])) == {(5, ("p",)): (1.0, 0.0, 0.0)}
    two = folded(SubjectFold(metric), [look, look])
    assert summed(two) == {(5, ("p",)): (1.0, 1.0, 0.0)}
    later = folded(SubjectFold(metric), [look._replace(at_ms=7), look, look._replace(at_ms=9, step=2, also=())])
    assert summed(later) == {(5, ("p",)): (1.0, 1.0, 1.0)}


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sets(st.integers(0, 2), min_size=1)), max_size=8),
    st.integers(0, 10**9).map(random.Random),
)
def test_events_of_several_steps_count_alike_in_any_order(
    acts: list[tuple[int, set[int]]], dice: random.Random
) -> None:
    touches = []
    for at_ms, steps in acts:
        step, *also = sorted(steps)
        touches.append(Touch("x", at_ms, at_ms, step, (), 1, None, tuple(also)))
    want = summed(folded(SubjectFold(contract("funnel")), touches))
    dice.shuffle(touches)
    assert summed(folded(SubjectFold(contract("funnel")), touches)) == want
    assert sum(sum(values) for values in want.values()) <= len(acts), "each event stands for one step at most"


@pytest.mark.parametrize("metric", KINDS, ids=ids)
@given(touches=streams, dice=st.integers(0, 10**9).map(random.Random), horizon=st.integers(0, 20))
def test_what_came_too_late_is_told_by_the_log_as_if_it_had_come_in_time(
    metric: MetricContract, touches: list[Touch], dice: random.Random, horizon: int
) -> None:
    fold, told, refolding = SubjectFold(metric, horizon_ms=horizon), [], Refolding(metric)
    for number, touch in enumerate(touches):
        told += fold.add(touch)
        if dice.random() < 0.2 or number == len(touches) - 1:
            assert fold.missed == fold.waiting
            for key, late in fold.waiting_of(fold.late()).items():
                marks = [refolding.mark(each) for each in touches[: number + 1] if each.key == key]
                told += fold.adopt(refolding.refold(key, late, marks, fold.floor_ms)) or []
            assert (fold.waiting, fold.missed) == (0, 0)
        pages = dict(fold.pages(full=True))
        fold = SubjectFold(metric, horizon_ms=horizon)
        fold.load(pages)
    assert summed(told) == recount(metric, touches)


def test_a_subject_that_is_touched_while_the_log_is_read_waits_for_the_next_pass() -> None:
    metric = contract("sessions")
    fold, refolding = SubjectFold(metric, horizon_ms=5), Refolding(metric)
    touches = [Touch("x", 100, 100), Touch("x", 10, 100)]
    folded(fold, touches)
    late, marks = fold.waiting_of(["x", "y"])["x"], [refolding.mark(each) for each in touches]
    first = refolding.refold("x", late, marks, fold.floor_ms)
    fold.add(Touch("x", 20, 100))
    assert refolding.refold("x", late, marks, fold.floor_ms) == first, "how it stood is not what it has become"
    fold.add(Touch("x", 101, 101))
    assert fold.adopt(first) is None
    assert fold.wait_still({"x", "y"})
    assert not fold.wait_still({"y"})
    assert fold.waiting == 2
