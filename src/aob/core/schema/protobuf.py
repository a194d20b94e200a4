"""Reads Protobuf schemas, as `.proto` text or as base64 of a file descriptor, and compares them: whether messages that
one wrote mean the same to another. Needs the package `protobuf`, which is an extra."""

import base64
import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

import msgspec

from aob.core.document.shape import Value
from aob.core.schema.model import BUNDLE_CHARS_MAX, FAULTS_MAX, Budget, Fault, Named, TooMuch, too_much, unreadable
from aob.core.schema.protobuf_text import proto_file
from aob.core.schema.wire import indexes_in

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor
    from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
    from google.protobuf.descriptor_pool import DescriptorPool

_BASE64: Final = re.compile(r"[A-Za-z0-9+/\s]+=*\s*")
_PLACES: Final = ("google/protobuf/", "google/type/")
_KNOWN: Final = frozenset((
    "any.proto", "api.proto", "descriptor.proto", "duration.proto", "empty.proto", "field_mask.proto",
    "source_context.proto", "struct.proto", "timestamp.proto", "type.proto", "wrappers.proto", "calendar_period.proto",
    "color.proto", "date.proto", "datetime.proto", "dayofweek.proto", "expr.proto", "fraction.proto", "latlng.proto",
    "money.proto", "month.proto", "postal_address.proto", "quaternion.proto", "timeofday.proto",
))  # fmt: skip
OWN: Final = "aob.proto"  # the name of the file itself, which a schema does not say

WIDER: Final = {
    5: {3}, 13: {4, 3}, 8: {5, 13, 3, 4}, 17: {18}, 9: {12}, 14: {5, 3},
}  # fmt: skip
"""Types that read all values of another with the same meaning, by the numbers of descriptor.proto: int32 as int64,
uint32 as uint64 or int64, bool as an integer, sint32 as sint64, string as bytes, enum as int32 or int64."""
_TYPE_NAMES: Final = (
    "", "double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string", "group", "message",
    "bytes", "uint32", "enum", "sfixed32", "sfixed64", "sint32", "sint64",
)  # fmt: skip


class Proto(msgspec.Struct, frozen=True):
    """A file that was read: its descriptor, and the same in a normal form, whose names are full."""

    file: "FileDescriptor"
    normal: bytes


def read_proto(text: str, sources: Sequence[Named] = ()) -> Proto:
    """The file of a text, after those that it imports. Raises Unreadable."""
    from google.protobuf import descriptor_pb2, descriptor_pool

    pool = descriptor_pool.DescriptorPool()
    taken = {source.name for source in sources}
    for given in (*(source.text for source in sources), text):
        for name in file_of(given).dependency:
            _add_known(pool, name, taken)
    for source in sources:
        _add(pool, source.text, source.name)
    file = _add(pool, text, OWN)
    made = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(made)
    for aside in ("name", "source_code_info", "service", "options"):  # what says nothing of the data
        made.ClearField(aside)
    made.dependency.sort()
    for message in made.message_type:
        _plain_names(message)
    return Proto(file, made.SerializeToString(deterministic=True))


def _plain_names(message: "DescriptorProto") -> None:
    """Drop JSON names that follow from the name of the field."""
    for field in message.field:
        words = field.name.split("_")
        if field.json_name == words[0] + "".join(word[:1].upper() + word[1:] for word in words[1:]):
            field.ClearField("json_name")
    for inner in message.nested_type:
        _plain_names(inner)


def _add_known(pool: "DescriptorPool", name: str, taken: set[str]) -> None:
    """Add a file that every compiler of Protobuf brings along, and what it imports."""
    if name in taken or not name.startswith(_PLACES) or name.rpartition("/")[2] not in _KNOWN:
        return
    taken.add(name)
    from google.protobuf import descriptor_pb2

    try:
        module = import_module(name.removesuffix(".proto").replace("/", ".") + "_pb2")
    except ModuleNotFoundError:
        return  # google/type is a package of its own
    made = descriptor_pb2.FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(made)
    for each in made.dependency:
        _add_known(pool, each, taken)
    pool.Add(made)


