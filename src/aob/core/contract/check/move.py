"""Checks the moves of a metric: known events, values of the right kind and of one unit, conditions, times."""

from collections.abc import Iterator
from typing import Final

from aob.core.contract.check.event import clashes
from aob.core.contract.check.unit import pinned, unit_problems
from aob.core.contract.check.visible_names import (
    NUMERIC,
    about_of,
    event_names,
    events_of,
    guarded_names,
    judge,
    remark,
)
from aob.core.contract_model import ContractSet, EventContract, MetricContract, MetricType, Move
from aob.core.errors import Problem
from aob.core.expression import Expression
from aob.core.expression.paths import Path
from aob.core.hint import meant

NUMBERS: Final[frozenset[MetricType]] = frozenset({"sum", "min", "max", "average", "percentile"})
"""Types that need a number of each move; in a ratio it defaults to 1."""
VALUES: Final[frozenset[MetricType]] = NUMBERS | {"distinct", "top", "last"}
IN_UNIT: Final[frozenset[MetricType]] = NUMBERS | {"last"}  # Types whose value has the unit of their moves.
_NO_KEYS: Final = frozenset({"list", "map"})


def move_problems(metric: MetricContract, whole: ContractSet, at: str) -> Iterator[Problem]:
    """The problems of the moves of a metric that is not derived."""
    if not metric.moves:
        yield Problem(at, f"no event moves {metric.name}", "unmoved", hint="moves: [{on: order.created}]")
    if metric.type == "ratio" and metric.moves:
        for part in ("numerator", "denominator"):
            if not any(move.part == part for move in metric.moves):
                yield Problem(at, f"a ratio needs a {part}", "missing", hint=f"{part}: [{{on: order.created}}]")
    units: dict[str, dict[str, str]] = {}
    for index, move in enumerate(metric.moves):
        path = f"{at}/moves/{index}"
        if (move.part != "") != (metric.type == "ratio"):
            one_sided = "a move of a ratio is of its numerator or denominator"
            message = "only a ratio has parts" if move.part else one_sided
            yield Problem(f"{path}/part", message, "bad_value", hint="numerator: [...], denominator: [...]")
        yield from _event(metric, move, whole, path)
        events, told = events_of(move, whole), set[tuple[str, str]]()
        for event in events:
            for each in _one(metric, move, event, path, about_of(event, len(events)), units):
                if (each.path, each.message) not in told:
                    told.add((each.path, each.message))
                    yield each


def _event(metric: MetricContract, move: Move, whole: ContractSet, path: str) -> Iterator[Problem]:
    versions = whole.events.get(move.on)
    if versions is None:
        hint = meant(move.on, tuple(whole.events), "declared are")
        yield Problem(f"{path}/on", f"there is no event {move.on}", "unknown_event", hint=hint)
        return
    if move.version and move.version not in versions:
        known = ", ".join(map(str, sorted(versions)))
        message = f"there is no version {move.version} of {move.on}"
        yield Problem(f"{path}/version", message, "unknown_event", hint=f"there is {known}")
        return
    for event in events_of(move, whole):
        if event.moves is not None and metric.name not in event.moves:
            message = f"{move.on} moves {metric.name}, which it is not declared for"
            hint = f"add {metric.name} to the `moves` of {move.on}, or take this move away"
            yield Problem(f"{path}/on", message, "undeclared_move", hint=hint)
            return


def _one(
    metric: MetricContract, move: Move, event: EventContract, path: str, about: str, units: dict[str, dict[str, str]]
) -> Iterator[Problem]:
    """Check a move for one version of its event."""
    sight = event_names(event)
    when: Expression | None = None
    if move.when:
        judged = judge(move.when, f"{path}/when", sight, want="bool", about=about)
        yield from judged.problems
        when = judged.expression
        if when is not None:
            yield from clashes(when, event, f"{path}/when")
    if move.at:
        judged = judge(move.at, f"{path}/at", guarded_names(event, when), about=about)
        yield from judged.problems
        if judged.kind not in ("timestamp", "dyn"):
            hint = f"timestamp({move.at}) makes a time of a text" if judged.kind == "string" else ""
            yield remark(move.at, f"{path}/at", f"this must be a time, and it is {judged.kind}{about}", hint)
    if move.weight:
        if metric.type != "top":
            yield Problem(f"{path}/weight", f"a {metric.type} metric takes no `weight`", "unused", hint="leave it out")
            return
        weighed = judge(move.weight, f"{path}/weight", sight, about=about)
        yield from weighed.problems
        if weighed.expression is not None and weighed.kind not in NUMERIC:
            yield remark(move.weight, f"{path}/weight", f"this must be a number, and it is {weighed.kind}{about}")
    if not move.value:
        if metric.type in VALUES:
            yield Problem(path, f"a {metric.type} metric needs a `value` of each event", "missing", hint=_hint(event))
        return
    if metric.type not in VALUES and metric.type != "ratio":
        hint = "type: sum adds values up" if metric.type == "count" else "leave it out"
        yield Problem(f"{path}/value", f"a {metric.type} metric takes no `value`", "unused", hint=hint)
        return
    judged = judge(move.value, f"{path}/value", guarded_names(event, when), about=about)
    yield from judged.problems
    if judged.expression is None:
        return
    numeric = metric.type in NUMBERS or metric.type == "ratio"
    if numeric and judged.kind not in NUMERIC:
        yield remark(move.value, f"{path}/value", f"this must be a number, and it is {judged.kind}{about}")
    elif not numeric and judged.kind in _NO_KEYS:
        yield remark(move.value, f"{path}/value", f"a {judged.kind} cannot be counted or kept{about}")
    yield from _units(metric, move, event, judged.expression, when, f"{path}/value", units)


def _hint(event: EventContract) -> str:
    names = [name for name, field in _properties(event) if field.get("type") in ("number", "integer")]
    return f"value: data.{names[0]}" if names else "value: data.FIELD"


def _properties(event: EventContract) -> Iterator[tuple[str, dict[str, object]]]:
    properties = event.schema.get("properties")
    for name, field in properties.items() if isinstance(properties, dict) else ():
        if isinstance(field, dict):
            yield name, field


def _units(
    metric: MetricContract,
    move: Move,
    event: EventContract,
    value: Expression,
    when: Expression | None,
    path: str,
    units: dict[str, dict[str, str]],
) -> Iterator[Problem]:
    """Check units within a value, among the moves, and against the metric's own: EUR plus USD fails."""
    held = pinned(when.tree.root) if when is not None else {}
    open_units: list[str] = []

    def unit_of(path: Path) -> str | None:
        unit = event.units.get(".".join(path.fields)) if path.root == "data" else None
        if unit is not None and unit.startswith("data."):
            if unit not in held:
                open_units.append(unit)
                return None
            return held[unit]
        return unit

    found = yield from unit_problems(value, path, unit_of)
    if metric.type not in IN_UNIT and metric.type != "ratio":
        return
    if open_units:
        pin = f"when: {open_units[0]} == '{metric.unit or 'EUR'}'"
        message = f"its unit is what {open_units[0]} says: values in several units would be added"
        yield remark(value.text, path, message, pin)
    if not found:
        return
    if metric.unit and metric.type != "ratio" and found != metric.unit:
        message = f"this is in {found}, and {metric.name} is in {metric.unit}"
        yield remark(value.text, path, message, f"unit: {found}, or a value in {metric.unit}")
        return
    before = units.setdefault(move.part, {})
    other = next((unit for unit in before if unit != found), "")
    if other:
        yield remark(value.text, path, f"{other} plus {found}: {before[other]} moves it in {other}")
    before.setdefault(found, move.on)
