"""Single operations that only the library knows: time, patterns, text of a double, numbers beyond 64 bits.

In: a form such as `a0.matches(a1)` and its values. Out: a plain value, or `EvalError`. Only these values cross over,
never the names of a run, and the library never walks a map, whose order it would choose anew each time. What the
library's binding cuts or bends on the way (text and bytes at a NUL, times at the ends of the calendar) crosses spelled.
"""

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from aob.core.expression.fault import EvalError
from aob.core.expression.library import Program, Rejected, Value, compile_text, evaluate
from aob.core.expression.literal import literal_of

FORMS_MAX: Final = 1_024
OPERANDS: Final = ("a0", "a1", "a2", "a3", "a4")
YEARS_EXACT: Final = range(2, 9999)
"""In the first and the last year the binding shifts some instants by a second, or calls them infinite."""

_READERS: Final = frozenset({"timestamp(a0)", "duration(a0)"})
_DECLARED: Final[dict[type, str]] = {datetime: "timestamp", timedelta: "duration"}
"""Python types that the library takes only under a declared type."""
_SPELLED: Final = {
    "@text": "string(base64.decode({0}))",
    "@bytes": "base64.decode({0})",
    "@time": "timestamp({0})",
}
"""What makes the value of an operand again from the text that crosses over in its place."""


@lru_cache(maxsize=FORMS_MAX)
def _program(form: str, kinds: tuple[str, ...]) -> Program:
    """A form under the kinds of its operands. A spelled operand is made again once, and bound under its own name, so
    that the form stays as it is: it may hold literals of a document."""
    declared = []
    for operand, kind in zip(OPERANDS, kinds, strict=False):
        made = _SPELLED.get(kind)
        if made is not None:
            form = f"[dyn({made.format(operand)})].map({operand}, dyn({form}))[0]"
        declared.append((operand, "dyn" if made is not None else kind))
    return compile_text(form, tuple(declared), encoded=any(kind in _SPELLED for kind in kinds))


def _crossing(value: Value) -> tuple[str, Value]:
    """The kind under which a value crosses over, and what crosses."""
    if type(value) is str:
        return ("@text", b64encode(value.encode()).decode()) if "\0" in value else ("dyn", value)
    if type(value) is bytes:
        return ("@bytes", b64encode(value).decode()) if b"\0" in value else ("dyn", value)
    if type(value) is datetime and value.year not in YEARS_EXACT:
        return "@time", value.isoformat()
    return _DECLARED.get(type(value), "dyn"), value


def _cannot_cross(value: Value) -> bool:
    """Whether the binding would not hand over a list or a map as it is: for a NUL or a time anywhere in it."""
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
    """What the library makes of the form, where `a0`, `a1` … are the values. Raises EvalError."""
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
    """A form with its values as literals: nothing crosses over. Raises Rejected, also when the values are too long."""
    for operand, value in values.items():
        form = f"[dyn({literal_of(value)})].map({operand}, dyn({form}))[0]"
    return compile_text(form, ())


def by_library(program: Program, text: str, names: dict[str, Value]) -> Value:
    """The value of a whole text by the library: for tests, which compare it with ours. Raises EvalError."""
    if not any(map(_cannot_cross, (value for name, value in names.items() if name != "now"))):
        return evaluate(program, names)
    try:
        return evaluate(_literally(text, names), {})
    except Rejected as rejected:
        raise EvalError(str(rejected)) from None
