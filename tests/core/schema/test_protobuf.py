"""Protobuf: texts are read as protoc reads them; what is called compatible means the same to another reader."""

import base64
import importlib.resources
from pathlib import Path
from typing import Any as Json

import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aob.core.schema import Reference, Schema, Table, Unreadable, parse
from aob.core.schema.protobuf import proto_faults, read_proto, serialized
from tests.core.schema.tables import add

ORDER = """
syntax = "proto3";  // a comment
package shop.v1;
import "google/protobuf/timestamp.proto";
option java_package = "shop";
/* another
   comment */
message Order {
  string id = 1;
  optional int32 count = 0x2 [deprecated = true];
  map<string, Item> items = 3;
  oneof pay { string card = 4; Cash cash = 5; }
  google.protobuf.Timestamp at = 6;
  repeated int32 many = 7 [packed = false, json_name = "lots"];
  message Cash { int64 cents = 1; }
  enum State { option allow_alias = true; NONE = 0; OPEN = 1; BEGUN = 1 [deprecated = true]; reserved 5 to max; }
  State state = 8;
  reserved 20 to 30, 40;
  reserved "old", "older";
}
message Item { .shop.v1.Order parent = 1; double price = 2; }
service Shop { rpc Buy (Order) returns (Item) { option deprecated = true; } }
"""
OLD = """
package p;
message M {
  required string id = 1;
  optional int32 n = 2 [default = -7];
  repeated bytes many = 3;
  extensions 100 to 199;
}
enum E { A = 1; B = -2; }
"""


@pytest.mark.parametrize("text", [ORDER, OLD])
def test_a_text_is_read_as_protoc_reads_it(text: str, tmp_path: Path) -> None:
    from grpc_tools import protoc

    (tmp_path / "x.proto").write_text(text)
    known = importlib.resources.files("grpc_tools") / "_proto"
    out = tmp_path / "x.set"
    assert protoc.main(["", f"-I{tmp_path}", f"-I{known}", f"--descriptor_set_out={out}", "x.proto"]) == 0
    made = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file[0]
    for message in made.message_type:
        message.ClearField("extension_range")
    theirs = base64.b64encode(made.SerializeToString()).decode()
    assert read_proto(text).normal == read_proto(theirs).normal == read_proto(serialized(text)).normal
    assert parse(Schema(text, "PROTOBUF")).digest == parse(Schema(theirs, "PROTOBUF")).digest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('syntax = "proto3"; message M { string a = 1 }', "line 1: ';' is missing"),
        ('syntax = "proto3";\nmessage M { Strin a = 1; }', "Strin"),
        ('syntax = "proto3"; message M { string a = 1; string b = 1; }', "1"),
        ('syntax = "proto3"; message M { string a = 0; }', "0 is no number"),
        ('syntax = "proto3"; import "other.proto"; message M {}', "other.proto"),
        ('syntax = "proto4"; message M {}', "neither proto2 nor proto3"),
        ("message M { string a = 1; }", "needs optional, required or repeated"),
        ("message M { optional group G = 1 { } }", "groups are not read"),
        ('syntax = "proto3";' + "message M { " * 40 + "}" * 40, "nested deeper"),
        ('syntax = "proto3"; message M { ~ }', "line 1: '~ }' is not understood"),
        ("AAAA", "no base64 of a FileDescriptorProto"),
        ('syntax = "proto3"; message M {', "ends too early"),
    ],
)
def test_a_text_that_is_no_schema_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(Unreadable) as refused:
        parse(Schema(text, "PROTOBUF"))
    assert words in str(refused.value)


def test_a_file_that_every_compiler_has_can_be_registered_itself() -> None:
    from google.protobuf.timestamp_pb2 import DESCRIPTOR

    text = base64.b64encode(DESCRIPTOR.serialized_pb).decode()
    assert set(read_proto(text).file.message_types_by_name) == {"Timestamp"}


def test_what_it_imports_is_another_subject() -> None:
    table = Table()
    add(table, "item", 1, 1, Schema('syntax = "proto3"; package a; message Item { string id = 1; }', "PROTOBUF"))
    text = 'syntax = "proto3"; import "item.proto"; message Order { a.Item item = 1; }'
    schema = Schema(text, "PROTOBUF", (Reference("item.proto", "item", 1),))
    assert parse(schema, table.sources(schema)).normal


# -- compatibility --------------------------------------------------------------------------------------------------


def wrong(new: str, old: str, head: str = 'syntax = "proto3";') -> list[str]:
    return [str(each) for each in proto_faults(read_proto(head + new), read_proto(head + old))]


