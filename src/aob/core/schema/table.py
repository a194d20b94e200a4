"""The one table of versions of a tenant: subjects with their versions, schemas by id, levels and modes. A fold of what
was registered, removed and configured; contracts of events are subjects too. Nothing is decided here."""

from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from aob.core.schema.model import DEFAULT_LEVEL, LEVELS, REFERENCES_MAX, Level, Named, Reference, Schema, unreadable
from aob.core.schema.parsed import Parsed, parse
from aob.core.schema.protobuf import serialized

Mode = Literal["READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT"]
MODES: Final[tuple[Mode, ...]] = ("READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT")


class Registered(msgspec.Struct):
    """A version of a subject: the id of its schema; `contract` for one of an event contract."""

    version: int
    id: int
    deleted: bool = False
    contract: bool = False


class Subject(msgspec.Struct):
    """A subject: its versions in order, and what is set for it alone."""

    versions: dict[int, Registered] = {}
    level: Level | None = None
    mode: Mode | None = None

    def live(self) -> list[Registered]:
        """The versions that are not deleted, the oldest first."""
        return [each for each in self.versions.values() if not each.deleted]

    @property
    def contract(self) -> bool:
        """Whether these are the versions of an event contract."""
        return any(each.contract for each in self.versions.values())


class Table:
    """What a tenant has registered."""

    LEVELS: Final = LEVELS
    MODES: Final = MODES

    def __init__(self) -> None:
        self.subjects: dict[str, Subject] = {}
        self.schemas: dict[int, Schema] = {}
        self.level: Level | None = None
        self.mode: Mode | None = None
        self.next_id = 1
        self.chars = 0  # of all schemas
        self._digests: dict[str, int] = {}
        self._told: dict[int, str] = {}

    # -- reads ----------------------------------------------------------------------------------------------------

    def live(self, subject: str) -> list[Registered]:
        """The versions of a subject that are not deleted, the oldest first."""
        found = self.subjects.get(subject)
        return found.live() if found is not None else []

    def level_of(self, subject: str) -> Level:
        """The level of compatibility that holds for a subject."""
        found = self.subjects.get(subject)
        own = found.level if found is not None else None
        return own or self.level or DEFAULT_LEVEL

    def mode_of(self, subject: str) -> Mode:
        """The mode that holds for a subject."""
        found = self.subjects.get(subject)
        own = found.mode if found is not None else None
        return own or self.mode or "READWRITE"

    def id_of(self, digest: str) -> int | None:
        """The id of the schema that says the same."""
        return self._digests.get(digest)

    def digest_of(self, id: int) -> str:
        """What a registered schema is told apart by."""
        return self._told[id]

    def guid_of(self, id: int) -> str:
        """The same in the form of a UUID, by which clients may ask for the schema."""
        digest = self._told[id]
        return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))

    def parsed(self, id: int) -> Parsed:
        """A registered schema, read."""
        schema = self.schemas[id]
        return parse(schema, self.sources(schema))

    def serialized(self, id: int) -> str:
        """The text of a schema, for Protobuf as base64 of its file descriptor."""
        schema = self.schemas[id]
        return serialized(schema.text) if schema.language == "PROTOBUF" else schema.text

    def sources(self, schema: Schema) -> tuple[Named, ...]:
        """What a schema refers to, in the order in which it is needed. Raises Unreadable for what is not there."""
        found: dict[str, Named] = {}
        self._collect(schema.references, schema.language, found, 0)
        return tuple(found.values())

    def pinned(self, schema: Schema) -> Schema:
        """The schema with the numbers of the newest versions where it refers to those: what it means never changes."""
        found = tuple(
            each if each.version > 0 or (newest := self.newest(each.subject)) is None
            else msgspec.structs.replace(each, version=newest.version)
            for each in schema.references
        )  # fmt: skip
        return msgspec.structs.replace(schema, references=found) if found != schema.references else schema

    def newest(self, subject: str) -> Registered | None:
        """The newest version that is not deleted."""
        live = self.live(subject)
        return live[-1] if live else None

    def _collect(self, references: tuple[Reference, ...], language: str, found: dict[str, Named], depth: int) -> None:
        for reference in references:
            if reference.name in found:
                continue
            if len(found) >= REFERENCES_MAX or depth > REFERENCES_MAX:
                raise unreadable(language, f"it refers to more than {REFERENCES_MAX} schemas")
            subject = self.subjects.get(reference.subject)
            versions = subject.versions if subject is not None else {}
            version = versions.get(reference.version)
            if version is None:
                words = f"there is no version {reference.version} of the subject {reference.subject[:100]!r}"
                raise unreadable(language, words, reference.name, "register it before")
            schema = self.schemas[version.id]
            if schema.language != language:
                raise unreadable(language, f"{reference.subject} is {schema.language}", reference.name)
            self._collect(schema.references, language, found, depth + 1)
            found[reference.name] = Named(reference.name, schema.text)

    def users(self, subject: str, version: int) -> list[int]:
        """The ids of schemas that refer to a version and are in use."""
        used = {each.id for held in self.subjects.values() for each in held.live()}
        return sorted(
            id for id, schema in self.schemas.items()
            if id in used and any(each.subject == subject and each.version == version for each in schema.references)
        )  # fmt: skip

    def places(self, id: int) -> Iterator[tuple[str, Registered]]:
        """The subjects and versions of a schema."""
        for name, subject in sorted(self.subjects.items()):
            for each in subject.versions.values():
                if each.id == id:
                    yield name, each

    # -- the fold -------------------------------------------------------------------------------------------------

    def add(self, subject: str, version: int, id: int, schema: Schema, digest: str, *, contract: bool = False) -> None:
        """A version was registered. A deleted one under this number counts again."""
        held = self.subjects.setdefault(subject, Subject())
        held.versions[version] = Registered(version, id, contract=contract)
        held.versions = dict(sorted(held.versions.items()))
        if id not in self.schemas:
            self.schemas[id] = schema
            self.chars += len(schema.text)
            self._digests.setdefault(digest, id)
            self._told[id] = digest
        self.next_id = max(self.next_id, id + 1)

    def remove(self, subject: str, version: int, *, permanent: bool) -> None:
        """A version was deleted; 0: all of them. Its schema stays known by its id."""
        held = self.subjects[subject]
        if not version:
            held.level = held.mode = None
        for each in [version] if version else list(held.versions):
            if permanent:
                del held.versions[each]
            else:
                held.versions[each].deleted = True
        if not held.versions and held.level is None and held.mode is None:
            del self.subjects[subject]

    def configure(self, subject: str, level: Level | None) -> None:
        """A level was set; None: the default again. No subject: for all that have none of their own."""
        if not subject:
            self.level = level
        else:
            self.subjects.setdefault(subject, Subject()).level = level

    def switch(self, subject: str, mode: Mode | None) -> None:
        """A mode was set; None: the default again."""
        if not subject:
            self.mode = mode
        else:
            self.subjects.setdefault(subject, Subject()).mode = mode
