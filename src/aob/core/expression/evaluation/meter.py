"""What one evaluation may cost: a unit an operation and a unit for 64 bytes compared, copied or searched; bytes made.

Values that exist pass by reference and are free. When a limit is reached, `Exhausted` ends the evaluation: no `||` may
absorb it, so it is no `EvalError`.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from aob.core.expression.library import Value

UNITS_MAX: Final = 1_000_000
MADE_MAX: Final = 1024 * 1024
UNIT_BYTES: Final = 64
REFERENCE_BYTES: Final = 8
"""What an item of a list counts that an expression makes, and twice this an entry of a map: it refers to its value."""
ASKED_UNITS: Final = 10
"""What an operation counts that the library works out, and each item of a list that crosses over to it."""
CROSSINGS: Final = 4
"""How often a text is copied on its way to the library and back."""
METER: Final = "@meter"
"""The name under which an evaluation carries its meter; no text can write it."""

_SHORT: Final = 64


class Exhausted(Exception):  # noqa: N818  # it never leaves the room
    """An evaluation has reached a limit, which these words name."""


class Meter:
    """What is left of one evaluation's units and bytes, and the lists and maps that it has made."""

    __slots__ = ("_made", "bytes", "units", "units_max")

    def __init__(self, units: int = UNITS_MAX, made: int = MADE_MAX) -> None:
        self.units = self.units_max = units
        self.bytes = made
        self._made: dict[int, Value] = {}

    def spend(self, units: int) -> None:
        """Count units. Raises Exhausted."""
        self.units -= units
        if self.units < 0:
            raise Exhausted(f"the expression takes more than {self.units_max:,} operations")

    def make(self, size: int) -> None:
        """Count bytes that will be made, and their copying. Raises Exhausted, before anything is made."""
        self.bytes -= size
        if self.bytes < 0:
            raise Exhausted("the expression makes more than 1 MiB")
        self.spend(size // UNIT_BYTES)

    def made(self, value: Value) -> Value:
        """A list or a map that the expression has made; what stands in it is reference only."""
        self._made[id(value)] = value
        return value

    def settle(self, value: Value) -> None:
        """Count what a result repeats: a value that stands in it more than once is made anew for each further place
        when it is written. Raises Exhausted."""
        if id(value) not in self._made:
            return
        places, existing = self._places(value)
        if max(places.values(), default=0) < 2:
            return
        whole: dict[int, int] = {}
        once = sum(self._size(item, whole) for item in existing.values())
        expanded = self._size(value, whole)
        self.make(max(expanded - once - REFERENCE_BYTES * len(self._made), 0))

    def _places(self, value: Value) -> tuple[Counter[int], dict[int, Value]]:
        """How often each large value stands in what was made, and those that existed."""
        places: Counter[int] = Counter()
        existing: dict[int, Value] = {}
        waiting, seen = [value], {id(value)}
        while waiting:
            holder = waiting.pop()
            for item in holder.values() if type(holder) is dict else holder:
                if (type(item) is str and len(item) <= _SHORT) or type(item) not in (str, bytes, list, dict):
                    continue
                places[id(item)] += 1
                if id(item) not in self._made:
                    existing[id(item)] = item
                elif id(item) not in seen:
                    seen.add(id(item))
                    waiting.append(item)
        return places, existing

    def _size(self, value: Value, whole: dict[int, int]) -> int:
        """Bytes of a value as it is written, roughly; each list and map is looked into once."""
        kind = type(value)
        if kind is str or kind is bytes:
            return len(value)
        if kind is not list and kind is not dict:
            return REFERENCE_BYTES
        found = whole.get(id(value))
        if found is None:
            self.spend(1)
            items = value.values() if kind is dict else value
            found = REFERENCE_BYTES * len(value) + sum(self._size(item, whole) for item in items)
            whole[id(value)] = found
        return found


def spending(units: int, run: "Callable[[Value], Value]") -> "Callable[[Value], Value]":
    """A function of names that counts units before it runs."""

    def counted(names: Value) -> Value:
        meter: Meter = names[METER]
        meter.units -= units
        if meter.units < 0:
            meter.spend(0)
        return run(names)

    return counted
