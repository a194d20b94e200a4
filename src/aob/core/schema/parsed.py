"""One door for three languages: a text becomes a schema that can be compared, and judges data."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from typing import Final

import msgspec

from aob.core.document.shape import Value
from aob.core.json_schema import Unusable, checker_of, step
from aob.core.schema.avro import Avro, default_fault, read_avro
from aob.core.schema.avro_data import avro_data_faults
from aob.core.schema.avro_resolution import avro_faults
from aob.core.schema.json_bundle import read_json
from aob.core.schema.json_subset import json_faults
from aob.core.schema.model import (
    BUNDLE_CHARS_MAX,
    FAULTS_MAX,
    SCHEMA_CHARS_MAX,
    STEPS_TOGETHER_MAX,
    Budget,
    Fault,
    Language,
    Level,
    Named,
    Schema,
    TooMuch,
    too_much,
    unreadable,
)
from aob.core.schema.protobuf import Proto, bytes_faults, message_faults, proto_faults, read_proto
from aob.core.value import canonical, decode

PARSED_MAX: Final = 256
CHARS_A_STEP: Final = 200  # what it takes to read a version, in steps of a comparison
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


def faults(reader: Parsed, writer: Parsed, whole: Budget | None = None) -> list[Fault]:
    """The reasons why one schema may not read what another wrote; none when it reads all of it."""
    if reader.language != writer.language:
        return [Fault("", f"it was {writer.language} and is {reader.language}")]
    if reader.digest == writer.digest:
        return []
    budget = Budget(whole=whole)
    if isinstance(reader.read, Avro) and isinstance(writer.read, Avro):
        return avro_faults(reader.read.node, writer.read.node, budget)
    if isinstance(reader.read, Proto) and isinstance(writer.read, Proto):
        return proto_faults(reader.read, writer.read, budget)
    return json_faults(reader.read, writer.read, budget)


def refusals(level: Level, new: Parsed, before: Iterable[tuple[int, Parsed]]) -> list[Refusal]:
    """Why a schema may not follow these versions (the newest first) at a level; none when it may."""
    found: list[Refusal] = []
    if level == "NONE":
        return found
    whole = Budget(STEPS_TOGETHER_MAX)
    for version, old in before if level.endswith("_TRANSITIVE") else islice(before, 1):
        if len(found) >= FAULTS_MAX or whole.left < 0:
            break
        try:
            whole.spend(len(old.normal) // CHARS_A_STEP)
        except TooMuch:
            found.append(Refusal(version, "the versions are too many and too large", too_much()))
            break
        if not level.startswith("FORWARD"):
            words = f"the new schema cannot read what version {version} wrote"
            found += [Refusal(version, words, each) for each in faults(new, old, whole)]
        if not level.startswith("BACKWARD"):
            words = f"version {version} cannot read what the new schema writes"
            found += [Refusal(version, words, each) for each in faults(old, new, whole)]
    return found


def data_faults(schema: Parsed, data: bytes) -> list[Fault]:
    """Why bytes are not what a schema describes; none when they are. Those of Protobuf begin with the way to their
    message."""
    if isinstance(schema.read, Avro):
        return avro_data_faults(schema.read.node, data)
    return bytes_faults(schema.read, data) if isinstance(schema.read, Proto) else value_faults(schema, data)


def value_faults(schema: Parsed, data: bytes) -> list[Fault]:
    """Why JSON is no value of a schema; none when it is. Of Avro it is written as defaults are, of Protobuf as its JSON
    mapping says, for the first message of the file."""
    try:
        value = decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        return [Fault("", f"it is not JSON: {error}")]
    if isinstance(schema.read, Proto):
        return message_faults(schema.read, value)
    if isinstance(schema.read, Avro):
        wrong = default_fault(schema.read.node, value, 0)
        return [Fault("", wrong)] if wrong else []
    return _json_faults(schema, value)


def _json_faults(schema: Parsed, value: Value) -> list[Fault]:
    made = checker_of(schema.normal)
    if isinstance(made, Unusable):
        return [Fault("", made.words)]
    found: list[Fault] = []
    for each in made.faults(value):
        found.append(Fault(step("", *each.path), each.message[:300]))
        if len(found) == FAULTS_MAX:
            break
    return found
