"""Splits a JSON Schema into parts by JSON Pointer, with edges to instances, members and items. A reference that cannot
be followed leads to the root, the worst case."""

from collections.abc import Iterator
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

import msgspec

Json: TypeAlias = Any  # a plain JSON value

SAME: Final = ("allOf", "anyOf", "oneOf")
_SAME_ONE: Final = ("not", "if", "then", "else")
_SAME_NAMED: Final = ("dependentSchemas", "dependencies")
_MEMBERS_NAMED: Final = ("patternProperties",)
_MEMBERS_ONE: Final = ("additionalProperties", "unevaluatedProperties")
_ITEMS_ONE: Final = ("items", "additionalItems", "unevaluatedItems", "contains")
_ITEMS_LISTED: Final = ("prefixItems", "items")
_HELD: Final = ("$defs", "definitions")
REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")


class Part(msgspec.Struct):
    """One schema within a schema. `same` are parts that apply to the same instance, `named` the members by name,
    `others` any member, `placed` the items by index, `items` any item."""

    pointer: str
    schema: Json
    same: list[str] = []
    named: dict[str, str] = {}
    others: list[str] = []
    placed: dict[int, str] = {}
    items: list[str] = []

    def leads_to(self) -> Iterator[str]:
        """The pointers of all parts that this one leads to, with repetitions."""
        yield from self.same
        yield from self.named.values()
        yield from self.others
        yield from self.placed.values()
        yield from self.items


def step(pointer: str, *names: str | int) -> str:
    """A pointer to a place below another."""
    return pointer + "".join(f"/{str(name).replace('~', '~0').replace('/', '~1')}" for name in names)


def parts_of(schema: Json) -> dict[str, Part]:
    """Every part of a schema by its pointer."""
    parts: dict[str, Part] = {}
    anchors: dict[str, str] = {}
    waiting: list[tuple[str, Json]] = [("", schema)]
    while waiting:
        pointer, found = waiting.pop()
        if pointer in parts or not isinstance(found, dict | bool):
            continue
        part = parts[pointer] = Part(pointer, found)
        if isinstance(found, dict):
            for name in ("$anchor", "$dynamicAnchor"):
                if isinstance(found.get(name), str):
                    anchors[found[name]] = pointer
            waiting.extend(_below(part, found))
    for part in list(parts.values()):
        if isinstance(part.schema, dict):
            _refer(part, schema, parts, anchors)
    return parts


def _below(part: Part, schema: dict[str, Json]) -> Iterator[tuple[str, Json]]:
    """The parts directly below; also records them in the part."""
    here = part.pointer
    for name in SAME:
        for at, each in enumerate(_list(schema.get(name))):
            part.same.append(step(here, name, at))
            yield part.same[-1], each
    for name in _SAME_ONE:
        if name in schema:
            part.same.append(step(here, name))
            yield part.same[-1], schema[name]
    for name in _SAME_NAMED:
        for key, each in _dict(schema.get(name)).items():
            if isinstance(each, dict | bool):
                part.same.append(step(here, name, key))
                yield part.same[-1], each
    for key, each in _dict(schema.get("properties")).items():
        part.named[key] = step(here, "properties", key)
        yield part.named[key], each
    for name in _MEMBERS_NAMED:
        for key, each in _dict(schema.get(name)).items():
            part.others.append(step(here, name, key))
            yield part.others[-1], each
    for name in _MEMBERS_ONE:
        if isinstance(schema.get(name), dict):
            part.others.append(step(here, name))
            yield part.others[-1], schema[name]
    for name in _ITEMS_LISTED:
        for at, each in enumerate(_list(schema.get(name))):
            part.placed[at] = step(here, name, at)
            yield part.placed[at], each
    for name in _ITEMS_ONE:
        if isinstance(schema.get(name), dict):
            part.items.append(step(here, name))
            yield part.items[-1], schema[name]
    for name in _HELD:
        for key, each in _dict(schema.get(name)).items():
            yield step(here, name, key), each


def _refer(part: Part, root: Json, parts: dict[str, Part], anchors: dict[str, str]) -> None:
    for name in REFERENCES:
        if name in part.schema:
            target = target_of(part.schema[name], root, anchors)
            part.same.append(target if target in parts else _read(target, root, parts))


def target_of(reference: Json, root: Json, anchors: dict[str, str]) -> str:
    """The target pointer of a reference."""
    if not isinstance(reference, str):
        return ""
    base, _, fragment = reference.partition("#")
    if base and (not isinstance(root, dict) or base != root.get("$id")):
        return ""
    return unquote(fragment) if fragment.startswith("/") else anchors.get(fragment, "")


def _read(pointer: str, root: Json, parts: dict[str, Part]) -> str:
    """Add a part under no known keyword, with all below; the root when it does not exist."""
    value = root
    for name in pointer.split("/")[1:]:
        key = name.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return ""
    if not isinstance(value, dict | bool):
        return ""
    waiting = [(pointer, value)]
    while waiting:
        at, found = waiting.pop()
        if at not in parts and isinstance(found, dict | bool):
            part = parts[at] = Part(at, found)
            if isinstance(found, dict):
                waiting.extend(_below(part, found))
                _refer(part, root, parts, {})
    return pointer


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _dict(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}
