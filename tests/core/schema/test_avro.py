"""Avro: schemas that are none are refused with their place; what is called compatible is read by fastavro."""

import io
import json
from typing import Any as Json

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aob.core.schema import Reference, Schema, Table, Unreadable, parse, refusals
from aob.core.schema.avro import Node, read_avro
from aob.core.schema.avro_data import avro_data_faults
from aob.core.schema.avro_resolution import avro_faults
from tests.core.schema.tables import add

PLAIN = ["null", "boolean", "int", "long", "float", "double", "string"]
DEFAULTS = {"null": None, "boolean": True, "int": 1, "long": 2, "float": 0.5, "double": 1.5, "string": "x"}
FIELDS = ["a", "b", "c"]


def record(*fields: Json, name: str = "R", **more: Json) -> str:
    return json.dumps({"type": "record", "name": name, "fields": list(fields), **more})


def field(name: str, type: Json, **more: Json) -> Json:
    return {"name": name, "type": type, **more}


def wrong(new: str, old: str) -> list[str]:
    return [str(each) for each in avro_faults(read_avro(new).node, read_avro(old).node)]


# -- the property ---------------------------------------------------------------------------------------------------


@st.composite
def types(draw: Json, depth: int = 0) -> Json:
    kind = draw(st.sampled_from([*PLAIN, "array", "map", "union", "record", "enum", "fixed"] if depth < 3 else PLAIN))
    if kind in ("array", "map"):
        return {"type": kind, "items" if kind == "array" else "values": draw(types(depth + 1))}
    if kind == "union":
        return draw(st.lists(st.sampled_from(PLAIN), min_size=1, max_size=4, unique=True))
    if kind == "enum":
        symbols = draw(st.lists(st.sampled_from("XYZ"), min_size=1, max_size=3, unique=True))
        default = {"default": symbols[0]} if draw(st.booleans()) else {}
        return {"type": "enum", "name": "", "symbols": symbols, **default}
    if kind == "fixed":
        return {"type": "fixed", "name": "", "size": draw(st.integers(1, 2))}
    if kind == "record":
        names = draw(st.lists(st.sampled_from(FIELDS), max_size=3, unique=True))
        return {"type": "record", "name": "", "fields": [draw(fields(name, depth)) for name in names]}
    return kind


@st.composite
def fields(draw: Json, name: str, depth: int) -> Json:
    type = draw(types(depth + 1))
    first = type[0] if isinstance(type, list) else type
    made = field(name, type)
    if isinstance(first, str) and draw(st.booleans()):
        made["default"] = DEFAULTS[first]
    aliases = draw(st.lists(st.sampled_from([each for each in FIELDS if each != name]), max_size=1))
    return {**made, "aliases": aliases} if aliases else made


@st.composite
def changed(draw: Json, schema: Json) -> Json:
    """A schema with one change."""
    if not isinstance(schema, dict) or draw(st.integers(0, 4)) == 0:
        wider = {"int": "long", "float": "double", "long": "double"}.get(schema if isinstance(schema, str) else "")
        return draw(
            st.one_of(
                types(1),
                st.just(wider or schema),
                st.just([schema, "null"] if schema != "null" else schema)
                if isinstance(schema, str)
                else st.just(schema),
            )
        )
    if schema["type"] == "record":
        listed = [each for each in schema["fields"] if draw(st.integers(0, 5))]
        listed = [{**each, "type": draw(changed(each["type"]))} if draw(st.booleans()) else each for each in listed]
        listed = [{key: value for key, value in each.items() if key != "default"} for each in listed]
        more = [name for name in FIELDS if name not in {each["name"] for each in listed}]
        return {**schema, "fields": listed + ([draw(fields(more[0], 1))] if more and draw(st.booleans()) else [])}
    if schema["type"] == "enum":
        return {**schema, "symbols": [*schema["symbols"], "W"]}
    key = next((key for key in ("items", "values") if key in schema), None)
    return {**schema, key: draw(changed(schema[key]))} if key else schema


def named(schema: Json, path: str = "N") -> Json:
    """The schema with a name for each named type: that of its place, so that both versions have the same."""
    if isinstance(schema, list):
        return [named(each, f"{path}_{at}") for at, each in enumerate(schema)]
    if not isinstance(schema, dict):
        return schema
    made = {**schema, "name": path} if "name" in schema else dict(schema)
    for key in ("items", "values"):
        if key in made:
            made[key] = named(made[key], f"{path}_{key}")
    if "fields" in made:
        made["fields"] = [{**each, "type": named(each["type"], f"{path}_{each['name']}")} for each in made["fields"]]
    return made


