"""Computes the cost of a tree before evaluation: units of its straight parts, and whether the whole has a bound."""

from collections.abc import Set as AbstractSet
from typing import Final

from aob.core.expression.evaluation.meter import ASKED_UNITS, UNIT_BYTES, UNITS_MAX
from aob.core.expression.library import Value
from aob.core.expression.paths import chain_of
from aob.core.expression.tree import Call, Constant, Entries, Expr, Fold, Items, children

TEXT_BYTES_MAX: Final = 16 * 1024 * 1024
"""The longest text of a value: outputs of nodes have this limit, inputs and events smaller ones."""
LEAVES_MAX: Final = 32  # values in the lists and maps of an expression without a meter

_LINEAR_UNITS: Final = TEXT_BYTES_MAX // UNIT_BYTES
_PLAIN: Final = frozenset({"!_", "-_", "_-_", "_*_", "_/_", "_%_", "_[_]", "size", "int", "double", "dyn", "type"})
_CHOICES: Final = frozenset({"_&&_", "_||_", "_?_:_"})
_ORDER: Final = frozenset({"_<_", "_<=_", "_>_", "_>=_"})
_LINEAR: Final = frozenset({"startsWith", "endsWith", "contains", "matches", "timestamp", "duration", "string", "bool"})
_ARITHMETIC: Final = frozenset({"-_", "_-_", "_*_", "_/_", "_%_", "size", "double", "int"})
_SCALARS: Final = (bool, int, float, type(None))


def straight_units(expr: Expr) -> int:
    """The units of what is always evaluated with this node: the sides of `&& || ?:` and the bodies of macros are
    counted when they are reached."""
    match expr:
        case Constant():
            return 0
        case Call(function=function, args=args) if function in _CHOICES:
            return 1 + straight_units(args[0])
        case Fold():
            return 1 + straight_units(expr.source)
        case Items() | Entries():
            return 1 + sum(map(straight_units, children(expr)))
    if chain_of(expr) is not None:
        return 1
    return 1 + sum(map(straight_units, children(expr)))


def is_bounded(expr: Expr, numbers: AbstractSet[str]) -> bool:
    """Whether the expression stays within its limits for all values."""
    units = _units(expr, numbers)
    return units is not None and units <= UNITS_MAX and _leaves(expr, inside=False) <= LEAVES_MAX


def _units(expr: Expr, numbers: AbstractSet[str]) -> int | None:
    """The most units of a tree, or None without a bound."""
    if isinstance(expr, Constant) or chain_of(expr) is not None:
        return 1
    if isinstance(expr, Fold):
        return None
    total = _own_units(expr, numbers) if isinstance(expr, Call) else 1
    for part in children(expr):
        units = _units(part, numbers)
        if units is None or total is None:
            return None
        total += units
    return total


def _own_units(expr: Call, numbers: AbstractSet[str]) -> int | None:
    """The units of an operator or a function itself."""
    name = expr.function
    parts = expr.args if expr.target is None else (expr.target, *expr.args)
    if name in _PLAIN or name in _CHOICES:
        return 1
    if name == "_+_":
        return 1 if any(_is_number(part, numbers) for part in parts) else None
    if name in ("_==_", "_!=_"):
        return 1 if any(isinstance(part, Constant) or _is_number(part, numbers) for part in parts) else None
    if name in _ORDER:
        return 1 if any(isinstance(part, Constant) or _is_number(part, numbers) for part in parts) else _LINEAR_UNITS
    if name == "@in":
        listed = parts[1]
        literal = isinstance(listed, Items) and all(isinstance(item, Constant) for item in listed.items)
        return len(children(listed)) + 1 if literal else None
    if name in _LINEAR:
        unknown = not all(isinstance(part, Constant) for part in parts)
        return ASKED_UNITS + unknown * _LINEAR_UNITS
    if name.startswith("get") or (name.startswith("math.") and not name.startswith("math.@")):
        return ASKED_UNITS
    return None


def _is_number(expr: Expr, numbers: AbstractSet[str]) -> bool:
    """Whether a node is a number, or the operation on it an error."""
    match expr:
        case Constant(value=value):
            return type(value) in (int, float)
        case Call(function=function):
            return function in _ARITHMETIC
    path = chain_of(expr)
    return path is not None and ".".join((path.root, *path.fields)) in numbers


def _leaves(expr: Expr, *, inside: bool) -> int:
    """The number of values in lists and maps."""
    if isinstance(expr, Constant):
        return 0
    if chain_of(expr) is not None:
        return int(inside)
    within = inside or isinstance(expr, Items | Entries)
    return sum(_leaves(part, inside=within) for part in children(expr))


def text_units(value: Value) -> int:
    """The units to copy or search a text or bytes."""
    return len(value) // UNIT_BYTES if type(value) in (str, bytes) else 0
