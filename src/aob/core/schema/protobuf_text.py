"""Reads `.proto` texts, proto2 and proto3, into file descriptors. Custom options are passed over; groups and editions
are refused. Names are resolved afterwards, by the descriptor pool."""

import re
from typing import TYPE_CHECKING, Final

from aob.core.schema.model import DEPTH_MAX, unreadable

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import (
        DescriptorProto,
        EnumDescriptorProto,
        FieldDescriptorProto,
        FileDescriptorProto,
    )

_TOKEN: Final = re.compile(
    r"""\s+|//[^\n]*|/\*.*?\*/|(?P<word>[A-Za-z_][A-Za-z0-9_]*|\.)|(?P<number>[0-9][0-9A-Za-z_.]*(?:(?<=[eE])[+-][0-9]+)?)"""
    r"""|(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(?P<sign>[=;{}\[\]<>(),:+-/])""",
    re.DOTALL,
)
TOKENS_MAX: Final = 100_000
MAX_NUMBER: Final = 536_870_911
_SCALARS: Final = {
    "double": 1, "float": 2, "int64": 3, "uint64": 4, "int32": 5, "fixed64": 6, "fixed32": 7, "bool": 8, "string": 9,
    "bytes": 12, "uint32": 13, "sfixed32": 15, "sfixed64": 16, "sint32": 17, "sint64": 18,
}  # fmt: skip
_LABELS: Final = {"optional": 1, "required": 2, "repeated": 3}
_DEEP: Final = 32


def proto_file(text: str) -> "FileDescriptorProto":
    """The descriptor of a text, with names as they are written. Raises Unreadable with the line."""
    return _Reader(text).file()


