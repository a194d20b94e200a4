"""Converts a JSON Schema into a type that msgspec decodes. The schema accepts all that the type accepts, except for the
fields in `rest`, which must be checked. A value that the type rejects is judged by the schema."""

import keyword
import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Final, Literal, Union, get_args, get_type_hints

import msgspec
from msgspec import UNSET, Meta, UnsetType

from aob.core.expression.library import Value
from aob.core.value import canonical, decode

Schema = Mapping[str, Value]
INT_SAFE: Final = 2**53
INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1  # the largest integer of an event: 64 bits
_NOTES: Final = frozenset(
    ("title", "description", "default", "examples", "$comment", "deprecated", "readOnly", "writeOnly", "unit", "pii")
)
"""Keywords that assert nothing."""
_WORD: Final = re.compile(r"[a-z][A-Za-z0-9_]*")
_KINDS: Final[Mapping[str, frozenset[str]]] = {
    "string": frozenset(("minLength", "maxLength")),
    "integer": frozenset(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
    "number": frozenset(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")),
    "boolean": frozenset(),
    "null": frozenset(),
    "array": frozenset(("items", "minItems", "maxItems")),
    "object": frozenset(("properties", "required", "additionalProperties")),
}
_META: Final = {
    "minLength": "min_length", "maxLength": "max_length", "minItems": "min_length", "maxItems": "max_length",
    "minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt", "exclusiveMaximum": "lt", "multipleOf": "multiple_of",
}  # fmt: skip


class Inexact(Exception):  # noqa: N818  # a way out of the recursion, never seen outside
    """The schema asserts more than a type can express."""


class Field(msgspec.Struct, frozen=True):
    """A field of an object: its attribute, whether it is required, its CEL kind (`dyn`: several or unknown), the fields
    of a nested struct, and for an int the bounds of its schema."""

    attribute: str
    required: bool
    kind: str = "dyn"
    fields: "Mapping[str, Field] | None" = None
    low: float = -math.inf
    high: float = math.inf


class Shape(msgspec.Struct, frozen=True):
    """How `data` of a contract is decoded: its type, its fields (None: no struct), and what the type does not assert:
    attributes with the schemas to check them by; `whole` asks for a check of everything. `open`: some values are
    untyped, so that integers in them must be checked."""

    type: Value
    fields: Mapping[str, Field] | None
    rest: tuple[tuple[str, Schema], ...] = ()
    whole: bool = False
    open: bool = False


def shape_of(schema: Schema) -> Shape:
    """The shape of a schema, cached."""
    return _shape(canonical(schema))


@lru_cache(maxsize=1_024)
def _shape(raw: bytes) -> Shape:
    schema = decode(raw)
    if schema is True or schema == {}:
        return Shape(Value, None, open=True)
    if not isinstance(schema, dict) or schema.get("type") != "object" or not schema.get("properties"):
        return _other(schema)
    unsaid = schema.keys() - _KINDS["object"] - _NOTES - {"type", "$schema", "$id"}
    more = schema.get("additionalProperties", True)
    if unsaid or more not in (True, False) or not _holds(schema):
        return Shape(Value, None, whole=True, open=True)
    fields, rest, members = {}, [], []
    required = set(schema.get("required", ()))
    for name, attribute in _attributes(schema["properties"]).items():
        field_schema = schema["properties"][name]
        try:
            type_, field = _typed(field_schema, attribute, name in required)
        except Inexact:
            # it asserts more than a type can express: a plain one if it has one
            told = field_schema.get("type") if isinstance(field_schema, dict) and "$ref" not in field_schema else None
            type_, kind = _PLAIN.get(told, (Value, "dyn")) if isinstance(told, str) else (Value, "dyn")
            field = Field(attribute, name in required, kind)
            rest.append((attribute, field_schema))
        members.append((attribute, type_, name))
        fields[name] = field
    open_ = any(_is_open(type_) for _, type_, _ in members)
    return Shape(_struct(members, fields, forbid=more is False), fields, tuple(rest), open=open_)


def _holds(schema: Schema) -> bool:
    """Whether every required field is a property, so that the struct can require it."""
    known: set[str] = set(schema["properties"])
    return known.issuperset(schema.get("required", ()))


def _other(schema: Value) -> Shape:
    try:
        type_ = _typed(schema, "data", True)[0]
    except Inexact:
        return Shape(Value, None, whole=True, open=True)
    return Shape(type_, None, open=_is_open(type_))


def _is_open(type_: Value) -> bool:
    """Whether a value of this type may contain an untyped value."""
    if type_ is Value:
        return True
    inner = get_type_hints(type_).values() if isinstance(type_, type) and issubclass(type_, msgspec.Struct) else ()
    return any(map(_is_open, (*get_args(type_), *inner)))


def _attributes(properties: Mapping[str, Value]) -> dict[str, str]:
    """An attribute for each field name: the name itself if it is a valid Python name."""
    taken = {name for name in properties if _WORD.fullmatch(name) is not None and not keyword.iskeyword(name)}
    found: dict[str, str] = {}
    for index, name in enumerate(properties):
        attribute = name if name in taken else f"field_{index}"
        while attribute != name and attribute in taken:
            attribute += "_"
        taken.add(attribute)
        found[name] = attribute
    return found


def _struct(members: list[tuple[str, Value, str]], fields: Mapping[str, Field], *, forbid: bool) -> Value:
    given: list[Value] = []
    for attribute, type_, name in members:
        if fields[name].required:
            given.append((attribute, type_))
        else:
            given.append((attribute, Union[type_, UnsetType], UNSET))  # noqa: UP007  # a value, not an annotation
    renamed = {attribute: name for attribute, _, name in members if attribute != name}
    try:
        return msgspec.defstruct(
            "Data", given, kw_only=True, gc=False, forbid_unknown_fields=forbid, rename=renamed or None
        )
    except ValueError as error:  # a name that msgspec cannot have
        raise Inexact from error


_INT: Final = Annotated[int, Meta(ge=INT_MIN, le=INT_MAX)]
_PLAIN: Final[Mapping[str, tuple[Value, str]]] = {
    "string": (str, "string"), "integer": (_INT, "int"), "number": (float, "double"), "boolean": (bool, "bool"),
}  # fmt: skip


def _typed(schema: Value, attribute: str, required: bool) -> tuple[Value, Field]:
    """The type of a value and its field. Raises Inexact."""
    if schema is True or schema == {}:
        return Value, Field(attribute, required)
    if not isinstance(schema, dict):
        raise Inexact
    if "const" in schema or "enum" in schema:
        return _listed(schema, attribute, required)
    kind = schema.get("type")
    if isinstance(kind, list):
        parts = [_typed({**schema, "type": one}, attribute, required)[0] for one in _apart(kind, schema)]
        return Union[tuple(parts)], Field(attribute, required)  # noqa: UP007  # a value, not an annotation
    if not isinstance(kind, str) or kind not in _KINDS or schema.keys() - _KINDS[kind] - _NOTES - {"type"}:
        raise Inexact
    if kind in _BUILD:
        return _BUILD[kind](schema, attribute, required)
    type_, cel = (None, "null") if kind == "null" else _PLAIN[kind]
    return _meta(schema, type_), Field(attribute, required, cel)


def _apart(kinds: list[str], schema: Schema) -> list[str]:
    """The kinds of a list that one type can distinguish. Raises Inexact."""
    plain = set(kinds) - {"null"}
    if "number" in plain:
        plain.discard("integer")
    if len(plain) != 1 or schema.keys() - _NOTES - {"type"}:
        raise Inexact
    return [*plain, *(["null"] if "null" in kinds else [])]


def _listed(schema: Schema, attribute: str, required: bool) -> tuple[Value, Field]:
    values = [schema["const"]] if "const" in schema else schema["enum"]
    kind = schema.get("type", "string")
    if ("const" in schema and "enum" in schema) or schema.keys() - _NOTES - {"type", "const", "enum"}:
        raise Inexact
    if kind != "string" or not values or not all(type(value) is str for value in values):
        raise Inexact
    return Literal[tuple(values)], Field(attribute, required, "string")


def _meta(schema: Schema, type_: Value) -> Value:
    said = {_META[key]: value for key, value in schema.items() if key in _META}
    if any(type(value) not in (int, float) for value in said.values()):
        raise Inexact
    if ("ge" in said and "gt" in said) or ("le" in said and "lt" in said):
        raise Inexact
    if type_ is not float and any(type(v) is not int or not -INT_SAFE < v < INT_SAFE for v in said.values()):
        raise Inexact
    if type_ is not float and said.get("multiple_of", 1) <= 0:
        raise Inexact
    if type_ is int:
        said |= {} if "ge" in said or "gt" in said else {"ge": INT_MIN}
        said |= {} if "le" in said or "lt" in said else {"le": INT_MAX}
    return Annotated[type_, Meta(**said)] if said else type_


def _integer(schema: Schema, attribute: str, required: bool) -> tuple[Value, Field]:
    low = schema.get("minimum", schema.get("exclusiveMinimum", -math.inf))
    high = schema.get("maximum", schema.get("exclusiveMaximum", math.inf))
    return _meta(schema, int), Field(attribute, required, "int", None, low, high)


def _array(schema: Schema, attribute: str, required: bool) -> tuple[Value, Field]:
    item = _typed(schema.get("items", True), attribute, True)[0]
    return _meta(schema, list[item]), Field(attribute, required)  # type: ignore[valid-type]  # a type made here


def _object(schema: Schema, attribute: str, required: bool) -> tuple[Value, Field]:
    properties, more = schema.get("properties") or {}, schema.get("additionalProperties", True)
    if not properties:
        if schema.get("required") or more is False:
            raise Inexact
        return dict[str, Value] if more is True else dict[str, _typed(more, "", True)[0]], Field(attribute, required)  # type: ignore[misc]  # a type made here
    if more not in (True, False) or not _holds({**schema, "properties": properties}):
        raise Inexact
    members, fields = [], {}
    for name, inner in _attributes(properties).items():
        type_, field = _typed(properties[name], inner, name in schema.get("required", ()))
        members.append((inner, type_, name))
        fields[name] = field
    return _struct(members, fields, forbid=more is False), Field(attribute, required, "dyn", fields)


_BUILD: Final[Mapping[str, Callable[[Schema, str, bool], tuple[Value, Field]]]] = {
    "integer": _integer, "array": _array, "object": _object,
}  # fmt: skip
