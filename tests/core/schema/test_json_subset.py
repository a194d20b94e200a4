"""Compatibility of JSON Schemas: what it calls compatible, is; every refusal has a place."""

import json
from typing import Any as Json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aob.core.json_schema import Checker, checker_of
from aob.core.schema import Reference, Schema, Table, parse
from aob.core.schema.json_bundle import read_json
from aob.core.schema.json_subset import json_faults
from aob.core.schema.model import Unreadable
from aob.core.schema.parsed import data_faults, faults
from aob.core.value import canonical
from tests.core.schema.tables import add

NAMES = st.sampled_from(["a", "b", "kind"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 5),
    st.sampled_from([0.5, 2.0, -1.5]),
    st.sampled_from(["", "a", "xx", "b1"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b", "kind", "x1"]), inner, max_size=3)
    ),
    max_leaves=5,
)
TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"]


def _schemas(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    keywords = {
        "type": st.one_of(
            st.sampled_from(TYPES), st.lists(st.sampled_from(TYPES), min_size=1, max_size=3, unique=True)
        ),
        "enum": st.lists(SCALARS, min_size=1, max_size=3, unique_by=lambda v: json.dumps(v)),
        "const": SCALARS,
        "minimum": st.integers(-2, 4),
        "exclusiveMaximum": st.integers(-2, 4),
        "maximum": st.integers(-2, 4),
        "multipleOf": st.sampled_from([1, 2, 4, 0.5]),
        "minLength": st.integers(0, 2),
        "maxLength": st.integers(0, 3),
        "pattern": st.sampled_from(["^a", "x"]),
        "minItems": st.integers(0, 2),
        "maxItems": st.integers(0, 3),
        "uniqueItems": st.booleans(),
        "items": inner,
        "prefixItems": st.lists(inner, min_size=1, max_size=2),
        "contains": inner,
        "properties": st.dictionaries(NAMES, inner, max_size=3),
        "required": st.lists(NAMES, max_size=2, unique=True),
        "additionalProperties": inner,
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "1$"]), inner, max_size=2),
        "propertyNames": inner,
        "minProperties": st.integers(0, 2),
        "maxProperties": st.integers(0, 3),
        "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=2, unique=True), max_size=1),
        "dependentSchemas": st.dictionaries(NAMES, inner, max_size=1),
        "anyOf": st.lists(inner, min_size=1, max_size=3),
        "oneOf": st.lists(inner, min_size=1, max_size=3),
        "allOf": st.lists(inner, min_size=1, max_size=2),
        "not": inner,
        "if": inner,
        "then": inner,
        "else": inner,
        "$ref": st.sampled_from(["#", "#/$defs/d"]),
        "unevaluatedProperties": st.booleans(),
    }
    chosen = st.lists(st.sampled_from(sorted(keywords)), min_size=1, max_size=3, unique=True)
    return chosen.flatmap(lambda names: st.fixed_dictionaries({name: keywords[name] for name in names}))


SCHEMAS = st.recursive(
    st.one_of(
        st.booleans(),
        st.just({}),
        st.sampled_from([{"type": each} for each in TYPES]),
        st.builds(lambda v: {"const": v}, SCALARS),
    ),
    _schemas,
    max_leaves=6,
)


@st.composite
def changed(draw: Json, schema: Json) -> Json:
    """A schema with one change somewhere: so that many pairs are compatible."""
    if not isinstance(schema, dict) or not schema or draw(st.integers(0, 3)) == 0:
        return draw(st.one_of(SCHEMAS, st.just({"anyOf": [schema, draw(SCHEMAS)]}), st.just(schema)))
    key = draw(st.sampled_from(sorted(schema)))
    inner = schema[key]
    if draw(st.booleans()):
        return {name: each for name, each in schema.items() if name != key}
    if isinstance(inner, list) and inner and isinstance(inner[0], dict | bool) and key != "enum":
        return {**schema, key: [draw(changed(inner[0])), *inner[1:]]}
    if isinstance(inner, dict) and key in ("properties", "patternProperties", "dependentSchemas") and inner:
        name = draw(st.sampled_from(sorted(inner)))
        return {**schema, key: {**inner, name: draw(changed(inner[name]))}}
    if isinstance(inner, dict) and key not in (
        "properties",
        "patternProperties",
        "dependentSchemas",
        "dependentRequired",
    ):
        return {**schema, key: draw(changed(inner))}
    if isinstance(inner, int) and not isinstance(inner, bool):
        return {
            **schema,
            key: max(0, inner + draw(st.sampled_from([-1, 1]))) if key.startswith("m") and key != "minimum" else inner,
        }
    return schema


