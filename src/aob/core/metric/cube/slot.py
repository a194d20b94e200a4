"""What a cell keeps in each of its places: how events are added, how two cells become one, how it is written.

A cell is a list with one entry a slot: a count, an exact sum, a bound, the last value, or a sketch. None: nothing yet.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from aob.core.accepted_event import Event
from aob.core.metric.cube.number import total, whole
from aob.core.metric.sketch import Distinct, Extremes, Quantiles, Sketch, Top

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
