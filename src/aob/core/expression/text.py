"""The text of a value as of CEL's `string()`: for keys of waits, subjects, lookups."""

from functools import cache

from aob.core.expression.evaluation import kind_of
from aob.core.expression.expression import Expression, compile_expression
from aob.core.expression.fault import EvalError
from aob.core.expression.library import Value


@cache
def _form() -> Expression:
    return compile_expression("string(value)", nodes=frozenset(), names=frozenset({"value"}))


def string_of(value: Value) -> str:
    """The text of a value. Raises EvalError for null, a list or a map."""
    if type(value) is str:
        return value
    if value is None or isinstance(value, list | dict):
        raise EvalError(f"{kind_of(value)} has no text")
    return str(_form().eval({"value": value}))