@st.composite
def pairs(draw: Json) -> tuple[Json, Json]:
    old = draw(SCHEMAS)
    new = draw(changed(old))
    held = draw(SCHEMAS)
    also = draw(st.one_of(st.just(held), changed(held)))
    wrap = lambda schema, inner: {**schema, "$defs": {"d": inner}} if isinstance(schema, dict) else schema  # noqa: E731
    return wrap(old, held), wrap(new, also)


def usable(schema: Json) -> Checker | None:
    try:
        made = checker_of(canonical(read_json(json.dumps(schema))))
    except Unreadable:
        return None
    return made if isinstance(made, Checker) else None


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(pairs(), st.lists(VALUES, min_size=25, max_size=25))
def test_what_is_called_compatible_reads_everything_that_was_written(
    pair: tuple[Json, Json], values: list[Json]
) -> None:
    old, new = pair
    writer, reader = usable(old), usable(new)
    if writer is None or reader is None or json_faults(new, old):
        return
    for value in values:
        if writer.is_valid(value):
            assert reader.is_valid(value), (old, new, value)


# -- what is compatible, and what is not ----------------------------------------------------------------------------

TEXT, NUMBER = {"type": "string"}, {"type": "number"}
CLOSED = {"type": "object", "properties": {"a": TEXT}, "additionalProperties": False}
TREE = {"$ref": "#/$defs/n", "$defs": {"n": {"properties": {"next": {"$ref": "#/$defs/n"}, "v": TEXT}}}}
WIDER = {"$ref": "#/$defs/m", "$defs": {"m": {"properties": {"next": {"$ref": "#/$defs/m"}, "v": {"minLength": 0}}}}}
CIRCLE = {"type": "object", "properties": {"kind": {"const": "circle"}}, "required": ["kind"]}
SQUARE = {"type": "object", "properties": {"kind": {"const": "square"}}, "required": ["kind"]}
DRAFT_7 = {"$schema": "http://json-schema.org/draft-07/schema#"}


@pytest.mark.parametrize(
    ("new", "old", "where"),
    [
        (True, {"type": "string"}, None),
        (TEXT, True, "/type"),
        (NUMBER, {"type": "integer"}, None),
        ({"type": "integer"}, NUMBER, "/type"),
        ({"type": "integer"}, {"enum": [1, 2]}, None),
        ({"enum": ["a", "b"]}, {"enum": ["b"]}, None),
        ({"enum": ["a"]}, {"enum": ["b", "a"]}, ""),
        ({"maxLength": 5}, {"type": "string", "maxLength": 4}, None),
        ({"maxLength": 5}, {"type": "string"}, "/maxLength"),
        ({"maxLength": 5}, {"type": "integer"}, None),
        ({"minimum": 1}, {"type": "number", "exclusiveMinimum": 1}, None),
        ({"exclusiveMinimum": 1}, {"type": "number", "minimum": 1}, "/exclusiveMinimum"),
        ({"multipleOf": 2}, {"type": "integer", "multipleOf": 6}, None),
        ({"multipleOf": 4}, {"type": "integer", "multipleOf": 6}, "/multipleOf"),
        # a new optional member: sure only where nothing of that name can have been written
        ({**CLOSED, "properties": {"a": TEXT, "b": NUMBER}}, CLOSED, None),
        ({"properties": {"a": TEXT, "b": NUMBER}}, {"type": "object", "properties": {"a": TEXT}}, "/properties/b/type"),
        (CLOSED, {**CLOSED, "properties": {"a": TEXT, "b": NUMBER}}, "/additionalProperties"),
        ({"required": ["a"]}, {**CLOSED, "required": ["a"]}, None),
        ({"required": ["a"]}, CLOSED, "/required"),
        ({"propertyNames": {"maxLength": 1}}, CLOSED, None),
        ({"patternProperties": {"^a": TEXT}}, CLOSED, None),
        ({"patternProperties": {"^a": NUMBER}}, CLOSED, "/patternProperties/^a/type"),
        ({"items": NUMBER}, {"type": "array", "items": {"type": "integer"}}, None),
        ({"items": NUMBER}, {"type": "array", "prefixItems": [NUMBER, TEXT], "items": False}, "/items/1/type"),
        (WIDER, TREE, None),
        (TREE, WIDER, "/$defs/n/properties/v/type"),
        ({"anyOf": [TEXT, {"type": "null"}]}, {"type": ["string", "null"]}, None),
        ({"type": ["string", "null"]}, {"anyOf": [TEXT, {"type": "null"}]}, None),
        ({"anyOf": [CIRCLE, SQUARE]}, {"oneOf": [SQUARE]}, None),
        ({"oneOf": [CIRCLE, SQUARE]}, {"oneOf": [SQUARE, CIRCLE]}, None),
        ({"oneOf": [CIRCLE, {"type": "object"}]}, CIRCLE, "/oneOf/1"),
        ({"not": TEXT}, {"type": "integer"}, None),
        ({"not": {"type": "integer"}}, {"not": NUMBER}, None),
        ({"if": CIRCLE, "then": {"required": ["r"]}}, {**SQUARE}, None),
        ({"if": CIRCLE, "then": {"required": ["r"]}}, CIRCLE, "/then/required"),
        ({**DRAFT_7, "items": [TEXT], "additionalItems": False}, {**DRAFT_7, "type": "array", "maxItems": 0}, None),
        ({**DRAFT_7, "$ref": "#/definitions/t", "maxLength": 1, "definitions": {"t": TEXT}}, TEXT, None),
        ({"title": "other words", "type": "string"}, {"type": "string", "description": "words"}, None),
    ],
)
def test_each_refusal_says_where(new: Json, old: Json, where: str | None) -> None:
    found = json_faults(read_json(json.dumps(new)), read_json(json.dumps(old)))
    assert [each.path for each in found[:1]] == ([] if where is None else [where]), found


