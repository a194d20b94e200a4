"""The span of event time that a question asks for, the one before it, and its parts. No clock: now is told."""

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

import msgspec

from aob.core.contract_model import MetricContract, Unit, Window
from aob.core.duration import parse_duration
from aob.core.errors import Invalid, Problem
from aob.core.metric.span.calendar import same_elapsed, unit_before, unit_span
from aob.core.metric_query import MetricQuery

_DAY_MS: Final = 86_400_000
_CALENDAR: Final = re.compile(r"(?:(\d{1,4}) ?)?(minute|hour|day|week|month|quarter|year)s?")
_UNITS_MAX: Final = 1_000
_STEPS: Final = ((3_600_000, 1_000), (_DAY_MS, 60_000), (31 * _DAY_MS, 3_600_000))


class Step(NamedTuple):
    """What splits a span: `size` units of the calendar, or so many ms."""

    unit: Unit | Literal[""]
    size: int
    ms: int


class Span(msgspec.Struct, frozen=True):
    """`[since, until)` of event time (since None: from the first event), from a window or asked for (kind `span`)."""

    window: Window
    kind: str
    since: int | None
    until: int
    end: int = 0
    """Where the calendar unit of it ends."""

    @property
    def step_ms(self) -> int:
        """By how much it moves at a time."""
        return moves_by(self.window.size_ms) if self.window.kind == "sliding" else 1_000

    def moves_at(self, first: int | None, furthest: int) -> int | None:
        """When what lies in it changes without an event: `first` is where its first tile with events begins, `furthest`
        where the last tile of all ends. None: never, as things stand."""
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
        """The window before this one, or the span of the same length. Raises Invalid for one without a beginning."""
        if self.since is None:
            raise Invalid("nothing lies before the first event", [Problem("/compare", "it has no previous one")])
        window = self.window
        if self.kind == "tumbling" and window.unit:
            since, until = unit_before(window.unit, window.size, window.zone, self.since)
        elif self.kind == "to_date" and window.unit:
            since, _ = unit_before(window.unit, window.size, window.zone, self.since)
            until = same_elapsed(window.unit, window.zone, self.since, self.until, since)
        else:
            since, until = self.since - (self.until - self.since), self.since
        return msgspec.structs.replace(self, kind="span", since=since, until=until)

    def buckets(self, step: Step, since: int) -> Iterator[tuple[int, int]]:
        """Its parts: steps since 1970, units of the calendar of the zone, or days of it where steps are whole days. The
        outer ones are cut off."""
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
    """The step of a text: a duration (`15m`), or units of the calendar (`month`, `2 weeks`). Raises ValueError."""
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
    """By how much a sliding window of this size moves at a time."""
    return next((step for size, step in _STEPS if size_ms <= size), _DAY_MS)


def span_of(query: MetricQuery, contract: MetricContract, now_ms: int) -> Span:
    """What a question asks for at an instant. Raises Invalid for a window that is none, or a span without length."""
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
    try:
        size_ms = parse_duration(query.window)
        if size_ms >= 1_000 and size_ms % 1_000 == 0:
            return Window(query.window, "sliding", size_ms=size_ms)
    except ValueError:
        pass
    hint = f"windows of {contract.name}: {', '.join(contract.windows)}; or a duration of whole seconds such as 15m"
    raise Invalid(
        f"{query.window!r} is not a window of {contract.name}",
        [Problem("/window", f"{query.window!r} is not known", "unknown_window", hint=hint)], hint=hint,
    )  # fmt: skip
