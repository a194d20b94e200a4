"""Units of a calendar tile all time: every instant lies in one, whatever the clocks of its zone have done."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aob.core.contract_model import MetricContract, Move, Window
from aob.core.metric.span import span_of, step_of, unit_before, unit_span
from aob.core.metric_query import MetricQuery

MINUTE: Final = 60_000


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
    assert unit_before(*unit, zone, start)[1] == start


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
