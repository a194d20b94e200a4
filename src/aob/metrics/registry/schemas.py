"""Verbs of schemas for users: list, show, push, check. Errors are those of the API."""

from collections.abc import Iterator
from contextlib import contextmanager

from aob.core.errors import CallerError, Conflict, NotFound
from aob.core.hint import meant
from aob.core.policy import Caller
from aob.core.schema import Reference, Schema, Table
from aob.core.verb import performs
from aob.core.verbs.registry import schema_verbs as verbs
from aob.metrics.registry.registry import Given, Registry
from aob.metrics.registry.wrong import Wrong


class Schemas:
    """The verbs, over the registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    @performs(verbs.LIST)
    async def schemas(self, who: Caller, args: verbs.ListSchemas) -> list[verbs.SubjectRow]:
        """Subjects that have versions."""
        table = self._registry.table(who.tenant)
        names = sorted(name for name in table.subjects if name.startswith(args.prefix) and table.live(name))
        return [_row(table, name) for name in names]

    @performs(verbs.SHOW)
    async def schema(self, who: Caller, args: verbs.ShowSchema) -> verbs.SchemaView:
        """One version of a subject."""
        table, subject = self._registry.table(who.tenant), args.subject
        live = table.live(subject)
        if not live:
            known = [name for name in table.subjects if table.live(name)]
            hint = meant(subject, known, "subjects") or "none yet: aob schema push FILE"
            raise NotFound(f"there is no subject {subject[:80]!r}", code="schema_not_found", hint=hint)
        found = next((each for each in live if each.version == (args.version or live[-1].version)), None)
        if found is None:
            versions = ", ".join(str(each.version) for each in live)
            why = f"{subject} has no version {args.version}"
            raise NotFound(why, code="schema_not_found", hint=f"versions: {versions}")
        schema = table.schemas[found.id]
        references = [verbs.ReferenceShape(each.name, each.subject, each.version) for each in schema.references]
        return {
            **_row(table, subject), "version": found.version, "id": found.id, "language": schema.language,
            "schema": schema.text, "references": references,
        }  # fmt: skip

    @performs(verbs.PUSH)
    async def push_schema(self, who: Caller, args: verbs.GivenSchema) -> verbs.SchemaPushed:
        """Register a version. Raises Invalid, Conflict."""
        with _as_ours():
            found = await self._registry.register(who, args.subject, Given(_given(args)))
        return {"subject": found.subject, "version": found.version, "id": found.id, "created": found.created}

    @performs(verbs.CHECK)
    async def check_schema(self, who: Caller, args: verbs.GivenSchema) -> verbs.SchemaChecked:
        """Compare and register nothing. Raises Invalid for a text that is no schema."""
        level = self._registry.table(who.tenant).level_of(args.subject)
        try:
            with _as_ours():
                reasons = await self._registry.compare(who, args.subject, _given(args))
        except Conflict as error:
            reasons = [str(each) for each in error.fields.get("changes") or [error.detail]]
        return {"compatible": not reasons, "level": level, "reasons": reasons}


def _given(args: verbs.GivenSchema) -> Schema:
    references = tuple(Reference(each.name, each.subject, each.version) for each in args.references)
    return Schema(args.schema, args.language, references)


def _row(table: Table, subject: str) -> verbs.SubjectRow:
    live = table.live(subject)
    return {
        "subject": subject, "versions": [each.version for each in live], "id": live[-1].id,
        "language": table.schemas[live[-1].id].language, "level": table.level_of(subject),
        "contract": table.subjects[subject].contract,
    }  # fmt: skip


@contextmanager
def _as_ours() -> Iterator[None]:
    """What the registry says no with, as an error of the API."""
    try:
        yield
    except Wrong as error:
        if error.status == 422:
            raise Conflict(error.message, code="schema_refused") from error
        raise CallerError(error.message) from error
