"""Sketches: exact while they count, within their error above, the same however they are grouped."""

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.metric.quantiles import Extremes, Quantiles
from aob.core.metric.texts import Distinct, Top

Signed = list[tuple[float, int]]
QUANTILES = (0.0, 0.07, 0.5, 0.95, 0.99, 1.0)

numbers = st.integers(-6, 6).map(lambda number: number / 2)
signed: st.SearchStrategy[Signed] = st.lists(st.tuples(numbers, st.sampled_from([1, 1, 1, -1, 2])), max_size=30)
Sketch = Distinct | Quantiles | Top | Extremes
MAKERS: dict[str, Callable[[], Sketch]] = {
    "distinct": Distinct,
    "quantiles": Quantiles,
    "top": Top,
    "extremes": lambda: Extremes(exact=True),
}


def told(sketch: Sketch) -> object:
    """All that a sketch answers."""
    if isinstance(sketch, Distinct):
        return sketch.value()
    if isinstance(sketch, Quantiles):
        return sketch.values(QUANTILES)
    if isinstance(sketch, Top):
        return sketch.value(100)
    assert isinstance(sketch, Extremes)
    return sketch.low, sketch.high


def filled(make: Callable[[], Sketch], moves: Signed) -> Sketch:
    """A sketch that has seen some numbers."""
    sketch = make()
    for number, sign in moves:
        sketch.add(number, sign)  # type: ignore[attr-defined]  # each takes its own kind of value
    return sketch


def counted(moves: Signed) -> Counter[float]:
    """How often each number is there."""
    held: Counter[float] = Counter()
    for number, sign in moves:
        held[number] += sign
    return Counter({number: count for number, count in held.items() if count > 0})


def nearest(held: Counter[float], quantile: float) -> float | None:
    """The nearest rank, written down the long way."""
    line = sorted(held.elements())
    return line[min(max(math.ceil(round(quantile * len(line), 6)), 1), len(line)) - 1] if line else None


@given(signed)
def test_while_it_counts_every_sketch_is_what_a_recount_gives(moves: Signed) -> None:
    held = counted(moves)
    assert told(filled(MAKERS["distinct"], moves)) == len(held)
    assert told(filled(MAKERS["quantiles"], moves)) == [nearest(held, quantile) for quantile in QUANTILES]
    assert dict(told(filled(MAKERS["top"], moves))) == held  # type: ignore[call-overload]
    assert told(filled(MAKERS["extremes"], moves)) == (min(held, default=None), max(held, default=None))


@pytest.mark.parametrize("name", MAKERS)
@given(parts=st.lists(signed, min_size=3, max_size=3), shuffled=st.randoms(use_true_random=False))
def test_merging_is_grouped_and_ordered_at_will(name: str, parts: list[Signed], shuffled: random.Random) -> None:
    make = MAKERS[name]

    def of(moves: Signed) -> Sketch:
        return filled(make, moves)

    left, right, other = of(parts[0]), of(parts[1]), of(parts[2])
    left.merge(of(parts[1]))
    left.merge(of(parts[2]))
    right.merge(other)
    grouped = of(parts[0])
    grouped.merge(right)
    mixed = [move for part in parts for move in part]
    shuffled.shuffle(mixed)
    assert told(left) == told(grouped) == told(of(mixed))
    assert told(other) == told(of(parts[2])), "the one that is merged in stays as it is"


@pytest.mark.parametrize("name", MAKERS)
@given(moves=signed)
def test_a_sketch_read_back_is_the_same(name: str, moves: Signed) -> None:
    sketch = filled(MAKERS[name], moves)
    again = type(sketch).load(sketch.dump())
    assert (told(again), again.exact, again.error, again.empty) == (
        told(sketch), sketch.exact, sketch.error, sketch.empty,
    )  # fmt: skip
    again.add(7.5, 1)  # type: ignore[attr-defined]
    sketch.add(7.5, 1)  # type: ignore[attr-defined]
    assert told(again) == told(sketch)


def spread(seed: int, count: int) -> list[int]:
    """Numbers of which a few come often."""
    dice = random.Random(seed)
    return [int(dice.paretovariate(0.6) * 10) for _ in range(count)]


