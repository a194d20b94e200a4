"""The touches of one subject in time order, as a funnel, sessions or a join. The order of arrival has no effect."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from math import isfinite
from typing import Final, NamedTuple

import msgspec

from aob.core.contract_model import MetricContract
from aob.core.expression import EvalError, compile_expression
from aob.core.value import decode

Mark = tuple[int, int, tuple[str, ...], bytes]
"""What a history keeps of a touch: its time in ms, step, dimensions and, for joins, data as canonical JSON; for funnels
the further steps that the same event may count for, one byte each."""
BOTH: Final = 255  # the step of an event that is on both sides of a join
_WHOLE_MAX: Final = 2.0**40
MARK_BYTES: Final = 250
HISTORY_BYTES: Final = 350  # approximate bytes of memory of a mark and of a history
_REMEMBERED_MAX: Final = 65_536  # values of pairs that are cached
_LEFT: Final = frozenset({0, BOTH})
_RIGHT: Final = frozenset({1, BOTH})
_NAMES: Final = frozenset({"left", "right"})


class Touch(NamedTuple):
    """An act of the subject `key` at `at_ms` (event time): the step of a funnel or side of a join, and its dimensions.
    A negative `sign` retracts a touch with the same time, step, dimensions and data. `seen_ms` is the time of the event
    itself, checked by the gate: it moves the horizon. `data` is the event's data; only joins with a `value` read it.
    `also` are further funnel steps that the event may count for: it counts for only one of them."""

    key: str
    at_ms: int
    seen_ms: int
    step: int = 0
    dims: tuple[str, ...] = ()
    sign: int = 1
    data: object = None
    also: tuple[int, ...] = ()


class Contribution(NamedTuple):
    """Sums to add to the cell of `dims` at `at_ms`: as many as `width_of` says, negative when retracted."""

    at_ms: int
    dims: tuple[str, ...]
    values: tuple[float, ...]


class Head(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An attempt or session that began before the horizon and may continue. `count`: steps or events."""

    at_ms: int
    dims: tuple[str, ...]
    count: int
    last_ms: int


Marks = list[tuple[Mark, int]]  # marks in time order, each with its count


