"""CEL's functions of one or two arguments on plain Python values, exactly as the library computes them."""

from collections.abc import Callable
from typing import Final

from aob.core.expression.evaluation.foreign import ask
from aob.core.expression.evaluation.operators import INT_MAX, INT_MIN, Binary, Kind, kind_of
from aob.core.expression.fault import EvalError
from aob.core.expression.library import METHODS_ADDED, Value
from aob.core.items import Items

Unary = Callable[[Value], Value]


def _refuse(function: str, *values: Value) -> EvalError:
    return EvalError(f"{function} does not take {' and '.join(map(kind_of, values))}")


def _asked(form: str, value: Value) -> Value:
    """The library's result for a value other than a list or a map, which no function here accepts."""
    if isinstance(value, list | dict | Items | Kind):
        raise _refuse(form.partition("(")[0], value)
    return ask(form, value)


def size(value: Value) -> Value:
    """Characters of a string, items of a list, entries of a map."""
    if type(value) in (str, list, dict, Items):
        return len(value)
    return _asked("size(a0)", value)


def negate(value: Value) -> Value:
    """The negative of an int or a double."""
    if type(value) is float:
        return -value
    if type(value) is int:
        if INT_MIN < value <= INT_MAX:
            return -value
        raise EvalError("integer overflow")
    raise _refuse("'-'", value)


def invert(value: Value) -> bool:
    """The negation of a bool."""
    if type(value) is bool:
        return not value
    raise _refuse("'!'", value)


def to_string(value: Value) -> Value:
    """The text of a string, an int or a bool."""
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int and INT_MIN <= value <= INT_MAX:
        return str(value)
    return _asked("string(a0)", value)


def string_of(value: Value) -> str:
    """The text of a value as of CEL's `string()`: for keys of waits, subjects, lookups. Raises EvalError for null, a
    list or a map."""
    if value is None or isinstance(value, list | dict):
        raise EvalError(f"{kind_of(value)} has no text")
    return str(to_string(value))


def to_int(value: Value) -> Value:
    """An int of an int, or of a small double, truncated towards zero."""
    if type(value) is int and INT_MIN <= value <= INT_MAX:
        return value
    if type(value) is float and INT_MIN < value < INT_MAX:
        return int(value)
    return _asked("int(a0)", value)


def to_double(value: Value) -> Value:
    """A double of an int or a double."""
    if type(value) is float:
        return value
    if type(value) is int and INT_MIN <= value <= INT_MAX:
        return float(value)
    return _asked("double(a0)", value)


def _text_test(function: str, holds: Callable[[str, str], bool]) -> Binary:
    """A function that tests a text for a part of it."""

    def test(text: Value, part: Value) -> bool:
        if type(text) is str and type(part) is str:
            return holds(text, part)
        raise _refuse(function, text, part)

    return test


def index_of(text: Value, part: Value, start: Value = 0) -> Value:
    """The first index of a part in a text, from a start on, or -1. The library tests every position."""
    if type(text) is not str or type(part) is not str or type(start) is not int:
        raise _refuse("indexOf", text, part, start)
    if not 0 <= start <= len(text):
        raise EvalError(f"indexOf: {start} is outside a text of {len(text)} characters")
    return text.find(part, start)


def last_index_of(text: Value, part: Value, last: Value = None) -> Value:
    """The last index of a part in a text, up to a position, or -1."""
    if type(text) is not str or type(part) is not str or not (last is None or type(last) is int):
        raise _refuse("lastIndexOf", text, part)
    if last is not None and not 0 <= last <= len(text):
        raise EvalError(f"lastIndexOf: {last} is outside a text of {len(text)} characters")
    # a forward search in the reversed text takes linear time, a backward search does not
    end = len(text) if last is None else min(last + len(part), len(text))
    found = text[:end][::-1].find(part[::-1])
    return -1 if found < 0 else end - found - len(part)


UNARY: Final[dict[str, Unary]] = {
    "size": size,
    "string": to_string,
    "int": to_int,
    "double": to_double,
    "dyn": lambda value: value,  # without a type for the checker
    "type": lambda value: Kind(kind_of(value)),
    "!_": invert,
    "-_": negate,
}
METHODS: Final[dict[str, Binary]] = {
    "startsWith": _text_test("startsWith", str.startswith),
    "endsWith": _text_test("endsWith", str.endswith),
    "contains": _text_test("contains", str.__contains__),
}
SEARCHES: Final = {"indexOf": index_of, "lastIndexOf": last_index_of}

_MACROS: Final = ("has", "all", "exists", "exists_one", "map", "filter")
_CONVERSIONS: Final = ("string", "int", "double", "dyn", "bool", "bytes", "type", "duration", "timestamp")
_TEXT: Final = ("size", "startsWith", "endsWith", "contains", "matches")
_ADDED: Final = (*METHODS_ADDED, "math", "strings")
_DATE: Final = ("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear")
_TIME: Final = ("getHours", "getMinutes", "getSeconds", "getMilliseconds")
KNOWN: Final = frozenset((*_MACROS, *_CONVERSIONS, *_TEXT, *_ADDED, *_DATE, *_TIME))  # for hints

TYPES: Final = {name: Kind(name) for name in ("bool", "int", "double", "string", "bytes", "list", "map", "type")} | {
    "null_type": Kind("null"),
    "google.protobuf.Timestamp": Kind("timestamp"),
    "google.protobuf.Duration": Kind("duration"),
}
"""The types by their CEL names."""
