"""The value of an expression by the CEL library alone, which ours must equal."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from aob.core.expression import EvalError, Expression
from aob.core.expression.check import declared_of
from aob.core.expression.evaluation.foreign import _cannot_cross, _literally
from aob.core.expression.expression import _instant
from aob.core.expression.library import Rejected, compile_text, evaluate


def reference(expression: Expression, names: Mapping[str, Any]) -> Any:
    given = {**names, "now": _instant(names)} if "now" in expression.names else names
    used = {name: given[name] for name in expression.names if name in given}
    if not any(map(_cannot_cross, (value for name, value in used.items() if name != "now"))):
        return evaluate(_compiled(expression.text, declared_of(expression.names)), used)
    try:
        return evaluate(_literally(expression.text, used), {})
    except Rejected as rejected:
        raise EvalError(str(rejected)) from None


_compiled = lru_cache(maxsize=32)(compile_text)  # one expression is asked for many values
