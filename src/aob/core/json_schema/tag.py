"""Finds tagged unions of a JSON Schema (`kind: {const: circle}`) and rewrites them to check the tag first."""

from collections.abc import Iterator
from typing import Final

import msgspec

from aob.core.json_schema.parts import SAME, Json, Part, step

UNIONS: Final = ("anyOf", "oneOf")
FOLLOWED_MAX: Final = 8
_OLD: Final = ("draft-03", "draft-04", "draft-06")  # drafts without `if`


class Tag(msgspec.Struct, frozen=True):
    """The texts of a member under which an alternative may be valid, and whether the member is required."""

    name: str
    texts: frozenset[str]
    required: bool


def tags_of(pointer: str, parts: dict[str, Part]) -> dict[str, Tag]:
    """The tags of an alternative, through its references and the parts that must all hold."""
    texts: dict[str, frozenset[str]] = {}
    required: set[str] = set()
    waiting, seen = [pointer], set[str]()
    while waiting and len(seen) < FOLLOWED_MAX:
        at = waiting.pop()
        part = parts.get(at)
        if at in seen or part is None or not isinstance(part.schema, dict):
            continue
        seen.add(at)
        schema = part.schema
        names = schema.get("required")
        required.update(name for name in (names if isinstance(names, list) else ()) if isinstance(name, str))
        for name, target in part.named.items():
            found = _texts(parts[target].schema)
            if found is not None:
                texts[name] = texts.get(name, found) & found
        waiting.extend(target for target in part.same if _must_hold(at, target))
    return {name: Tag(name, found, name in required) for name, found in texts.items()}


def _must_hold(at: str, target: str) -> bool:
    """Whether a part for the same instance must hold: `allOf` and references must, alternatives need not."""
    below = target.removeprefix(f"{at}/") if target.startswith(f"{at}/") else ""
    return not below or below.startswith(("allOf/", "$defs/", "definitions/"))


def _texts(schema: Json) -> frozenset[str] | None:
    """The texts that a member may be, if it may be nothing else."""
    if not isinstance(schema, dict):
        return None
    if isinstance(schema.get("const"), str):
        return frozenset({schema["const"]})
    listed = schema.get("enum")
    if isinstance(listed, list) and listed and all(isinstance(each, str) for each in listed):
        return frozenset(listed)
    return None


def union_tag(alternatives: list[str], parts: dict[str, Part]) -> str:
    """The member that distinguishes most of the alternatives; empty when none does."""
    told: dict[str, set[frozenset[str]]] = {}
    for each in alternatives:
        for name, tag in tags_of(each, parts).items():
            told.setdefault(name, set()).add(tag.texts)
    best = max(told, key=lambda name: len(told[name]), default="")
    return best if best and len(told[best]) > 1 else ""


def tags_first(schema: Json, parts: dict[str, Part]) -> Json:
    """The schema with each tag checked before its alternative. Unchanged where references lead into alternatives, or
    the draft has no `if`."""
    if not isinstance(schema, dict) or any(old in str(schema.get("$schema", "")) for old in _OLD):
        return schema
    for pointer, part in parts.items():
        for target in part.same:
            if not target.startswith(f"{pointer}/") and any(f"/{union}/" in target for union in UNIONS):
                return schema  # a reference leads into an alternative, whose path changes when it is wrapped
    try:
        return _rewritten(schema, "", parts)
    except RecursionError:
        return schema


def _rewritten(value: Json, pointer: str, parts: dict[str, Part]) -> Json:
    if isinstance(value, list):
        return [_rewritten(each, step(pointer, at), parts) for at, each in enumerate(value)]
    if not isinstance(value, dict):
        return value
    made = {
        key: _rewritten(each, step(pointer, key), parts)
        if isinstance(each, dict) or (key in SAME or key in ("prefixItems", "items"))
        else each
        for key, each in value.items()
        if key not in ("const", "enum", "default", "examples")
    }
    made |= {key: value[key] for key in ("const", "enum", "default", "examples") if key in value}
    if pointer in parts:
        for union in UNIONS:
            if isinstance(value.get(union), list):
                made[union] = list(_guarded(made[union], step(pointer, union), parts))
    return made


def _guarded(alternatives: list[Json], pointer: str, parts: dict[str, Part]) -> Iterator[Json]:
    pointers = [step(pointer, at) for at in range(len(alternatives))]
    name = union_tag(pointers, parts)
    for at, alternative in zip(pointers, alternatives, strict=True):
        tag = tags_of(at, parts).get(name)
        if tag is None:
            yield alternative
            continue
        guard: dict[str, Json] = {"properties": {name: {"enum": sorted(tag.texts)}}}
        if tag.required:
            guard["required"] = [name]
        yield {"if": guard, "then": alternative, "else": False}
