"""Units of a calendar tile all time: every instant lies in one, whatever the clocks of its zone have done."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aob.core.contract_model import MetricContract, Move, Window
from aob.core.errors import Invalid
from aob.core.metric.span import span_of, step_of, unit_span
from aob.core.metric_query import MetricQuery

MINUTE: Final = 60_000
METRIC: Final = MetricContract("m", 1, "count", moves=(Move("a"),))


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)


CHANGES: Final = (
    ("Australia/Lord_Howe", ms("2022-04-02T15:00:00")),  # half an hour back
    ("Australia/Lord_Howe", ms("2022-10-01T15:30:00")),  # and forward
    ("America/St_Johns", ms("2006-10-29T02:31:00")),  # 00:01 back to 23:01 of the day before
    ("Antarctica/Casey", ms("2010-03-04T15:00:00")),  # 02:00 back to 23:00 of the day before
    ("Africa/Cairo", ms("2023-04-27T22:00:00")),  # a day without its midnight
    ("America/Havana", ms("2022-11-06T05:00:00")),  # a midnight that is shown twice
    ("Pacific/Apia", ms("2011-12-30T10:00:00")),  # a day that never was
    ("America/New_York", ms("2026-11-01T06:00:00")),
    ("America/New_York", ms("2026-03-08T07:00:00")),
    ("Africa/Monrovia", ms("1972-01-07T00:44:30")),
)
UNITS: Final[tuple[tuple[Any, int], ...]] = (
    ("minute", 1), ("minute", 45), ("hour", 1), ("hour", 6), ("day", 1), ("day", 3), ("week", 1), ("month", 1),
    ("year", 1),
)  # fmt: skip


@given(change=st.sampled_from(CHANGES), unit=st.sampled_from(UNITS), off_ms=st.integers(-200 * MINUTE, 200 * MINUTE))
@example(change=CHANGES[0], unit=("hour", 1), off_ms=15 * MINUTE)
@example(change=CHANGES[2], unit=("day", 1), off_ms=0)
@example(change=CHANGES[3], unit=("day", 1), off_ms=30 * MINUTE)
def test_every_instant_lies_in_one_unit(change: tuple[str, int], unit: tuple[Any, int], off_ms: int) -> None:
    zone, changed = change
    start, end = unit_span(*unit, zone, changed + off_ms)
    assert start <= changed + off_ms < end
    assert unit_span(*unit, zone, start) == unit_span(*unit, zone, end - 1) == (start, end)
    assert unit_span(*unit, zone, end)[0] == end
    assert unit_span(*unit, zone, start - 1)[1] == start


@pytest.mark.parametrize(
    ("zone", "unit", "at", "since", "until"),
    [
        ("Australia/Lord_Howe", "hour", "2022-04-02T14:59", "2022-04-02T14:00", "2022-04-02T15:00"),
        ("Australia/Lord_Howe", "hour", "2022-04-02T15:00", "2022-04-02T15:00", "2022-04-02T15:30"),
        ("America/New_York", "hour", "2026-11-01T05:30", "2026-11-01T05:00", "2026-11-01T06:00"),
        ("America/New_York", "hour", "2026-11-01T06:30", "2026-11-01T06:00", "2026-11-01T07:00"),
        ("America/St_Johns", "day", "2006-10-29T02:29", "2006-10-28T02:30", "2006-10-29T02:30"),
        ("America/St_Johns", "day", "2006-10-29T02:40", "2006-10-29T02:30", "2006-10-30T03:30"),
        ("Pacific/Apia", "day", "2011-12-30T10:00", "2011-12-30T10:00", "2011-12-31T10:00"),
        ("Africa/Cairo", "day", "2023-04-28T08:00", "2023-04-27T22:00", "2023-04-28T21:00"),
    ],
)
def test_units_at_a_change_of_the_clock(zone: str, unit: Any, at: str, since: str, until: str) -> None:
    assert unit_span(unit, 1, zone, ms(at)) == (ms(since), ms(until))


def test_a_series_of_days_does_not_stop_where_a_midnight_is_shown_twice() -> None:
    window = Window("d", "tumbling", unit="day", zone="America/St_Johns")
    contract = MetricContract("sales", 1, "count", (Move("sold"),), windows={"d": window})
    asked = MetricQuery("sales", "d", since_ms=ms("2006-10-29T02:31"), until_ms=ms("2006-10-31T03:30"))
    span = span_of(asked, contract, ms("2006-11-05T00:00"))
    parts = list(span.buckets(step_of("day"), ms("2006-10-29T02:31")))
    assert parts == [
        (ms("2006-10-29T02:31"), ms("2006-10-30T03:30")),
        (ms("2006-10-30T03:30"), ms("2006-10-31T03:30")),
    ]


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("1s", ("", 0, 1_000)),
        ("1000 days", ("day", 1_000, 0)),
        ("1 minute", ("minute", 1, 0)),
        ("2 quarters", ("month", 6, 0)),
    ],
)
def test_a_step_at_a_limit_is_taken(text: str, step: Any) -> None:
    assert step_of(text) == step


@pytest.mark.parametrize("text", ["999ms", "1001ms", "0s", "1001 days", "0 days"])
def test_a_step_beyond_a_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a step has"):
        step_of(text)


@pytest.mark.parametrize(
    ("size", "step_ms"),
    [("1s", 1_000), ("1h", 1_000), ("3601s", 60_000), ("1d", 60_000), ("86401s", 3_600_000), ("31d", 3_600_000),
     ("2678401s", 86_400_000)],
)  # fmt: skip
def test_a_sliding_window_moves_by_steps_of_its_size(size: str, step_ms: int) -> None:
    now = ms("2026-03-04T05:06:07")
    span = span_of(MetricQuery("m", size), METRIC, now)
    assert (span.step_ms, span.until) == (step_ms, now // step_ms * step_ms + step_ms)
    assert span_of(MetricQuery("m", size), METRIC, span.until - 1).until == span.until
    assert span_of(MetricQuery("m", size), METRIC, span.until).until == span.until + step_ms
    first = span.until - step_ms
    assert span.moves_at(first, span.until) == first + span.window.size_ms, "when the first tile leaves it"
    assert span.moves_at(first, span.until + 1) == span.until, "or what lies ahead comes in"
    assert span.moves_at(None, span.until) is None
    assert span.moves_at(None, span.until + 1) == span.until, "what lies ahead comes in"


def test_a_window_of_less_than_a_second_is_none() -> None:
    with pytest.raises(Invalid):
        span_of(MetricQuery("m", "999ms"), METRIC, 0)
    assert span_of(MetricQuery("m", "1s"), METRIC, 0).window.size_ms == 1_000


@pytest.mark.parametrize(
    ("since", "until", "whole"), [(0, 1, (0, 1_000)), (999, 1_000, (0, 1_000)), (1, 1_001, (0, 2_000))]
)
def test_a_span_that_is_asked_for_is_widened_to_whole_seconds(since: int, until: int, whole: tuple[int, int]) -> None:
    span = span_of(MetricQuery("m", since_ms=since, until_ms=until), METRIC, 5_000)
    assert (span.since, span.until) == whole


@pytest.mark.parametrize(("since", "until"), [(1_000, 1_000), (1_000, 0), (1_001, 1_000)])
def test_a_span_without_length_is_refused(since: int, until: int) -> None:
    with pytest.raises(Invalid, match="empty"):
        span_of(MetricQuery("m", since_ms=since, until_ms=until), METRIC, 5_000)


def test_the_end_of_a_step_begins_the_next_one() -> None:
    span = span_of(MetricQuery("m", since_ms=0, until_ms=180_000), METRIC, 0)
    assert list(span.buckets(step_of("1m"), 0)) == [(0, 60_000), (60_000, 120_000), (120_000, 180_000)]
    assert list(span.buckets(step_of("1m"), 59_000)) == [(59_000, 60_000), (60_000, 120_000), (120_000, 180_000)]
    assert not list(span.buckets(step_of("1m"), 180_000))
