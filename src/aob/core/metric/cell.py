"""What a cell keeps in each of its places: how events are added, how two cells become one, how it is written.

A cell is a list with one entry a slot: a count, an exact sum, a bound, the last value, or a sketch. None: nothing yet.
Sums do not depend on the order of what is added: they are whole multiples of 2^-104. A float of at least 2^-52 is such
a multiple, so that nothing of it is lost; the rest of a smaller one is cut off.
"""

from collections.abc import Callable, Mapping, Sequence
from math import fsum
from typing import Any, Final, Literal

import msgspec

from aob.core.accepted_event import Event
from aob.core.metric.distinct import Distinct
from aob.core.metric.quantiles import Extremes, Quantiles
from aob.core.metric.sketch import Sketch
from aob.core.metric.top import Top

BITS: Final = 104
ONE: Final = 1 << BITS
_SCALE: Final = float(ONE)
_PLAIN_MAX: Final = 1e270
_FEW: Final = 6
Entry = Any
"""By slot: int (count, exact sum), number or None (bounds), (at, offset, value) or None (last), or a sketch or None."""
Cell = list[Entry]
SlotKind = Literal["count", "sum", "low", "high", "last", "distinct", "quantiles", "top", "extremes"]
ADDED: Final = frozenset(("count", "sum"))
NUMERIC: Final = frozenset(("sum", "low", "high", "quantiles", "extremes"))
"""Kinds that take numbers only."""
SKETCHES: Final[Mapping[str, Callable[[bytes], Sketch]]] = {
    "distinct": Distinct.load, "quantiles": Quantiles.load, "top": Top.load, "extremes": Extremes.load,
}  # fmt: skip


def whole(value: float) -> int:
    """One number as a multiple of 2^-104."""
    if isinstance(value, int):
        return value << BITS
    if -_PLAIN_MAX < value < _PLAIN_MAX:
        return int(value * _SCALE)
    numerator, denominator = value.as_integer_ratio()
    return (numerator << BITS) // denominator


def total(values: Sequence[float]) -> int:
    """The sum of numbers, exactly: `fsum` gives its first 53 bits, what is left of the numbers without them the rest,
    and where even that leaves something each is added as it is. One by one would cost five times as much."""
    if len(values) < _FEW:
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
    """What is kept of the values that an expression gives for events for which `when` holds. `sign` is below zero in a
    sketch that takes values back; numbers are taken back when they are read. `exact` keeps values one by one; of a
    count it says that only numbers are counted. `of` names the only metric that it serves, one that is refolded.
    `by` is the expression of the weight of each value, where they are ranked by sums: they come as (value, weight)."""

    kind: SlotKind
    value: str = ""
    when: str = ""
    sign: int = 1
    exact: bool = False
    of: str = ""
    by: str = ""

    @property
    def added(self) -> bool:
        """Whether cells are merged by adding."""
        return self.kind in ADDED


def new_sketch(slot: Slot) -> Sketch:
    """An empty sketch for a slot."""
    match slot.kind:
        case "distinct":
            return Distinct(exact=slot.exact)
        case "quantiles":
            return Quantiles(exact=slot.exact)
        case "top":
            return Top(exact=slot.exact)
        case _:
            return Extremes(exact=slot.exact)


def blank(slots: Sequence[Slot]) -> Cell:
    """A cell that nothing was added to."""
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
            sketch = cell[index] = new_sketch(slot)
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
    """Two entries as one. `owned` says that `a` was made by merging, so that a sketch may be added to in place."""
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
    """Cells as one new cell; what it is made of stays as it is. A sketch may be shared with a cell that is alone in
    having one."""
    if not cells:
        return blank(slots)
    return [merged_column(slot, column) for slot, column in zip(slots, zip(*cells, strict=True), strict=True)]


def merged_column(slot: Slot, column: Sequence[Entry]) -> Entry:
    """One slot of several cells as one entry."""
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
