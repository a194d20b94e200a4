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
STEPS_MAX: Final = 20_000  # of one comparison of two schemas
STEPS_TOGETHER_MAX: Final = 100_000  # of a schema with all versions of its subject
FAULTS_MAX: Final = 20


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


class TooMuch(Exception):  # noqa: N818  # a way out of a recursion, never seen outside
    """A comparison would take too many steps."""


class Budget:
    """Steps that are left to a comparison, and to all comparisons of one request together."""

    def __init__(self, steps: int = STEPS_MAX, whole: "Budget | None" = None) -> None:
        self.left, self._whole = steps, whole

    def spend(self, steps: int = 1) -> None:
        """Take steps. Raises TooMuch when there are not as many."""
        self.left -= steps
        if self.left < 0:
            raise TooMuch
        if self._whole is not None:
            self._whole.spend(steps)


def too_much() -> Fault:
    """The fault of a comparison that was given up."""
    return Fault("", f"to compare them would take more than {STEPS_MAX:,} steps")


def unreadable(language: str, words: str, path: str = "", hint: str = "") -> Unreadable:
    """The error of a text that is no schema."""
    problem = Problem(path, words[:500], "bad_schema", hint=hint)
    return Unreadable(f"this is no {language} schema: {problem.path or '/'}: {problem.message}", [problem])
