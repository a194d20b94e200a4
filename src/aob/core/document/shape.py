"""The shapes of documents, given by structs: finds every mismatch of a value (unknown keys, missing keys, wrong types,
with hints; slow, for use after the fast decoder has failed) and publishes JSON Schemas."""

import types
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeGuard, Union, get_args, get_origin

import msgspec

from aob.core.errors import Problem
from aob.core.hint import meant

Value: TypeAlias = Any  # A plain JSON value
Tree: TypeAlias = dict[str, Any]  # A JSON object: a document, or an object in it
Duration = str | int | float  # as people write it: `15m`, or seconds
DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
SYNONYMS: Final[Mapping[str, str]] = {
    "name": "workflow",
    "type": "kind",
    "params": "config",
    "parameters": "config",
    "with": "config",
    "source": "from",
    "target": "to",
    "condition": "when",
    "if": "when",
    "default": "else",
    "inputs": "input",
    "outputs": "output",
    "retries": "retry",
    "requires": "edges",
    "depends_on": "edges",
    "needs": "edges",
    "next": "edges",
    "schema": "inputs",
}


def escape(key: str) -> str:
    """A key as a token of a JSON Pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def is_struct(kind: object) -> TypeGuard[type[msgspec.Struct]]:
    """Whether a type is a msgspec struct."""
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


@cache
def keys_of(kind: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    """The fields of a struct by the key that a document uses."""
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


def wrong_shape(value: object, kind: Any, path: str) -> Iterator[Problem]:
    """Each problem of a value that should have this type; none if it has."""
    inside = _wrong_inside(value, kind, path)
    first = next(inside, None)
    if first is None:
        yield from _wrong_leaf(value, kind, path)
    else:
        yield first
        yield from inside


def _wrong_inside(value: object, kind: Any, path: str) -> Iterator[Problem]:
    struct = next((option for option in _options(kind) if is_struct(option)), None)
    mapped = next((option for option in _options(kind) if get_origin(option) is dict), None)
    if isinstance(value, dict) and struct is not None:
        yield from _wrong_struct(value, struct, path)
    elif isinstance(value, dict) and mapped is not None:
        for key, item in value.items():
            yield from wrong_shape(item, get_args(mapped)[1], f"{path}/{escape(str(key))}")


def _options(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _wrong_struct(value: dict[str, object], struct: type[msgspec.Struct], path: str) -> Iterator[Problem]:
    known = keys_of(struct)
    for key, item in value.items():
        field = known.get(key)
        if field is None:
            synonym = SYNONYMS.get(key)
            hint = f"did you mean `{synonym}`?" if synonym in known else meant(key, known)
            yield Problem(f"{path}/{escape(str(key))}", f"unknown key `{key}`", "unknown_key", hint=hint)
        else:
            yield from wrong_shape(item, field.type, f"{path}/{escape(key)}")
    for key, field in known.items():
        if field.required and key not in value:
            yield Problem(path, f"`{key}` is missing", "missing", hint=f"add `{key}:`")


def _wrong_leaf(value: object, kind: Any, path: str) -> Iterator[Problem]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        said = str(error).replace(" - at `key` in `$", " as a key - at `$")
        words, _, inner = said.partition(" - at `$")
        at = path + inner.rstrip("`").replace(".", "/").replace("[", "/").replace("]", "")
        choices = _choices(kind)
        if choices and isinstance(value, str):
            message = f"{value[:40]!r} is not one of {', '.join(filter(None, choices))}"
            yield Problem(path, message, "bad_value", hint=meant(value, choices, "one of"))
        else:
            message = words[0].lower() + words[1:].replace(" | null", "")
            yield Problem(at, message, "bad_type", hint=_type_hint(value, kind))


def _choices(kind: Any) -> tuple[str, ...]:
    found = [get_args(option) for option in _options(kind) if get_origin(option) is Literal]
    return tuple(choice for choices in found for choice in choices)


def _type_hint(value: object, kind: Any) -> str:
    options = [get_args(option)[0] if get_origin(option) is Annotated else option for option in _options(kind)]
    if str in options and isinstance(value, int | float | bool) and len(options) == 1:
        return f'write it in quotes: "{str(value).lower() if isinstance(value, bool) else value}"'
    if bool in options and isinstance(value, str):
        return "write true or false, without quotes"
    if any(option in (int, float) for option in options) and isinstance(value, str):
        return "write a number, without quotes"
    return ""


def published(id: str, title: str, root: Tree, parts: Tree) -> Tree:
    """The schema `root` with its `$defs` as plain JSON. Deterministic."""
    whole = {"$schema": DRAFT, "$id": id, "title": title, **root, "$defs": dict(sorted(parts.items()))}
    plain: Tree = msgspec.json.decode(msgspec.json.encode(_on_one_line(whole)))
    return plain


def _on_one_line(value: Value) -> Value:
    """Puts every description on one line."""
    if isinstance(value, dict):
        return {
            key: " ".join(item.split()) if key == "description" and isinstance(item, str) else _on_one_line(item)
            for key, item in value.items()
        }
    return [_on_one_line(item) for item in value] if isinstance(value, list) else value