def merged(sketches: Sequence[Sketch]) -> Sketch:
    """All of them in one."""
    first = type(sketches[0])()
    for sketch in sketches:
        first.merge(sketch)
    return first


@pytest.mark.parametrize("parts", [1, 7])
def test_an_estimated_distinct_count_is_within_its_error_and_the_same_in_any_order(parts: int) -> None:
    values = [f"buyer-{number % 20_000}" for number in range(30_000)]
    found = []
    for seed in (1, 2):
        random.Random(seed).shuffle(values)
        sketches = [Distinct() for _ in range(parts)]
        for index, value in enumerate(values):
            sketches[index % parts].add(value)
        sketch = merged(sketches)
        assert isinstance(sketch, Distinct)
        assert not sketch.exact
        assert abs(sketch.value() - 20_000) <= sketch.error * 20_000
        assert Distinct.load(sketch.dump()).value() == sketch.value()
        found.append(sketch.value())
    assert found[0] == found[1]


@pytest.mark.parametrize("parts", [1, 7])
def test_estimated_quantiles_are_within_their_rank_error(parts: int) -> None:
    values = [value + index / 100_000 for index, value in enumerate(spread(3, 20_000))]
    sketches = [Quantiles() for _ in range(parts)]
    for index, value in enumerate(values):
        sketches[index % parts].add(value)
    sketch = merged(sketches)
    assert isinstance(sketch, Quantiles)
    assert not sketch.exact
    line = sorted(values)
    for quantile in (0.01, 0.5, 0.9, 0.99):
        number = Quantiles.load(sketch.dump()).values((quantile,))[0]
        assert number == sketch.values((quantile,))[0]
        assert number is not None
        rank = sum(value <= number for value in line) / len(line)
        assert abs(rank - quantile) <= 2 * sketch.error, "the stated error holds in 99 of 100 cases"


def test_counts_that_are_large_when_a_percentile_begins_to_estimate_keep_their_weight() -> None:
    sketch = Quantiles()
    sketch.add(0.0, 3_000_001)
    for number in range(1, 700):
        sketch.add(float(number), 1_001)
    total = 3_000_001 + 699 * 1_001
    for quantile in (0.1, 0.5, 0.8, 0.9, 0.99):
        number = sketch.values((quantile,))[0]
        assert number is not None
        below, up_to = (3_000_001 + (number - 1) * 1_001) / total if number else 0, (3_000_001 + number * 1_001) / total
        assert below - 2 * sketch.error <= quantile <= up_to + 2 * sketch.error


@pytest.mark.parametrize("parts", [1, 7])
def test_an_estimated_top_list_is_within_its_error(parts: int) -> None:
    values = spread(4, 30_000)
    sketches = [Top() for _ in range(parts)]
    for index, value in enumerate(values):
        sketches[index % parts].add(value)
    sketch = merged(sketches)
    assert isinstance(sketch, Top)
    assert not sketch.exact
    assert Top.load(sketch.dump()).value(20) == sketch.value(20)
    held = Counter(values)
    for value, count in sketch.value(10):
        assert isinstance(value, int)
        assert abs(held[value] - count) <= sketch.error * len(values)


def test_exact_counts_on_where_others_estimate() -> None:
    distinct, quantiles = Distinct(exact=True), Quantiles(exact=True)
    for number in range(20_000):
        distinct.add(number)
        quantiles.add(number)
    for number in range(5_000):
        distinct.add(number, -1)
        quantiles.add(number, -1)
    assert (distinct.value(), distinct.exact) == (15_000, True)
    assert (*quantiles.values((0.0, 0.5)), quantiles.error) == (5_000, 12_499, 0.0)


def test_a_retraction_that_cannot_be_honoured_is_told_as_error() -> None:
    distinct, top, quantiles = Distinct(cap=4), Top(cap=4), Quantiles(cap=4)
    for sketch in (distinct, top, quantiles):
        for number in range(10):
            sketch.add(number)
        before = sketch.error
        sketch.add(3, -1)
        assert not sketch.exact
        assert sketch.error > before
    bounds = Extremes()
    bounds.add(3)
    assert bounds.exact
    bounds.add(3, -1)
    assert (bounds.exact, bounds.error, bounds.low) == (False, 1.0, 3)


