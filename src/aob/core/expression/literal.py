"""Literals that are wrong whatever the values are: a time, a duration or a pattern that cannot be read.

In: the tree of an expression. Out: what is wrong, by the node of the call. The library alone judges.
"""

import json
from collections.abc import Iterator
from typing import Final

from aob.core.expression.fault import EvalError
from aob.core.expression.library import Rejected, compile_text, evaluate
from aob.core.expression.tree import Call, Constant, Expr, children

_READERS: Final = frozenset({"timestamp", "duration", "matches"})


def wrong_literals(expr: Expr) -> Iterator[tuple[int, str]]:
    """The node id and what is wrong, of each call that reads a text literal and cannot."""
    if isinstance(expr, Call) and expr.function in _READERS and expr.args:
        literal = expr.args[-1]
        if isinstance(literal, Constant) and isinstance(literal.value, str):
            wrong = _wrong(expr.function, literal.value)
            if wrong:
                yield expr.id, wrong
    for part in children(expr):
        yield from wrong_literals(part)


def _wrong(function: str, text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    try:
        evaluate(compile_text(f'"".matches({quoted})' if function == "matches" else f"{function}({quoted})", ()), {})
    except (EvalError, Rejected):
        return f"{function} cannot read {quoted}"
    return ""
