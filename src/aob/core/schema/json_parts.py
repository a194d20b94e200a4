"""A JSON Schema as what compares it needs: references followed, keywords of all drafts as those of the newest."""

from typing import Final
from urllib.parse import unquote

import msgspec

from aob.core.document.shape import Tree, Value
from aob.core.schema.json_bundle import DATA
from aob.core.value import canonical

TYPES: Final = frozenset({"null", "boolean", "string", "number", "array", "object"})  # an integer is a number
NOTES: Final = frozenset({
    "title", "description", "$comment", "examples", "default", "deprecated", "readOnly", "writeOnly", "$schema", "$id",
    "id", "$defs", "definitions", "contentSchema", "$anchor", "$vocabulary", "unit", "pii",
})  # fmt: skip
"""Keywords that assert nothing."""
ONE_REFERENCE: Final = ("draft-03", "draft-04", "draft-06", "draft-07")  # drafts in which `$ref` stands alone
LISTED_ITEMS: Final = (*ONE_REFERENCE, "2019-09")  # drafts in which `items` may be a list
SCOPES: Final = frozenset({"$dynamicRef", "$recursiveRef", "$dynamicAnchor", "$recursiveAnchor"})
FOLLOWED_MAX: Final = 32


class Undecided(Exception):  # noqa: N818  # a way out of the recursion, never seen outside
    """Nothing is known of a schema."""


class Part(msgspec.Struct, frozen=True):
    """One schema within a document: the document, its own keywords, its text as what it is told apart by."""

    document: "Document"
    schema: Value
    path: str
    key: bytes

    def at(self, schema: Value, *names: str | int) -> "Part":
        """A schema below this one."""
        return self.document.part(schema, self.path + "".join(f"/{name}" for name in names))


class Document:
    """A whole schema, in which references are followed."""

    def __init__(self, root: Value, side: bytes = b"") -> None:
        self.root, self._side = root, side
        draft = str(root.get("$schema", "")) if isinstance(root, dict) else ""
        self.alone = any(each in draft for each in ONE_REFERENCE)
        self.lists_items = any(each in draft for each in LISTED_ITEMS)
        self.exclusive_flags = "draft-04" in draft or "draft-03" in draft
        self.opaque = _scoped(root, top=True)

    def part(self, schema: Value, path: str) -> Part:
        """A schema of this document."""
        raw = canonical(schema)
        return Part(self, schema, path, self._side + raw if b'"$ref":' in raw else raw)

    def target(self, reference: Value) -> Part:
        """What a reference leads to. Raises Undecided."""
        base, _, fragment = str(reference).partition("#")
        own = self.root.get("$id", "") if isinstance(self.root, dict) else ""
        if (base and base != own) or (fragment and not fragment.startswith("/")):
            raise Undecided(f"the reference {str(reference)[:100]} is not followed")
        value = self.root
        for name in fragment.split("/")[1:]:
            key = unquote(name).replace("~1", "/").replace("~0", "~")
            if isinstance(value, dict) and key in value:
                value = value[key]
            elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
                value = value[int(key)]
            else:
                raise Undecided(f"the reference {str(reference)[:100]} leads nowhere")
        return self.part(value, fragment)


def _scoped(value: Value, *, top: bool = False) -> bool:
    """Whether references within a schema depend on more than the document: on scopes of their own."""
    if isinstance(value, list):
        return any(map(_scoped, value))
    if not isinstance(value, dict):
        return False
    if SCOPES & value.keys() or (not top and isinstance(value.get("$id"), str) and "$id" in value):
        return True
    return any(_scoped(each) for key, each in value.items() if key not in DATA)


def flat(part: Part) -> list[Part]:
    """The schemas that all must hold: references followed and `allOf` taken apart. Raises Undecided."""
    found: list[Part] = []
    waiting, followed = [part], set[bytes]()
    while waiting:
        here = waiting.pop()
        schema = here.schema
        if not isinstance(schema, dict):
            found.append(here)
            continue
        rest = {key: each for key, each in schema.items() if key not in ("$ref", "allOf")}
        if "$ref" in schema:
            if len(followed) > FOLLOWED_MAX:
                raise Undecided(f"more than {FOLLOWED_MAX} references are followed at one place")
            if here.key not in followed:
                followed.add(here.key)
                waiting.append(here.document.target(schema["$ref"]))
            if here.document.alone:
                continue
        waiting.extend(here.at(each, "allOf", at) for at, each in enumerate(schema.get("allOf", [])))
        if len(rest) == len(schema):
            found.append(here)
        elif rest.keys() - NOTES:
            found.append(here.document.part(rest, here.path))
    return found


def members_of(part: Part) -> tuple[Tree, Tree, Value]:
    """`properties`, `patternProperties`, and what other members must be."""
    schema = part.schema
    return schema.get("properties", {}), schema.get("patternProperties", {}), schema.get("additionalProperties", True)


def items_of(part: Part) -> tuple[list[Value], Value]:
    """What the first items must be, and all others."""
    schema = part.schema
    items = schema.get("items", True)
    if part.document.lists_items and isinstance(items, list):
        return items, schema.get("additionalItems", True)
    return [] if part.document.lists_items else schema.get("prefixItems", []), items


def types_of(part: Part) -> frozenset[str]:
    """The types that a value may have; `number` stands for `integer` too."""
    schema = part.schema
    if schema is False:
        return frozenset()
    if schema is True:
        return TYPES
    said = schema.get("type", sorted(TYPES))
    found = {"number" if each == "integer" else each for each in ([said] if isinstance(said, str) else said)}
    listed = [schema["const"]] if "const" in schema else schema.get("enum")
    return frozenset(found if listed is None else found & {kind_of(value) for value in listed})


def same(one: Part, other: Part) -> bool:
    """Whether two schemas are the same in words that mean the same."""
    if _said(one.schema) != _said(other.schema) or b'"unevaluated' in one.key:
        return False
    a, b = one.document, other.document
    if (a.alone, a.lists_items, a.exclusive_flags) != (b.alone, b.lists_items, b.exclusive_flags):
        return False
    return b'"$ref":' not in one.key or a.root == b.root


def _said(schema: Value) -> bytes:
    bare = {key: each for key, each in schema.items() if key not in NOTES} if isinstance(schema, dict) else schema
    return canonical(bare)


def whole_numbers(part: Part) -> bool:
    """Whether of numbers only integers are allowed."""
    said = part.schema.get("type") if isinstance(part.schema, dict) else None
    listed = [said] if isinstance(said, str) else said or []
    return "integer" in listed and "number" not in listed


def kind_of(value: Value) -> str:
    """The type of a JSON value."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"