def test_bounds_that_outgrow_their_cap_stay_exact_until_something_is_taken_back() -> None:
    bounds, more = Extremes(cap=4), Extremes(cap=4)
    for number in range(10):
        bounds.add(number)
    more.add(-1)
    more.merge(bounds)
    assert (more.low, more.high, more.exact) == (-1, 9, True)
    more.add(9, -1)
    assert not Extremes.load(more.dump()).exact


def test_values_of_all_kinds_are_told_apart_and_given_back() -> None:
    values: list[object] = ["1", 1, 1.5, True, "\0odd", [1, "a"], ""]
    top, distinct = Top(), Distinct()
    for value in [*values, 1.0, None]:
        top.add(value)
        distinct.add(value)
    assert distinct.value() == len(values)
    assert top.value(1) == [(1, 2)]
    given_back = [value for value, _ in top.value(10)]
    assert all(value in given_back for value in values)
    assert len(given_back) == len(values)


UNIT = 1 << 104
"""A weight of 1."""


def _weighed(weights: dict[str, float], cap: int = 1_024, exact: bool = False) -> Top:
    top = Top(cap, exact)
    for key, weight in weights.items():
        top.weigh(key, int(weight * UNIT))
    return top


def _within(top: Top, weights: dict[str, float], heaviest: int) -> None:
    """The heaviest are named, and no sum is further off than is said."""
    total = sum(weights.values())
    told = dict(top.value(1_000_000))
    for key, amount in told.items():
        assert abs(amount / UNIT - weights[key]) <= top.error * total * (1 + 1e-9)
    ranked = sorted(weights, key=lambda key: -weights[key])[:heaviest]
    assert set(ranked) <= set(dict(top.value(heaviest + 10)))


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("scale", [1.0, 0.37, 1e9])
def test_sums_above_the_bound_are_estimated_and_say_how_far_they_may_be_off(exact: bool, scale: float) -> None:
    few = 70_000 if exact else 5_000
    weights = {f"k{n}": scale * (1 + n % 7) for n in range(few)}
    weights |= {f"big{n}": scale * few * (5 + n) for n in range(5)}
    top = _weighed(weights, exact=exact)
    assert not top.exact
    assert 0 < top.error < 0.02
    _within(top, weights, 5)
    again = Top.load(top.dump())
    assert (again.value(5), again.error, again.exact) == (top.value(5), top.error, False)


def test_up_to_the_bound_sums_are_exact_and_one_key_more_makes_them_estimates() -> None:
    top = _weighed({f"k{n}": 0.1 for n in range(65_536)}, exact=True)
    assert (top.exact, top.error) == (True, 0.0)
    top.weigh("one more", UNIT)
    assert not top.exact
    assert top.error > 0


def test_estimated_sums_are_merged_within_their_bound() -> None:
    parts = [{f"p{part}-{n}": 1.0 + n % 3 for n in range(1_500)} | {"big": 900.0 * (part + 1)} for part in range(6)]
    whole = Top()
    for part in parts:
        whole.merge(_weighed(part))
    weights: dict[str, float] = {}
    for part in parts:
        for key, weight in part.items():
            weights[key] = weights.get(key, 0) + weight
    _within(whole, weights, 1)


def test_what_an_estimate_cannot_take_is_told_in_its_error() -> None:
    """A sum beyond 64 bits, weights below a unit, what is taken back."""
    plain = {f"k{n}": 1.0 for n in range(2_000)}
    top = _weighed(plain | {"huge": 1e16})
    assert not top.exact
    assert (1 + top.error) * 2**62 / 2**10 >= 1e16
    other = _weighed(plain | {"huge": 4e15})
    other.merge(top)
    assert other.error > 1
    tiny = _weighed(plain)
    before = tiny.error
    for _ in range(1_000):
        tiny.weigh("k1", UNIT >> 12)
    assert tiny.error >= before + 1_000 / 2**12 / 2_000
    back = _weighed(plain)
    back.weigh("k1", -UNIT)
    assert back.error > before


@pytest.mark.parametrize("value", [1e19, -1e19, 1e308, 2.0**63, 0.5])
def test_a_double_that_no_integer_of_64_bits_holds_is_given_back_as_a_double(value: float) -> None:
    top = Top()
    top.add(value)
    [(found, _)] = Top.load(top.dump()).value(1)
    assert (found, type(found)) == (value, float)
