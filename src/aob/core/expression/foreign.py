"""Single operations that only the library knows: time, patterns, text of a double, numbers beyond 64 bits.

In: a form such as `a0.matches(a1)` and its values. Out: a plain value, or `EvalError`. Only these values cross over,
never the names of a run, and the library never walks a map, whose order it would choose anew each time.
"""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from aob.core.expression.fault import EvalError
from aob.core.expression.library import Program, Rejected, Value, compile_text, evaluate

FORMS_MAX: Final = 1_024
OPERANDS: Final = ("a0", "a1", "a2", "a3", "a4")

_DECLARED: Final[dict[type, str]] = {datetime: "timestamp", timedelta: "duration"}
"""Python types that the library takes only under a declared type."""


@lru_cache(maxsize=FORMS_MAX)
def _program(form: str, kinds: tuple[str, ...]) -> Program:
    return compile_text(form, tuple(zip(OPERANDS, kinds, strict=False)))


def ask(form: str, *values: Value) -> Value:
    """What the library makes of the form, where `a0`, `a1` … are the values. Raises EvalError."""
    kinds = tuple(_DECLARED.get(type(value), "dyn") for value in values)
    try:
        program = _program(form, kinds)
    except Rejected:
        names = [_DECLARED.get(type(value), type(value).__name__) for value in values]
        for operand, name in zip(OPERANDS, names, strict=False):
            form = form.replace(operand, name)
        raise EvalError(f"{form} is not possible") from None
    return evaluate(program, dict(zip(OPERANDS, values, strict=False)))
