"""One door for three languages: a text becomes a schema that can be compared, and judges data."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Final

import msgspec

from aob.core.document.shape import Value
from aob.core.json_schema import Unusable, checker_of, step
from aob.core.schema.avro import Avro, read_avro
from aob.core.schema.avro_data import avro_data_faults
from aob.core.schema.avro_resolution import avro_faults
from aob.core.schema.json_bundle import read_json
from aob.core.schema.json_subset import json_faults
from aob.core.schema.model import (
    BUNDLE_CHARS_MAX,
    SCHEMA_CHARS_MAX,
    Fault,
    Language,
    Level,
    Named,
    Schema,
    unreadable,
)
from aob.core.schema.protobuf import Proto, proto_faults, read_proto
from aob.core.schema.wire import indexes_in
from aob.core.value import canonical, decode

PARSED_MAX: Final = 256
REASONS_MAX: Final = 20
EXTRA: Final = "pip install 'agentic-orchestration-builder[registry]'"


class Parsed(msgspec.Struct, frozen=True):
    """A schema that was read: `normal` is the same for all texts that say the same."""

    language: Language
    normal: bytes
    read: Avro | Proto | Value

    @property
    def digest(self) -> str:
        """What the schema is told apart by."""
        return normal_digest(self.language, self.normal)


def normal_digest(language: Language, normal: bytes) -> str:
    """What a schema is told apart by, of its normal form: for JSON Schema the canonical JSON."""
    return sha256(language.encode() + b"\0" + normal).hexdigest()


def guid_of(digest: str) -> str:
    """A digest in the form of a UUID, by which clients may ask for a schema."""
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))


class Refusal(msgspec.Struct, frozen=True):
    """Why a schema is not compatible with a version: which of the two cannot read the other, and where."""

    version: int
    reads: str
    fault: Fault

    def __str__(self) -> str:
        return f"{self.reads}: {self.fault}"


def parse(schema: Schema, sources: Sequence[Named] = ()) -> Parsed:
    """The schema of a text, with those that it refers to in the order in which they are needed. Raises Unreadable."""
    if len(schema.text) > SCHEMA_CHARS_MAX:
        raise unreadable(schema.language, f"it has more than {SCHEMA_CHARS_MAX:,} characters")
    if sum(len(each.text) for each in sources) > BUNDLE_CHARS_MAX:
        raise unreadable(schema.language, f"what it refers to has more than {BUNDLE_CHARS_MAX:,} characters")
    return _parsed(schema, tuple(sources))


@lru_cache(maxsize=PARSED_MAX)
def _parsed(schema: Schema, sources: tuple[Named, ...]) -> Parsed:
    if schema.language == "AVRO":
        avro = read_avro(schema.text, sources)
        return Parsed("AVRO", canonical([avro.normal, avro.held] if avro.held else avro.normal), avro)
    if schema.language == "JSON":
        tree = read_json(schema.text, sources)
        return Parsed("JSON", canonical(tree), tree)
    try:
        proto = read_proto(schema.text, sources)
    except ModuleNotFoundError as error:
        raise unreadable("PROTOBUF", "the package protobuf is not installed", hint=EXTRA) from error
    return Parsed("PROTOBUF", proto.normal, proto)


def faults(reader: Parsed, writer: Parsed) -> list[Fault]:
    """The reasons why one schema may not read what another wrote; none when it reads all of it."""
    if reader.language != writer.language:
        return [Fault("", f"it was {writer.language} and is {reader.language}")]
    if reader.digest == writer.digest:
        return []
    if isinstance(reader.read, Avro) and isinstance(writer.read, Avro):
        return avro_faults(reader.read.node, writer.read.node)
    if isinstance(reader.read, Proto) and isinstance(writer.read, Proto):
        return proto_faults(reader.read, writer.read)
    return json_faults(reader.read, writer.read)


def refusals(level: Level, new: Parsed, before: Sequence[tuple[int, Parsed]]) -> list[Refusal]:
    """Why a schema may not follow these versions (the oldest first) at a level; none when it may."""
    found: list[Refusal] = []
    if level == "NONE":
        return found
    for version, old in before if level.endswith("_TRANSITIVE") else before[-1:]:
        if not level.startswith("FORWARD"):
            words = f"the new schema cannot read what version {version} wrote"
            found += [Refusal(version, words, each) for each in faults(new, old)]
        if not level.startswith("BACKWARD"):
            words = f"version {version} cannot read what the new schema writes"
            found += [Refusal(version, words, each) for each in faults(old, new)]
    return found


def data_faults(schema: Parsed, data: bytes) -> list[Fault]:
    """Why bytes are not what a schema describes; none when they are. Those of Protobuf begin with the way to their
    message."""
    if isinstance(schema.read, Avro):
        return avro_data_faults(schema.read.node, data)
    return _proto_faults(schema.read, data) if isinstance(schema.read, Proto) else _json_faults(schema.read, data)


def _json_faults(schema: Value, data: bytes) -> list[Fault]:
    try:
        value = decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        return [Fault("", f"it is not JSON: {error}")]
    made = checker_of(canonical(schema))
    if isinstance(made, Unusable):
        return [Fault("", made.words)]
    found: list[Fault] = []
    for each in made.faults(value):
        found.append(Fault(step("", *each.path), each.message[:300]))
        if len(found) == REASONS_MAX:
            break
    return found


def _proto_faults(schema: Proto, data: bytes) -> list[Fault]:
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
