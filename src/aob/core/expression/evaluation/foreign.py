"""Passes single operations to the CEL library: times, patterns, texts of doubles, numbers beyond 64 bits. Never passes
the names of a run; the library never iterates a map, whose order it would choose anew. Values that its binding distorts
(text and bytes with a NUL, times at the ends of the calendar) are passed encoded."""

import math
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from aob.core.expression.fault import EvalError
from aob.core.expression.library import Program, Rejected, Value, compile_text, evaluate

FORMS_MAX: Final = 1_024
OPERANDS: Final = ("a0", "a1", "a2", "a3", "a4")
YEARS_EXACT: Final = range(2, 9999)
"""In the first and last year the binding shifts some instants by a second, or calls them infinite."""

_READERS: Final = frozenset({"timestamp(a0)", "duration(a0)"})
_DECLARED: Final[dict[type, str]] = {datetime: "timestamp", timedelta: "duration"}
"""Python types that the library accepts only under a declared type."""
_SPELLED: Final = {"@text": "string(base64.decode({0}))", "@bytes": "base64.decode({0})", "@time": "timestamp({0})"}
"""How an encoded operand is decoded in CEL."""


@lru_cache(maxsize=FORMS_MAX)
def _program(form: str, kinds: tuple[str, ...]) -> Program:
    """A form for operands of these kinds. An encoded operand is decoded once, under its own name, so that the form is
    unchanged: it may contain literals of a document."""
    declared = []
    for operand, kind in zip(OPERANDS, kinds, strict=False):
        made = _SPELLED.get(kind)
        if made is not None:
            form = f"[dyn({made.format(operand)})].map({operand}, dyn({form}))[0]"
        declared.append((operand, "dyn" if made is not None else kind))
    return compile_text(form, tuple(declared), encoded=any(kind in _SPELLED for kind in kinds))


def _crossing(value: Value) -> tuple[str, Value]:
    """The kind and the passed form of a value."""
    if type(value) is str:
        return ("@text", b64encode(value.encode()).decode()) if "\0" in value else ("dyn", value)
    if type(value) is bytes:
        return ("@bytes", b64encode(value).decode()) if b"\0" in value else ("dyn", value)
    if type(value) is datetime and value.year not in YEARS_EXACT:
        return "@time", value.isoformat()
    return _DECLARED.get(type(value), "dyn"), value


def _cannot_cross(value: Value) -> bool:
    """Whether the binding would distort a list or a map: it contains a NUL or a time."""
    kind = type(value)
    if kind is str:
        return "\0" in value
    if kind is bytes:
        return b"\0" in value
    if kind is list:
        return any(map(_cannot_cross, value))
    if kind is dict:
        return any(_cannot_cross(key) or _cannot_cross(item) for key, item in value.items())
    return kind in _DECLARED


def ask(form: str, *values: Value) -> Value:
    """The library's value of the form for operands `a0`, `a1` … Raises EvalError."""
    if form in _READERS and type(values[0]) is str and "\0" in values[0]:
        raise EvalError(f"{form.partition('(')[0]} cannot read a text with a NUL")  # the library stops reading there
    try:
        crossing = [_crossing(value) for value in values]
        if any(type(value) in (list, dict) and _cannot_cross(value) for value in values):
            return evaluate(_literally(form, dict(zip(OPERANDS, values, strict=False))), {})
        program = _program(form, tuple(kind for kind, _ in crossing))
    except UnicodeEncodeError:
        raise EvalError("a text holds half a character (a lone surrogate)") from None
    except Rejected:
        names = [_DECLARED.get(type(value), type(value).__name__) for value in values]
        for operand, name in zip(OPERANDS, names, strict=False):
            form = form.replace(operand, name)
        raise EvalError(f"{form} is not possible") from None
    return evaluate(program, dict(zip(OPERANDS, (value for _, value in crossing), strict=False)))


def _literally(form: str, values: Mapping[str, Value]) -> Program:
    """A form with its values as literals, so that none is passed. Raises Rejected, also for too long values."""
    for operand, value in values.items():
        form = f"[dyn({literal_of(value)})].map({operand}, dyn({form}))[0]"
    return compile_text(form, ())


_INT64: Final = range(-(2**63), 2**63)


def literal_of(value: Value) -> str:
    """The CEL literal of a JSON value, bytes, a time or a duration: it reads back as the same value, with every NUL and
    every bit of a double."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value) if value in _INT64 else f"{value}u"
        case float():
            return repr(value) if math.isfinite(value) else f'double("{value}")'
        case str():
            plain = (char if char.isprintable() and char not in '"\\' else f"\\U{ord(char):08x}" for char in value)
            return f'"{"".join(plain)}"'
        case bytes():
            return 'b"' + "".join(f"\\x{byte:02x}" for byte in value) + '"'
        case datetime():
            return f'timestamp("{value.isoformat()}")'
        case timedelta():
            seconds, micros = divmod(abs(value) // timedelta(microseconds=1), 1_000_000)
            return f'duration("{"-" if value < timedelta() else ""}{seconds}.{micros:06d}s")'
        case list():
            return f"[{', '.join(f'dyn({literal_of(item)})' for item in value)}]"
        case dict():
            return f"{{{', '.join(f'{literal_of(key)}: dyn({literal_of(item)})' for key, item in value.items())}}}"
        case _:
            raise TypeError(f"{type(value).__name__} has no literal")
