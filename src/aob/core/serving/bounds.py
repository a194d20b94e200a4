"""Refuses calls whose work has no bound: DuckDB stops a statement between rows, never inside a function. Sizes of
produced texts and lists must be small literals; nesting of lambdas is limited."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from aob.core.errors import Invalid, Problem

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

SIZE_MAX: Final = 100_000  # characters or items that one call may produce
LAMBDAS_DEEP_MAX: Final = 3  # maximum nesting of functions that take a lambda

_SIZES: Final[Mapping[str, int]] = {
    "repeat": 1, "lpad": 1, "rpad": 1, "bar": 3, "list_resize": 1, "array_resize": 1, "equi_width_bins": 2,
    "approx_top_k": 1, "reservoir_quantile": 2,
}  # fmt: skip
"""Functions whose result size is an argument, and its index."""
_SERIES: Final = frozenset({"range", "generate_series"})
_SHAPED: Final = frozenset({"format", "printf"})
_WIDE: Final = re.compile(r"\d{4,}|\*|\{[^{}]*\{")
_LOOPS: Final = frozenset(
    {
        "list_transform", "array_transform", "list_apply", "array_apply", "apply", "list_filter", "array_filter",
        "filter", "list_reduce", "array_reduce", "reduce", "comprehension",
    }
)  # fmt: skip


class Bounds:
    """Checks the calls of one statement, outer calls first."""

    def __init__(self) -> None:
        self._loops: dict[int, int] = {}

    def check(self, name: str, node: "Expr") -> None:
        """Raises Invalid `sql_refused`. `name` is in lower case."""
        from sqlglot import exp

        if name in _LOOPS:
            self._nest(node)
        elif name in _SIZES:
            arguments = _arguments(node)
            if len(arguments) > _SIZES[name]:
                size = _number(arguments[_SIZES[name]])
                if size is None or size > SIZE_MAX:
                    raise refused(f"{name} makes what cannot be broken off", f"write its size out, up to {SIZE_MAX}")
        elif name in _SHAPED:
            first = next(iter(_arguments(node)), None)
            if not isinstance(first, exp.Literal) or not first.is_string or _WIDE.search(first.name):
                raise refused(f"{name} may make a text of any width", "write its form out, with widths below 1,000")
        elif name in _SERIES and not isinstance(node.parent, exp.Table):
            numbers = [_number(each) for each in _arguments(node)]
            if not _short(numbers):
                raise refused(
                    f"{name} as a value makes a list that cannot be broken off",
                    f"write its ends out, for up to {SIZE_MAX} items, or ask FROM {name}(…)",
                )

    def _nest(self, node: "Expr") -> None:
        above, deep = node.parent, 1
        while above is not None:
            if id(above) in self._loops:
                deep += self._loops[id(above)]
                break
            above = above.parent
        self._loops[id(node)] = deep
        if deep > LAMBDAS_DEEP_MAX:
            raise refused("lambdas are nested too deeply", f"at most {LAMBDAS_DEEP_MAX} deep; take it apart")


def _arguments(node: "Expr") -> list["Expr"]:
    from sqlglot import exp

    if isinstance(node, exp.Anonymous):
        return list(node.expressions)
    given: list[Expr] = []
    for value in node.args.values():
        given += [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, exp.Expression)]
    return given


def _number(node: "Expr") -> int | None:
    from sqlglot import exp

    sign = 1
    while isinstance(node, exp.Neg | exp.Paren):
        sign, node = -sign if isinstance(node, exp.Neg) else sign, node.this
    if isinstance(node, exp.Literal) and not node.is_string and re.fullmatch(r"\d{1,18}", node.name):
        return sign * int(node.name)
    return None


def _short(numbers: list[int | None]) -> bool:
    if not numbers or len(numbers) > 3:
        return False
    start = numbers[0] if len(numbers) > 1 else 0
    end = numbers[1] if len(numbers) > 1 else numbers[0]
    step = numbers[2] if len(numbers) == 3 else 1
    if start is None or end is None or step is None:
        return False
    return step != 0 and (end - start) // step <= SIZE_MAX


def refused(what: str, hint: str) -> Invalid:
    """The error of a statement that is not allowed."""
    problem = Problem("/sql", what, code="sql_refused", hint=hint)
    return Invalid("this SQL is not allowed", [problem], code="sql_refused", hint=hint)
