"""Builds an alert's query and evaluates the answer against `when` and `clear`. Pure. A missing value fulfils no `when`;
a firing whose value goes missing ends as `no_data`, not as `ok`, unless `when` or `clear` handles null."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from aob.core.answers import JsonValue
from aob.core.contract_model import AlertContract
from aob.core.expression import EvalError, Expression, compile_expression
from aob.core.instant import EPOCH
from aob.core.metric.alert.command import Seen
from aob.core.metric.alert.state import Instance
from aob.core.metric_query import MetricQuery
from aob.core.value import canonical, decode

ROWS_MAX: Final = 1_000
_ZERO: Final = frozenset({"count", "sum", "distinct"})
_VALUE: Final = frozenset({"value"})
_NAMES: Final = frozenset({"value", "metric", "alert", "by", "at", "position"})


class Judge:
    """One alert's contract with compiled expressions. Raises ExpressionError."""

    def __init__(self, contract: AlertContract) -> None:
        self.contract = contract
        self._when = _compiled(contract.when, _VALUE)
        self._clear = _compiled(contract.clear, _VALUE) if contract.clear else None
        self._inputs = {name: _compiled(text, _NAMES) for name, text in contract.inputs.items()}

    def query(self) -> MetricQuery:
        rule = self.contract
        return MetricQuery(rule.metric, rule.window, by=tuple(rule.by), where=dict(rule.where), limit=ROWS_MAX)

    def weigh(self, answer: Mapping[str, JsonValue]) -> tuple[tuple[Seen, ...], str]:
        """Evaluate each value of an answer, those for which `when` holds first; and the error of an expression (it then
        neither holds nor clears), or an empty text."""
        seen, wrong = [], ""
        for row in answer.get("rows") or () if self.contract.by else ({"value": answer.get("value")},):
            by = {name: str(value) for name, value in (row.get("by") or {}).items()}
            one, error = self._one(by, row.get("value"))
            wrong = wrong or error
            seen.append(one)
        return tuple(sorted(seen, key=lambda each: not each.holds)), wrong

    def absent(self, answer: Mapping[str, JsonValue]) -> Seen:
        """The evaluation of a value that the answer lacks: 0 for counts and sums, else null."""
        return self._one({}, 0 if answer.get("type") in _ZERO else None)[0]

    def _one(self, by: Mapping[str, str], value: JsonValue) -> tuple[Seen, str]:
        holds, error = _holds(self._when, value)
        clears = not holds and not error
        if self._clear is not None:
            clears, unclear = _holds(self._clear, value, without=True)
            error = error or unclear
        missing = value is None and all(_silent(each) for each in (self._when, self._clear) if each is not None)
        return Seen(key_of(by), by, value, holds, clears and not holds, missing), error

    def inputs(self, instance: Instance) -> dict[str, JsonValue]:
        """The inputs of the workflow that a firing starts, as plain JSON. Raises EvalError."""
        names = {
            "value": instance.value,
            "metric": self.contract.metric,
            "alert": self.contract.name,
            "by": dict(instance.by),
            "at": EPOCH + timedelta(milliseconds=instance.firing_ms),
            "position": instance.position,
        }
        found = {name: expression.eval(names) for name, expression in self._inputs.items()}
        try:
            plain: dict[str, JsonValue] = decode(canonical(found))
        except (TypeError, ValueError, OverflowError) as error:
            raise EvalError(f"an input is not JSON: {error}") from None
        return plain


def key_of(by: Mapping[str, str]) -> str:
    """The key of an instance: its values, ordered by dimension name; empty for an alert without `by`."""
    return canonical([value for _, value in sorted(by.items())]).decode() if by else ""


def _holds(expression: Expression, value: JsonValue, *, without: bool = False) -> tuple[bool, str]:
    """Whether it holds, and the error text; `without` is the result when there is no value."""
    try:
        return bool(expression.eval({"value": value})), ""
    except EvalError as error:
        return (without, "") if value is None else (False, f"{expression.text}: {error.detail}")


def _silent(expression: Expression) -> bool:
    """Whether it fails on a null value."""
    try:
        expression.eval({"value": None})
    except EvalError:
        return True
    return False


def _compiled(text: str, names: frozenset[str]) -> Expression:
    return compile_expression(text, nodes=frozenset(), names=names, strict=False)