def values(node: Node) -> st.SearchStrategy[Json]:
    if node.kind in PLAIN:
        plain: Json = {
            "null": st.none(),
            "boolean": st.booleans(),
            "int": st.integers(-5, 5),
            "long": st.integers(-(2**40), 2**40),
            "float": st.sampled_from([0.5, -2.0]),
            "double": st.sampled_from([0.25, 1e9]),
            "string": st.text(max_size=3),
        }
        return plain[node.kind]
    if node.kind == "union":
        return st.one_of([values(each) for each in node.inner])
    if node.kind == "array":
        return st.lists(values(node.inner[0]), max_size=3)
    if node.kind == "map":
        return st.dictionaries(st.text(max_size=2), values(node.inner[0]), max_size=2)
    if node.kind == "enum":
        return st.sampled_from(node.symbols)
    if node.kind == "fixed":
        return st.binary(min_size=node.size, max_size=node.size)
    return st.fixed_dictionaries({each.name: values(each.type) for each in node.fields})


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_is_called_compatible_is_read_by_another_reader(data: st.DataObject) -> None:
    writer = data.draw(types())
    reader = named(data.draw(changed(writer)))
    writer = named(writer)
    try:
        old, new = read_avro(json.dumps(writer)), read_avro(json.dumps(reader))
    except Unreadable:
        return
    found = avro_faults(new.node, old.node)
    for _ in range(4):
        value = data.draw(values(old.node))
        out = io.BytesIO()
        fastavro.schemaless_writer(out, writer, value)
        assert avro_data_faults(old.node, out.getvalue()) == []
        if not found:
            fastavro.schemaless_reader(io.BytesIO(out.getvalue()), writer, reader)


# -- schemas --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"type":"record","name":"R"}', "fields"),
        (record(field("a", "strin")), "'strin' is not defined"),
        (record(field("a", "int"), field("a", "int")), "stands twice"),
        (record(field("a", ["null", "null"])), "null stands twice"),
        (record(field("a", ["null", ["int"]])), "holds no union"),
        (record(field("a", "int", default="x")), "/fields/0/default"),
        (record(field("a", ["string", "null"], default=None)), "first branch"),
        (record(field("a", {"type": "array", "items": "int"}, default={})), "is no array"),
        (record(field("a", {"type": "map", "values": "int"}, default={"k": "x"})), '"x" is no int'),
        (
            record(field("a", {"type": "record", "name": "I", "fields": [field("b", "int")]}, default={})),
            "b is missing",
        ),
        (record(name="int"), "is the name of a type"),
        (record(name="a-b"), "is no name"),
        ('{"type":"enum","name":"E","symbols":["A","A"]}', "symbols/1"),
        ('{"type":"enum","name":"E","symbols":["A"],"default":"B"}', "none of the symbols"),
        ('{"type":"fixed","name":"F","size":-1}', "size"),
        ('{"type":"array"}', "items"),
        ("[" * 500 + "]" * 500, "nested"),
        ('{"type":"array","items":' * 100 + '"int"' + "}" * 100, "nested deeper"),
        ("{", "not JSON"),
        ("7", "a type is"),
    ],
)
def test_a_text_that_is_no_schema_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(Unreadable) as refused:
        parse(Schema(text))
    assert words in str(refused.value)


def test_the_same_schema_in_another_form_is_the_same() -> None:
    one = parse(Schema('{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":{"type":"int"}}]}'))
    other = parse(Schema(' {"fields": [{"type":"int", "name":"a"}], "name":"n.R", "type":"record"}'))
    assert one.digest == other.digest
    assert parse(Schema('"int"')).digest == parse(Schema('{"type": "int"}')).digest == parse(Schema("int")).digest
    assert one.digest != parse(Schema(record(field("a", "int"), name="n.R", doc="words"))).digest


def test_each_refusal_says_where_and_why() -> None:
    old = record(field("a", "long"), field("e", {"type": "enum", "name": "E", "symbols": ["A", "B"]}))
    new = record(field("a", "int"), field("e", {"type": "enum", "name": "E", "symbols": ["A"]}), field("n", "int"))
    assert wrong(new, old) == [
        "/fields/0/type: what was written as long cannot be read as int",
        "/fields/1/type/symbols: B may have been written, and there is no default",
        "/fields/2: n was not written, and has no default",
    ]


# -- what other registries were reported for -------------------------------------------------------------------------


def test_a_recursive_record_is_compared_to_its_end() -> None:
    tree = record(field("v", "int"), field("next", ["null", "T"], default=None), name="T")
    more = record(field("v", "long"), field("next", ["null", "T"], default=None), name="T")
    assert wrong(more, tree) == []
    assert wrong(tree, more) == ["/fields/0/type: what was written as long cannot be read as int"]


def test_a_field_that_becomes_nullable_with_null_as_default_is_compatible_both_ways_but_for_null_itself() -> None:
    plain, nullable = record(field("a", "string")), record(field("a", ["null", "string"], default=None))
    assert wrong(nullable, plain) == []
    assert wrong(plain, nullable) == [
        "/fields/0/type: branch 0 of what was written: what was written as null cannot be read as string"
    ]


