"""Compares two versions of a contract: every difference by path of the canonical document, and whether it is breaking.
Schemas are compared by keyword; what cannot be decided counts as breaking."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

import msgspec

from aob.core.contract.document import kind_of, to_document
from aob.core.contract_model import Contract
from aob.core.document.shape import Tree, Value, escape

_LOWER: Final = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"})
_UPPER: Final = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"})
_WORDS: Final = frozenset({"title", "description", "$comment", "examples", "default", "deprecated", "$schema", "$id"})
_LIMITS: Final = frozenset({"pattern", "format", "multipleOf", "const"})
_OWN: Final = frozenset({"properties", "required", "items"})
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
"""Differences that producers of events and readers of numbers need not know."""

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


class Change(msgspec.Struct, frozen=True):
    """One difference: the path in the canonical document, its kind, whether it is breaking (an accepted event is now
    refused, or a value is gone or has another meaning), and a sentence."""

    path: str
    change: Literal["added", "removed", "changed"]
    breaking: bool
    sentence: str


Judge = Callable[[str, Value, Value], Iterator[Change]]


def changed(path: str, old: object, new: object, breaking: bool, sentence: str) -> Change:
    """A difference; None is an absent value."""
    kind: Literal["added", "removed", "changed"] = "added" if old is None else "removed" if new is None else "changed"
    return Change(path, kind, breaking, sentence)


def compare_schemas(old: Tree, new: Tree, path: str, name: str = "") -> Iterator[Change]:
    """The changes from one schema to another; `name` is their field, empty for `data` itself."""
    yield from _fields(old, new, path, name)
    yield from _items(old, new, path, name)
    for key in sorted((old.keys() | new.keys()) - _OWN):
        before, after = old.get(key), new.get(key)
        if before != after or (key in old) != (key in new):
            breaking, sentence = _keyword(key, before, after, name or "data")
            yield changed(f"{path}/{escape(key)}", before, after, breaking, sentence)


def _fields(old: Tree, new: Tree, path: str, name: str) -> Iterator[Change]:
    before, after = _tree(old.get("properties")), _tree(new.get("properties"))
    needed, needs = _names(old.get("required")), _names(new.get("required"))
    for key in {**before, **after}:
        here, full = f"{path}/properties/{escape(key)}", f"{name}.{key}" if name else key
        if key not in after:
            yield Change(here, "removed", True, f"{full} is gone: what reads it finds nothing")
        elif key not in before:
            if key in needs:
                yield Change(here, "added", True, f"{full} is new and required: events without it are refused")
            else:
                yield Change(here, "added", False, f"{full} is new and optional")
        else:
            if (key in needed) != (key in needs):
                optional = "is optional now: what reads it may find nothing"
                told = "is required now: events without it are refused" if key in needs else optional
                yield Change(here, "changed", True, f"{full} {told}")
            yield from _inner(before[key], after[key], here, full)
    for key in sorted((needed ^ needs) - before.keys() - after.keys()):
        word = "is required now" if key in needs else "is required no more"
        yield Change(f"{path}/required", "changed", True, f"{name}.{key} {word}" if name else f"{key} {word}")


def _inner(old: Value, new: Value, path: str, name: str) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from compare_schemas(old, new, path, name)
    elif old != new:
        yield Change(path, "changed", True, f"{name} has another schema")


def _items(old: Tree, new: Tree, path: str, name: str) -> Iterator[Change]:
    if "items" in old and "items" in new:
        yield from _inner(old["items"], new["items"], f"{path}/items", f"{name}[]")
    elif "items" in new:
        yield Change(f"{path}/items", "added", True, f"items of {name} are limited now")
    elif "items" in old:
        yield Change(f"{path}/items", "removed", True, f"items of {name} may be anything now")


def _keyword(key: str, old: Value, new: Value, name: str) -> tuple[bool, str]:
    """Whether a changed keyword is breaking, and its meaning."""
    if key in _WORDS:
        return False, f"{key} of {name} is said in other words"
    if key == "type":
        return True, f"{name} was {_shown(old)} and is {_shown(new)}"
    if key == "enum" and isinstance(old, list) and isinstance(new, list):
        gone = [value for value in old if value not in new]
        more = [value for value in new if value not in old]
        if gone:
            return True, f"{name} can no longer be {', '.join(map(_shown, gone))}"
        return False, f"{name} can also be {', '.join(map(_shown, more))}" if more else f"the values of {name} moved"
    if key in _LOWER | _UPPER and _is_number(old) and _is_number(new):
        wider = (new < old) if key in _LOWER else (new > old)
        return not wider, f"{key} of {name} is {_shown(new)} instead of {_shown(old)}"
    if key == "uniqueItems":
        return new is True, f"items of {name} must {'' if new is True else 'no longer '}differ"
    if key == "additionalProperties":
        open_now = new is None or new is True
        return not open_now, f"{name} may {'' if open_now else 'no longer '}have any other field"
    if key in _LOWER | _UPPER | _LIMITS | {"enum"} and new is None:
        return False, f"{name} is no longer limited by {key}"
    return True, f"{key} of {name} is {_shown(new)} instead of {_shown(old)}"


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Value) -> str:
    text = "nothing" if value is None else msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else text[:59] + "…"


def _tree(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, dict) else {}


def _names(value: Value) -> frozenset[str]:
    return frozenset(value) if isinstance(value, list | tuple) else frozenset()


def compare(old: Contract, new: Contract) -> list[Change]:
    """The changes from one version to another, in document order; version numbers are ignored."""
    if kind_of(old) != kind_of(new):
        return [Change("", "changed", True, f"it was {kind_of(old)} and is {kind_of(new)}")]
    before, after, found = to_document(old), to_document(new), list[Change]()
    kind = kind_of(new)
    judges = _JUDGES[kind]
    for key in {**before, **after}:
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
    for name in {**before, **after}:
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
    """A rule for lists: whether added and removed items are breaking."""

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
    """A rule for maps: additions are not breaking, removals and changes are."""

    def judge(path: str, old: Value, new: Value) -> Iterator[Change]:
        before, after = old or {}, new or {}
        same_order = [name for name in before if name in after] == [name for name in after if name in before]
        for name in {**before, **after}:
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
    "slo": {"target": _number("the target", less_breaks=True, more_breaks=False)},
}