@pytest.mark.parametrize(
    ("new", "old", "words"),
    [
        ("message M { int32 a = 1; }", "message M { int64 a = 1; }", "M.a: was int64"),
        ("message M { int64 a = 1; }", "message M { int32 a = 1; }", ""),
        ("message M { sint32 a = 1; }", "message M { int32 a = 1; }", "M.a: was int32"),
        ("message M { bytes a = 1; }", "message M { string a = 1; }", ""),
        ("message M { string a = 1; }", "message M { bytes a = 1; }", "M.a: was bytes"),
        ("message M { repeated int32 a = 1; }", "message M { int32 a = 1; }", "M.a: was single"),
        ("message M { string other = 1; }", "message M { string a = 1; }", ""),
        ("message M { }", "message M { string a = 1; }", ""),
        ("message M { string a = 1; string b = 2; }", "message M { string a = 1; }", ""),
        ("message N { }", "message M { }", "M: the message is gone"),
        ("message M { }", "message M { message N { } }", "M.N: the message is gone"),
        ("package a; message M { }", "message M { }", "the package was (none)"),
        ("message M { oneof x { int32 a = 1; int32 b = 2; } }", "message M { int32 a = 1; int32 b = 2; }", "M.x: a, b"),
        ("message M { oneof x { int32 a = 1; int32 b = 2; } }", "message M { int32 a = 1; }", ""),
        ("message M { int32 a = 1; int32 b = 2; }", "message M { oneof x { int32 a = 1; int32 b = 2; } }", ""),
        ("message M { map<string, int32> a = 1; }", "message M { map<string, int64> a = 1; }", "value: was int64"),
        ("message M { E a = 1; } enum E { A = 0; }", "message M { E a = 1; } enum E { A = 0; B = 1; }", ""),
        ("message M { M a = 1; int64 b = 2; }", "message M { M a = 1; int32 b = 2; }", ""),
        (
            "message M { N a = 1; } message N { int32 b = 1; }",
            "message M { N a = 1; } message N { string b = 1; }",
            "b: was",
        ),
    ],
)
def test_each_refusal_says_where_and_why(new: str, old: str, words: str) -> None:
    found = wrong(new, old)
    assert (not found) if not words else any(words in each for each in found), found


def test_a_required_field_and_a_closed_enum_of_proto2() -> None:
    enum = "message M { optional E a = 1; } enum E { A = 0; %s }"
    assert "B may have been written" in wrong(enum % "", enum % "B = 1;", "")[0]
    assert wrong(enum % "B = 1;", enum % "", "") == []
    assert "is required" in wrong("message M { required int32 a = 1; }", "message M { optional int32 a = 1; }", "")[0]
    assert "is required" in wrong("message M { required int32 a = 1; }", "message M { }", "")[0]
    assert wrong("message M { optional int32 a = 1; }", "message M { required int32 a = 1; }", "") == []


SCALARS = [
    "int32",
    "int64",
    "uint32",
    "uint64",
    "sint32",
    "sint64",
    "bool",
    "string",
    "bytes",
    "double",
    "fixed32",
    "E",
]
RANGES = {
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
    "sint32": (-(2**31), 2**31 - 1),
    "sint64": (-(2**63), 2**63 - 1),
    "fixed32": (0, 2**32 - 1),
    "E": (0, 1),
}


@st.composite
def messages(draw: Json) -> list[tuple[int, str, str]]:
    numbers = draw(st.lists(st.integers(1, 4), max_size=3, unique=True))
    return [
        (each, draw(st.sampled_from(SCALARS)), draw(st.sampled_from(["", "repeated ", "oneof"]))) for each in numbers
    ]


def text_of(fields: list[tuple[int, str, str]]) -> str:
    plain = "".join(f"{label}{kind} f{n} = {n};" for n, kind, label in fields if label != "oneof")
    held = "".join(f"{kind} f{n} = {n};" for n, kind, label in fields if label == "oneof")
    oneof = f"oneof x {{ {held} }}" if held else ""
    return f'syntax = "proto3"; message M {{ {plain} {oneof} }} enum E {{ A = 0; B = 1; }}'


def value_of(draw: Json, kind: str) -> Json:
    if kind in RANGES:
        low, high = RANGES[kind]
        return draw(st.one_of(st.integers(low, high), st.sampled_from([low, high])))
    return draw(
        {
            "bool": st.booleans(),
            "string": st.text(max_size=3),
            "bytes": st.binary(max_size=3),
            "double": st.floats(allow_nan=False),
        }[kind]
    )


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_is_called_compatible_means_the_same_to_another_reader(data: st.DataObject) -> None:
    old = data.draw(messages())
    new = [
        (n, data.draw(st.sampled_from(SCALARS)) if data.draw(st.integers(0, 2)) == 0 else kind, label)
        for n, kind, label in old
        if data.draw(st.integers(0, 4))
    ]
    reader, writer = read_proto(text_of(new)), read_proto(text_of(old))
    if proto_faults(reader, writer):
        return
    written = GetMessageClass(writer.file.message_types_by_name["M"])()
    for n, kind, label in old:
        if label == "repeated ":
            getattr(written, f"f{n}").extend([value_of(data.draw, kind) for _ in range(2)])
        else:
            setattr(written, f"f{n}", value_of(data.draw, kind))
    read = GetMessageClass(reader.file.message_types_by_name["M"]).FromString(written.SerializeToString())
    for n, kind, label in new:
        before, after = getattr(written, f"f{n}"), getattr(read, f"f{n}")
        if kind == "bytes" and isinstance(before, str):
            before = before.encode()
        same = list(before) == list(after) if label == "repeated " and kind != "bytes" else before == after
        assert same or (label == "repeated " and [_bytes(each) for each in before] == list(after)), (old, new)


def _bytes(value: Json) -> Json:
    return value.encode() if isinstance(value, str) else value