def test_the_order_of_symbols_and_of_fields_does_not_matter_to_a_reader() -> None:
    one = record(field("a", "int"), field("e", {"type": "enum", "name": "E", "symbols": ["A", "B"]}))
    other = record(field("e", {"type": "enum", "name": "E", "symbols": ["B", "A"]}), field("a", "int"))
    assert wrong(one, other) == wrong(other, one) == []
    assert parse(Schema(one)).digest != parse(Schema(other)).digest


def test_decimals_match_by_precision_and_scale_and_an_invalid_logical_type_is_none() -> None:
    def made(**said: int) -> str:
        return record(field("d", {"type": "bytes", "logicalType": "decimal", **said}))

    assert wrong(made(precision=10, scale=2), made(precision=10, scale=2)) == []
    assert "decimal" in wrong(made(precision=10, scale=3), made(precision=10, scale=2))[0]
    assert wrong(made(precision=1, scale=5), made(precision=10, scale=2)) == []
    assert (
        wrong(record(field("d", "long")), record(field("d", {"type": "long", "logicalType": "timestamp-millis"}))) == []
    )


def test_a_renamed_field_or_record_is_found_by_its_alias() -> None:
    old = record(field("amount", "int"), name="Old")
    assert wrong(record(field("total", "int", aliases=["amount"]), name="New", aliases=["Old"]), old) == []
    assert wrong(record(field("total", "int"), name="Old"), old) == [
        "/fields/0: total was not written, and has no default"
    ]


def test_branches_of_one_last_name_are_read_by_the_first_or_by_the_full_name() -> None:
    one, other = json.loads(record(field("x", "int"), name="a.R")), json.loads(record(field("y", "int"), name="b.R"))
    assert wrong(json.dumps([one, other]), json.dumps([one])) == []
    assert "/0/fields/0" in wrong(json.dumps([one, other]), json.dumps([other]))[0]
    bare, changed_one = {**other, "fields": []}, {**one, "fields": [field("z", "int")]}
    assert "/1/fields/0" in wrong(json.dumps([bare, changed_one]), json.dumps([one]))[0]


def test_transitive_levels_look_at_every_version_and_others_at_the_newest() -> None:
    one = parse(Schema(record(field("a", "int"))))
    two = parse(Schema(record(field("a", "int"), field("b", "int", default=0))))
    three = parse(Schema(record(field("b", "int"))))
    assert refusals("BACKWARD", three, [(2, two), (1, one)]) == []
    assert [each.version for each in refusals("BACKWARD_TRANSITIVE", three, [(2, two), (1, one)])] == [1]
    assert [each.version for each in refusals("FORWARD", three, [(2, two), (1, one)])] == [2]
    assert refusals("NONE", parse(Schema('"int"')), [(1, one)]) == []
    assert "version 1 cannot read" in str(refusals("FULL", parse(Schema('"long"')), [(1, parse(Schema('"int"')))])[0])


def test_references_bring_names_in_and_what_is_not_there_is_named() -> None:
    table = Table()
    add(table, "customer", 1, 1, Schema(record(field("id", "string"), name="shop.Customer")))
    order = Schema(
        record(field("by", "shop.Customer"), name="Order"), "AVRO", (Reference("shop.Customer", "customer", 1),)
    )
    parsed = parse(order, table.sources(order))
    add(table, "orders-value", 1, 2, order)
    assert table.id_of(parsed.digest) == 2
    assert table.users("customer", 1) == [2]
    gone = Schema("{}", "AVRO", (Reference("x", "nothing", 3),))
    with pytest.raises(Unreadable, match="no version 3 of the subject 'nothing'"):
        table.sources(gone)


# -- data -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "data", "words"),
    [
        ('"long"', b"\x80", "bytes end"),
        ('"int"', b"\xfe\xff\xff\xff\xff\x01", "no int"),
        ('"string"', b"\x04\xff\xff", "UTF-8"),
        ('"string"', b"\x08ab", "end too early"),
        ('"int"', b"\x02\x02", "left over"),
        ('["null","int"]', b"\x04", "no number 2 of 2"),
        ('"boolean"', b"\x02", "0 or 1"),
        ('{"type":"array","items":"null"}', b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f", "take no bytes"),
        ('{"type":"record","name":"T","fields":[{"name":"n","type":["null","T"]}]}', b"\x02" * 500, "nested deeper"),
    ],
)
def test_bytes_that_are_no_data_are_refused_within_bounds(schema: str, data: bytes, words: str) -> None:
    found = avro_data_faults(read_avro(schema).node, data)
    assert len(found) == 1
    assert words in found[0].message


def test_many_and_large_versions_are_compared_within_bounds() -> None:
    large = [parse(Schema(record(*(field(f"f{n}", "int", doc=str(at)) for n in range(1_500))))) for at in range(3)]
    new = parse(Schema(record(*(field(f"f{n}", "long") for n in range(1_500)))))
    found = refusals("BACKWARD_TRANSITIVE", new, ((at, large[at % 3]) for at in range(1_000, 0, -1)))
    assert [each.fault.message[:20] for each in found] == ["to compare them woul"]
    assert found[0].version > 900, "the newest first"
