"""Registers, looks up, compares and deletes schemas of a tenant. Each change is one commit in the history of contracts;
reads are from memory."""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.contract import to_document
from aob.core.contract_model import EventContract
from aob.core.errors import Conflict, TooLarge
from aob.core.policy import Caller
from aob.core.rules import DECLARED_RULES, check_followed
from aob.core.schema import Parsed, Schema, Subject, Table, check_record, parse, subject_of
from aob.core.value import canonical, decode
from aob.metrics.contracts import Configured, Contracts, Registered, Removed, incompatible, refuse_breaking
from aob.metrics.registry import wrong
from aob.metrics.registry.wrong import Wrong

SUBJECTS_MAX: Final = 10_000
VERSIONS_MAX: Final = 1_000  # of one subject
CHARS_MAX: Final = 64 * 1024 * 1024  # of all schemas of a tenant
SUBJECT_MAX: Final = 200
HINT: Final = "change it so that it reads what was written, or set another level: PUT /registry/config/SUBJECT"


class Given(msgspec.Struct, frozen=True):
    """A schema that was given to be registered; an importer says its id and version too."""

    schema: Schema
    id: int = 0
    version: int = 0


class Found(msgspec.Struct, frozen=True):
    """A version of a subject, and whether it is new."""

    subject: str
    version: int
    id: int
    created: bool = False


