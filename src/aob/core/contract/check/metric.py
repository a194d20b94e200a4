"""Checks one metric against every version of the events that it reads."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from aob.core.contract.check.move import move_problems
from aob.core.contract.check.unit import PLAIN, Unit, unit_problems
from aob.core.contract.check.visible_names import (
    NUMERIC,
    TEXTUAL,
    condition_of,
    events_of,
    guarded_names,
    is_word,
    judge,
    remark,
    value_shape,
)
from aob.core.contract_model import INVERTIBLE, ContractSet, MetricContract, MetricType, Window
from aob.core.document.shape import escape
from aob.core.errors import Problem
from aob.core.expression.check import Schema
from aob.core.expression.fault import meant as near
from aob.core.expression.paths import Path
from aob.core.hint import meant
from aob.core.instant import is_moment

SECOND_MS: Final = 1_000
SIZE_MAX_MS: Final = 3_660 * 86_400_000  # The retention of day tiles.
_IN_NEXT: Final[Mapping[str, int]] = {"second": 60, "minute": 60, "hour": 24, "month": 12}
"""How many units the next larger one has, for those that must divide it."""
PLAIN_TYPES = frozenset({"count", "distinct", "ratio"})  # types whose value is a plain number, whatever unit they count
EXACT: Final[frozenset[MetricType]] = frozenset({"distinct", "percentile", "top", "min", "max"})
"""Types that can keep all counted values instead of a sketch or a bound."""
RETRACT: Final = (
    "a metric whose declared events can retract must be invertible (count, sum, average, ratio), or say `exact: true` "
    "(a counted multiset, capped), or `on_retract: refold`"
)
SIDES: Final = ("left", "right")


def window_problems(metric: MetricContract, at: str) -> Iterator[Problem]:
    """The problems of the windows of a metric."""
    for name, window in metric.windows.items():
        path = f"{at}/windows/{escape(name)}"
        if window.kind in ("sliding", "hopping"):
            yield from _spans(window, path)
        whole = _IN_NEXT.get(window.unit, 0)
        if window.kind == "tumbling" and whole and whole % window.size:
            message = f"{window.size} {window.unit}s do not divide the next unit"
            yield Problem(path, message, "bad_window", hint=f"so many that {whole} is a multiple of them")
        if not is_zone(window.zone):
            hint = near(window.zone, frozenset(available_timezones()), "write it as Europe/Berlin")
            yield Problem(path, f"there is no time zone {window.zone}", "bad_zone", hint=hint)


def _spans(window: Window, path: str) -> Iterator[Problem]:
    if window.size_ms < SECOND_MS or window.size_ms % SECOND_MS:
        yield Problem(path, "a window has whole seconds, one at least", "bad_window", hint="1s, 15m, 1h, 7d")
    elif window.size_ms > SIZE_MAX_MS:
        yield Problem(path, "a window is ten years at most", "bad_window", hint="`all` reaches back to the first event")
    elif window.kind == "hopping" and (not window.every_ms or window.every_ms % SECOND_MS):
        yield Problem(path, "a hop has whole seconds, one at least", "bad_window", hint="{hopping: 5m, every: 1m}")
    elif window.kind == "hopping" and window.size_ms % window.every_ms:
        message = "hops must divide their window: it is made of whole ones"
        yield Problem(path, message, "bad_window", hint="{hopping: 5m, every: 1m}")


@lru_cache(maxsize=1_024)
def is_zone(name: str) -> bool:
    """Whether a time zone is known."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def derived_problems(metric: MetricContract, whole: ContractSet, at: str) -> Iterator[Problem]:
    """The problems of a derived metric."""
    if metric.moves:
        hint = "its metrics are moved; it follows"
        yield Problem(f"{at}/moves", "a derived metric is moved by no event itself", "unused", hint=hint)
    if not metric.value:
        return
    path = f"{at}/value"
    newest = {each.name: each for each in whole.newest_metrics() if not is_word(each.name)}
    judged = judge(metric.value, path, {name: value_shape(each) for name, each in newest.items()})
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

    unit = yield from unit_problems(judged.expression, path, unit_of)
    if unit and metric.unit and unit != metric.unit:
        yield remark(metric.value, path, f"this is in {unit}, and {metric.name} is in {metric.unit}", f"unit: {unit}")


