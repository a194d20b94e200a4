"""Computes the span of event time of a query, its parts, the previous one; and calendar units of zones. No clock."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from aob.core.contract_model import MetricContract, Unit, Window
from aob.core.duration import parse_duration
from aob.core.errors import Invalid, Problem
from aob.core.metric_query import MetricQuery

_FIXED_MS: Final = {"second": 1_000, "minute": 60_000, "hour": 3_600_000}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
FIRST_MS: Final = -62_135_510_400_000  # 0001-01-02 in UTC: the first instant at which an event can count, in any zone
LAST_MS: Final = 253_402_214_399_999  # the end of 9999-12-30 in UTC: the last instant
_DAY_MS: Final = 86_400_000
_CALENDAR: Final = re.compile(r"(?:(\d{1,4}) ?)?(minute|hour|day|week|month|quarter|year)s?")
_UNITS_MAX: Final = 1_000
_STEPS: Final = ((3_600_000, 1_000), (_DAY_MS, 60_000), (31 * _DAY_MS, 3_600_000))


@lru_cache(maxsize=1_024)
def zone_of(name: str) -> ZoneInfo:
    """The time zone of a name. Raises KeyError or ValueError when there is none."""
    return ZoneInfo(name)


def wall(at_ms: int, zone: str) -> datetime:
    """The local time of an instant in a zone, without tzinfo; clamped to `FIRST_MS` and `LAST_MS`."""
    return (_EPOCH + min(max(at_ms, FIRST_MS), LAST_MS) * _MS).astimezone(zone_of(zone)).replace(tzinfo=None, fold=0)


def instant(shown: datetime, zone: str) -> int:
    """The first instant with this local time in a zone; in a gap, the instant of the change."""
    return (shown.replace(tzinfo=zone_of(zone)) - _EPOCH) // _MS


@lru_cache(maxsize=4_096)
def day_start(ordinal: int, zone: str) -> int:
    """The first instant of a date (days since 0001-01-01) in a zone."""
    return instant(datetime.fromordinal(ordinal), zone)


def unit_span(unit: Unit, size: int, zone: str, at_ms: int) -> tuple[int, int]:
    """`[start, end)` of the `size` calendar units that contain an instant. Weeks begin on Monday. Every instant is in
    exactly one span: a clock change within an hour splits it, and a day whose midnight occurs twice begins once. Spans
    are clamped to `FIRST_MS` and `LAST_MS`."""
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
        if end <= at_ms:  # clocks were set back over the boundary: it occurs twice
            start, end = end, instant(_next(unit, size, next_wall), zone)
    except (OverflowError, ValueError):
        end = LAST_MS + 1
    return start, end


def same_elapsed(unit: Unit, zone: str, since: int, until: int, before: int) -> int:
    """The instant at which the span from `before` had elapsed as far as `[since, until)`, in local time. Rounded up to
    the precision of old tiles: a minute of a day, an hour of a week or month, a day of a year."""
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
    """The UTC offset of a zone in ms."""
    return (_EPOCH + at_ms * _MS).astimezone(zone_of(zone)).utcoffset() // _MS  # type: ignore[operator]  # a zone has one


def _changed(edge_ms: int, at_ms: int, zone: str) -> int:
    """An edge of the unit around an instant, or the clock change between the two."""
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
    return datetime(months // 12, months % 12 + 1, 1)  # local time has no zone


class Step(NamedTuple):
    """The step that splits a span: `size` calendar units, or `ms` milliseconds."""

    unit: Unit | Literal[""]
    size: int
    ms: int


class Span(msgspec.Struct, frozen=True):
    """`[since, until)` of event time (since None: from the first event), from a window or explicit (kind `span`)."""

    window: Window
    kind: str
    since: int | None
    until: int
    end: int = 0
    """The end of its calendar unit."""

    @property
    def step_ms(self) -> int:
        """The step by which it moves."""
        return moves_by(self.window.size_ms) if self.window.kind == "sliding" else 1_000

    def moves_at(self, first: int | None, furthest: int) -> int | None:
        """When its content changes without an event: `first` is the start of its first tile with events, `furthest` the
        end of the last tile of all. None: never, without new events."""
        ahead = furthest > self.until
        if self.kind in ("all", "span") or (first is None and not ahead):
            return None
        if self.kind == "hopping":
            return self.until + self.window.every_ms
        if self.kind == "tumbling":
            return self.until
        if self.kind == "to_date":
            return min(self.end, self.until) if ahead else self.end
        leaves = self.until if first is None else first // self.step_ms * self.step_ms + self.window.size_ms
        return min(leaves, self.until) if ahead else leaves

    def before(self) -> "Span":
        """The previous window, or the previous span of the same length. Raises Invalid for one without a beginning."""
        if self.since is None:
            raise Invalid("nothing lies before the first event", [Problem("/compare", "it has no previous one")])
        window = self.window
        if self.kind in ("tumbling", "to_date") and window.unit:
            since, until = unit_span(window.unit, window.size, window.zone, self.since - 1)
            if self.kind == "to_date":
                until = same_elapsed(window.unit, window.zone, self.since, self.until, since)
        else:
            since, until = self.since - (self.until - self.since), self.since
        return msgspec.structs.replace(self, kind="span", since=since, until=until)

    def buckets(self, step: Step, since: int) -> Iterator[tuple[int, int]]:
        """Its parts: fixed steps since 1970, calendar units of the zone, or its days where steps are whole days. The
        first and the last are cut to the span."""
        unit, size, step_ms = step
        days, zone = step_ms // _DAY_MS, self.window.zone
        at = since
        while at < self.until:
            if unit:
                _, end = unit_span(unit, size, zone, at)
            elif step_ms % _DAY_MS == 0 and zone != "UTC":
                _, end = unit_span("day", days, zone, at)
            else:
                end = (at // step_ms + 1) * step_ms
            end = max(end, at + 1)
            yield at, min(end, self.until)
            at = end


def step_of(text: str) -> Step:
    """Parse a step: a duration (`15m`), or calendar units (`month`, `2 weeks`). Raises ValueError."""
    found = _CALENDAR.fullmatch(text.strip())
    if found is not None:
        size, word = int(found[1] or 1), found[2]
        unit, times = ("month", 3) if word == "quarter" else (word, 1)
        if not 0 < size <= _UNITS_MAX:
            raise ValueError(f"a step has 1 to {_UNITS_MAX} units")
        return Step(unit, size * times, 0)  # type: ignore[arg-type]  # one of the units
    ms = parse_duration(text)
    if ms < 1_000 or ms % 1_000:
        raise ValueError("a step has whole seconds")
    return Step("", 0, ms)


def moves_by(size_ms: int) -> int:
    """The step by which a sliding window of this size moves."""
    return next((step for size, step in _STEPS if size_ms <= size), _DAY_MS)


def span_of(query: MetricQuery, contract: MetricContract, now_ms: int) -> Span:
    """The span of a query at an instant. Raises Invalid for an unknown window or an empty span."""
    window = _window(query, contract)
    if query.since_ms is not None or query.until_ms is not None:
        since = None if query.since_ms is None else query.since_ms // 1_000 * 1_000
        until = (now_ms // 1_000 + 1) * 1_000 if query.until_ms is None else -(-query.until_ms // 1_000) * 1_000
        if since is not None and until <= since:
            raise Invalid("the span is empty", [Problem("/until", "it must be after `since`", "bad_span")])
        return Span(msgspec.structs.replace(window, name=query.window), "span", since, until)
    if window.kind == "sliding":
        step = moves_by(window.size_ms)
        until = (now_ms // step + 1) * step
        return Span(window, "sliding", until - window.size_ms, until)
    if window.kind == "hopping":
        until = now_ms // window.every_ms * window.every_ms
        return Span(window, "hopping", until - window.size_ms, until)
    second = (now_ms // 1_000 + 1) * 1_000
    if window.kind == "all" or not window.unit:
        return Span(window, "all", None, second)
    since, end = unit_span(window.unit, window.size, window.zone, now_ms)
    return Span(window, window.kind, since, min(second, end) if window.kind == "to_date" else end, end)


def _window(query: MetricQuery, contract: MetricContract) -> Window:
    if not query.window:
        return next(iter(contract.windows.values()), Window("all", "all"))
    if query.window in contract.windows:
        return contract.windows[query.window]
    if query.window == "all":
        return Window("all", "all")
    with suppress(ValueError):
        size_ms = parse_duration(query.window)
        if size_ms >= 1_000 and size_ms % 1_000 == 0:
            return Window(query.window, "sliding", size_ms=size_ms)
    hint = f"windows of {contract.name}: {', '.join(contract.windows)}; or a duration of whole seconds such as 15m"
    why = f"{query.window!r} is not a window of {contract.name}"
    raise Invalid(why, [Problem("/window", f"{query.window!r} is not known", "unknown_window", hint=hint)], hint=hint)
