"""Computes how much each event of a span moved a number: before, after, and parts that add up. For one window and one
filter. An event's part is the difference of the number without and with it, in log order; the effect of time alone (a
moving window) is a separate part. Pure; runs in a thread."""

from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.contract_model import ContractSet
from aob.core.ingest import Event
from aob.core.metric import Fold
from aob.core.metric_query import MetricQuery

EACH_MAX: Final = 1_000  # events listed one by one; older ones are summed up


class Moving(msgspec.Struct, eq=False):
    """An event that moved the number: its place, whether it precedes the span, and its effect."""

    row: int
    index: int
    at_ms: int
    late: bool
    event: Event
    line: bytes
    change: JsonValue = None
    partition: int = 0


class Account:
    """The changes of one metric between two instants."""

    def __init__(self, known: ContractSet, query: MetricQuery, since_ms: int, until_ms: int) -> None:
        self._query, self._since_ms, self._until_ms = query, since_ms, until_ms
        self._fold = Fold(known, frozenset({query.metric}), endless=True)
        self._types = known.types_of(query.metric)
        self._kept: list[Event] = []
        self._waiting: deque[tuple[Event, Moving | None]] = deque()
        self._moving = 0
        self._parts: dict[tuple[str, str], tuple[int, JsonValue]] = {}
        self.newest: list[Moving] = []
        self.before: JsonValue = None
        self.after: JsonValue = None

    def base(self, events: Sequence[Event]) -> None:
        """Adds events from before the span."""
        self._add([event for event in events if event.type in self._types])

    def begin(self) -> None:
        """Begins the span, after all events before it."""
        self.before = self._read(self._since_ms)
        self.after = self._read(self._until_ms)
        if (gone := minus(self.after, self.before)) not in (None, 0):
            self._parts["", "time"] = (0, gone)

    def take(self, events: Sequence[tuple[Event, Moving | None]]) -> None:
        """Adds events of the span, in order; those that move the metric have a place."""
        for event, moving in events:
            self._waiting.append((event, moving))
            self._moving += moving is not None
        if self._moving > 2 * EACH_MAX:
            self._together(self._moving - EACH_MAX)

    def end(self) -> None:
        """Ends the span: computes the effects of the newest events one by one."""
        if self._moving > EACH_MAX:
            self._together(self._moving - EACH_MAX)
        quiet: list[Event] = []
        for event, moving in self._waiting:
            if moving is None:
                quiet.append(event)
                continue
            if quiet:
                self._add(quiet)
                quiet = []
            moving.change = self._did([event])
            self._part(event.type, "restatement" if moving.late else "event", 1, moving.change)
            self.newest.append(moving)
        self._waiting.clear()
        self._add(quiet)

    def parts(self) -> list[JsonObject]:
        """The parts, most events first; their changes add up to `after` minus `before`."""
        return [
            {"type": type, "kind": kind, "events": count, "change": change}
            for (type, kind), (count, change) in sorted(self._parts.items(), key=lambda pair: -pair[1][0])
        ]

    @property
    def change(self) -> JsonValue:
        """The total change."""
        return minus(self.after, self.before)

    def _together(self, count: int) -> None:
        """Sums up the effect of the oldest events; by type if order makes no difference."""
        by_type: dict[tuple[str, str], list[Event]] = {}
        added = self._fold.plan.metrics[self._query.metric].contract.type in ("count", "sum")
        self._moving -= count
        while count:
            event, moving = self._waiting.popleft()
            if moving is not None:
                count -= 1
            place = (event.type, "restatement" if moving.late else "event") if added and moving else ("", "event")
            by_type.setdefault(place, []).append(event)
        for (type, kind), events in by_type.items():
            self._part(type, kind, len(events), self._did(events))

    def _did(self, events: Sequence[Event]) -> JsonValue:
        self._add(events)
        before, self.after = self.after, self._read(self._until_ms)
        return minus(self.after, before)

    def _part(self, type: str, kind: str, events: int, change: JsonValue) -> None:
        count, had = self._parts.get((type, kind), (0, None))
        self._parts[type, kind] = count + events, plus(had, change)

    def _add(self, events: Sequence[Event]) -> None:
        self._fold.add(events)
        if self._fold.plan.refolded:
            self._kept += events
            self._fold.recount(self._kept)

    def _read(self, now_ms: int) -> JsonValue:
        found: JsonValue = self._fold.read(self._query, now_ms).value
        return found


def minus(after: JsonValue, before: JsonValue) -> JsonValue:
    """The difference of two values: of numbers (None counts as 0), of each number of an object; else None."""
    return _each(after, before, lambda a, b: a - b)


def plus(one: JsonValue, other: JsonValue) -> JsonValue:
    """The sum of two differences."""
    return _each(one, other, lambda a, b: a + b)


def _each(one: JsonValue, other: JsonValue, join: Any) -> JsonValue:
    if isinstance(one, dict) or isinstance(other, dict):
        a, b = (value if isinstance(value, dict) else {} for value in (one, other))
        return {name: _each(a.get(name), b.get(name), join) for name in (a or b)}
    if one is None and other is None:
        return None
    if not all(
        value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in (one, other)
    ):
        return None
    return join(one or 0, other or 0)
