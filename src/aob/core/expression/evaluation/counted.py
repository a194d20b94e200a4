"""Operators and functions whose cost depends on values, counted by a meter before they run. Raises `Exhausted`."""

from collections.abc import Callable
from typing import Final

from aob.core.expression.evaluation import operators
from aob.core.expression.evaluation.functions import METHODS
from aob.core.expression.evaluation.meter import ASKED_UNITS, CROSSINGS, REFERENCE_BYTES, UNIT_BYTES, Meter
from aob.core.expression.evaluation.static_cost import text_units
from aob.core.expression.library import Value

Counted = Callable[[Meter, Value, Value], Value]

_EXACT: Final = frozenset({int, float, bool, type(None)})
_SIZED: Final = frozenset({str, bytes, list, dict})


def _add(meter: Meter, left: Value, right: Value) -> Value:
    kind = type(left)
    if kind is type(right) and kind in _SIZED:
        if kind is list:
            meter.make(REFERENCE_BYTES * (len(left) + len(right)))
            return meter.made(left + right)
        if kind is not dict:
            meter.make(len(left) + len(right))
    return operators.add(left, right)


def _equal(meter: Meter, left: Value, right: Value) -> bool:
    kind = type(left)
    if kind not in _SIZED or kind is not type(right):
        return operators.equal(left, right)
    if len(left) != len(right):
        return False
    if kind is str or kind is bytes:
        meter.spend(len(left) // UNIT_BYTES)
        return bool(left == right)
    meter.spend(len(left))
    if kind is list:
        for item, other in zip(left, right, strict=True):
            if type(item) in _EXACT and type(other) is type(item):
                if item != other:
                    return False
            elif not _equal(meter, item, other):
                return False
        return True
    return bool(left.keys() == right.keys()) and all(_equal(meter, item, right[key]) for key, item in left.items())


def _ordered(operate: operators.Binary) -> Counted:
    def counted(meter: Meter, left: Value, right: Value) -> Value:
        if type(left) in _SIZED and type(right) in _SIZED:
            meter.spend(min(len(left), len(right)) // UNIT_BYTES)
        return operate(left, right)

    return counted


def _within(meter: Meter, item: Value, container: Value) -> Value:
    if type(container) is dict:
        meter.spend(text_units(item))
    elif type(container) is list:
        meter.spend(len(container))
        if type(item) not in _SIZED:
            # what Python does not find, CEL does not find; what Python finds may be true for 1, or a rounded double
            if _plain(item) and item not in container:
                return False
            return any(operators.equal(item, other) for other in container)
        if type(item) is str and len(item) < UNIT_BYTES:
            return item in container
        return any(_equal(meter, item, other) for other in container)
    return operators.within(item, container)


def _plain(item: Value) -> bool:
    return type(item) in (bool, type(None)) or (type(item) in (int, float) and abs(item) < operators.DOUBLE_EXACT_MAX)


def _searched(operate: operators.Binary) -> Counted:
    def counted(meter: Meter, text: Value, part: Value) -> Value:
        meter.spend(text_units(text) + text_units(part))
        return operate(text, part)

    return counted


BINARY: Final[dict[str, Counted]] = {
    "_+_": _add,
    "_==_": _equal,
    "_!=_": lambda meter, left, right: not _equal(meter, left, right),
    "_<_": _ordered(operators.less),
    "_<=_": _ordered(operators.less_equal),
    "_>_": _ordered(operators.greater),
    "_>=_": _ordered(operators.greater_equal),
    "@in": _within,
    **{name: _searched(operate) for name, operate in METHODS.items()},
}
"""The operators and methods of two values that have a counted form."""


def ask_units(values: tuple[Value, ...]) -> int:
    """The units of an operation of the library: its values are passed to it."""
    return ASKED_UNITS + sum(map(_crossing_units, values))


def _crossing_units(value: Value) -> int:
    if type(value) is list:
        return ASKED_UNITS * len(value) + sum(map(_crossing_units, value))
    if type(value) is dict:
        inner = sum(_crossing_units(key) + _crossing_units(item) for key, item in value.items())
        return ASKED_UNITS * len(value) + inner
    return CROSSINGS * text_units(value)


def made_bytes(function: str, values: tuple[Value, ...]) -> int:
    """The most bytes that a function of text creates, where that may exceed its input."""
    if function == "replace" and len(values) >= 3 and all(type(each) is str for each in values[:3]):
        text, old, new = values[:3]
        places = text.count(old) if old else len(text) + 1
        if len(values) > 3 and type(values[3]) is int and values[3] >= 0:
            places = min(places, values[3])
        return len(text) + places * max(len(new) - len(old), 0)
    if function == "join" and type(values[0]) is list:
        separator = len(values[1]) if len(values) > 1 and type(values[1]) is str else 0
        return sum(len(item) for item in values[0] if type(item) is str) + separator * len(values[0])
    if function == "split" and type(values[0]) is str:
        part = values[1] if len(values) > 1 and type(values[1]) is str else ""
        parts = values[0].count(part) if part else len(values[0])
        return len(values[0]) + REFERENCE_BYTES * (parts + 1)
    if function == "format":
        return sum(map(_written, values))
    return len(values[0]) if values and type(values[0]) in (str, bytes) and function in _COPIES else 0


_COPIES: Final = frozenset({"lowerAscii", "upperAscii", "reverse", "bytes", "string", "strings.quote", "trim"})


def _written(value: Value) -> int:
    if type(value) is list:
        return sum(map(_written, value)) + 2 * len(value)
    if type(value) is dict:
        return sum(_written(key) + _written(item) + 4 for key, item in value.items())
    return len(value) if type(value) in (str, bytes) else 24
