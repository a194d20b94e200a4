"""Two versions of a contract: every difference, and whether it breaks those who send events or read numbers.

In: two contracts. Out: changes by path of the canonical document; none exactly when both say the same. Pure.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from aob.core.contract.change import Change, changed
from aob.core.contract.definition import Tree, Value
from aob.core.contract.document import kind_of, to_document
from aob.core.contract.schema_difference import compare_schemas
from aob.core.contract_model import Contract
from aob.core.graph.shape import escape

Judge = Callable[[str, Value, Value], Iterator[Change]]

_HARMLESS: Final[Mapping[str, str]] = {
    "owner": "another owner",
    "description": "other words",
    "examples": "other examples",
    "tests": "other tests",
    "slo": "another objective",
    "pii": "other classes of personal data",
    "lateness": "another time in which events may be late",
    "moves_allowed": "other metrics may be moved",
    "severity": "another severity",
    "for": "it fires after another time",
    "clear_for": "it ends after another time",
    "clear": "it ends under another condition",
    "window": "it looks at another window",
    "when": "it fires under another condition",
    "where": "it looks at other values",
    "good": "something else is good",
    "on_retract": "what is taken back is handled in another way",
}
"""Differences that nobody who sends events or reads numbers has to know of."""

_MEANING: Final[Mapping[str, str]] = {
    "event": "it is another event",
    "metric": "it is another metric",
    "alert": "it is another alert",
    "slo": "it is another objective",
    "type": "it is another type of metric",
    "unit": "the number has another unit",
    "value": "the number is made in another way",
    "key": "something else is followed",
    "within": "another time is allowed",
    "horizon": "touches are looked at otherwise far back as they come",
    "steps": "the steps are others",
    "subject": "events are about something else",
    "by": "alerts are told apart by something else",
    "start": "something else is started",
    "objective": "something else is promised",
    "limit": "another limit is promised",
}
"""Differences that change what a name means."""


def compare(old: Contract, new: Contract) -> list[Change]:
    """The changes from one version to another, in the order of the document; version numbers do not count."""
    if kind_of(old) != kind_of(new):
        return [Change("", "changed", True, f"it was {kind_of(old)} and is {kind_of(new)}")]
    before, after, found = to_document(old), to_document(new), list[Change]()
    kind = kind_of(new)
    judges = _JUDGES[kind]
    for key in (*before, *(key for key in after if key not in before)):
        if key == "version" or before.get(key) == after.get(key):
            continue
        judge = judges.get(key)
        path = f"/{escape(key)}"
        if judge is not None:
            found += judge(path, before.get(key), after.get(key))
        elif key in _MEANING and not (kind == "alert" and key == "window") and not (kind != "slo" and key == "slo"):
            found.append(changed(path, before.get(key), after.get(key), True, f"{key}: {_MEANING[key]}"))
        else:
            words = _HARMLESS.get(key, "it is different")
            breaking = key not in _HARMLESS
            found.append(changed(path, before.get(key), after.get(key), breaking, f"{key}: {words}"))
    return found


def is_breaking(changes: list[Change]) -> bool:
    """Whether one of them is."""
    return any(change.breaking for change in changes)


def _schema(path: str, old: Value, new: Value) -> Iterator[Change]:
    yield from compare_schemas(old or {}, new or {}, path)


def _units(path: str, old: Value, new: Value) -> Iterator[Change]:
    before, after = old or {}, new or {}
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            told = f"{name} was in {before.get(name, 'no unit')} and is in {after.get(name, 'no unit')}"
            yield changed(f"{path}/{escape(name)}", before.get(name), after.get(name), name in before, told)


def _rules(path: str, old: Value, new: Value) -> Iterator[Change]:
    before = {rule["name"]: rule for rule in old or ()}
    after = {rule["name"]: rule for rule in new or ()}
    moved = True
    for name in (*before, *(name for name in after if name not in before)):
        was, is_now = before.get(name), after.get(name)
        if was == is_now:
            continue
        moved = False
        here = f"{path}/{escape(name)}"
        if is_now is None:
            yield Change(here, "removed", False, f"rule {name} is gone: more is accepted")
        elif was is None:
            yield Change(here, "added", True, f"rule {name} is new: events may be refused")
        else:
            differs = was["rule"] != is_now["rule"]
            told = "is another: events may be refused" if differs else "says it in other words"
            yield Change(here, "changed", differs, f"rule {name} {told}")
    if moved:
        yield Change(path, "changed", False, "rules are judged in another order")


def _list(what: str, *, added: bool, removed: bool) -> Judge:
    """A judge of a list: whether something that is new in it, or gone from it, is breaking."""

    def judge(path: str, old: Value, new: Value) -> Iterator[Change]:
        before, after = list(old or ()), list(new or ())
        for index, each in enumerate(before):
            if each not in after:
                yield Change(f"{path}/{index}", "removed", removed, f"{what} {_name(each)} is gone")
        for index, each in enumerate(after):
            if each not in before:
                yield Change(f"{path}/{index}", "added", added, f"{what} {_name(each)} is new")
        if all(each in after for each in before) and all(each in before for each in after):
            yield Change(path, "changed", False, f"{what}s stand in another order")

    return judge


def _name(each: Value) -> str:
    if isinstance(each, dict):
        parts = [f"{key} {value}" for key, value in each.items() if isinstance(value, str | int | float)]
        return f"({', '.join(parts)})"
    return str(each)


def _map(what: str) -> Judge:
    """A judge of a map: what is new in it is not breaking, what is gone or another is."""

    def judge(path: str, old: Value, new: Value) -> Iterator[Change]:
        before, after = old or {}, new or {}
        same_order = [name for name in before if name in after] == [name for name in after if name in before]
        for name in (*before, *(name for name in after if name not in before)):
            was, is_now = before.get(name), after.get(name)
            if was != is_now:
                told = "is new" if was is None else "is gone" if is_now is None else "means something else"
                yield changed(f"{path}/{escape(name)}", was, is_now, was is not None, f"{what} {name} {told}")
        if before == after or not same_order:
            yield Change(path, "changed", False, f"{what}s stand in another order")

    return judge


def _windows(path: str, old: Value, new: Value) -> Iterator[Change]:
    def named(windows: Value) -> Tree:
        return {each["name"] if isinstance(each, dict) else each: each for each in windows or ()}

    before, after = named(old), named(new)
    yield from _map("window")(path, before, after)
    if next(iter(before), None) != next(iter(after), None):
        yield Change(f"{path}/0", "changed", True, "another window is the first, which is told when none is asked for")


def _number(what: str, *, less_breaks: bool, more_breaks: bool) -> Judge:
    def judge(path: str, old: Value, new: Value) -> Iterator[Change]:
        less = new is not None and (old is None or new < old)
        yield changed(path, old, new, less_breaks if less else more_breaks, f"{what} is {new} instead of {old}")

    return judge


def _exact(path: str, old: Value, new: Value) -> Iterator[Change]:
    told = "the number is exact now" if new else "the number is no longer exact"
    yield changed(path, old, new, not new, told)


def _quantiles(path: str, old: Value, new: Value) -> Iterator[Change]:
    before, after = old or [], new or []
    gone = [each for each in before if each not in after]
    if gone:
        yield Change(path, "removed", True, f"quantile {', '.join(map(str, gone))} is gone")
    more = [each for each in after if each not in before]
    if more:
        yield Change(path, "added", False, f"quantile {', '.join(map(str, more))} is new")
    if before[:1] != after[:1] or not (gone or more):
        yield Change(path, "changed", before[:1] != after[:1], "quantiles stand in another order")


def _allowed(path: str, old: Value, new: Value) -> Iterator[Change]:
    yield changed(path, old, new, False, _HARMLESS["moves_allowed"])


_JUDGES: Final[Mapping[str, Mapping[str, Judge]]] = {
    "event": {
        "schema": _schema,
        "units": _units,
        "rules": _rules,
        "enrich": _list("enrichment", added=False, removed=True),
        "lookup": _map("lookup"),
        "entities": _list("entity", added=False, removed=True),
        "moves": _allowed,
    },
    "metric": {
        "moves": _list("move", added=True, removed=True),
        "dimensions": _map("dimension"),
        "windows": _windows,
        "budget": _number("the budget of a dimension", less_breaks=True, more_breaks=False),
        "k": _number("k", less_breaks=True, more_breaks=False),
        "exact": _exact,
        "quantiles": _quantiles,
    },
    "alert": {},
    "slo": {
        "target": _number("the target", less_breaks=True, more_breaks=False),
    },
}
