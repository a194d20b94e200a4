"""Make spec/aob.proto, the gRPC form of the verbs, from the table of routes: `python -m tools.make_proto`.

A method is an operation of HTTP under the same name; its request has the fields of path, query and body, its answer the
fields of the JSON answer. Numbers of fields that the file has already are kept; those of removed fields are reserved.
Then `python -m tools.make_rpc` makes the module of its messages."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from msgspec import inspect

from aob.server.grpc_verbs import method_of
from aob.server.http.route import EVENT_STREAM, AnyRoute
from aob.server.routes import make_table

FILE: Final = Path(__file__).resolve().parents[1] / "spec" / "aob.proto"
HEAD: Final = """// The verbs of AOB over gRPC. Made from the table of verbs by tools/make_proto.py; do not edit.
//
// A call is the request of HTTP under the same operation id (see GET /openapi.json): same rights, limits and errors.
// Metadata: `x-api-key` or `authorization`; and as in HTTP `idempotency-key`, `last-event-id`, `prefer`,
// `traceparent`.
// An error has the gRPC status that its HTTP status means, and its problem document (RFC 9457, JSON) in the trailing
// metadata `aob-problem-bin`. The trailing metadata `aob-status` is the HTTP status of every answer.
// A field that is not set is left out of the request: the server's default counts. In an answer `more` has the members
// that this file does not know.
syntax = "proto3";

package aob.v1;

// Any JSON value, as its text: numbers keep their digits.
message Json {
  string text = 1;
}

// Nothing.
message Empty {}

// Bytes as they are.
message Bytes {
  bytes data = 1;
  string media = 2;
}

