"""Limits the cost of one evaluation: a unit per operation and per 64 bytes compared, copied or searched; and bytes
created. At a limit, `Exhausted` ends it: no `EvalError`, so that no `||` absorbs it."""

from collections import Counter
from collections.abc import Callable
from typing import Final

from aob.core.expression.library import Value

UNITS_MAX: Final = 1_000_000
MADE_MAX: Final = 1024 * 1024
UNIT_BYTES: Final = 64
REFERENCE_BYTES: Final = 8
"""The bytes of an item of a created list; an entry of a map counts twice. Both only refer to their values."""
ASKED_UNITS: Final = 10  # the units of an operation of the library, and of each item of a list passed to it
CROSSINGS: Final = 4  # how often a text is copied to and from the library
METER: Final = "@meter"  # the name of the meter among the names of an evaluation; no expression can write it

_SHORT: Final = 64


class Exhausted(Exception):  # noqa: N818  # it never leaves the room
    """An evaluation has reached the limit named in its text."""


class Meter:
    """The remaining units and bytes of one evaluation, and the lists and maps that it has created."""

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
        """Count bytes that will be created, and their copying. Raises Exhausted beforehand."""
        self.bytes -= size
        if self.bytes < 0:
            raise Exhausted("the expression makes more than 1 MiB")
        self.spend(size // UNIT_BYTES)

    def made(self, value: Value) -> Value:
        """Record a list or map that the expression created; it only refers to its items."""
        self._made[id(value)] = value
        return value

    def settle(self, value: Value) -> None:
        """Count repeated values of a result: a value that occurs more than once is copied for each further occurrence
        when it is serialized. Raises Exhausted."""
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
        """How often each large value occurs in the created ones, and the values that existed."""
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
        """Approximate bytes of a serialized value; each list and map is visited once."""
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
