"""CEL's operators on plain Python values, exactly as the library computes them; it is asked for times, bytes, ints
beyond 64 bits, and comparisons that it rounds. Raises `EvalError` for wrong types, overflow and division by zero."""

import operator
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from aob.core.expression.evaluation.foreign import ask
from aob.core.expression.fault import EvalError
from aob.core.expression.library import Value
from aob.core.items import Items

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
DOUBLE_EXACT_MAX: Final = 2**53
"""Up to here Python (exactly) and the library (both as double) compare an int and a double the same way."""

Binary = Callable[[Value, Value], Value]


class Kind(msgspec.Struct, frozen=True):
    """A type as a value: the result of `type(x)`."""

    name: str


_NAMES: Final[dict[type, str]] = {
    type(None): "null",
    bool: "bool",
    int: "int",
    float: "double",
    str: "string",
    list: "list",
    Items: "list",
    dict: "map",
    bytes: "bytes",
    datetime: "timestamp",
    timedelta: "duration",
    Kind: "type",
}
_LISTS: Final = frozenset({list, Items})
_FOREIGN: Final = frozenset({datetime, timedelta, bytes})
_NUMBERS: Final = frozenset({int, float})
_ORDERED: Final = frozenset({(kind, kind) for kind in (bool, int, float, str)})


def kind_of(value: Value) -> str:
    """The CEL name of a value's type, for messages."""
    return _NAMES.get(type(value), type(value).__name__)


def _other(sign: str, left: Value, right: Value) -> Value:
    """The operator on other values: an error, or, with times and bytes, the library's result."""
    if type(left) in _FOREIGN or type(right) in _FOREIGN:
        return ask(f"a0 {sign} a1", left, right)
    hint = "; double(x) makes a double of an int" if {type(left), type(right)} == _NUMBERS else ""
    raise EvalError(f"'{sign}' does not take {kind_of(left)} and {kind_of(right)}{hint}")


def _whole(sign: str, result: int, left: int, right: int) -> Value:
    if not (INT_MIN <= left <= INT_MAX and INT_MIN <= right <= INT_MAX):
        return ask(f"a0 {sign} a1", left, right)
    if INT_MIN <= result <= INT_MAX:
        return result
    raise EvalError("integer overflow")


def _alike(sign: str, work: Binary, kinds: frozenset[type]) -> Binary:
    """An operator on two ints, or on two values of the same kind that supports it; never on mixed kinds."""

    def apply(left: Value, right: Value) -> Value:
        kind = type(left)
        if kind is type(right):
            if kind is int:
                return _whole(sign, work(left, right), left, right)
            if kind in kinds:
                return work(left, right)
        return _other(sign, left, right)

    return apply


add: Final = _alike("+", operator.add, frozenset({float, str, list}))
subtract: Final = _alike("-", operator.sub, frozenset({float}))
multiply: Final = _alike("*", operator.mul, frozenset({float}))


def divide(left: Value, right: Value) -> Value:
    """Divide two ints, towards zero, or two doubles, where division by zero is infinite or NaN."""
    kind = type(left)
    if kind is type(right):
        if kind is int:
            if right == 0:
                raise EvalError("division by zero")
            quotient = abs(left) // abs(right)
            return _whole("/", quotient if (left < 0) == (right < 0) else -quotient, left, right)
        if kind is float:
            return left / right if right != 0.0 else ask("a0 / a1", left, right)
    return _other("/", left, right)


def remainder(left: Value, right: Value) -> Value:
    """The remainder of two ints, with the sign of the left one."""
    if type(left) is int and type(right) is int:
        if right == 0:
            raise EvalError("division by zero")
        if left == INT_MIN and right == -1:
            raise EvalError("integer overflow")
        rest = abs(left) % abs(right)
        return _whole("%", -rest if left < 0 else rest, left, right)
    return _other("%", left, right)


def _exact(left: Value, right: Value) -> bool:
    """Whether both are numbers of different kinds that Python and the library compare the same way."""
    return (
        type(left) in _NUMBERS
        and type(right) in _NUMBERS
        and -DOUBLE_EXACT_MAX < left < DOUBLE_EXACT_MAX
        and -DOUBLE_EXACT_MAX < right < DOUBLE_EXACT_MAX
    )


def _in_order(sign: str, compare: Binary) -> Binary:
    """A comparison of two numbers, two strings or two bools."""

    def apply(left: Value, right: Value) -> Value:
        if (type(left), type(right)) in _ORDERED or _exact(left, right):
            return compare(left, right)
        if {type(left), type(right)} == _NUMBERS:  # Python and the library define it differently
            return ask(f"a0 {sign} a1", left, right)
        return _other(sign, left, right)

    return apply


less: Final = _in_order("<", operator.lt)
less_equal: Final = _in_order("<=", operator.le)
greater: Final = _in_order(">", operator.gt)
greater_equal: Final = _in_order(">=", operator.ge)


def equal(left: Value, right: Value) -> bool:
    """Equality: numbers by value, true is not 1, lists and maps by their parts; different kinds are not equal."""
    kind = type(left)
    if kind is Items or type(right) is Items:
        whole = isinstance(left, list | Items) and isinstance(right, list | Items)
        return whole and len(left) == len(right) and all(map(equal, left, right))
    if kind is type(right):
        if kind is list:
            return len(left) == len(right) and all(map(equal, left, right))
        if kind is dict:
            same = bool(left.keys() == right.keys())
            return same and all(equal(item, right[key]) for key, item in left.items())
        return bool(left == right)
    if type(left) not in _NUMBERS or type(right) not in _NUMBERS:
        return False
    return bool(left == right) if _exact(left, right) else ask("a0 == a1", left, right) is True


def within(item: Value, container: Value) -> Value:
    """Whether a list contains an item, or a map a key."""
    if type(container) is list:
        # text equals only the same text, in Python as in CEL, so that Python's loop suffices
        return item in container if type(item) is str else any(equal(item, other) for other in container)
    if type(container) is Items:
        return any(equal(item, other) for other in container)
    if type(container) is dict:
        if type(item) is str:
            return item in container
        if type(item) in (bool, int, float):
            return False
    return _other("in", item, container)


def index(container: Value, at: Value) -> Value:
    """An item of a list by its index from 0, or a value of a map by its key."""
    if type(container) is dict and type(at) is str:
        if at in container:
            return container[at]
        raise EvalError(f"the map has no key {at!r}")
    if type(container) in _LISTS and type(at) is int:
        if 0 <= at < len(container):
            return container[at]
        raise EvalError(f"index {at} is outside a list of {len(container)}")
    if type(at) is float and type(container) in _LISTS and at.is_integer():
        return index(container, int(at))
    raise EvalError(f"{kind_of(container)} has no item at {kind_of(at)}")


BINARY: Final[dict[str, Binary]] = {
    "_+_": add,
    "_-_": subtract,
    "_*_": multiply,
    "_/_": divide,
    "_%_": remainder,
    "_<_": less,
    "_<=_": less_equal,
    "_>_": greater,
    "_>=_": greater_equal,
    "_==_": equal,
    "_!=_": lambda left, right: not equal(left, right),
    "@in": within,
    "_[_]": index,
}