// One item of a stream. `id` resumes behind it, as the metadata `last-event-id`; `data` is JSON.
message Item {
  string id = 1;
  string event = 2;
  string data = 3;
}
"""
MORE: Final = "more"
SCALARS: Final[dict[type, str]] = {
    inspect.StrType: "string", inspect.IntType: "int64", inspect.FloatType: "double", inspect.BoolType: "bool",
    inspect.BytesType: "bytes",
}  # fmt: skip
MANY: Final = (inspect.ListType, inspect.VarTupleType, inspect.SetType, inspect.FrozenSetType, inspect.CollectionType)
_MESSAGE: Final = re.compile(r"^message (\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD: Final = re.compile(r"(\w+) = (\d+);")
_GONE: Final = re.compile(r"reserved ([\d, ]+);")


class Proto:
    """The messages made so far, by name, in order; `known` are the numbers of the file as it stands."""

    def __init__(self, text: str) -> None:
        self.known = {name: {field: int(number) for field, number in _FIELD.findall(body)}
                      for name, body in _MESSAGE.findall(text)}  # fmt: skip
        self.gone = {name: {int(number) for told in _GONE.findall(body) for number in told.split(",")}
                     for name, body in _MESSAGE.findall(text)}  # fmt: skip
        self.messages: dict[str, str] = {}

    def add(self, name: str, fields: list[tuple[str, str]], doc: str = "") -> str:
        """A message of these fields, each (name, type)."""
        known, gone = self.known.get(name, {}), self.gone.get(name, set())
        gone = gone | {number for field, number in known.items() if field not in dict(fields)}
        next_number = max((*known.values(), *gone), default=0) + 1
        lines = [f"// {doc.strip().splitlines()[0]}"] if doc.strip() else []
        lines.append(f"message {name} {{")
        if gone:
            lines.append(f"  reserved {', '.join(map(str, sorted(gone)))};")
        for field, type in fields:
            number = known.get(field, 0)
            if not number:
                number, next_number = next_number, next_number + 1
            lines.append(f"  {type} {field} = {number};")
        self.messages[name] = "\n".join([*lines, "}"])
        return name

    def type_of(self, info: inspect.Type) -> tuple[str, str]:
        """How a field of this type is declared: its label (`optional`, `repeated`, `map`) and its type."""
        match info:
            case inspect.Metadata():
                return self.type_of(info.type)
            case inspect.UnionType(types=types) if (
                len(rest := [t for t in types if not isinstance(t, inspect.NoneType)]) == 1
            ):
                return self.type_of(rest[0])
            case inspect.LiteralType(values=values) if all(isinstance(value, str) for value in values):
                return "optional", "string"
            case inspect.DictType(value_type=value):
                return "map", self._of_many(value)
            case inspect.StructType() | inspect.TypedDictType():
                return "", self.message(info)
        if isinstance(info, MANY):
            return "repeated", self._of_many(info.item_type)
        scalar = SCALARS.get(type(info))
        return ("optional", scalar) if scalar else ("", "Json")

    def _of_many(self, info: inspect.Type) -> str:
        label, type = self.type_of(info)
        return type if label in ("", "optional") and not _or_none(info) else "Json"

    def message(self, info: inspect.StructType | inspect.TypedDictType) -> str:
        """The message of a struct or a typed dictionary."""
        name = info.cls.__name__.strip("_")
        if name not in self.messages:
            self.messages[name] = ""  # it may refer to itself
            self.add(name, [*self.fields(info), (MORE, "map<string, Json>")], info.cls.__doc__ or "")
        return name

    def fields(self, info: inspect.StructType | inspect.TypedDictType) -> Iterator[tuple[str, str]]:
        """The fields of a struct or a typed dictionary, each with its declaration."""
        for field in info.fields:
            label, type = self.type_of(field.type)
            yield field.encode_name, f"map<string, {type}>" if label == "map" else f"{label} {type}".strip()


def _or_none(info: inspect.Type) -> bool:
    return isinstance(info, inspect.UnionType) and any(isinstance(each, inspect.NoneType) for each in info.types)


def operations() -> list[AnyRoute]:
    """The routes that are verbs; of two that are one verb under two paths the first."""
    return [
        route for route in make_table("0", (b"",), lambda: 0).routes if route.verb and not route.name.endswith("_alias")
    ]


def request_of(proto: Proto, route: AnyRoute) -> str:
    """The request message of an operation."""
    fields = [(name, "string") for name in route.params]
    fields += proto.fields(_struct(route.query))
    if route.takes_body:
        shape = inspect.type_info(route.body.shape)
        if isinstance(shape, inspect.StructType):
            fields += proto.fields(shape)
        else:
            fields += [("body", "bytes"), ("media", "optional string")]
    return proto.add(f"{method_of(route.name)}Request", fields)


def answer_of(proto: Proto, route: AnyRoute) -> str:
    """The answer message of an operation, `stream Item` for a stream."""
    gives = route.gives[0]
    if any(each.media == EVENT_STREAM for each in route.gives):
        return "stream Item"
    info = inspect.type_info(gives.shape)
    if isinstance(info, inspect.NoneType):
        return "Empty"
    if isinstance(info, inspect.BytesType):
        return "Bytes"
    label, type = proto.type_of(info)
    if label == "repeated":
        return proto.add(f"{method_of(route.name)}Answer", [("items", f"repeated {type}")])
    return type if not label else "Json"


def _struct(shape: Any) -> inspect.StructType:
    info = inspect.type_info(shape)
    assert isinstance(info, inspect.StructType)
    return info


def made(before: str) -> str:
    """The file; `before` is the file as it stands."""
    proto, methods = Proto(before), []
    for route in operations():
        request, answer = request_of(proto, route), answer_of(proto, route)
        methods.append(f"  // {route.summary}\n  rpc {method_of(route.name)}({request}) returns ({answer});")
    service = "// Every verb.\nservice Aob {\n" + "\n".join(methods) + "\n}"
    return "\n\n".join([HEAD.rstrip(), service, *proto.messages.values()]) + "\n"


if __name__ == "__main__":
    FILE.write_text(made(FILE.read_text() if FILE.exists() else ""))
    print(f"made spec/{FILE.name}")
