"""The slots of a cell: how events are added and how cells are merged. A cell is a list with one entry per slot; None is
empty. Sums are integer multiples of 2^-104, so that the order of addition has no effect. Floats of at least 2^-52 are
such multiples; smaller ones are truncated."""

from collections.abc import Mapping, Sequence
from math import fsum
from typing import Any, Final, Literal

import msgspec

from aob.core.accepted_event import Event
from aob.core.metric.quantiles import Extremes, Quantiles
from aob.core.metric.texts import Distinct, Top

BITS: Final = 104
ONE: Final = 1 << BITS
_SCALE: Final = float(ONE)
_PLAIN_MAX: Final = 1e270
_FEW: Final = 6
_EXACT_MIN: Final = 2.0**-52  # floats that are not smaller are multiples of 2^-104
Entry = Any
"""By slot: int (count, exact sum), number or None (bounds), (at, offset, value) or None (last), or a sketch or None."""
Cell = list[Entry]
SlotKind = Literal["count", "sum", "low", "high", "last", "distinct", "quantiles", "top", "extremes"]
ADDED: Final = frozenset(("count", "sum"))
NUMERIC: Final = frozenset(("sum", "low", "high", "quantiles", "extremes"))  # kinds that accept only numbers
SKETCHES: Final[Mapping[str, type[Distinct | Quantiles | Top | Extremes]]] = {
    "distinct": Distinct, "quantiles": Quantiles, "top": Top, "extremes": Extremes,
}  # fmt: skip


def whole(value: float) -> int:
    """A number as a multiple of 2^-104."""
    if isinstance(value, int):
        return value << BITS
    if -_PLAIN_MAX < value < _PLAIN_MAX:
        return int(value * _SCALE)
    numerator, denominator = value.as_integer_ratio()
    return (numerator << BITS) // denominator


def total(values: Sequence[float]) -> int:
    """The exact sum of numbers: `fsum` gives the first 53 bits, a second `fsum` the rest. If a remainder is left, or
    numbers are so small that each is truncated, they are added one by one, which costs five times as much."""
    if len(values) < _FEW or (
        min(values) < _EXACT_MIN and min(map(abs, filter(None, values)), default=1.0) < _EXACT_MIN
    ):
        return sum(map(whole, values))
    try:
        head = fsum(values)
        rest = [*values, -head]
        tail = fsum(rest)
        rest.append(-tail)
        if fsum(rest) == 0.0:
            return whole(head) + whole(tail)
    except OverflowError:
        pass
    return sum(map(whole, values))


def plain(sum_: int) -> float:
    """The float nearest to a sum."""
    return quotient(sum_, ONE)


def quotient(a: int, b: int) -> float:
    """`a / b`, rounded once; infinite where no float is as large."""
    try:
        return a / b
    except OverflowError:
        return float("inf") if (a > 0) == (b > 0) else float("-inf")


class Slot(msgspec.Struct, frozen=True, array_like=True):
    """What a cell keeps of the values of an expression, for events for which `when` holds. `sign` is negative in a
    sketch that retracts values; numbers are retracted when they are read. `exact` keeps values individually; for a
    count it means that only numbers are counted. `of` names the only metric it serves, one that is refolded. `by` is
    the expression of the weights where values are ranked by sums: they are passed as (value, weight)."""

    kind: SlotKind
    value: str = ""
    when: str = ""
    sign: int = 1
    exact: bool = False
    of: str = ""
    by: str = ""

    @property
    def added(self) -> bool:
        """Whether cells are merged by addition."""
        return self.kind in ADDED


def blank(slots: Sequence[Slot]) -> Cell:
    """An empty cell."""
    return [0 if slot.added else None for slot in slots]


def put(cell: Cell, index: int, slot: Slot, events: Sequence[Event], values: Cell, ats: Sequence[int]) -> None:
    """Add the values of events to one slot of a cell; `ats` are the times at which they count."""
    kind = slot.kind
    if kind == "sum":
        cell[index] += total(values)
    elif kind == "low":
        least = min(values)
        cell[index] = least if cell[index] is None else min(cell[index], least)
    elif kind == "high":
        most = max(values)
        cell[index] = most if cell[index] is None else max(cell[index], most)
    elif kind == "last":
        for at_ms, event, value in zip(ats, events, values, strict=True):
            if cell[index] is None or (at_ms, event.offset) >= cell[index][:2]:
                cell[index] = (at_ms, event.offset, value)
    else:
        sketch, sign = cell[index], slot.sign
        if sketch is None:
            sketch = cell[index] = SKETCHES[kind](exact=slot.exact)
        if kind == "quantiles":
            sketch.add_all(values, sign)
            return
        if slot.by:
            for value, weight in values:
                sketch.weigh(value, sign * whole(weight))
            return
        for value in values:
            sketch.add(value, sign)


def join(kind: SlotKind, a: Entry, b: Entry, owned: bool) -> Entry:
    """Merge two entries. `owned`: `a` is the result of a merge, so that its sketch may be changed in place."""
    if kind in ADDED:
        return a + b
    if a is None or b is None:
        return b if a is None else a
    if kind == "low":
        return min(a, b)
    if kind == "high":
        return max(a, b)
    if kind == "last":
        return b if b[:2] >= a[:2] else a
    if not owned:
        a = type(a).load(a.dump())
    a.merge(b)
    return a


def merged(slots: Sequence[Slot], cells: Sequence[Cell]) -> Cell:
    """Merge cells into a new one without changing them. A sketch may be shared with the only cell that has one."""
    if not cells:
        return blank(slots)
    return [merged_column(slot, column) for slot, column in zip(slots, zip(*cells, strict=True), strict=True)]


def merged_column(slot: Slot, column: Sequence[Entry]) -> Entry:
    """Merge one slot of several cells."""
    if slot.added:
        return sum(column)
    there = [entry for entry in column if entry is not None]
    if not there:
        return None
    found, owned = there[0], False
    for entry in there[1:]:
        found = join(slot.kind, found, entry, owned)
        owned = True
    return found