def effective_unit(metric: MetricContract, whole: ContractSet) -> Unit:
    """The unit of a metric's value: its own, else that of its moves' field, None when unknown."""
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
    """The cycle from a metric back to itself, empty when there is none."""
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


_PARTS: Final[Mapping[MetricType, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "derived": (("value",), ()),
    "percentile": ((), ("quantiles",)),
    "funnel": (("key", "within", "steps"), ("horizon",)),
    "sessions": (("key", "within"), ("horizon",)),
    "join": (("key", "within"), ("value", "horizon")),
}  # The required and the allowed special keys of a type.
_HINTS: Final = {
    "value": 'value: "revenue / orders"',
    "key": "key: data.session",
    "within": "within: 30m",
    "steps": "steps: [view, cart, order]",
}


def metric_problems(metric: MetricContract, whole: ContractSet) -> Iterator[Problem]:
    """The problems of a metric."""
    at = f"metric/{metric.name}@{metric.version}#"
    if is_word(metric.name):
        hint = f"such as {metric.name}_count"
        yield Problem(f"{at}/metric", f"{metric.name} is a word of the expression language", "bad_id", hint=hint)
    yield from _parts(metric, at)
    yield from window_problems(metric, at)
    if metric.type == "derived":
        yield from derived_problems(metric, whole, at)
    else:
        yield from move_problems(metric, whole, at)
        yield from _retract(metric, at)
        yield from _dimensions(metric, whole, at)
        if metric.key:
            yield from _textual(metric, whole, metric.key, f"{at}/key", "key", " ({0.type})")
        yield from _sides(metric, whole, at)
    yield from _steps(metric, at)
    yield from _tests(metric, whole, at)


def _parts(metric: MetricContract, at: str) -> Iterator[Problem]:
    """Check for missing required keys, and for keys without meaning for the type."""
    given = {
        "value": metric.value,
        "key": metric.key,
        "within": metric.within_ms,
        "horizon": metric.horizon_ms,
        "steps": metric.steps,
        "quantiles": metric.quantiles,
    }
    needs, allows = _PARTS.get(metric.type, ((), ()))
    for key, value in given.items():
        if key in needs and not value:
            yield Problem(at, f"a {metric.type} metric needs `{key}`", "missing", hint=_HINTS[key])
        elif value and key not in (*needs, *allows):
            hint = "it stands in each of `moves`" if key == "value" else "leave it out"
            yield Problem(f"{at}/{key}", f"`{key}` means nothing to a {metric.type} metric", "unused", hint=hint)
    if metric.exact and metric.type not in EXACT:
        hint = "leave it out: only " + ", ".join(sorted(EXACT)) + " can be inexact"
        yield Problem(f"{at}/exact", f"a {metric.type} metric is exact as it is", "unused", hint=hint)


def _retract(metric: MetricContract, at: str) -> Iterator[Problem]:
    """The problem of a retraction that is neither exact nor refolded."""
    safe = metric.type in INVERTIBLE or metric.on_retract == "refold" or (metric.exact and metric.type in EXACT)
    for index, move in enumerate(metric.moves):
        if move.retract and not safe:
            exact = "exact: true or " if metric.type in EXACT else ""
            hint = f"a {metric.type} metric forgets what it would take back: {exact}on_retract: refold"
            yield Problem(f"{at}/moves/{index}/retract", RETRACT, "not_invertible", hint=hint)


def _dimensions(metric: MetricContract, whole: ContractSet, at: str) -> Iterator[Problem]:
    """Check the dimensions in every event of the metric."""
    hint = "a few values that stay the same; string(x) makes text of a number"
    for name, text in metric.dimensions.items():
        path = f"{at}/dimensions/{escape(name)}"
        if not name.isidentifier():
            yield Problem(path, f"{name!r} cannot be a dimension", "bad_id", hint="letters, digits and _")
        yield from _textual(metric, whole, text, path, "dimension", " ({0.type} version {0.version})", hint)


def _textual(
    metric: MetricContract, whole: ContractSet, text: str, path: str, noun: str, about: str, hint: str = ""
) -> Iterator[Problem]:
    """Check that an expression is a text in every event of the metric."""
    seen = set[str]()
    for move in metric.moves:
        for event in events_of(move, whole):
            judged = judge(text, path, guarded_names(event, condition_of(move, event)), about=about.format(event))
            found = list(judged.problems)
            if judged.kind not in TEXTUAL:
                found.append(remark(text, path, f"a {noun} is a text, and this is {judged.kind}", hint))
            for each in found:
                if each.message not in seen:
                    seen.add(each.message)
                    yield each


def _sides(metric: MetricContract, whole: ContractSet, at: str) -> Iterator[Problem]:
    """Check that the value of a join reads both of its sides."""
    if metric.type != "join" or not metric.value:
        return
    schemas: dict[str, Schema] = {}
    for side, name in enumerate(SIDES):
        found = [event for move in metric.moves if move.step == side for event in events_of(move, whole)]
        data = dict(found[0].schema) if len(found) == 1 else {}
        schemas[name] = {
            "type": "object",
            "properties": {"data": data, "time_ms": {"type": "integer"}},
            "required": ["data", "time_ms"],
            "additionalProperties": False,
        }
    judged = judge(metric.value, f"{at}/value", schemas)
    yield from judged.problems
    if judged.kind not in NUMERIC:
        yield remark(metric.value, f"{at}/value", f"this must be a number, and it is {judged.kind}")


def _steps(metric: MetricContract, at: str) -> Iterator[Problem]:
    """Check that each step of a funnel and each side of a join has a move, and other metrics have no steps."""
    count = {"funnel": len(metric.steps), "join": len(SIDES)}.get(metric.type, 0)
    names = metric.steps if metric.type == "funnel" else SIDES
    if metric.type == "funnel" and count == 1:
        yield Problem(f"{at}/steps", "a funnel has two steps at least", "bad_value")
    if len(set(metric.steps)) != len(metric.steps):
        yield Problem(f"{at}/steps", "a step stands twice", "duplicate_id")
    for index, move in enumerate(metric.moves):
        if not count and move.step:
            yield Problem(f"{at}/moves/{index}/step", f"a {metric.type} metric has no steps", "unused")
        elif count and not 0 <= move.step < count:
            hint = ", ".join(f"{number} is {name}" for number, name in enumerate(names))
            yield Problem(f"{at}/moves/{index}/step", f"there is no step {move.step}", "bad_value", hint=hint)
    moved = {move.step for move in metric.moves}
    for number in range(count if metric.moves else 0):
        if number not in moved:
            hint = f"moves: [{{on: EVENT, step: {number}}}]"
            yield Problem(f"{at}/moves", f"no event moves the step {names[number]}", "unmoved", hint=hint)


def _tests(metric: MetricContract, whole: ContractSet, at: str) -> Iterator[Problem]:
    metric = whole.metric(metric.name, metric.version) or metric
    known = whole.types_of(metric.name) if metric.version == max(whole.metrics[metric.name]) else metric.types
    for index, test in enumerate(metric.tests):
        path = f"{at}/tests/{index}"
        for number, event in enumerate(test.given):
            type = event.get("type")
            if not isinstance(type, str) or type not in whole.events:
                hint = meant(str(type), tuple(sorted(known))) if known else ""
                yield Problem(f"{path}/given/{number}", f"there is no event {type}", "unknown_event", hint=hint)
        if test.at and not is_moment(test.at):
            yield Problem(f"{path}/expect", f"{test.at!r} is not a time", "bad_value", hint="2026-01-01T10:00:00Z")
        for name in (*test.by, *test.where):
            if name not in metric.dimensions:
                hint = meant(name, tuple(metric.dimensions), "dimensions")
                message = f"{metric.name} has no dimension {name}"
                yield Problem(f"{path}/expect", message, "unknown_dimension", hint=hint)