class History(msgspec.Struct, array_like=True, gc=False):
    """The open part of a history is at or after `floor_ms`; `head` summarizes what is before it."""

    floor_ms: int = -(1 << 62)
    head: Head | None = None
    marks: list[tuple[Mark, int]] = []

    def put(self, mark: Mark, sign: int) -> None:
        """Change the count of a mark by `sign`; remove it at zero."""
        index = bisect_left(self.marks, (mark,))
        if index == len(self.marks) or self.marks[index][0] != mark:
            self.marks.insert(index, (mark, sign))
        elif count := self.marks[index][1] + sign:
            self.marks[index] = (mark, count)
        else:
            del self.marks[index]

    def settle(self, law: "Law", floor_ms: int) -> bool:
        """Drop what touches from `floor_ms` on cannot change; return whether anything was dropped."""
        if floor_ms <= self.floor_ms:
            return False
        self.floor_ms = floor_ms
        if self.head is None and (not self.marks or self.marks[0][0][0] >= floor_ms):
            return False
        before = self.head, len(self.marks)
        self.head, self.marks = law.settle(self.head, self.marks, floor_ms)
        return before != (self.head, len(self.marks))

    def shorten(self, law: "Law", most: int) -> int:
        """Keep at most `most` marks by raising the floor of this subject; return how many open marks were lost."""
        middle, first = self.marks[len(self.marks) // 2][0][0], self.marks[0][0][0]
        self.settle(law, middle if middle > first else first + 1)
        gone = max(len(self.marks) - most, 0)
        del self.marks[:gone]
        return gone

    @property
    def last_ms(self) -> int:
        return self.marks[-1][0][0] if self.marks else self.head.last_ms if self.head else 0

    @property
    def empty(self) -> bool:
        return self.head is None and not self.marks

    @property
    def size(self) -> int:
        """Approximate bytes of memory."""
        return HISTORY_BYTES + MARK_BYTES * len(self.marks)


def difference(before: list[Contribution], after: list[Contribution]) -> list[Contribution]:
    """What to add so that `before` becomes `after`. Integers of one cell are summed; other values stay separate, so
    that nothing is rounded before it reaches the cell."""
    if before == after:
        return []
    moved = Counter(after)
    moved.subtract(before)
    sums: dict[tuple[int, tuple[str, ...]], tuple[float, ...]] = {}
    found: list[Contribution] = []
    for told, times in moved.items():
        if not times:
            continue
        if all(-_WHOLE_MAX < value < _WHOLE_MAX and value.is_integer() for value in told.values):
            held = sums.get(told[:2]) or (0.0,) * len(told.values)
            sums[told[:2]] = tuple(old + times * value for old, value in zip(held, told.values, strict=True))
        else:
            values = told.values if times > 0 else tuple(-value for value in told.values)
            found += [Contribution(told.at_ms, told.dims, values)] * abs(times)
    return found + [Contribution(*place, values) for place, values in sums.items() if any(values)]


class Funnel:
    """The law of funnels of `steps` steps."""

    def __init__(self, steps: int, within_ms: int) -> None:
        self.unmoved = 0
        self._steps = steps
        self._within_ms = within_ms

    def tell(self, head: Head | None, marks: Marks) -> list[Contribution]:
        """One contribution for each attempt: 1 for each step reached."""
        return [
            Contribution(each.at_ms, each.dims, tuple(float(step < each.count) for step in range(self._steps)))
            for each in self._attempts(head, marks)
        ]

    def settle(self, head: Head | None, marks: Marks, floor_ms: int) -> tuple[Head | None, Marks]:
        """Of what is before the floor, keep only an attempt that is still open."""
        attempts = self._attempts(head, [each for each in marks if each[0][0] < floor_ms])
        last = attempts[-1] if attempts and attempts[-1].at_ms + self._within_ms >= floor_ms else None
        return last, [each for each in marks if each[0][0] >= floor_ms]

    def _attempts(self, head: Head | None, marks: Marks) -> list[Head]:
        found = [] if head is None else [head]
        if any(mark[3] for mark, _ in marks):
            return self._one_by_one(found, marks)
        for (at_ms, step, dims, _), count in marks:
            if count < 1:
                continue
            if found and at_ms <= found[-1].at_ms + self._within_ms:
                if step == found[-1].count:
                    found[-1] = Head(found[-1].at_ms, found[-1].dims, step + 1, at_ms)
            elif step == 0:
                found.append(Head(at_ms, dims, 1, at_ms))
        return found

    def _one_by_one(self, found: list[Head], marks: Marks) -> list[Head]:
        """Match events that may count for several steps: at each instant, the event that can count for the fewest later
        steps is used first, whatever the order of arrival."""
        for at_ms, together in groupby(marks, key=lambda each: each[0][0]):
            left = {mark: count for mark, count in together if count > 0}
            while left:
                running = bool(found) and at_ms <= found[-1].at_ms + self._within_ms
                wanted = found[-1].count if running else 0
                ready = [mark for mark in left if mark[1] == wanted or wanted in mark[3]]
                if not ready or wanted >= self._steps:
                    break
                mark = min(ready, key=lambda each: (sum(step > wanted for step in (each[1], *each[3])), each))
                left[mark] -= 1
                if not left[mark]:
                    del left[mark]
                if running:
                    found[-1] = Head(found[-1].at_ms, found[-1].dims, wanted + 1, at_ms)
                else:
                    found.append(Head(at_ms, mark[2], 1, at_ms))
        return found


class Sessions:
    """The law of sessions, which are more than `gap_ms` apart."""

    def __init__(self, gap_ms: int) -> None:
        self.unmoved = 0
        self._gap_ms = gap_ms

    def tell(self, head: Head | None, marks: Marks) -> list[Contribution]:
        """One contribution for each session: 1, its events, and its length in ms."""
        return [
            Contribution(each.at_ms, each.dims, (1.0, float(each.count), float(each.last_ms - each.at_ms)))
            for each in self._sessions(head, marks)
        ]

    def settle(self, head: Head | None, marks: Marks, floor_ms: int) -> tuple[Head | None, Marks]:
        """Of what is before the floor, keep only a session that may continue."""
        sessions = self._sessions(head, [each for each in marks if each[0][0] < floor_ms])
        last = sessions[-1] if sessions and sessions[-1].last_ms + self._gap_ms >= floor_ms else None
        return last, [each for each in marks if each[0][0] >= floor_ms]

    def _sessions(self, head: Head | None, marks: Marks) -> list[Head]:
        found = [] if head is None else [head]
        for (at_ms, _, dims, _), count in marks:
            if count < 1:
                continue
            if found and at_ms - found[-1].last_ms <= self._gap_ms:
                last = found[-1]
                found[-1] = Head(last.at_ms, last.dims, last.count + count, at_ms)
            else:
                found.append(Head(at_ms, dims, count, at_ms))
        return found


class Join:
    """The law of joins. `value` is CEL over `left` and `right` (each: `data`, `time`, `time_ms`); else, ms between."""

    def __init__(self, within_ms: int, value: str) -> None:
        self._within_ms = within_ms
        self.unmoved = 0  # pairs whose value is not a finite number
        self._value = self._valued(value) if value else _between

    def tell(self, head: Head | None, marks: Marks) -> list[Contribution]:
        """One contribution for each left touch: 1, pairs, pairs that have a value, the sum of values."""
        rights = _rights(marks)
        found: list[Contribution] = []
        for mark, count in marks:
            if mark[1] in _LEFT and count > 0:
                right = self._paired(mark, count, rights)
                value = None if right is None else self._value(mark, right)
                told = (1.0, float(right is not None), float(value is not None), value or 0.0)
                found += [Contribution(mark[0], mark[2], told)] * count
        return found

    def settle(self, head: Head | None, marks: Marks, floor_ms: int) -> tuple[Head | None, Marks]:
        """Keep left touches that may still be paired."""
        rights = [mark for mark in _rights(marks) if mark[0] < floor_ms]
        return None, [
            (mark, count)
            for mark, count in marks
            if mark[0] >= floor_ms
            or (
                mark[1] in _LEFT
                and count > 0
                and mark[0] + self._within_ms >= floor_ms
                and not self._paired(mark, count, rights)
            )
        ]

    def _paired(self, left: Mark, count: int, rights: list[Mark]) -> Mark | None:
        index = bisect_left(rights, (left[0],))
        if index < len(rights) and rights[index] == left and count == 1:
            index += 1  # itself
        return rights[index] if index < len(rights) and rights[index][0] <= left[0] + self._within_ms else None

    def _valued(self, text: str) -> Callable[[Mark, Mark], float | None]:
        expression = compile_expression(text, nodes=frozenset(), names=_NAMES, strict=False)

        def evaluate(left: Mark, right: Mark) -> float | None:
            try:
                value = expression.eval({"left": _view(left), "right": _view(right)})
            except EvalError:
                return None
            if isinstance(value, timedelta):
                return value / timedelta(milliseconds=1)
            if isinstance(value, bool) or not isinstance(value, int | float):
                return None
            if not isfinite(value):
                self.unmoved += 1
                return None
            return float(value)

        return lru_cache(_REMEMBERED_MAX)(evaluate)


Law = Funnel | Sessions | Join
"""How a history is interpreted, purely; marks with a count below 1 are ignored. `tell`: its contributions to a metric.
`settle`: the smallest history that gives the same ones, whatever touches arrive at or after a floor. `unmoved` counts
values that were not finite numbers."""


def steps_of(contract: MetricContract) -> tuple[str, ...]:
    """The names of a funnel's steps; numbers where it names none."""
    return contract.steps or tuple(str(step) for step in range(1 + max((m.step for m in contract.moves), default=0)))


def law_of(contract: MetricContract) -> Law:
    """The law of a metric's type."""
    if contract.type == "funnel":
        return Funnel(len(steps_of(contract)), contract.within_ms)
    return Sessions(contract.within_ms) if contract.type == "sessions" else Join(contract.within_ms, contract.value)


def _rights(marks: Marks) -> list[Mark]:
    return [mark for mark, count in marks if mark[1] in _RIGHT and count > 0]


def _between(left: Mark, right: Mark) -> float | None:
    return float(right[0] - left[0])


def _view(mark: Mark) -> dict[str, object]:
    time = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=mark[0])
    return {"data": decode(mark[3]) if mark[3] else {}, "time": time, "time_ms": mark[0]}
