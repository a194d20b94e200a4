"""Laws of the gate on random schemas and events: the fast way and the JSON Schema say the same; a row reads back equal;
fast expressions agree with the CEL library."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from aob.core.contract_model import ContractSet, EventContract
from aob.core.expression import EvalError, ExpressionError
from aob.core.ingest import Gate, paths, reader
from aob.core.ingest.reading import compiled, view_of
from tests.core.cel_reference import reference
from tests.core.ingest.sample import CONTRACTS, DATA, NOW_MS, ORDER, line

names = st.sampled_from(["a", "b", "class", "x y", "é"])
bounds = st.integers(-3, 3)
scalars = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("string")},
        optional={
            "minLength": st.integers(0, 2),
            "maxLength": st.integers(1, 3),
            "pattern": st.just("^[ab]"),
            "format": st.sampled_from(["date", "email"]),
        },
    ),
    st.fixed_dictionaries(
        {"type": st.just("integer")},
        optional={"minimum": bounds, "exclusiveMaximum": bounds, "multipleOf": st.integers(1, 3)},
    ),
    st.fixed_dictionaries(
        {"type": st.just("number")},
        optional={"maximum": bounds, "exclusiveMinimum": bounds, "multipleOf": st.sampled_from([0.5, 2])},
    ),
    st.sampled_from(
        [
            {"type": "boolean"},
            {"type": "null"},
            {},
            True,
            {"type": ["string", "null"]},
            {"type": ["integer", "number"]},
            {"type": ["integer", "string"]},
            {"enum": ["a", "b"]},
            {"enum": ["a", 1, None]},
            {"const": "a"},
            {"const": 2},
            {"type": "string", "enum": ["a"]},
            {"type": "integer", "enum": [1, 2]},
            {"anyOf": [{"type": "string"}, {"minimum": 1}]},
            {"not": {"type": "string"}},
            {"type": "string", "title": "t", "description": "d", "default": "x"},
        ]
    ),
)


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(names, inner, max_size=4)},
        optional={
            "required": st.lists(names, max_size=3, unique=True),
            "additionalProperties": st.one_of(st.booleans(), scalars),
            "minProperties": st.just(1),
        },
    )


schemas = st.recursive(
    scalars,
    lambda inner: st.one_of(
        objects(inner),
        st.fixed_dictionaries(
            {"type": st.just("array")}, optional={"items": inner, "maxItems": st.just(2), "uniqueItems": st.just(True)}
        ),
    ),
    max_leaves=6,
)
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-4, 4),
        st.sampled_from([2.0, 0.5, -1.5, 1e20, 2**53 + 1, 10**30, 2**63]),
        st.sampled_from(["", "a", "ab", "abc", "äöü€", "2024-01-01", "a@b.de", "\U0001f600"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=4)),
    max_leaves=8,
)


def fitting(schema: Any) -> st.SearchStrategy[Any]:
    """Values that are near a schema, so that many fit."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return values
    properties = schema.get("properties", {})
    return st.one_of(
        values, st.fixed_dictionaries({}, optional={name: fitting(each) for name, each in properties.items()})
    )


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_the_gate_accepts_exactly_what_the_json_schema_accepts(data: st.DataObject) -> None:
    schema = data.draw(
        st.one_of(objects(schemas), objects(schemas), schemas.filter(lambda each: isinstance(each, dict)))
    )
    value = data.draw(fitting(schema))
    options = jsonschema_rs.RegexOptions()
    fits = jsonschema_rs.validator_for(schema, validate_formats=True, pattern_options=options).is_valid(value)
    gate = Gate(ContractSet(events={"x": {1: EventContract("x", 1, schema)}}))
    gated = gate.read(line("e", type="x").replace(json.dumps(DATA).encode(), json.dumps(value).encode()), NOW_MS)
    held = [reason for _, refused in gated.refused for reason in refused.reasons if reason.stage == "decode"]
    if held and fits:
        assert "64 bits" in held[0].message or "out of range" in held[0].message
        assert any(type(leaf) in (int, float) and not -(2**63) <= leaf < 2**63 for leaf in _leaves(value))
        return
    assert bool(gated.events) == fits, gated.refused
    for event in gated.events:
        (again,) = gate.reread(gated.text, gate.notes([event]), 0)
        event.offset = 0
        assert again == event


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in _leaves(each)]
    return [leaf for each in value for leaf in _leaves(each)] if isinstance(value, list) else [value]


