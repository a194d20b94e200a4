"""Times are read by one reader, RFC 3339 with a zone, at every door; what is finer than a ms is cut, never rounded."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.contract import read_contracts
from aob.core.errors import Invalid
from aob.core.graph import check, load
from aob.core.ingest import Gate, Refused
from aob.core.instant import MS_MAX, cut_ms, is_moment, iso, moment_of, ms_of
from aob.core.json_schema import schema_problems
from aob.core.metric.metric_tests import _moment
from aob.core.rules import FIRST_RULES
from aob.server.routes.live.asked import instant

GOOD = [
    "2026-06-30T23:59:59Z",
    "2026-06-30t23:59:59z",
    "2026-06-30 23:59:59Z",
    "2026-06-30T23:59:59.9996Z",
    "2026-06-30T23:59:59.999999999Z",
    "2026-06-30T23:59:59+02:00",
    "2026-06-30T23:59:59-00:00",
    "2026-06-30T23:59:60Z",
    "2024-02-29T00:00:00Z",
]
BAD = [
    "2026-06-30",
    "2026-06-30T23:59:59",
    "2026-06-30T23:59Z",
    "20260630T235959Z",
    "20200101T000000Z",
    "2026-06-30T23:59:59,5Z",
    "2026-06-30T23:59:59.Z",
    "2026-06-30T23:59:59+02",
    "2026-06-30T23:59:59+0200",
    "2026-06-30T23:59:59+25:00",
    "2026-06-30T24:00:00Z",
    "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "2026-06-30T23:59:59Z ",
    "2026-06-30T23:59:59Z\n",
    "２026-06-30T23:59:59Z",
    "noon",
    "",
]
FIELD = {"type": "object", "properties": {"at": {"type": "string", "format": "date-time"}}}
CONTRACT = {"event": "sale", "version": 1, "schema": FIELD}
NOW_MS = 1_800_000_000_000


def gate() -> Gate:
    return Gate(read_contracts({"a.json": json.dumps(CONTRACT)}))


def line(time: Any, **data: Any) -> bytes:
    return json.dumps({"id": "1", "source": "s", "type": "sale", "time": time, "data": data}).encode()


def passes_gate(text: str) -> bool:
    found = gate().read(line(text), NOW_MS)
    return not found.refused


def passes_schema(text: str) -> bool:
    return not schema_problems(FIELD, {"at": text}) and not gate().read(line(1, at=text), NOW_MS).refused


def passes_query(text: str) -> bool:
    try:
        return instant(text, "as_of") is not None
    except Invalid:
        return False


def timer(text: str) -> bytes:
    return json.dumps({"workflow": "w", "nodes": {"t": {"kind": "timer", "config": {"until": text}}}}).encode()


def passes_timer(text: str) -> bool:
    return not check(load(timer(text)), None)


def passes_expression(text: str) -> bool:
    return not check(load(timer(json.dumps(text))), None)


DOORS = [passes_gate, passes_schema, passes_query, passes_timer, passes_expression, is_moment]


@pytest.mark.parametrize("door", DOORS)
def test_every_door_takes_the_same_times(door: Any) -> None:
    assert [text for text in GOOD if not door(text)] == []
    assert [text for text in BAD if door(text) and not (door is passes_query and text == "")] == []


def test_a_stored_timer_keeps_its_time() -> None:
    assert check(load(timer("2030-01-01T00:00")), None, rules=FIRST_RULES) == []


def test_nanoseconds_at_the_end_of_9999_are_no_error() -> None:
    assert ms_of("9999-12-31T23:59:59.999999999Z") == MS_MAX
    assert passes_timer("9999-12-31T23:59:59.999999999Z")
    assert instant("9999-12-31T23:59:59.999999999Z", "as_of") == MS_MAX
    with pytest.raises(ValueError, match="outside the years"):
        moment_of("9999-12-31T23:59:59-01:00")
    with pytest.raises(ValueError, match="outside the years"):
        moment_of("0001-01-01T00:00:00+01:00")


@pytest.mark.parametrize(
    "time",
    [
        "2026-06-30T23:59:59.9996Z",
        "2026-06-30T23:59:59.999999Z",
        "2026-06-30T23:59:59.9999996Z",
        "2026-06-30T23:59:59.999999999Z",
        "2026-07-01T01:59:59.9999999+02:00",
        1_782_863_999.9996,
        1_782_863_999.999999,
    ],
)
def test_the_last_instant_of_june_is_in_june(time: Any) -> None:
    """At once, by itself, and read again from the log."""
    last = ms_of("2026-06-30T23:59:59.999Z")
    one = gate()
    (event,) = one.read(line(time), NOW_MS).events
    looked = one.look(line(time), NOW_MS)
    assert not isinstance(looked, Refused)
    assert (event.at_ms, looked.at_ms) == (last, last)
    (again,) = one.reread(line(time), one.notes([event]), 0)
    assert again.at_ms == last


def test_events_that_the_first_release_took_keep_their_times() -> None:
    one = gate()
    (event,) = one.read(line("2026-06-30T23:59:59.9996Z"), NOW_MS).events
    notes = one.notes([event])
    old = notes[:-1] + b"\xc2"  # `cut: false`
    (again,) = one.reread(line("2026-06-30T23:59:59.9996Z"), old, 0)
    assert again.at_ms == ms_of("2026-07-01T00:00:00Z")


MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC))
ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(moment=MOMENTS, zone=ZONES, more=st.text("0123456789", max_size=5))
def test_a_time_that_is_written_is_read_as_itself(moment: datetime, zone: timezone, more: str) -> None:
    text = moment.astimezone(zone).isoformat(timespec="microseconds")
    finer = text[:26] + more + text[26:]
    assert moment_of(finer) == moment
    assert ms_of(finer) == cut_ms(moment) <= (moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1)
    assert ms_of(iso(cut_ms(moment))) == cut_ms(moment)


@given(ms=st.integers(0, NOW_MS))
def test_a_whole_millisecond_is_never_cut(ms: int) -> None:
    one = gate()
    for time in (iso(ms), ms / 1_000):
        (event,) = one.read(line(time or 1.0), NOW_MS).events
        assert event.at_ms == (ms or (0 if isinstance(time, str) else 1_000))
    assert _moment(iso(ms)) == ms
