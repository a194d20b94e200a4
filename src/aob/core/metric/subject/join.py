"""Pairs of two streams: the history of one subject in, for each left touch whether and with what it is paired out.

A left touch (step 0) is paired with the first right touch (step 1) at most `within_ms` after it; a right touch may
serve several. An event on both sides is never paired with itself. It counts at the time of the left one, under its
dimensions.
"""

from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import isfinite
from typing import Final

from aob.core.event.value import decode
from aob.core.expression import EvalError, compile_expression
from aob.core.metric.subject.touch import BOTH, Contribution, Head, Mark, Marks

_REMEMBERED_MAX: Final = 65_536
"""Values of pairs that are remembered rather than evaluated again."""
_LEFT: Final = frozenset({0, BOTH})
_RIGHT: Final = frozenset({1, BOTH})
_NAMES: Final = frozenset({"left", "right"})


class Join:
    """The law of pairs. `value` is CEL over `left` and `right` (each: `data`, `time`, `time_ms`), or the ms between."""

    def __init__(self, within_ms: int, value: str) -> None:
        self._within_ms = within_ms
        self.unmoved = 0
        """Pairs whose value is no finite number."""
        self._value = self._valued(value) if value else _between

    def tell(self, head: Head | None, marks: Marks) -> list[Contribution]:
        """A contribution for each left touch: 1, pairs, pairs that have a value, the sum of values."""
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
        """Left touches that may yet be paired stay."""
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


def _rights(marks: Marks) -> list[Mark]:
    return [mark for mark, count in marks if mark[1] in _RIGHT and count > 0]


def _between(left: Mark, right: Mark) -> float | None:
    return float(right[0] - left[0])


def _view(mark: Mark) -> dict[str, object]:
    time = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=mark[0])
    return {"data": decode(mark[3]) if mark[3] else {}, "time": time, "time_ms": mark[0]}
