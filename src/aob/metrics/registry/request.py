"""One request of the protocol: its path, query and body, read. What is wrong with them is an answer of the protocol."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from aob.core.policy import Caller
from aob.core.schema import Reference, Registered, Schema, Table
from aob.metrics.registry import wrong
from aob.metrics.registry.registry import SUBJECT_MAX, Given
from aob.metrics.registry.wrong import Wrong

ID_MAX: Final = 2**31 - 1


class SchemaBody(msgspec.Struct):
    """A schema in a request."""

    schema: str
    schemaType: str | None = None  # noqa: N815  # as the protocol spells it
    references: list[Reference] | None = None
    metadata: Any = None
    ruleSet: Any = None  # noqa: N815  # as the protocol spells it
    id: int | None = None
    version: int | None = None


class Asked(msgspec.Struct):
    """One request: who asks, the values of its path, its query, its body."""

    who: Caller
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: str
    table: Table

    @property
    def subject(self) -> str:
        """The subject of the path. Raises Wrong."""
        return subject_name(self.path["subject"])

    @property
    def named(self) -> str:
        """The subject of the path; empty where it has none. Raises Wrong."""
        return self.subject if "subject" in self.path else ""

    def flag(self, *names: str) -> bool:
        """Whether a parameter is true."""
        return any(self.query.get(name, "").lower() == "true" for name in names)

    def versions(self, subject: str) -> list[Registered]:
        """The versions of a subject that the request looks at."""
        held = self.table.subjects.get(subject)
        if held is None:
            return []
        if self.flag("deletedOnly", "deleted_only"):
            return [each for each in held.versions.values() if each.deleted]
        return list(held.versions.values()) if self.flag("deleted") else held.live()

    def page(self, rows: Sequence[Any]) -> list[Any]:
        """The rows that `offset` and `limit` choose."""
        offset, limit = number(self.query.get("offset", "0")), number(self.query.get("limit", "-1"))
        end = None if limit < 0 else max(0, offset) + limit
        return list(rows[max(0, offset) : end])

    def schema(self) -> SchemaBody:
        """The schema of the body. Raises Wrong."""
        found: SchemaBody = read_body(self.body, SchemaBody)
        if found.metadata or found.ruleSet:
            raise Wrong(wrong.BAD_SCHEMA, "metadata and ruleSet are not kept here: send a schema without them")
        return found

    def given(self) -> Given:
        """What is to be registered. Raises Wrong."""
        body = self.schema()
        language = next((each for each in Schema.LANGUAGES if each == (body.schemaType or "AVRO").upper()), None)
        if language is None:
            raise Wrong(wrong.BAD_SCHEMA, f"Invalid schema type {str(body.schemaType)[:40]}")
        references = tuple(
            Reference(each.name, subject_name(each.subject), each.version) for each in body.references or ()
        )
        id, version = max(0, body.id or 0), max(0, body.version or 0)
        return Given(Schema(body.schema, language, references), min(id, ID_MAX), min(version, ID_MAX))


def subject_name(given: str) -> str:
    """A subject without the default context. Raises Wrong."""
    name = given.removeprefix(":.:")
    if not name or len(name) > SUBJECT_MAX or not name.isprintable() or name.startswith(":."):
        words = f"Invalid subject {given[:60]!r}: 1 to {SUBJECT_MAX} printable characters, in the default context"
        raise Wrong(wrong.BAD_SUBJECT, words)
    return name


def read_body(body: str, shape: Any) -> Any:
    """A body of JSON. Raises Wrong."""
    try:
        return msgspec.json.decode(body.encode(), type=shape)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Wrong(400, f"The request body cannot be read: {error}") from error


def number(text: str) -> int:
    """A whole number; -1 for what is none."""
    try:
        return int(text[:12])
    except ValueError:
        return -1


def version_number(text: str) -> int:
    """The number of a version. Raises Wrong."""
    found = number(text)
    if not 0 < found <= ID_MAX:
        words = 'The specified version is not a valid version id. Allowed values are between [1, 2^31-1] and "latest"'
        raise Wrong(wrong.BAD_VERSION, words)
    return found