class _Reader:
    """Tokens of one text, read from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, int]] = []
        at, line = 0, 1
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None or len(self._tokens) > TOKENS_MAX:
                raise unreadable("PROTOBUF", f"line {line}: {text[at : at + 20]!r} is not understood")
            if found.lastgroup:
                self._tokens.append((found.group(), line))
            line += found.group().count("\n")
            at = found.end()
        self._at = 0
        self._proto3 = False

    # -- tokens ---------------------------------------------------------------------------------------------------

    def _peek(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        if not token:
            raise self._wrong("the text ends too early")
        self._at += 1
        return token

    def _wrong(self, words: str) -> Exception:
        line = self._tokens[min(self._at, len(self._tokens) - 1)][1] if self._tokens else 1
        return unreadable("PROTOBUF", f"line {line}: {words}")

    def _expect(self, token: str) -> None:
        found = self._peek()
        if found != token:
            raise self._wrong(f"{token!r} is missing before {found[:40]!r}")
        self._at += 1

    def _maybe(self, token: str) -> bool:
        if self._peek() == token:
            self._at += 1
            return True
        return False

    def _name(self) -> str:
        token = self._take()
        if not (token[0].isalpha() or token[0] == "_"):
            raise self._wrong(f"{token[:40]!r} is no name")
        return token

    def _path(self) -> str:
        name = "." if self._maybe(".") else ""
        name += self._name()
        while self._maybe("."):
            name += "." + self._name()
        return name

    def _integer(self) -> int:
        sign = -1 if self._maybe("-") else 1
        token = self._take()
        try:
            octal = len(token) > 1 and token.isdigit() and token[0] == "0"
            return sign * (int(token, 8) if octal else int(token, 0))
        except ValueError:
            raise self._wrong(f"{token[:40]!r} is no whole number") from None

    def _text(self) -> str:
        if self._peek()[:1] not in ("'", '"'):
            raise self._wrong(f"a text in quotes is missing before {self._peek()[:40]!r}")
        words = ""
        while self._peek()[:1] in ("'", '"') and self._peek():
            words += self._take()[1:-1].encode("latin-1", "backslashreplace").decode("unicode_escape")
        return words

    # -- the file -------------------------------------------------------------------------------------------------

    def file(self) -> "FileDescriptorProto":
        """The whole text."""
        from google.protobuf.descriptor_pb2 import FileDescriptorProto

        made = FileDescriptorProto()
        if self._maybe("syntax"):
            self._expect("=")
            syntax = self._text()
            self._expect(";")
            if syntax not in ("proto2", "proto3"):
                raise self._wrong(f"syntax {syntax[:40]!r} is neither proto2 nor proto3")
            self._proto3 = syntax == "proto3"
            made.syntax = "proto3" if self._proto3 else ""
        while self._peek():
            self._top(made)
        return made

    def _top(self, made: "FileDescriptorProto") -> None:
        word = self._take()
        if word == "package":
            made.package = self._path()
            self._expect(";")
        elif word == "import":
            kind = self._take() if self._peek() in ("public", "weak") else ""
            made.dependency.append(self._text())
            if kind == "public":
                made.public_dependency.append(len(made.dependency) - 1)
            self._expect(";")
        elif word == "message":
            self._message(made.message_type.add(), 0)
        elif word == "enum":
            self._enum(made.enum_type.add())
        elif word in ("option", "service", "extend"):
            self._skip()
        elif word != ";":
            raise self._wrong(f"{word[:40]!r} is not understood here")

    def _skip(self) -> None:
        """Pass over a declaration, with what stands in its braces."""
        depth = 0
        while True:
            sign = self._take()
            depth += (sign in ("{", "[")) - (sign in ("}", "]"))
            if depth <= 0 and sign in (";", "}"):
                return

    def _message(self, made: "DescriptorProto", depth: int) -> None:
        if depth > min(DEPTH_MAX, _DEEP):
            raise self._wrong(f"messages are nested deeper than {_DEEP} levels")
        made.name = self._name()
        self._expect("{")
        while not self._maybe("}"):
            word = self._peek()
            after = self._tokens[self._at + 1][0] if self._at + 1 < len(self._tokens) else ""
            if word == ";":
                self._at += 1
            elif word == "message" and after != "=":
                self._at += 1
                self._message(made.nested_type.add(), depth + 1)
            elif word == "enum":
                self._at += 1
                self._enum(made.enum_type.add())
            elif word == "oneof":
                self._at += 1
                self._oneof(made)
            elif word == "reserved":
                self._at += 1
                self._reserved(made)
            elif word in ("option", "extensions", "extend"):
                self._skip()
            else:
                self._field(made)
        self._presence(made)

    def _presence(self, made: "DescriptorProto") -> None:
        """A oneof of its own for each `optional` of proto3, after all others."""
        for field in made.field:
            if field.proto3_optional:
                field.oneof_index = len(made.oneof_decl)
                made.oneof_decl.add().name = f"_{field.name}"

    def _field(self, made: "DescriptorProto") -> "FieldDescriptorProto":
        label = _LABELS.get(self._peek(), 0)
        if label:
            self._at += 1
        if self._peek() == "group":
            raise self._wrong("groups are not read: use a message")
        if self._peek() == "map" and self._tokens[self._at + 1][0] == "<":
            return self._map(made)
        field = made.field.add()
        field.label = label or 1  # type: ignore[assignment]  # the number of a label
        if label == 1 and self._proto3:
            field.proto3_optional = True
        elif not label and not self._proto3:
            raise self._wrong("a field of proto2 needs optional, required or repeated")
        self._typed(field)
        return self._named(field)

    def _typed(self, field: "FieldDescriptorProto") -> None:
        path = self._path()
        if path in _SCALARS:
            field.type = _SCALARS[path]  # type: ignore[assignment]  # the number of a type
        else:
            field.type_name = path

    def _named(self, field: "FieldDescriptorProto") -> "FieldDescriptorProto":
        field.name = self._name()
        self._expect("=")
        number = self._integer()
        if not 0 < number <= MAX_NUMBER:
            raise self._wrong(f"{number} is no number of a field")
        field.number = number
        for name, value in self._options().items():
            _set_option(field, name, value)
        self._expect(";")
        return field

    def _options(self) -> dict[str, str]:
        """The options in brackets, if there are any, by name."""
        found: dict[str, str] = {}
        if not self._maybe("["):
            return found
        while not self._maybe("]"):
            if self._maybe("("):
                name = "(" + self._path()
                self._expect(")")
                while self._maybe("."):
                    self._path()
            else:
                name = self._path()
            self._expect("=")
            found[name] = self._value()
            self._maybe(",")
        return found

    def _value(self) -> str:
        if self._peek()[:1] in ("'", '"'):
            return self._text()
        if self._peek() == "{":
            self._skip()
            return ""
        sign = "-" if self._maybe("-") else ""
        return sign + self._take()

    def _map(self, made: "DescriptorProto") -> "FieldDescriptorProto":
        self._at += 1
        self._expect("<")
        entry = made.nested_type.add()
        key, value = entry.field.add(), entry.field.add()
        self._typed(key)
        self._expect(",")
        self._typed(value)
        self._expect(">")
        field = made.field.add()
        self._named(field)
        for inner, name, number in ((key, "key", 1), (value, "value", 2)):
            inner.name, inner.number, inner.label = name, number, 1  # type: ignore[assignment]  # the number of a label
        entry.name = "".join(part[:1].upper() + part[1:] for part in field.name.split("_")) + "Entry"
        entry.options.map_entry = True
        field.label, field.type, field.type_name = 3, 11, entry.name  # type: ignore[assignment]  # numbers of both
        return field

    def _oneof(self, made: "DescriptorProto") -> None:
        index = len(made.oneof_decl)
        made.oneof_decl.add().name = self._name()
        self._expect("{")
        while not self._maybe("}"):
            if self._peek() == "option":
                self._skip()
                continue
            field = made.field.add()
            field.label = 1  # type: ignore[assignment]  # the number of a label
            self._typed(field)
            self._named(field).oneof_index = index

    def _reserved(self, made: "DescriptorProto | EnumDescriptorProto") -> None:
        in_message = type(made).__name__ == "DescriptorProto"  # their ends are excluded, those of enums are not
        most = MAX_NUMBER if in_message else 2**31 - 1
        while not self._maybe(";"):
            if self._peek()[:1] in ("'", '"'):
                made.reserved_name.append(self._text())
            else:
                first = self._integer()
                last = first
                if self._maybe("to"):
                    last = most if self._maybe("max") else self._integer()
                span = made.reserved_range.add()
                span.start, span.end = first, last + in_message
            self._maybe(",")

    def _enum(self, made: "EnumDescriptorProto") -> None:
        made.name = self._name()
        self._expect("{")
        while not self._maybe("}"):
            word = self._peek()
            if word == ";":
                self._at += 1
            elif word == "reserved":
                self._at += 1
                self._reserved(made)
            elif word == "option":
                self._at += 1
                name = self._path() if self._peek() != "(" else ""
                if name == "allow_alias":
                    self._expect("=")
                    made.options.allow_alias = self._take() == "true"
                    self._expect(";")
                else:
                    self._skip()
            else:
                value = made.value.add()
                value.name = self._name()
                self._expect("=")
                value.number = self._integer()
                if self._options().get("deprecated") == "true":
                    value.options.deprecated = True
                self._expect(";")


def _set_option(field: "FieldDescriptorProto", name: str, value: str) -> None:
    if name == "default":
        field.default_value = value
    elif name == "json_name":
        field.json_name = value
    elif name == "packed":
        field.options.packed = value == "true"
    elif name == "deprecated":
        field.options.deprecated = value == "true"
