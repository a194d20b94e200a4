"""The text of a value outside an expression, as CEL's `string()` makes it: keys of waits, subjects, lookups.

In: a value of JSON, a time, bytes. Out: its text. Raises EvalError for what has none: null, a list, a map.
"""

from functools import cache

from aob.core.expression.evaluation import kind_of
from aob.core.expression.expression import Expression, compile_expression
from aob.core.expression.fault import EvalError
from aob.core.expression.library import Value


@cache
def _form() -> Expression:
    return compile_expression("string(value)", nodes=frozenset(), names=frozenset({"value"}))


def string_of(value: Value) -> str:
    """The text of a value."""
    if type(value) is str:
        return value
    if value is None or isinstance(value, list | dict):
        raise EvalError(f"{kind_of(value)} has no text")
    return str(_form().eval({"value": value}))