chunks = st.lists(
    st.one_of(
        st.builds(
            lambda id, items: line(id, {**DATA, "items": items}),
            st.sampled_from("abcdef"),
            st.sampled_from([1, 2.0, 0, "x"]),
        ),
        st.binary(max_size=20).map(lambda raw: raw.replace(b"\n", b"")),
        st.sampled_from([b"", b" ", b"{}", b"null", line().replace(b"EUR", b"\xc3\xa4"), line(time=NOW_MS)]),
    ),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(chunks)
def test_every_line_is_either_an_event_or_refused_wherever_it_stands(sent: list[bytes]) -> None:
    gate = Gate(CONTRACTS)
    gated = gate.read(b"\n".join(sent), NOW_MS)
    assert gated.received == len(gated.events) + len(gated.refused)
    alone = [gate.read(each, NOW_MS) for each in b"\n".join(sent).replace(b"\r\n", b"\n").split(b"\n")]
    assert gated.received == sum(each.received for each in alone)
    assert [event.id for event in gated.events] == [event.id for each in alone for event in each.events]
    assert [refused.line for _, refused in gated.refused] == [each.refused[0][1].line for each in alone if each.refused]
    if gated.places is not None:
        assert sorted([*gated.places, *(place for place, _ in gated.refused)]) == list(range(gated.received))
    again = gate.reread(gated.text, gate.notes(gated.events), 5)
    for offset, event in enumerate(gated.events, 5):
        event.offset = offset
    assert again == gated.events


leaves = st.sampled_from(
    [
        "data.amount",
        "data.items",
        "data.currency",
        "data.coupon",
        "data.to.city",
        "data.note",
        "data.tags",
        "subject",
        "1",
        "0",
        "-2",
        "2.5",
        "0.0",
        "1.0",
        "'EUR'",
        "'C'",
        "true",
        "false",
        "null",
        "id",
        "data.to.zip",
        "size(data.currency)",
        "has(data.coupon)",
        "has(data.to)",
        "has(data.to.zip)",
        "9007199254740993",
        "9223372036854775807",
        "enriched.order_size",
        "['EUR', 'X']",
    ]
)
texts = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(
            "({} {} {})".format,
            inner,
            st.sampled_from(["+", "-", "*", "/", "%", "<", "<=", ">", ">=", "==", "!=", "&&", "||", "in"]),
            inner,
        ),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
        st.builds("(has(data.coupon) && {})".format, inner),
        st.builds("(!has(data.coupon) || {})".format, inner),
        st.builds("(!{})".format, inner),
        st.builds("(-{})".format, inner),
        st.builds("double({})".format, inner),
        st.builds("{}.startsWith({})".format, inner, inner),
        st.builds("{}.contains({})".format, inner, inner),
        st.builds("size({})".format, inner),
        st.builds("string({})".format, inner),
        st.builds("int({})".format, inner),
    ),
    max_leaves=6,
)
datas = st.fixed_dictionaries(
    {
        "order_id": st.just("o"),
        "amount": st.sampled_from([0, 1, 2.5, 1e15, 0.1, 9007199254740993]),
        "items": st.integers(1, 1000),
        "currency": st.sampled_from(["EUR", "USD"]),
    },
    optional={
        "coupon": st.sampled_from(["", "C", "C1"]),
        "note": st.sampled_from([None, "n"]),
        "tags": st.just(["a"]),
        "to": st.sampled_from([{"city": "c"}, {"city": "c", "zip": "z"}]),
    },
)
FREE = EventContract("order.created", 1, ORDER.schema, subject="data.order_id", enrich=("order_size",))
FREE_GATE = Gate(ContractSet(events={"order.created": {1: FREE}}))


def _same(a: object, b: object) -> bool:
    return type(a) is type(b) and (a == b or (a != a and b != b))


@settings(max_examples=600, deadline=None)
@given(texts, datas)
def test_fast_expressions_agree_with_the_library(text: str, data: dict[str, Any]) -> None:
    try:
        expression = compiled(text)
        read = reader(text, FREE)
    except ExpressionError:
        return
    (event,) = FREE_GATE.read(line("e", data), NOW_MS).events
    try:
        want: Any = reference(expression, view_of(event))
    except EvalError:
        with pytest.raises(EvalError):
            read(event)
        assert paths([text], FREE)(event) == (UNSET,)
        return
    got = read(event)
    assert _same(got, want), (got, want)
    (told,) = paths([text], FREE)(event)
    assert _same(told, want)


def test_paths_that_are_missing_are_unset() -> None:
    (event,) = FREE_GATE.read(line(), NOW_MS).events
    assert paths(["data.amount", "data.coupon", "data.to.city"], FREE)(event) == (24.5, UNSET, UNSET)
    assert paths(["data.amount", "data.currency"], FREE)(event) == (24.5, "EUR")
    assert paths([], FREE)(event) == ()
    with pytest.raises(EvalError, match=re.escape("data.coupon")):
        reader("data.coupon", FREE)(event)


@pytest.mark.parametrize("text", ["time > timestamp('2023-11-14T22:13:20Z')", "time.getHours() == 22",
                                  "time - duration('1s') < time", "id + source == 'e-1/shop'"])  # fmt: skip
def test_times_and_attributes_are_read(text: str) -> None:
    (event,) = FREE_GATE.read(line(), NOW_MS).events
    assert reader(text, FREE)(event) is True
