"""Recognizes the unfolded macros `all`, `exists`, `exists_one`, `filter` and `map` and builds them as Python loops."""

from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from aob.core.expression.evaluation.meter import METER, REFERENCE_BYTES, Meter
from aob.core.expression.evaluation.operators import kind_of
from aob.core.expression.fault import EvalError
from aob.core.expression.library import Value
from aob.core.expression.tree import Call, Constant, Expr, Fold, Items, Name
from aob.core.items import Items as Paged

Run = Callable[[Mapping[str, Value]], Value]
Build = Callable[[str, Run, "Run | None", "Run | None"], Run]


class Loop(msgspec.Struct, frozen=True):
    """A macro: the variable, its source, the condition and the value of an item, and the builder of its closure."""

    item: str
    source: Expr
    test: Expr | None
    value: Expr | None
    build: Build


def loop_of(fold: Fold) -> Loop | None:
    """The macro that unfolds to this, or None."""
    total = fold.total

    def is_total(expr: Expr) -> bool:
        return isinstance(expr, Name) and expr.name == total

    def grown(expr: Expr) -> Expr | None:
        """What one iteration adds to the total: a list of one item, or one."""
        if not isinstance(expr, Call) or expr.function != "_+_" or not is_total(expr.args[0]):
            return None
        added = expr.args[1]
        if isinstance(added, Items):
            return added.items[0] if len(added.items) == 1 else None
        return added if isinstance(added, Constant) and added.value == 1 else None

    step = fold.step
    if fold.second or not isinstance(step, Call):
        return None
    if step.function in ("_&&_", "_||_") and is_total(step.args[0]):
        return Loop(fold.item, fold.source, step.args[1], None, partial(_quantifier, ends=step.function == "_||_"))
    test: Expr | None = None
    if step.function == "_?_:_" and is_total(step.args[2]):
        test, step = step.args[0], step.args[1]
    value = grown(step)
    if value is None:
        return None
    if isinstance(fold.first, Items) and is_total(fold.result):
        return Loop(fold.item, fold.source, test, value, _list)
    if isinstance(fold.first, Constant) and test is not None:
        return Loop(fold.item, fold.source, test, None, _one)
    return None


def _enter(names: Mapping[str, Value], source: Run) -> tuple[dict[str, Value], Value]:
    """The scope and source of a loop. Raises EvalError for a source without items."""
    items = source(names)
    if not isinstance(items, list | dict | Paged):
        raise EvalError(f"a macro runs over a list or a map, not over {kind_of(items)}")
    if isinstance(items, dict):
        names[METER].spend(len(items))
        # maps have no defined order, and a replay needs a stable one
        return dict(names), sorted(items, key=str)
    return dict(names), items


def _quantifier(item: str, source: Run, test: Run | None, _: Run | None, *, ends: bool) -> Run:
    """`exists` (ended by true) and `all` (ended by false); an error counts only if no item ends the loop."""
    assert test is not None

    def run(names: Mapping[str, Value]) -> Value:
        scope, items = _enter(names, source)
        error: EvalError | None = None
        for scope[item] in items:
            try:
                verdict = test(scope)
            except EvalError as failed:
                error = failed
                continue
            if verdict is ends:
                return ends
            if type(verdict) is not bool:
                error = EvalError(f"the condition of a macro is {kind_of(verdict)}, not a bool")
        if error is not None:
            raise error
        return not ends

    return run


def _passes(verdict: Value) -> bool:
    if verdict is True or verdict is False:
        return verdict is True
    raise EvalError(f"the condition of a macro is {kind_of(verdict)}, not a bool")


def _one(item: str, source: Run, test: Run | None, value: Run | None) -> Run:
    assert test is not None

    def run(names: Mapping[str, Value]) -> bool:
        scope, items = _enter(names, source)
        found = 0
        for scope[item] in items:
            found += _passes(test(scope))
        return found == 1

    return run


def _list(item: str, source: Run, test: Run | None, value: Run | None) -> Run:
    assert value is not None

    def run(names: Mapping[str, Value]) -> list[Value]:
        scope, items = _enter(names, source)
        made: list[Value] = []
        for scope[item] in items:
            if test is None or _passes(test(scope)):
                made.append(value(scope))
        meter: Meter = names[METER]
        meter.make(REFERENCE_BYTES * len(made))
        whole: list[Value] = meter.made(made)
        return whole

    return run
