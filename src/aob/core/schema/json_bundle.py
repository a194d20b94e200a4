"""Reads JSON Schemas: what a schema refers to is put under its `$defs`, so that one document stands for itself."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urljoin

import msgspec

from aob.core.document.shape import Tree, Value, escape
from aob.core.json_schema import Unusable, checker_of, step
from aob.core.json_schema.parts import parts_of
from aob.core.schema.model import BUNDLE_CHARS_MAX, DEPTH_MAX, Named, unreadable
from aob.core.value import canonical, decode

HELD: Final = "aob:"  # before the name of a reference, under `$defs`
DATA: Final = frozenset({"const", "enum", "default", "examples"})
"""Keywords whose values are data, not schemas."""


def read_json(text: str, sources: Sequence[Named] = ()) -> Value:
    """The schema of a text with all that it refers to. Raises Unreadable with the place."""
    schema = _parsed(text, "")
    if sources:
        schema = _bundled(schema, sources)
    raw = canonical(schema)
    if len(raw) > BUNDLE_CHARS_MAX:
        raise unreadable("JSON", f"with its references it has more than {BUNDLE_CHARS_MAX:,} bytes")
    made = checker_of(raw)
    if isinstance(made, Unusable):
        hint = "what it refers to is registered before, and named in `references`; patterns have no look-around"
        raise unreadable("JSON", made.words, step("", *made.path), hint)
    if (loop := _loop(schema)) is not None:
        raise unreadable("JSON", "references lead back to the same value, and never further into it", loop)
    return schema


def _loop(schema: Value) -> str | None:
    """A part that applies to its own value again, by references alone: what it accepts nobody can say."""
    parts = parts_of(schema)
    done, under_way = set[str](), set[str]()
    for root in parts:
        waiting = [root]
        while waiting:
            at = waiting[-1]
            part = parts[at]
            outside = isinstance(part.schema, dict) and part.schema.get("$ref") not in (None, "#")
            below = [each for each in part.same if each not in done and (each or not outside)]
            if at in under_way or not below:
                waiting.pop()
                under_way.discard(at)
                done.add(at)
                continue
            under_way.add(at)
            if any(each in under_way for each in below):
                return at
            waiting.extend(below)
    return None


def _parsed(text: str, of: str) -> Value:
    try:
        schema = decode(text.encode())
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise unreadable("JSON", f"{of}it is not JSON: {error}") from error
    if not isinstance(schema, dict | bool):
        raise unreadable("JSON", f"{of}a schema is an object, true or false")
    if _depth(schema) > DEPTH_MAX * 2:
        raise unreadable("JSON", f"{of}it is nested deeper than {DEPTH_MAX * 2} levels")
    return schema


def _depth(value: Value) -> int:
    levels, here = 0, [value]
    while here:
        levels += 1
        here = (
            [
                inner
                for each in here
                for inner in (each.values() if isinstance(each, dict) else each)
                if isinstance(inner, dict | list)
            ]
            if isinstance(value, dict | list)
            else []
        )
    return levels


def _bundled(schema: Value, sources: Sequence[Named]) -> Value:
    base = str(schema.get("$id", "")) if isinstance(schema, dict) else ""
    held: dict[str, Tree] = {}
    names = {source.name: f"#/$defs/{escape(HELD + source.name)}" for source in sources}
    for source in sources:
        found = _parsed(source.text, f"reference {source.name}: ")
        if isinstance(found, dict):
            own = str(found.get("$id", ""))
            found = _rebased(found, names, names[source.name], own, urljoin(base, source.name))
            found = {key: each for key, each in found.items() if key not in ("$schema", "$id")}
        held[HELD + source.name] = found
    if not isinstance(schema, dict):
        return schema
    made = _rebased(schema, names, "#", base, base)
    return {**made, "$defs": {**made.get("$defs", {}), **held}}


def _rebased(value: Value, names: dict[str, str], here: str, own: str, base: str, *, data: bool = False) -> Value:
    """A schema whose references lead into the bundle. `here` is where its own root stands in it."""
    if isinstance(value, list):
        return [_rebased(each, names, here, own, base, data=data) for each in value]
    if not isinstance(value, dict) or data:
        return value
    made: Tree = {}
    for key, each in value.items():
        if key == "$ref" and isinstance(each, str):
            made[key] = _target(each, names, here, own, base)
        elif key in ("$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveRef"):
            raise unreadable("JSON", f"`{key}` together with references to other schemas cannot be followed")
        else:
            made[key] = _rebased(each, names, here, own, base, data=key in DATA)
    return made


def _target(reference: str, names: dict[str, str], here: str, own: str, base: str) -> str:
    document, _, fragment = reference.partition("#")
    if fragment and not fragment.startswith("/"):
        raise unreadable("JSON", f"{reference[:100]!r}: references lead to a path, such as #/$defs/NAME")
    if not document or document == own:
        return here + fragment
    whole = urljoin(base or own, document)
    for name, place in names.items():
        if document == name or whole == urljoin(base or own, name):
            return place + fragment
    return reference
