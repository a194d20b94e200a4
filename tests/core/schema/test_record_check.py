"""The check before a record is appended, and the frame of Confluent's clients."""

import struct
from typing import Any as Json

import pytest
from confluent_kafka.schema_registry.serde import SchemaId
from hypothesis import given
from hypothesis import strategies as st

from aob.core.schema import Schema, Table, check_record
from aob.core.schema.wire import frame, framed, indexes_in, indexes_of
from tests.core.schema.tables import add

ORDER = Schema('{"type":"object","properties":{"id":{"type":"string"}},"required":["id"]}', "JSON")
AVRO = Schema('{"type":"record","name":"R","fields":[{"name":"id","type":"string"}]}')
PROTO = Schema('syntax = "proto3"; message A { message B { string id = 1; } int32 n = 1; }', "PROTOBUF")


@pytest.fixture
def table() -> Table:
    made = Table()
    add(made, "orders-value", 1, 1, ORDER)
    add(made, "orders-created", 1, 2, Schema('{"required":["at"]}', "JSON"))
    add(made, "avro-value", 1, 3, AVRO)
    add(made, "proto-value", 1, 4, PROTO)
    add(made, "orders-key", 1, 5, Schema('{"type":"string"}', "JSON"))
    add(made, "invoice.sent", 1, 6, Schema('{"required":["sum"]}', "JSON"), contract=True)
    return made


def test_a_topic_without_a_subject_takes_everything(table: Table) -> None:
    assert (
        check_record(table, "notes", "", b"\xff")
        == check_record(Table(), "orders", "", b"{")
        == check_record(table, "notes", "note", b"")
    )
    assert check_record(table, "notes", "", b"").reasons == ()


@pytest.mark.parametrize(
    ("topic", "type", "data", "id", "words"),
    [
        ("orders", "", b'{"id":"1"}', 1, ""),
        ("orders", "", b'{"id":1}', 1, '/id: 1 is not of type "string"'),
        ("orders", "", b"{", 1, "not JSON"),
        ("orders", "", frame(1, b'{"id":"1"}'), 1, ""),
        ("orders", "", frame(2, b"{}"), 2, "the schema 2 is no version of orders-value"),
        ("orders", "created", b"{}", 2, '"at" is a required property'),
        ("orders", "other", b'{"id":"1"}', 1, ""),
        ("orders", "invoice.sent", b"{}", 6, '"sum" is a required property'),
        ("avro", "", frame(3, b"\x04ab"), 3, ""),
        ("avro", "", frame(3, b"\x06ab"), 3, "/id: the bytes end too early"),
        ("avro", "", b'{"id":"1"}', 3, ""),
        ("avro", "", b'{"id":1}', 3, "1 is no string"),
        ("avro", "", b"\xff", 3, "not JSON"),
        ("proto", "", b'{"n": 7}', 4, ""),
        ("proto", "", b'{"n": "many"}', 4, "n"),
        ("proto", "", b"[]", 4, "an object"),
        ("proto", "", frame(4, b"\x08\x01", (0,)), 4, ""),
        ("proto", "", frame(4, b"\x0a\x01a", (0, 0)), 4, ""),
        ("proto", "", frame(4, b"\x0a\x09a", (0, 0)), 4, "cannot be decoded"),
        ("proto", "", frame(4, b"", (7,)), 4, "the way to the message is wrong"),
        ("proto", "", frame(4, b"\x03"), 4, "the way to the message is wrong"),
    ],
)
def test_what_is_not_as_its_topic_says_is_told_with_its_reason(
    table: Table, topic: str, type: str, data: bytes, id: int, words: str
) -> None:
    found = check_record(table, topic, type, data)
    assert found.id == id
    assert len(found.reasons) == bool(words)
    assert words in "".join(found.reasons)


def test_the_id_of_an_envelope_counts_and_keys_have_a_subject_of_their_own(table: Table) -> None:
    assert check_record(table, "avro", "", b"\x04ab", schema_id=3).reasons == ()
    assert check_record(table, "avro", "", b"\x04ab", schema_id=1).reasons == (
        "the schema 1 is no version of avro-value",
    )
    assert check_record(table, "orders", "", b"7", key=True).subject == "orders-key"
    assert check_record(table, "orders", "", b'"k"', key=True).reasons == ()


def test_older_versions_judge_what_was_written_by_them_and_deleted_ones_do_not(table: Table) -> None:
    add(table, "orders-value", 2, 7, Schema('{"required":["id","at"]}', "JSON"))
    assert check_record(table, "orders", "", frame(1, b'{"id":"1"}')).reasons == ()
    assert len(check_record(table, "orders", "", b'{"id":"1"}').reasons) == 1
    table.remove("orders-value", 1, permanent=False)
    assert "no version" in check_record(table, "orders", "", frame(1, b'{"id":"1"}')).reasons[0]


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 10_000), min_size=1, max_size=5), st.binary(max_size=4))
def test_the_frame_is_that_of_confluents_clients(id: int, indexes: list[int], data: bytes) -> None:
    made = frame(id, data, tuple(indexes))
    theirs = SchemaId("PROTOBUF", id, None, indexes)
    assert made == theirs.id_to_bytes() + data
    found = framed(made)
    assert found is not None
    assert found.id == id
    assert indexes_in(found.data) == (tuple(indexes), data)


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x01", b"\xff" * 12, b"\x02", struct.pack("b", 3)])
def test_indexes_that_are_none_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="index"):
        indexes_in(data)


def test_the_first_message_is_one_zero() -> None:
    assert indexes_of((0,)) == b"\0"
    assert framed(b"\0\0\0\0") is None
    assert framed(b"\1\0\0\0\0") is None
    named: Json = framed(frame(7, b"x"))
    assert (named.id, named.data) == (7, b"x")
