"""Folds: one answer whatever the order, the batches, the restarts and the size of tiles; windows, budgets, edges."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aob.core.accepted_event import Event
from aob.core.contract import read_contracts
from aob.core.contract_model import OTHER
from aob.core.errors import Invalid, NotFound
from aob.core.metric import Fold, NeedsScan
from aob.core.metric import cube as cubing
from aob.core.metric.cell import plain, total, whole
from aob.core.metric_query import MetricQuery
from tests.core.metric.till import (
    CONTRACTS,
    DAY,
    HOUR,
    METRICS,
    MINUTE,
    NOW,
    SECOND,
    WINDOWS,
    Drawn,
    contracts_text,
    events_of,
)  # fmt: skip
from tests.core.run_work import bytecodes

ago = st.one_of(
    st.integers(0, 20 * SECOND), st.integers(0, 2 * HOUR), st.integers(0, 40 * DAY), st.integers(-4 * MINUTE, 0)
)
drawn = st.builds(
    Drawn, ago, st.sampled_from([False, False, False, True]), st.floats(0, 1e6) | st.sampled_from([0.1, 0.2, 12.34]),
    st.sampled_from(["eu", "us", "asia"]), st.sampled_from(["web", "app"]), st.sampled_from("abcde"),
)  # fmt: skip
streams = st.lists(drawn, min_size=1, max_size=60)


def told(fold: Fold, now_ms: int = NOW) -> dict[tuple[str, ...], Any]:
    """All that a fold says, the parts that must not depend on how it came to be."""
    return {key: answer for key, answer in _told(fold, now_ms) if answer is not None}


def _told(fold: Fold, now_ms: int) -> Iterator[tuple[tuple[str, ...], Any]]:
    for metric in METRICS:
        for window in WINDOWS:
            for by in ((), ("region",), ("channel", "region")):
                query = MetricQuery(metric, window, by=by, where={} if by else {"channel": "web"})
                yield (metric, window, *by, "0"), _answer(fold, query, now_ms)
            yield (metric, window, "1"), _answer(fold, MetricQuery(metric, window), now_ms)


def _answer(fold: Fold, query: MetricQuery, now_ms: int) -> Any:
    try:
        reading = fold.read(query, now_ms)
    except NeedsScan:
        return None
    return reading.value, reading.rows, reading.since_ms, reading.until_ms, reading.valid_until_ms


def folded(events: list[Event], size: int = 1_000) -> Fold:
    """Events in batches."""
    fold = Fold(CONTRACTS)
    for start in range(0, len(events), size):
        fold.add(events[start : start + size])
    return fold


@settings(max_examples=20, deadline=None)
@given(streams, st.integers(1, 20), st.randoms(use_true_random=False))
def test_order_and_batches_do_not_matter(stream: list[Drawn], size: int, dice: random.Random) -> None:
    events = events_of(stream)
    shuffled = dice.sample(events, len(events))
    assert told(folded(shuffled, size)) == told(folded(events))


@settings(max_examples=20, deadline=None)
@given(streams, st.data())
def test_a_restart_at_any_point_changes_nothing(stream: list[Drawn], data: st.DataObject) -> None:
    events = events_of(stream)
    fold, kept = Fold(CONTRACTS), dict[str, bytes | None]()
    for event in events:
        fold.add([event])
        if data.draw(st.booleans()):
            fold.forget(NOW)
        if data.draw(st.booleans()):
            kept |= fold.dump()
            fold = Fold.load(CONTRACTS, kept)
    again = Fold.load(CONTRACTS, fold.dump(full=True))
    live = Fold(CONTRACTS)
    live.add(events)
    live.forget(NOW)
    assert told(again) == told(fold)
    assert again.sources.watermark(NOW) == fold.sources.watermark(NOW) == live.sources.watermark(NOW)
    values = {key: answer[:2] for key, answer in told(live).items()}
    assert {key: answer[:2] for key, answer in told(again).items() if key in values} == values


@settings(max_examples=20, deadline=None)
@given(streams, st.lists(st.integers(-DAY, 3 * DAY), max_size=4))
def test_forgetting_changes_no_answer_that_can_still_be_given(stream: list[Drawn], later: list[int]) -> None:
    events = events_of(stream)
    whole_, small = folded(events), Fold(CONTRACTS)
    small.add(events[: len(events) // 2])
    for ahead in later:
        small.forget(NOW + ahead)
    small.add(events[len(events) // 2 :])
    small.forget(NOW)
    full = {key: answer[:4] for key, answer in told(whole_).items()}
    left = {key: answer[:4] for key, answer in told(small).items() if answer[2] == full[key][2]}
    assert left == {key: full[key] for key in left}
    assert any(key[1] == "all" for key in left)


@settings(max_examples=20, deadline=None)
@given(streams)
def test_a_span_is_the_sum_of_its_seconds(stream: list[Drawn]) -> None:
    recent = [each._replace(ago_ms=abs(each.ago_ms) % (3 * MINUTE)) for each in stream]
    fold = folded(events_of(recent))
    since, until = NOW - 4 * MINUTE, NOW + SECOND
    for metric in ("orders", "large", "revenue"):
        one = fold.read(MetricQuery(metric, since_ms=since, until_ms=until), NOW).value
        query = MetricQuery(metric, since_ms=since, until_ms=until, step="1s")
        parts = [row["value"] for row in fold.read(query, NOW).rows or ()]
        assert plain(sum(map(whole, parts))) == pytest.approx(one, rel=1e-9)
        rows = fold.read(MetricQuery(metric, since_ms=since, until_ms=until, by=("region",)), NOW).rows or ()
        assert plain(sum(whole(row["value"]) for row in rows)) == pytest.approx(one, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(streams, st.sampled_from(METRICS), st.sampled_from(WINDOWS), st.floats(0, 1))
def test_an_answer_stands_until_it_says(stream: list[Drawn], metric: str, window: str, part: float) -> None:
    fold = folded(events_of(stream))
    first = fold.read(MetricQuery(metric, window), NOW)
    until = first.valid_until_ms if first.valid_until_ms is not None else NOW + 30 * DAY
    assert until > NOW
    then = NOW + int((until - 1 - NOW) * part)
    assert fold.read(MetricQuery(metric, window), then).value == first.value


def test_an_answer_stands_no_longer_than_it_is_true() -> None:
    fold = folded(events_of([Drawn(7 * SECOND), Drawn(2 * SECOND)]))
    reading = fold.read(MetricQuery("orders", "10s"), NOW)
    assert reading.value == 2
    assert reading.valid_until_ms == NOW + 3 * SECOND
    later = fold.read(MetricQuery("orders", "10s"), NOW + 3 * SECOND)
    assert (later.value, later.valid_until_ms) == (1, NOW + 8 * SECOND)
    assert fold.read(MetricQuery("orders", "10s"), NOW + 8 * SECOND).valid_until_ms is None


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53), max_size=30))
@example([0.0, 0.0, 0.0, 4.6563914054737723e-29, 4.6563914054737723e-29, 4.6563914054737723e-29])
@example([2.0**-105] * 8)
def test_a_sum_is_what_its_numbers_add_up_to_one_by_one(numbers: list[float]) -> None:
    assert total(numbers) == sum(map(whole, numbers))
    assert total(numbers) + total([-number for number in numbers]) in (0, *range(-60, 60))


def test_what_is_taken_back_leaves_nothing() -> None:
    amounts = [0.1, 0.2, 0.3, 1e-9, 12_345.67]
    fold = folded(events_of([Drawn(0, refund, amount) for amount in amounts for refund in (False, True)]), 3)
    assert fold.read(MetricQuery("revenue", "1h"), NOW).value == 0.0
    assert fold.read(MetricQuery("most", "1h"), NOW).value is None


def test_values_beyond_the_budget_are_other_and_stay_where_they_were() -> None:
    contracts = read_contracts({"till.yaml": contracts_text(budget=3)})
    fold = Fold(contracts)
    regions = ["a", "b", "c", "d", "e", "a", "d"]
    fold.add(events_of([Drawn(number, region=region) for number, region in enumerate(regions)]))
    want = {"a": 2, "b": 1, "c": 1, OTHER: 3}
    again = Fold.load(contracts, fold.dump())
    again.forget(NOW + 100 * DAY)
    again.add(events_of([Drawn(0, region="e"), Drawn(0, region="c")]))
    for each, counted in ((fold, want), (again, want | {OTHER: 4, "c": 2})):
        reading = each.read(MetricQuery("orders", "all", by=("region",)), NOW)
        assert {row["by"]["region"]: row["value"] for row in reading.rows or ()} == counted
        assert reading.overflowed == ["region"]
    assert fold.size()["overflow"] > 0


def test_how_much_is_kept_is_told_without_a_walk() -> None:
    costs = []
    for count in (300, 1_200):
        fold = folded(events_of([Drawn(number * SECOND) for number in range(count)]))
        assert fold.size()["cells"] >= count
        costs.append(bytecodes(fold.size))
    assert costs[1] < 1.2 * costs[0]


def test_too_many_cells_are_rolled_up_before_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cubing, "CELLS_MAX", 100)
    fold = folded(events_of([Drawn(number * SECOND) for number in range(3_000)]))
    fold.forget(NOW)
    assert fold.size()["cells"] <= 200
    assert fold.read(MetricQuery("orders", "all"), NOW).value == 3_000
    assert fold.read(MetricQuery("orders", "10s"), NOW).value == 10
    half = fold.read(MetricQuery("orders", "1230s"), NOW)
    assert (half.value, half.since_ms) == (1_261, NOW - 21 * MINUTE)
    with pytest.raises(NeedsScan):
        fold.read(MetricQuery("orders", since_ms=NOW - 40 * MINUTE - 7 * SECOND, until_ms=NOW), NOW)


def test_late_events_correct_their_own_past_and_say_so() -> None:
    fold = folded(events_of([Drawn(0), Drawn(5 * SECOND)]))
    moved = fold.add(events_of([Drawn(HOUR // 2)]))
    assert (moved.late, "orders" in moved.restated, "net" in moved.restated) == (1, True, True)
    assert fold.read(MetricQuery("orders", "1h"), NOW).restated
    assert not fold.read(MetricQuery("orders", "10s"), NOW).restated
    assert fold.add(events_of([Drawn(9 * SECOND)])).late == 0


def test_the_slowest_source_that_is_not_idle_holds_the_watermark() -> None:
    fold = folded(events_of([Drawn(0), Drawn(20 * SECOND, source="slow")]))
    assert fold.sources.watermark(NOW) == NOW - 30 * SECOND
    assert fold.sources.watermark(NOW + 15 * SECOND) == NOW - 10 * SECOND
    assert fold.sources.watermark(NOW + HOUR) == NOW + HOUR - 30 * SECOND
    assert Fold(CONTRACTS).sources.watermark(NOW) is None
    span = MetricQuery("orders", since_ms=NOW - HOUR, until_ms=NOW)
    reading = fold.read(span, NOW)
    assert not reading.complete
    assert reading.valid_until_ms is not None
    assert not fold.read(span, reading.valid_until_ms - 1).complete
    assert fold.read(span, reading.valid_until_ms).complete


def test_the_day_that_clocks_go_back_has_25_hours() -> None:
    fold = folded(events_of([Drawn(0)]))
    reading = fold.read(MetricQuery("orders", "today", compare="previous"), NOW)
    assert reading.since_ms is not None
    assert reading.until_ms - reading.since_ms == 25 * HOUR
    assert reading.previous is not None
    assert reading.previous["until"] - reading.previous["since"] == 24 * HOUR


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        (MetricQuery("nothing"), NotFound),
        (MetricQuery("orders", version=7), NotFound),
        (MetricQuery("orders", "fortnight"), Invalid),
        (MetricQuery("orders", by=("sku",)), Invalid),
        (MetricQuery("orders", where={"sku": "1"}), Invalid),
        (MetricQuery("orders", compare="next"), Invalid),
        (MetricQuery("orders", "all", compare="previous"), Invalid),
        (MetricQuery("orders", step="soon"), Invalid),
        (MetricQuery("orders", "1h", step="1s", limit=10), Invalid),
        (MetricQuery("orders", since_ms=NOW, until_ms=NOW - HOUR), Invalid),
    ],
)
def test_what_cannot_be_asked_is_refused(query: MetricQuery, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        folded(events_of([Drawn(0)])).read(query, NOW)


EMPTY: dict[str, Callable[[Any], bool]] = {
    "orders": lambda value: value == 0, "revenue": lambda value: value == 0, "best": lambda value: value == [],
    "buyers": lambda value: value == 0, "spread": lambda value: value == {"p50": None, "p90": None},
    "large": lambda value: value == 0, "coupons": lambda value: value == 0,
}  # fmt: skip


@pytest.mark.parametrize("metric", METRICS)
def test_of_nothing_there_is_nothing(metric: str) -> None:
    value = Fold(CONTRACTS).read(MetricQuery(metric, "1h"), NOW).value
    assert EMPTY.get(metric, lambda value: value is None)(value)