def test_the_order_of_members_and_white_space_say_nothing() -> None:
    one = parse(Schema('{"type":"object","properties":{"a":{"type":"string"},"b":{}}}', "JSON"))
    other = parse(Schema('{ "properties": {"b":{}, "a":{"type":"string"}}, "type": "object" }', "JSON"))
    assert one.digest == other.digest
    assert one.digest != parse(Schema('{"type":"object"}', "JSON")).digest


@pytest.mark.parametrize(
    "reference", ["address.json", "https://shop.example/address.json", "address.json#/$defs/street"]
)
def test_references_lead_to_other_subjects(reference: str) -> None:
    table = Table()
    address = {
        "$id": "https://shop.example/address.json",
        "type": "string",
        "$defs": {"street": {"$ref": "#/$defs/t"}, "t": {"type": "string"}},
    }
    add(table, "address", 1, 1, Schema(json.dumps(address), "JSON"))
    text = {"$id": "https://shop.example/order.json", "properties": {"to": {"$ref": reference}}}
    schema = Schema(json.dumps(text), "JSON", (Reference("address.json", "address", 1),))
    parsed = parse(schema, table.sources(schema))
    assert data_faults(parsed, b'{"to":"here"}') == []
    assert [each.path for each in data_faults(parsed, b'{"to":1}')] == ["/to"]
    other = parse(Schema('{"properties":{"to":{"type":"string"}}}', "JSON"))
    assert faults(other, parsed) == faults(parsed, other) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "an object, true or false"),
        ('{"type":"strin"}', "strin"),
        ('{"pattern":"(?=a)"}', "look-around"),
        ('{"$ref":"other.json"}', "named in `references`"),
        ('{"$ref":"#"}', "never further into it"),
        ('{"not":' * 200 + "{}" + "}" * 200, "nested deeper"),
        ('"' + "x" * 300_000 + '"', "characters"),
    ],
)
def test_a_text_that_is_no_schema_is_refused(text: str, words: str) -> None:
    with pytest.raises(Unreadable) as refused:
        parse(Schema(text, "JSON"))
    assert words in str(refused.value)


def test_work_is_bounded_and_what_cannot_be_decided_is_said() -> None:
    def wide(last: Json) -> Json:
        union = [{"properties": {f"p{at}": {"$ref": "#/$defs/u"}}, "required": [f"p{at}"]} for at in range(30)]
        return {"$ref": "#/$defs/u", "$defs": {"u": {"anyOf": [*union, last]}}}

    found = json_faults(wide({"type": "string"}), wide({"type": "string", "maxLength": 3, "minLength": 1}))
    assert all("steps" in each.message for each in found)
    dynamic = {"$dynamicRef": "#x", "$dynamicAnchor": "x"}
    assert json_faults(dynamic, dynamic) == []
    assert "compared as a whole" in json_faults(dynamic, {"type": "string"})[0].message