def _add(pool: "DescriptorPool", text: str, name: str) -> "FileDescriptor":
    made = file_of(text)
    made.name = name
    try:
        pool.Add(made)
        found = pool.FindFileByName(name)
        list(found.message_types_by_name.values())
        return found
    except (TypeError, KeyError, ValueError) as error:
        words = str(error).partition("\n")[0].replace("Couldn't build proto file into descriptor pool: ", "")
        hint = "what it imports is registered before, and named in `references`"
        raise unreadable("PROTOBUF", words.strip("'\" "), name if name != OWN else "", hint) from error


def file_of(text: str) -> "FileDescriptorProto":
    """The descriptor of a text or of base64, as it was given. Raises Unreadable."""
    from google.protobuf import descriptor_pb2
    from google.protobuf.message import DecodeError

    if len(text) > BUNDLE_CHARS_MAX or not _BASE64.fullmatch(text):
        return proto_file(text)
    try:
        made = descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(text, validate=False))
    except (ValueError, DecodeError) as error:
        raise unreadable("PROTOBUF", f"this is no base64 of a FileDescriptorProto: {error}") from error
    if not (made.message_type or made.enum_type or made.name):
        raise unreadable("PROTOBUF", "this is no base64 of a FileDescriptorProto")
    return made


def serialized(text: str) -> str:
    """A schema as base64 of its file descriptor, as clients of Protobuf ask for it."""
    return base64.b64encode(file_of(text).SerializeToString()).decode() if not _BASE64.fullmatch(text) else text


def proto_faults(reader: Proto, writer: Proto, budget: Budget | None = None) -> list[Fault]:
    """The reasons why `reader` may not understand what `writer` wrote; none when it does."""
    mine, theirs = reader.file, writer.file
    if mine.package != theirs.package:
        return [Fault("", f"the package was {theirs.package or '(none)'}: messages have other names")]
    comparison = _Comparison(budget or Budget())
    for name, message in theirs.message_types_by_name.items():
        same = mine.message_types_by_name.get(name)
        if same is None:
            comparison.found.append(Fault(name, "the message is gone, and may have been written"))
        else:
            comparison.declared(same, message, name)
    try:
        return comparison.all()[:FAULTS_MAX]
    except TooMuch:
        return [too_much()]


