"""The answers of the protocol, a function each: what a request of Confluent's clients is told. Raises Wrong."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aob.core.answers import JsonObject
from aob.core.schema import Registered
from aob.core.verbs.registry import schema_verbs as verbs
from aob.metrics.registry import wrong
from aob.metrics.registry.registry import Found, Registry
from aob.metrics.registry.request import Asked, number, read_body, version_number
from aob.metrics.registry.wrong import Wrong

LATEST: Final = ("latest", "-1")
IGNORED: Final = (("normalize", True), ("compatibilityPolicy", "STRICT"))  # what holds here anyhow


class Raw(str):
    """A text that is the answer as it stands."""

    __slots__ = ()


class Answers:
    """All answers, over the registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    # -- schemas --------------------------------------------------------------------------------------------------

    async def types(self, asked: Asked) -> list[str]:
        """The languages."""
        return ["JSON", "PROTOBUF", "AVRO"]

    async def by_id(self, asked: Asked) -> JsonObject:
        """A schema by its id."""
        return self._schema(asked, self._id(asked))

    async def text_by_id(self, asked: Asked) -> Raw:
        """The text of a schema by its id."""
        return Raw(self._schema(asked, self._id(asked))["schema"])

    async def by_guid(self, asked: Asked) -> JsonObject:
        """A schema by its UUID."""
        id = self._ids(asked)[0]
        return {**self._schema(asked, id), "id": id}

    async def ids_of_guid(self, asked: Asked) -> list[JsonObject]:
        """The ids of a schema, by its UUID."""
        return [{"context": ".", "id": id} for id in self._ids(asked)]

    def _ids(self, asked: Asked) -> list[int]:
        table, guid = asked.table, asked.path["guid"]
        found = [id for id in table.schemas if table.guid_of(id) == guid and any(table.places(id))]
        if not found:
            raise Wrong(wrong.SCHEMA_UNKNOWN, f"Schema {guid[:64]} not found")
        return found

    async def subjects_of(self, asked: Asked) -> list[str]:
        """The subjects of a schema."""
        return asked.page(sorted({name for name, _ in self._places(asked)}))

    async def versions_of(self, asked: Asked) -> list[JsonObject]:
        """The subjects and versions of a schema."""
        return asked.page([{"subject": name, "version": each.version} for name, each in self._places(asked)])

    async def schemas(self, asked: Asked) -> list[JsonObject]:
        """All versions of all subjects."""
        rows = []
        for name in self._names(asked):
            versions = asked.versions(name)
            rows += [
                self._version(asked, name, each) for each in (versions[-1:] if asked.flag("latestOnly") else versions)
            ]
        return asked.page(rows)

    def _places(self, asked: Asked) -> list[tuple[str, Registered]]:
        subject = asked.query.get("subject", "")
        return [
            (name, each) for name, each in asked.table.places(self._id(asked))
            if (asked.flag("deleted") or not each.deleted) and subject in ("", name)
        ]  # fmt: skip

    def _id(self, asked: Asked) -> int:
        id = number(asked.path["id"])
        if id not in asked.table.schemas or not any(asked.table.places(id)):
            raise Wrong(wrong.SCHEMA_UNKNOWN, f"Schema {asked.path['id'][:20]} not found")
        return id

    def _schema(self, asked: Asked, id: int) -> JsonObject:
        schema = asked.table.schemas[id]
        as_bytes = asked.query.get("format") == "serialized"
        told: JsonObject = {"schema": asked.table.serialized(id) if as_bytes else schema.text}
        if schema.language != "AVRO":
            told["schemaType"] = schema.language
        if schema.references:
            told["references"] = [
                {"name": each.name, "subject": each.subject, "version": each.version} for each in schema.references
            ]
        return {**told, "guid": asked.table.guid_of(id)}

    # -- subjects -------------------------------------------------------------------------------------------------

    async def subjects(self, asked: Asked) -> list[str]:
        """The subjects."""
        return asked.page(self._names(asked))

    def _names(self, asked: Asked) -> list[str]:
        prefix = asked.query.get("subjectPrefix", asked.query.get("subject_prefix", ""))
        prefix = prefix.removeprefix(":.:").removeprefix(":*:")
        names = sorted(name for name in asked.table.subjects if name.startswith(prefix))
        return [name for name in names if asked.versions(name)]

    async def versions(self, asked: Asked) -> list[int]:
        """The versions of a subject."""
        found = [each.version for each in asked.versions(asked.subject)]
        if not found:
            raise wrong.subject_unknown(asked.subject)
        return asked.page(found)

    async def version(self, asked: Asked) -> JsonObject:
        """A version of a subject."""
        return self._version(asked, asked.subject, self._found(asked))

    async def text_of_version(self, asked: Asked) -> Raw:
        """The text of a version."""
        return Raw(self._version(asked, asked.subject, self._found(asked))["schema"])

    async def referenced_by(self, asked: Asked) -> list[int]:
        """The ids of schemas that refer to a version."""
        return asked.page(asked.table.users(asked.subject, self._found(asked).version))

    def _found(self, asked: Asked) -> Registered:
        subject, named = asked.subject, asked.path["version"]
        versions = asked.versions(subject)
        if not versions:
            raise wrong.subject_unknown(subject)
        if named in LATEST:
            return versions[-1]
        number = version_number(named)
        found = next((each for each in versions if each.version == number), None)
        if found is None:
            raise wrong.version_unknown(number)
        return found

    def _version(self, asked: Asked, subject: str, version: Registered) -> JsonObject:
        place: JsonObject = {"subject": subject, "version": version.version, "id": version.id}
        return {**place, **self._schema(asked, version.id)}

    async def lookup(self, asked: Asked) -> JsonObject:
        """The version of a subject that is the given schema."""
        held = asked.table.subjects.get(asked.subject)
        if held is None or not (held.versions if asked.flag("deleted") else held.live()):
            raise wrong.subject_unknown(asked.subject)
        parsed = await self._registry.read(asked.table, asked.given().schema)
        found = self._registry.lookup(asked.table, asked.subject, parsed, deleted=asked.flag("deleted"))
        if found is None:
            raise Wrong(wrong.SCHEMA_UNKNOWN, "Schema not found")
        return self._version(asked, found.subject, held.versions[found.version])

    async def register(self, asked: Asked) -> JsonObject:
        """Registers a version."""
        found: Found = await self._registry.register(asked.who, asked.subject, asked.given())
        table = self._registry.table(asked.who.tenant)
        return {"id": found.id, "version": found.version, "guid": table.guid_of(found.id)}

    async def remove_subject(self, asked: Asked) -> list[int]:
        """Deletes a subject."""
        return await self._registry.remove(asked.who, asked.subject, 0, permanent=asked.flag("permanent"))

    async def remove_version(self, asked: Asked) -> int:
        """Deletes a version."""
        named = asked.path["version"]
        number = self._found(asked).version if named in LATEST else version_number(named)
        found = await self._registry.remove(asked.who, asked.subject, number, permanent=asked.flag("permanent"))
        return found[0]

    async def compatible(self, asked: Asked) -> JsonObject:
        """Whether a schema may follow all that its subject's level looks at."""
        return _compatible(asked, await self._registry.compare(asked.who, asked.subject, asked.given().schema))

    async def compatible_with(self, asked: Asked) -> JsonObject:
        """Whether a schema may follow one version."""
        schema, version = asked.given().schema, self._found(asked).version
        return _compatible(asked, await self._registry.compare(asked.who, asked.subject, schema, version))

    # -- levels and modes -----------------------------------------------------------------------------------------

    async def level(self, asked: Asked) -> JsonObject:
        """The level of compatibility."""
        return {"compatibilityLevel": self._holding(asked, "level")}

    async def mode(self, asked: Asked) -> JsonObject:
        """The mode."""
        return {"mode": self._holding(asked, "mode")}

    async def unset_level(self, asked: Asked) -> JsonObject:
        """Takes a level back, and tells what it was."""
        before = self._taken_back(asked, "level")
        await self._registry.set_level(asked.who, asked.named, "")
        return {"compatibilityLevel": before}

    async def unset_mode(self, asked: Asked) -> JsonObject:
        """Takes a mode back, and tells what it was."""
        before = self._taken_back(asked, "mode")
        await self._registry.set_mode(asked.who, asked.named, "", force=True)
        return {"mode": before}

    def _holding(self, asked: Asked, what: str) -> str:
        """What holds for all, or what is set for a subject."""
        if asked.named and not self._own(asked, what) and not asked.flag("defaultToGlobal"):
            code, words = (wrong.NO_LEVEL, "compatibility") if what == "level" else (wrong.NO_MODE, "mode")
            raise Wrong(code, f"Subject '{asked.named}' does not have subject-level {words} configured")
        return asked.table.level_of(asked.named) if what == "level" else asked.table.mode_of(asked.named)

    def _taken_back(self, asked: Asked, what: str) -> str:
        if asked.named and not self._own(asked, what):
            raise wrong.subject_unknown(asked.named)
        return asked.table.level_of(asked.named) if what == "level" else asked.table.mode_of(asked.named)

    def _own(self, asked: Asked, what: str) -> str | None:
        held = asked.table.subjects.get(asked.named)
        return None if held is None else held.level if what == "level" else held.mode

    async def set_level(self, asked: Asked) -> JsonObject:
        """Sets a level."""
        body = read_body(asked.body, dict[str, Any])
        more = sorted(name for name, value in body.items() if value and (name, value) not in IGNORED)
        if more != ["compatibility"]:
            said = f"`compatibility` is set here, and not {', '.join(more)[:200]}"
            raise Wrong(wrong.BAD_LEVEL, f"Invalid compatibility level: {said}")
        level = str(body["compatibility"]).upper()
        await self._registry.set_level(asked.who, asked.named, level)
        return {"compatibility": level}

    async def set_mode(self, asked: Asked) -> JsonObject:
        """Sets a mode."""
        mode = str(read_body(asked.body, dict[str, Any]).get("mode") or "").upper()
        if not mode:
            raise Wrong(wrong.BAD_MODE, "Invalid mode: `mode` is missing")
        await self._registry.set_mode(asked.who, asked.named, mode, force=asked.flag("force"))
        return {"mode": mode}

    # -- what is fixed --------------------------------------------------------------------------------------------

    async def root(self, asked: Asked) -> JsonObject:
        """Whether anybody is here."""
        return {}

    async def contexts(self, asked: Asked) -> list[str]:
        """The contexts: the default one."""
        return ["."]

    async def cluster(self, asked: Asked) -> JsonObject:
        """Which registry this is: that of a tenant."""
        return {
            "id": asked.who.tenant,
            "scope": {"path": [], "clusters": {"schema-registry-cluster": asked.who.tenant}},
        }

    async def no_association(self, asked: Asked) -> JsonObject:
        """No subject is associated with a topic: its name says it."""
        raise Wrong(404, "No associations: the subjects of a topic are TOPIC-key, TOPIC-value and TOPIC-TYPE")


def _compatible(asked: Asked, found: list[str]) -> JsonObject:
    told: JsonObject = {"is_compatible": not found}
    return {**told, "messages": list(found[:20])} if asked.flag("verbose") else told


Answer = Callable[[Answers, Asked], Awaitable[Any]]
ANSWERS: Final[Mapping[str, Answer]] = {
    name: getattr(Answers, name) for name in {route.answer for route in verbs.REGISTRY_ROUTES}
}
