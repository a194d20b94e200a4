"""Two JSON Schemas of an event's data: which events does the new one refuse, and what do readers no longer find.

In: schemas. Out: changes, each breaking or not. What it cannot judge it calls breaking.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from aob.core.contract.change import Change, changed
from aob.core.contract.definition import Tree, Value
from aob.core.graph.shape import escape

_LOWER: Final = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"})
_UPPER: Final = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"})
_WORDS: Final = frozenset({"title", "description", "$comment", "examples", "default", "deprecated", "$schema", "$id"})
_LIMITS: Final = frozenset({"pattern", "format", "multipleOf", "const"})
_OWN: Final = frozenset({"properties", "required", "items"})


def compare_schemas(old: Tree, new: Tree, path: str, name: str = "") -> Iterator[Change]:
    """The changes from one schema to another; `name` is the field that they are of, empty for `data` itself."""
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
    for key in (*before, *(key for key in after if key not in before)):
        here, full = f"{path}/properties/{escape(key)}", f"{name}.{key}" if name else key
        if key not in after:
            yield Change(here, "removed", True, f"{full} is gone: what reads it finds nothing")
        elif key not in before:
            if key in needs:
                yield Change(here, "added", True, f"{full} is new and required: events without it are refused")
            else:
                yield Change(here, "added", False, f"{full} is new and optional")
        else:
            yield from _presence(here, full, key in needed, key in needs)
            yield from _inner(before[key], after[key], here, full)
    for key in sorted((needed ^ needs) - before.keys() - after.keys()):
        word = "is required now" if key in needs else "is required no more"
        yield Change(f"{path}/required", "changed", True, f"{name}.{key} {word}" if name else f"{key} {word}")


def _presence(path: str, name: str, needed: bool, needs: bool) -> Iterator[Change]:
    if needs and not needed:
        yield Change(path, "changed", True, f"{name} is required now: events without it are refused")
    elif needed and not needs:
        yield Change(path, "changed", True, f"{name} is optional now: what reads it may find nothing")


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
    """Whether a changed keyword is breaking, and what it means."""
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
        return (
            not open_now,
            f"{name} {'may have any other field' if open_now else 'may no longer have any other field'}",
        )
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