class _Comparison:
    """Pairs of messages that are compared already, those that are to be, and the faults so far."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.found: list[Fault] = []
        self._seen: set[tuple[str, str]] = set()
        self._waiting: list[tuple[Descriptor, Descriptor, str]] = []

    def declared(self, reader: "Descriptor", writer: "Descriptor", path: str) -> None:
        """Compare a message and those declared in it: each may be written by itself."""
        self._waiting.append((reader, writer, path))
        for name, inner in writer.nested_types_by_name.items():
            if inner.GetOptions().map_entry:
                continue
            same = reader.nested_types_by_name.get(name)
            if same is None:
                self.found.append(Fault(f"{path}.{name}", "the message is gone, and may have been written"))
            else:
                self.declared(same, inner, f"{path}.{name}")

    def all(self) -> list[Fault]:
        """All faults, once no message is left to be compared."""
        while self._waiting:
            reader, writer, path = self._waiting.pop()
            pair = (reader.full_name, writer.full_name)
            if pair not in self._seen:
                self._seen.add(pair)
                self._budget.spend(1 + len(reader.fields))
                self.found += self._message(reader, writer, path)
        return self.found

    def _message(self, reader: "Descriptor", writer: "Descriptor", path: str) -> Iterator[Fault]:
        written = {field.number: field for field in writer.fields}
        for field in reader.fields:
            here, old = f"{path}.{field.name}", written.get(field.number)
            if old is not None:
                yield from self._field(field, old, here)
            elif field.is_required:
                yield Fault(here, "is required, and was not written")
        for oneof in reader.oneofs:
            yield from _oneof_faults(oneof.name, [field.number for field in oneof.fields], written, path)

    def _field(self, reader: "FieldDescriptor", writer: "FieldDescriptor", path: str) -> Iterator[Fault]:
        if reader.is_repeated != writer.is_repeated:
            yield Fault(path, f"was {'repeated' if writer.is_repeated else 'single'}")
        elif reader.is_required and not writer.is_required:
            yield Fault(path, "is required, and may not have been written")
        elif reader.type == writer.type and reader.type in (10, 11):
            inner, old = cast("Descriptor", reader.message_type), cast("Descriptor", writer.message_type)
            if inner.GetOptions().map_entry != old.GetOptions().map_entry:
                yield Fault(path, "was a map" if old.GetOptions().map_entry else "was no map")
            self._waiting.append((inner, old, path))
        elif reader.type == writer.type == 14:
            enum, before = cast("EnumDescriptor", reader.enum_type), cast("EnumDescriptor", writer.enum_type)
            yield from _enum_faults(enum, before, path)
        elif reader.type != writer.type and reader.type not in WIDER.get(writer.type, ()):
            was, now = _TYPE_NAMES[writer.type], _TYPE_NAMES[reader.type]
            yield Fault(path, f"was {was}: not every value of it is the same as {now}")


def _oneof_faults(name: str, numbers: list[int], written: "dict[int, FieldDescriptor]", path: str) -> Iterator[Fault]:
    """Fields that could stand side by side exclude one another now: all but the last would be lost."""
    old = [written[number] for number in numbers if number in written]
    groups = {field.containing_oneof.name if field.containing_oneof else f"={field.number}" for field in old}
    if len(groups) > 1:
        names = ", ".join(field.name for field in old)
        yield Fault(f"{path}.{name}", f"{names} may have been written together, and exclude one another now")


def _enum_faults(reader: "EnumDescriptor", writer: "EnumDescriptor", path: str) -> Iterator[Fault]:
    if not reader.is_closed:
        return
    if not writer.is_closed:
        yield Fault(path, "the enum was open: numbers without a name may have been written")
    gone = sorted(set(writer.values_by_number) - set(reader.values_by_number))
    if gone:
        names = ", ".join(writer.values_by_number[number].name for number in gone[:8])
        yield Fault(path, f"{names} may have been written, and the enum is closed")


def bytes_faults(schema: Proto, data: bytes) -> list[Fault]:
    """Why bytes are no message of a file; none when they are. They begin with the way to their message."""
    from google.protobuf.message import DecodeError
    from google.protobuf.message_factory import GetMessageClass

    try:
        indexes, rest = indexes_in(data)
        messages = list(schema.file.message_types_by_name.values())
        message = messages[indexes[0]]
        for index in indexes[1:]:
            message = message.nested_types[index]
        made = GetMessageClass(message).FromString(rest)
    except (ValueError, IndexError) as error:
        return [Fault("", f"the way to the message is wrong: {error}")]
    except DecodeError as error:
        return [Fault("", f"it cannot be decoded: {error}")]
    return [] if made.IsInitialized() else [Fault("", "a required field is missing")]


def message_faults(schema: Proto, value: Value) -> list[Fault]:
    """Why a JSON value is not the first message of a file; none when it is."""
    from google.protobuf.json_format import ParseDict, ParseError
    from google.protobuf.message_factory import GetMessageClass

    messages = list(schema.file.message_types_by_name.values())
    if not messages:
        return [Fault("", "the schema has no message")]
    if not isinstance(value, dict):
        return [Fault("", "a message is an object in JSON")]
    try:
        ParseDict(value, GetMessageClass(messages[0])())
    except (ParseError, ValueError, TypeError, RecursionError) as error:
        return [Fault("", str(error)[:300])]
    return []