class Registry:
    """The schemas of every tenant, in the tables of their contracts. `rules` are the newest rules that every process of
    the home knows."""

    def __init__(self, contracts: Contracts, rules: Callable[[], int]) -> None:
        self._contracts, self._rules = contracts, rules

    def table(self, tenant: str) -> Table:
        """The table of a tenant."""
        return self._contracts.table(tenant)

    def check(self, tenant: str, topic: str, type: str, data: bytes) -> tuple[str, tuple[str, ...]]:
        """Which subject speaks of a record's data in JSON, and why the data is not as it says. Of event contracts the
        gate judges, by more than the schema."""
        table = self.table(tenant)
        if is_contract(table, subject_of(table, topic, type)):
            return type, ()
        found = check_record(table, topic, type, data)
        return found.subject, found.reasons

    def subject_of(self, tenant: str, topic: str, type: str) -> str:
        """The subject that speaks of the records of a type in a topic; empty: none."""
        return subject_of(self.table(tenant), topic, type)

    async def read(self, table: Table, schema: Schema) -> Parsed:
        """A schema that was given, read with what it refers to. Raises Unreadable."""
        schema = table.pinned(schema)
        sources = table.sources(schema)
        return await asyncio.to_thread(parse, schema, sources)

    def lookup(self, table: Table, subject: str, parsed: Parsed, *, deleted: bool = False) -> Found | None:
        """The version of a subject that says the same."""
        held = table.subjects.get(subject)
        for each in reversed(held.versions.values() if held is not None else ()):
            if table.digest_of(each.id) == parsed.digest and (deleted or not each.deleted):
                return Found(subject, each.version, each.id)
        return None

    async def register(self, who: Caller, subject: str, given: Given) -> Found:
        """A version of a subject; the one that there is when it says the same. Raises Unreadable, Conflict
        `breaking_change`, TooLarge, Wrong."""
        if is_contract(self.table(who.tenant), subject):
            return await self._push(who, subject, given)
        async with self._contracts.changing(who.tenant) as table:
            parsed = await self.read(table, given.schema)
            importing = table.mode_of(subject) == "IMPORT"
            if not importing and (same := self.lookup(table, subject, parsed)) is not None:
                return same
            self._writable(table, subject, importing=bool(given.id or given.version))
            self._bounded(table, subject, given.schema)
            if not importing:
                found = await asyncio.to_thread(incompatible, table, subject, parsed)
                refuse_breaking(found, HINT)
            id, version = _numbers(table, subject, parsed, given)
            event = Registered(subject, version, id, parsed.digest, "", who.name)
            await self._amend(who.tenant, event, table.pinned(given.schema))
            return Found(subject, version, id, created=True)

    async def _push(self, who: Caller, subject: str, given: Given) -> Found:
        """The next version of an event contract: all of the newest, with another schema."""
        table = self.table(who.tenant)
        parsed = await self.read(table, given.schema)
        if (same := self.lookup(table, subject, parsed)) is not None:
            return same
        self._writable(table, subject, importing=bool(given.id or given.version))
        pushed = await self._contracts.push_contracts(who, {"registry.json": self._next(who, subject, given.schema)})
        version = max(self.table(who.tenant).subjects[subject].versions)
        return Found(
            subject, version, self.table(who.tenant).subjects[subject].versions[version].id, bool(pushed["new"])
        )

    def _next(self, who: Caller, subject: str, schema: Schema) -> str:
        versions = self._contracts.own(who.tenant).events[subject]
        newest: EventContract = versions[max(versions)]
        if schema.language != "JSON" or schema.references:
            words = f"{subject} is a contract of an event: its schema is a JSON Schema that stands for itself"
            raise Conflict(words, code="breaking_change", changes=[words])
        tree = decode(schema.text.encode())
        own = ("$schema", "$id", "title", "description")
        made: JsonObject = {key: each for key, each in tree.items() if key not in own} if isinstance(tree, dict) else {}
        after = msgspec.structs.replace(newest, version=newest.version + 1, schema=made)
        return canonical([to_document(after)]).decode()

    async def compare(self, who: Caller, subject: str, schema: Schema, version: int = 0) -> list[str]:
        """Why a schema may not follow a subject (or be beside one of its versions) at its level; none when it may.
        Raises Unreadable."""
        table = self.table(who.tenant)
        parsed = await self.read(table, schema)
        if not version and is_contract(table, subject):
            if self.lookup(table, subject, parsed) is not None:
                return []
            files = {"registry.json": self._next(who, subject, schema)}
            told = await self._contracts.push_contracts(who, files, dry_run=True, allow_breaking=True)
            return [str(each["message"]) for each in told["warnings"] if each["code"] == "breaking_change"]
        return await asyncio.to_thread(incompatible, table, subject, parsed, version)

    async def remove(self, who: Caller, subject: str, version: int, *, permanent: bool) -> list[int]:
        """Delete a version, 0: all; what is deleted for good was deleted before. The versions that it was. Raises
        Wrong."""
        async with self._contracts.changing(who.tenant) as table:
            held = table.subjects.get(subject)
            if held is None or not held.versions:
                raise wrong.subject_unknown(subject)
            chosen = _to_remove(held, subject, version, permanent=permanent)
            self._writable(table, subject, importing=False)
            if held.contract:
                words = f"{subject} is a contract of an event: its versions stay"
                raise Wrong(wrong.NOT_PERMITTED, words)
            for each in chosen:
                if users := [id for id in table.users(subject, each) if id != held.versions[each].id]:
                    words = f"One or more references exist to the schema {subject} version {each}: ids {users[:10]}"
                    raise Wrong(wrong.REFERENCED, words)
            await self._amend(who.tenant, Removed(subject, version, permanent, who.name))
            return chosen

    async def _amend(self, tenant: str, event: Registered | Removed | Configured, schema: Schema | None = None) -> None:
        """Raises Conflict `members_differ` while a process of an older release, which cannot read such an event, may
        come to own the shard."""
        check_followed(self._rules(), "schemas", DECLARED_RULES)
        await self._contracts.amend(tenant, event, schema)

    async def set_level(self, who: Caller, subject: str, level: str) -> None:
        """Set a level of compatibility; empty: the default again. Raises Wrong."""
        if level and level not in Table.LEVELS:
            known = ", ".join(Table.LEVELS)
            raise Wrong(wrong.BAD_LEVEL, f"Invalid compatibility level {level[:40]!r}. Valid values are {known}")
        async with self._contracts.changing(who.tenant) as table:
            held = table.subjects.get(subject)
            before = table.level if not subject else held.level if held is not None else None
            if (before or "") != level:
                self._bounded(table, subject)
                await self._amend(who.tenant, Configured(subject, "level", level, who.name))

    async def set_mode(self, who: Caller, subject: str, mode: str, *, force: bool) -> None:
        """Set a mode; empty: the default again. Raises Wrong."""
        if mode and mode not in Table.MODES:
            raise Wrong(wrong.BAD_MODE, f"Invalid mode {mode[:40]!r}. Valid values are {', '.join(Table.MODES)}")
        async with self._contracts.changing(who.tenant) as table:
            held = table.subjects.get(subject)
            live = table.live(subject) if subject else any(each.versions for each in table.subjects.values())
            if mode == "IMPORT" and live and not force:
                raise Wrong(wrong.NOT_PERMITTED, "Cannot import since found existing subjects")
            before = table.mode if not subject else held.mode if held is not None else None
            if (before or "") != mode:
                self._bounded(table, subject)
                await self._amend(who.tenant, Configured(subject, "mode", mode, who.name))

    def _writable(self, table: Table, subject: str, *, importing: bool) -> None:
        mode = table.mode_of(subject)
        if mode in ("READONLY", "READONLY_OVERRIDE"):
            raise Wrong(wrong.NOT_PERMITTED, f"Subject {subject} is in read-only mode")
        if importing and mode != "IMPORT":
            raise Wrong(wrong.NOT_PERMITTED, f"Subject {subject} is not in import mode")

    def _bounded(self, table: Table, subject: str, schema: Schema | None = None) -> None:
        held = table.subjects.get(subject)
        if held is None and subject and len(table.subjects) >= SUBJECTS_MAX:
            raise TooLarge(f"there are {SUBJECTS_MAX:,} subjects", hint="delete some for good")
        if schema is not None and held is not None and len(held.versions) >= VERSIONS_MAX:
            raise TooLarge(f"{subject} has {VERSIONS_MAX:,} versions", hint="delete some for good")
        if schema is not None and table.chars + len(schema.text) > CHARS_MAX:
            raise TooLarge(f"the schemas have {CHARS_MAX:,} characters together")


