"""Derived metrics: their operands are metrics, not themselves, of fitting units and dimensions.

In: a derived metric and all contracts. Out: problems.
"""

from collections.abc import Iterator

from aob.core.contract.check.sight import NUMERIC, Sight, is_word, judge, remark, value_shape
from aob.core.contract.check.unit import PLAIN, Unit, Units
from aob.core.contract_model import ContractSet, MetricContract
from aob.core.errors import Problem
from aob.core.expression.paths import Path
from aob.core.graph.shape import escape
from aob.core.hint import meant

PLAIN_TYPES = frozenset({"count", "distinct", "ratio"})
"""Types whose value is a plain number, however what they count is called."""


def derived_problems(metric: MetricContract, whole: ContractSet, at: str) -> Iterator[Problem]:
    """What is wrong with a derived metric."""
    if metric.moves:
        hint = "its metrics are moved; it follows"
        yield Problem(f"{at}/moves", "a derived metric is moved by no event itself", "unused", hint=hint)
    if not metric.value:
        return
    path = f"{at}/value"
    newest = {each.name: each for each in whole.newest_metrics() if not is_word(each.name)}
    judged = judge(metric.value, path, Sight({name: value_shape(each) for name, each in newest.items()}))
    yield from judged.problems
    if judged.expression is None:
        return
    names = judged.expression.names
    if not names:
        hint = f"such as {', '.join(sorted(newest)[:2])}"
        yield remark(metric.value, path, "no metric stands in it, so that no event moves it", hint)
    circle = _circle(metric.name, whole)
    if circle:
        yield remark(metric.value, path, f"it is made of itself: {' → '.join(circle)}")
        return
    if judged.kind not in NUMERIC:
        yield remark(metric.value, path, f"this must be a number, and it is {judged.kind}")
    for name in metric.dimensions:
        for operand in sorted(names):
            if name not in newest[operand].dimensions:
                hint = meant(name, tuple(newest[operand].dimensions), "it has")
                message = f"{operand} has no dimension {name}"
                yield Problem(f"{at}/dimensions/{escape(name)}", message, "unknown_dimension", hint=hint)

    def unit_of(each: Path) -> Unit:
        return effective_unit(newest[each.root], whole) if each.root in newest else None

    found = Units(judged.expression.tree.root, unit_of)
    offsets = judged.expression.tree.offsets() if found.clashes else {}
    for clash in found.clashes:
        yield remark(metric.value, path, clash.message, "units must be the same", offsets.get(clash.id, 0))
    if found.unit and metric.unit and found.unit != metric.unit:
        message = f"this is in {found.unit}, and {metric.name} is in {metric.unit}"
        yield remark(metric.value, path, message, f"unit: {found.unit}")


def effective_unit(metric: MetricContract, whole: ContractSet) -> Unit:
    """The unit of a metric's value: its own, else that of the field that moves it, None when it cannot be told."""
    if metric.type in PLAIN_TYPES:
        return PLAIN
    if metric.unit:
        return metric.unit
    units = {
        event.units.get(move.value.removeprefix("data."))
        for move in metric.moves
        for event in whole.events.get(move.on, {}).values()
    }
    only = units.pop() if len(units) == 1 else None
    return only if only is not None and not only.startswith("data.") else None


def _circle(name: str, whole: ContractSet) -> list[str]:
    """The way from a metric back to itself, empty when there is none."""
    asked: list[list[str]] = [[name]]
    seen = set[str]()
    while asked:
        way = asked.pop()
        metric = whole.metric(way[-1])
        for operand in sorted(metric.operands) if metric is not None else ():
            if operand == name:
                return [*way, name]
            if operand not in seen and operand in whole.metrics:
                seen.add(operand)
                asked.append([*way, operand])
    return []
