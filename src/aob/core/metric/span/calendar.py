"""Instants in, the start and end of the calendar unit that they lie in, in a time zone, out. Days may have 23 hours."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from aob.core.contract_model import Unit

_FIXED_MS: Final = {"second": 1_000, "minute": 60_000, "hour": 3_600_000}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
FIRST_MS: Final = -62_135_510_400_000
"""0001-01-02 in UTC: the first instant at which anything can count, in whatever zone it is told."""
LAST_MS: Final = 253_402_214_399_999
"""The end of 9999-12-30 in UTC: the last one."""


@lru_cache(maxsize=1_024)
def zone_of(name: str) -> ZoneInfo:
    """A time zone by its name. Raises KeyError (or ValueError) when there is none."""
    return ZoneInfo(name)


def wall(at_ms: int, zone: str) -> datetime:
    """What clocks of a zone show, without the zone; before and after all time, what they show first and last."""
    return (_EPOCH + min(max(at_ms, FIRST_MS), LAST_MS) * _MS).astimezone(zone_of(zone)).replace(tzinfo=None, fold=0)


def instant(shown: datetime, zone: str) -> int:
    """When clocks of a zone first show this; where they skip it, when they skip."""
    return (shown.replace(tzinfo=zone_of(zone)) - _EPOCH) // _MS


@lru_cache(maxsize=4_096)
def day_start(ordinal: int, zone: str) -> int:
    """The first instant of a date (days since 0001-01-01) in a zone."""
    return instant(datetime.fromordinal(ordinal), zone)


def unit_span(unit: Unit, size: int, zone: str, at_ms: int) -> tuple[int, int]:
    """`[start, end)` of the `size` units of a calendar that an instant lies in. Weeks begin on Monday. Every instant
    lies in one: a change of the clock in the middle of an hour cuts it, and a day whose midnight is shown twice begins
    once. What begins before all time, or ends after it, is cut off there."""
    at_ms = min(max(at_ms, FIRST_MS), LAST_MS)
    fixed_ms = _FIXED_MS.get(unit, 0) * size
    if fixed_ms and fixed_ms <= _FIXED_MS["hour"]:
        offset_ms = _offset(at_ms, zone)
        start = (at_ms + offset_ms) // fixed_ms * fixed_ms - offset_ms
        return _changed(start, at_ms, zone), _changed(start + fixed_ms, at_ms, zone)
    here = wall(at_ms, zone)
    try:
        start_wall = _floor(unit, size, here)
        start = instant(start_wall, zone)
    except (OverflowError, ValueError):
        start_wall, start = here, FIRST_MS
    try:
        next_wall = _next(unit, size, start_wall)
        end = instant(next_wall, zone)
        if end <= at_ms:  # clocks were set back over the boundary: it was shown, and is shown again
            start, end = end, instant(_next(unit, size, next_wall), zone)
    except (OverflowError, ValueError):
        end = LAST_MS + 1
    return start, end


def unit_before(unit: Unit, size: int, zone: str, start_ms: int) -> tuple[int, int]:
    """The span before the one that starts there."""
    return unit_span(unit, size, zone, start_ms - 1)


def same_elapsed(unit: Unit, zone: str, since: int, until: int, before: int) -> int:
    """Where the span that began at `before` was when it had gone as far as `[since, until)` has, on the clock. Rounded
    up to what old tiles can tell: a minute of a day, an hour of a week or month, a day of a year."""
    gone = wall(until, zone) - wall(since, zone)
    grain = timedelta(days=1) if unit == "year" else timedelta(hours=1)
    grain = timedelta(minutes=1) if unit in ("day", "hour") else grain
    grain = timedelta(seconds=1) if unit in ("minute", "second") else grain
    steps = -(-gone // grain)
    try:
        return min(instant(wall(before, zone) + steps * grain, zone), since)
    except (OverflowError, ValueError):
        return since


def _offset(at_ms: int, zone: str) -> int:
    """How far the clocks of a zone are before UTC."""
    return (_EPOCH + at_ms * _MS).astimezone(zone_of(zone)).utcoffset() // _MS  # type: ignore[operator]  # a zone has one


def _changed(edge_ms: int, at_ms: int, zone: str) -> int:
    """An edge of the unit that an instant lies in, or the change of the clock that lies between them."""
    offset_ms, before = _offset(at_ms, zone), edge_ms <= at_ms
    if _offset(edge_ms if before else edge_ms - 1, zone) == offset_ms:
        return edge_ms
    low, high = (edge_ms, at_ms) if before else (at_ms, edge_ms - 1)
    low_ms = _offset(low, zone)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(middle, zone) == low_ms else (low, middle)
    return high


def _floor(unit: Unit, size: int, here: datetime) -> datetime:
    day = here.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit in _FIXED_MS:
        seconds = _FIXED_MS[unit] // 1_000 * size
        return day + (here - day) // timedelta(seconds=seconds) * timedelta(seconds=seconds)
    if unit == "day":
        return day - timedelta(days=(day.toordinal() - 1) % size)
    if unit == "week":
        return day - timedelta(days=(day.toordinal() - 1) % (7 * size))
    months = (day.year * 12 + day.month - 1) // _months(unit, size) * _months(unit, size)
    return _month(months)


def _next(unit: Unit, size: int, start: datetime) -> datetime:
    if unit in _FIXED_MS:
        seconds = _FIXED_MS[unit] // 1_000 * size
        midnight = start.replace(hour=0, minute=0, second=0) + timedelta(days=1)
        return min(start + timedelta(seconds=seconds), midnight)
    if unit in ("day", "week"):
        return start + timedelta(days=size * (7 if unit == "week" else 1))
    return _month(start.year * 12 + start.month - 1 + _months(unit, size))


def _months(unit: Unit, size: int) -> int:
    return size * (12 if unit == "year" else 1)


def _month(months: int) -> datetime:
    return datetime(months // 12, months % 12 + 1, 1)  # what a clock shows has no zone
