"""What a schema is: its language, its text, what it refers to. The levels of compatibility, and faults with places."""

from typing import ClassVar, Final, Literal

import msgspec

from aob.core.errors import Invalid, Problem

Language = Literal["AVRO", "JSON", "PROTOBUF"]
LANGUAGES: Final[tuple[Language, ...]] = ("AVRO", "JSON", "PROTOBUF")
Level = Literal[
    "NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"
]  # fmt: skip
LEVELS: Final[tuple[Level, ...]] = (
    "NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE",
)  # fmt: skip
DEFAULT_LEVEL: Final[Level] = "BACKWARD_TRANSITIVE"
SCHEMA_CHARS_MAX: Final = 256 * 1024
BUNDLE_CHARS_MAX: Final = 1024 * 1024  # a schema with all that it refers to
REFERENCES_MAX: Final = 100  # of one schema, with those of its references
DEPTH_MAX: Final = 64  # how deep a schema may be nested


class Reference(msgspec.Struct, frozen=True):
    """Another schema that a schema uses: under which name, and which version of which subject."""

    name: str
    subject: str
    version: int


class Schema(msgspec.Struct, frozen=True):
    """A schema as it was given."""

    LANGUAGES: ClassVar = LANGUAGES
    text: str
    language: Language = "AVRO"
    references: tuple[Reference, ...] = ()


class Named(msgspec.Struct, frozen=True):
    """A schema that others refer to, under the name that they use."""

    name: str
    text: str


class Fault(msgspec.Struct, frozen=True):
    """One reason why what was written by `writer` cannot be read: the place in the reading schema, and words."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path or '/'}: {self.message}"


class Unreadable(Invalid):
    """A text is no schema of its language."""

    code = "bad_schema"


def unreadable(language: str, words: str, path: str = "", hint: str = "") -> Unreadable:
    """The error of a text that is no schema."""
    problem = Problem(path, words[:500], "bad_schema", hint=hint)
    return Unreadable(f"this is no {language} schema: {problem.path or '/'}: {problem.message}", [problem])