def is_contract(table: Table, subject: str) -> bool:
    """Whether a subject is a contract of an event."""
    held = table.subjects.get(subject)
    return held is not None and held.contract


def _numbers(table: Table, subject: str, parsed: Parsed, given: Given) -> tuple[int, int]:
    """The id and the version of a new schema."""
    held = table.subjects.get(subject)
    id = table.id_of(parsed.digest) or table.next_id
    if given.id:
        if given.id in table.schemas and table.digest_of(given.id) != parsed.digest:
            raise Wrong(wrong.NOT_PERMITTED, f"Overwrite new schema with id {given.id} is not permitted.")
        id = given.id
    versions = held.versions if held is not None else {}
    version = given.version or max(versions, default=0) + 1
    if version in versions and versions[version].id != id:
        raise Wrong(wrong.NOT_PERMITTED, f"Overwrite version {version} of {subject} is not permitted.")
    return id, version


def _to_remove(held: Subject, subject: str, version: int, *, permanent: bool) -> list[int]:
    """The versions that a deletion is of. Raises Wrong."""
    if not version:
        live = [each.version for each in held.live()]
        if permanent and live:
            words = f"Subject '{subject}' was not deleted first before being permanently deleted"
            raise Wrong(wrong.SUBJECT_NOT_DELETED, words)
        if not permanent and not live:
            words = f"Subject '{subject}' was soft deleted. Set permanent=true to delete permanently"
            raise Wrong(wrong.SUBJECT_DELETED, words)
        return list(held.versions) if permanent else live
    found = held.versions.get(version)
    if found is None:
        raise wrong.version_unknown(version)
    if permanent and not found.deleted:
        words = f"Subject '{subject}' Version {version} was not deleted first before being permanently deleted"
        raise Wrong(wrong.VERSION_NOT_DELETED, words)
    if not permanent and found.deleted:
        words = f"Subject '{subject}' Version {version} was soft deleted. Set permanent=true to delete permanently"
        raise Wrong(wrong.VERSION_DELETED, words)
    return [version]
