"""Contracts of every tenant: checks texts, commits revisions, serves the current ones from memory. A tenant's gate and
folds use `of`. Listeners are called after the commit of a new revision."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

import msgspec

from aob.core.answers import JsonObject
from aob.core.contract import Sources, check_set, compare, graph_of, kind_of, read_contracts, schema_of, to_document
from aob.core.contract_model import Contract, ContractSet, EventContract, as_before
from aob.core.errors import CallerError, Conflict, Invalid, NotFound, Problem, TooLarge, Unavailable
from aob.core.event import Positions
from aob.core.metric import Fold
from aob.core.metric_answers import ContractsPushed, Lineage
from aob.core.metric_answers import Unversioned as UnversionedType
from aob.core.policy import Caller
from aob.core.schema import Schema, Table
from aob.core.value import canonical, digest_of
from aob.core.verb import NoArgs, performs
from aob.core.verbs import contract_verbs as verbs
from aob.journal import Decided, Journal
from aob.metrics.contracts.defaults import defaults_of
from aob.metrics.contracts.law import (
    PREFIX,
    Amend,
    Declare,
    Declared,
    Default,
    Defaulted,
    Event,
    OfRegistry,
    Registered,
    revisions_of,
)
from aob.metrics.contracts.listing import (
    all_of,
    digest,
    joined,
    label,
    metric_unknown,
    short,
    unknown,
    versions_of,
)
from aob.metrics.contracts.sketches import SKETCHES, not_installed, without_sketches
from aob.metrics.contracts.subjects import amend, breaking_of, declare, ids_of, named_in, refuse_breaking
from aob.ports.installed import installed

FILES_BYTES_MAX: Final = 8 * 1024 * 1024
KINDS: Final = ("event", "metric", "alert", "slo")
Changed = Callable[[str, ContractSet, ContractSet], Awaitable[list[str]]]
"""Called with the tenant, its old and its new contracts; returns the names of metrics being filled."""


Unversioned = Callable[[str, Sequence[str]], Awaitable[Mapping[str, float]]]


class ValueReader(Protocol):
    """Values outside records, by hash."""

    async def fetch(self, tenant: str, digest: bytes) -> bytes:
        """The bytes of a value."""


class Contracts:
    """Contracts of every tenant. `platform` are those that every tenant has; their names are reserved."""

    def __init__(self, journal: Journal, values: ValueReader, platform: ContractSet) -> None:
        self._journal, self._values = journal, values
        self.positions = Positions(Positions.RUNS)
        self.platform = platform if installed(SKETCHES) else without_sketches(platform)
        self._own: dict[str, ContractSet] = {}
        self._merged: dict[str, ContractSet] = {}
        self._one: dict[str, asyncio.Lock] = {}
        self._tables: dict[str, Table] = {}
        self._read: dict[str, int] = {}  # of a tenant's history, how much is adopted
        self.changed: list[Changed] = []
        self.unversioned: Unversioned | None = None
        """Returns how many events per minute of some types of a tenant name no version."""

    async def recover(self) -> None:
        """Read the committed contracts."""
        for name, stream in list(self._journal.streams.items()):
            if name.startswith(PREFIX) and stream.seq:
                await self._restore(name.removeprefix(PREFIX), stream.state)

    def tenants(self) -> list[str]:
        """Tenants that have contracts."""
        return sorted(self._own)

    def own(self, tenant: str) -> ContractSet:
        """The tenant's own contracts, which its gate accepts."""
        return self._own.get(tenant) or ContractSet()

    def of(self, tenant: str) -> ContractSet:
        """The contracts a tenant may query: its own and the platform's."""
        return self._merged.get(tenant) or self.platform

    def table(self, tenant: str) -> Table:
        """The tenant's table of schemas. Its event contracts are subjects in it."""
        return self._tables.get(tenant) or Table()

    def revisions(self, tenant: str) -> list[Declared]:
        """The history of a tenant's contracts."""
        stream = self._journal.streams.get(PREFIX + tenant)
        return revisions_of(stream.state) if stream is not None else []

    def history(self, tenant: str) -> list[Event]:
        """All changes of a tenant's contracts: revisions, and changes of default versions."""
        stream = self._journal.streams.get(PREFIX + tenant)
        return list(stream.state) if stream is not None else []

    # -- verbs ----------------------------------------------------------------------------------------------------

    @performs(verbs.PUSH)
    async def push_contracts(self, who: Caller, args: verbs.PushContracts) -> ContractsPushed:
        """Store contracts, all or none. Raises Invalid with every problem, Conflict unless breaking changes are
        allowed."""
        if sum(map(len, (files := args.files).values())) > FILES_BYTES_MAX:
            raise TooLarge(f"contracts have at most {FILES_BYTES_MAX:,} characters together")
        sources = await asyncio.to_thread(Sources, files)
        async with self._one.setdefault(who.tenant, asyncio.Lock()):
            await self._catch_up(who.tenant)
            return await self._push(who, sources, args.dry_run, args.allow_breaking)

    async def _push(self, who: Caller, sources: Sources, dry_run: bool, allow_breaking: bool) -> ContractsPushed:
        before, given = self.own(who.tenant), sources.set
        found = await asyncio.to_thread(check_set, given, self.of(who.tenant))
        problems = [*sources.problems, *sources.located(found), *not_installed(given)]
        faults = [problem for problem in problems if not problem.code.startswith("warn")]
        if faults:
            raise Invalid("the contracts have problems", faults)
        new, same = self._sorted(who.tenant, before, given)
        after = msgspec.structs.replace(joined(before, given), defaults=defaults_of(before, given))
        warnings = [msgspec.to_builtins(problem) for problem in problems]
        await asyncio.to_thread(self._refuse_breaking, before, new, self.table(who.tenant), warnings, allow_breaking)
        revision, filling = len(self.revisions(who.tenant)), list[str]()
        position = ""
        if new and not dry_run:
            await asyncio.to_thread(Fold.prepare, after)
            documents = canonical([to_document(contract) for contract in new])
            names = tuple(label(contract) for contract in new)
            ids = ids_of(new, self.table(who.tenant))
            decided = await self._ask(who.tenant, Declare(revision, names, documents, who.name, ids))
            revision += 1
            position = self.positions.token(decided.row, decided.base)
            declare(self._tables.setdefault(who.tenant, Table()), new, ids)
            self._adopt(who.tenant, after)
            for listener in self.changed:
                filling += await listener(who.tenant, before, after)
        return {
            "revision": revision, "new": sorted(map(label, new)), "same": sorted(map(label, same)),
            "warnings": warnings, "filling": sorted(set(filling)), "position": position,
            "unversioned": await self._unversioned(who.tenant, after, new),
        }  # fmt: skip

    async def _unversioned(self, tenant: str, known: ContractSet, new: list[Contract]) -> list[UnversionedType]:
        """The types of these contracts whose default is not their newest version, and their event rate without a
        version."""
        types = sorted({each.type for each in new if isinstance(each, EventContract)})
        behind = [type for type in types if known.default_of(type) != max(known.events[type])]
        rates = await self.unversioned(tenant, behind) if behind and self.unversioned is not None else {}
        return [
            {"type": type, "default": known.default_of(type), "newest": max(known.events[type]),
             "per_minute": rates.get(type, 0.0)}
            for type in behind
        ]  # fmt: skip

    @performs(verbs.DEFAULT)
    async def default_version(self, who: Caller, args: verbs.DefaultContract) -> JsonObject:
        """Set the version that judges events of a type that name none. A push never does."""
        type, version = args.type, args.version
        async with self._one.setdefault(who.tenant, asyncio.Lock()):
            await self._catch_up(who.tenant)
            before = self.own(who.tenant)
            versions = before.events.get(type)
            if versions is None or version not in versions:
                if not versions:
                    raise unknown("event", type, before.events)
                known = f"versions: {', '.join(map(str, sorted(versions)))}"
                raise NotFound(f"no event {type[:80]} version {version}", code="contract_not_found", hint=known)
            was = before.default_of(type)
            if was != version:
                after = msgspec.structs.replace(before, defaults={**before.defaults, type: version})
                await asyncio.to_thread(Fold.prepare, after)
                await self._ask(who.tenant, Default(type, version, who.name))
                self._adopt(who.tenant, after)
                for listener in self.changed:
                    await listener(who.tenant, before, after)
        return {"type": type, "default": version, "was": was, "newest": max(versions)}

    @performs(verbs.CHECK)
    async def check_contracts(self, who: Caller, args: verbs.CheckContracts) -> JsonObject:
        """Check contracts and store nothing."""
        try:
            seen = await self.push_contracts(who, args.files, dry_run=True, allow_breaking=True)
        except (Invalid, Conflict) as error:
            problems = getattr(error, "problems", ()) or (Problem("", error.detail, error.code, hint=error.hint),)
            return {"valid": False, "problems": problems}
        return {"valid": True, "problems": [], "new": seen["new"], "warnings": seen["warnings"]}

    @performs(verbs.LIST)
    async def contracts(self, who: Caller, args: NoArgs) -> list[JsonObject]:
        """A summary of every contract."""
        known = self.of(who.tenant)
        return [self._short(known, versions[max(versions)], sorted(versions)) for versions in all_of(known)]

    @performs(verbs.SHOW)
    async def contract(self, who: Caller, args: verbs.ShowContract) -> JsonObject:
        """One contract, whole."""
        kind, name, version = args.kind, args.name, args.version
        versions = self._versions(who, kind, name)
        found = versions.get(version or max(versions))
        if found is None:
            raise NotFound(f"{kind} {name} has no version {version}", code="contract_not_found",
                           hint=f"versions: {', '.join(map(str, sorted(versions)))}")  # fmt: skip
        told = self._short(self.of(who.tenant), found, sorted(versions)) | {"contract": to_document(found)}
        return told | {"schema": schema_of(found)} if isinstance(found, EventContract) else told

    def unheard(self, tenant: str, wanted: Mapping[str, Sequence[str]]) -> list[str]:
        """A line for each of these `events metrics alerts` without a contract: it will have no effect."""
        known = self.of(tenant)
        return [
            f"no contract speaks of the {kind} {name}: {unknown(kind, name, getattr(known, kind + 's')).hint}"
            for kind in ("event", "metric", "alert")
            for name in wanted.get(kind + "s", ())
            if name != "*" and name not in getattr(known, kind + "s")
        ]

    @performs(verbs.DIFF)
    async def diff_contract(self, who: Caller, args: verbs.DiffContract) -> JsonObject:
        """The changes between two versions."""
        kind, name, a, b = args.kind, args.name, args.a, args.b
        first = (await self.contract(who, kind, name, version=a))["version"]
        second = (await self.contract(who, kind, name, version=b))["version"]
        versions = self._versions(who, kind, name)
        changes = [msgspec.to_builtins(change) for change in compare(versions[first], versions[second])]
        return {"kind": kind, "name": name, "a": first, "b": second, "changes": changes,
                "breaking": any(change["breaking"] for change in changes)}  # fmt: skip

    @performs(verbs.LINEAGE)
    async def lineage(self, who: Caller, args: verbs.ShowLineage) -> Lineage:
        """Which events move which metrics, and their dependents."""
        metric, event = args.metric, args.event
        known = self.of(who.tenant)
        if metric and known.metric(metric) is None:
            raise metric_unknown(metric, known)
        if event and known.event(event) is None:
            raise unknown("event", event, known.events)
        graph = graph_of(known if metric or event else self.own(who.tenant), metric=metric, event=event)
        return {"nodes": graph.nodes, "edges": graph.edges, "text": graph.text()}

    @staticmethod
    def _short(known: ContractSet, contract: Contract, versions: list[int]) -> JsonObject:
        told = short(contract, versions)
        return told | {"default": known.default_of(contract.type)} if isinstance(contract, EventContract) else told

    # -- inside ---------------------------------------------------------------------------------------------------

    def _versions(self, who: Caller, kind: str, name: str) -> Mapping[int, Contract]:
        if kind not in KINDS:
            why = f"{kind[:40]!r} is no kind of contract"
            raise CallerError(why, code="bad_kind", hint=f"one of {', '.join(KINDS)}")
        known = self.of(who.tenant)
        found: Any = getattr(known, kind + "s").get(name)
        if found is None:
            raise unknown(kind, name, getattr(known, kind + "s"))
        return {1: found} if kind == "slo" else found

    def _is_subject(self, tenant: str, name: str) -> bool:
        subject = self.table(tenant).subjects.get(name)
        return subject is not None and bool(subject.versions) and not subject.contract

    def _sorted(self, tenant: str, before: ContractSet, given: ContractSet) -> tuple[list[Contract], list[Contract]]:
        new, same, problems = list[Contract](), list[Contract](), list[Problem]()
        for versions in all_of(given):
            for version, contract in sorted(versions.items()):
                kind = kind_of(contract)
                if versions_of(self.platform, kind, contract.name):
                    text = f"{kind} {contract.name} is the platform's own"
                    problems.append(Problem(f"{kind}/{contract.name}", text, "reserved", hint="choose another name"))
                    continue
                if kind == "event" and self._is_subject(tenant, contract.name):
                    text = f"{contract.name} is a subject of the registry"
                    problems.append(Problem(f"{kind}/{contract.name}", text, "contract_exists", hint="another name"))
                    continue
                known = versions_of(before, kind, contract.name).get(version)
                if known is None or (kind == "slo" and digest(known) != digest(contract)):
                    new.append(contract)
                elif digest(known) == digest(contract) or digest(known) == digest(as_before(contract)):
                    same.append(contract)
                else:
                    text = f"{kind} {contract.name} has a version {version} with other content"
                    hint = (
                        f"a version never changes: make it version {max(versions_of(before, kind, contract.name)) + 1}"
                    )
                    problems.append(Problem(f"{kind}/{contract.name}", text, "contract_exists", hint=hint))
        if problems:
            raise Invalid("the contracts cannot be taken over", problems)
        return new, same

    @staticmethod
    def _refuse_breaking(
        before: ContractSet, new: list[Contract], table: Table, warnings: list[JsonObject], allow: bool
    ) -> None:
        found = breaking_of(before, new, table)
        if not allow:
            refuse_breaking(found, "push with allow_breaking once every producer and reader is ready")
        warnings.extend({"path": "", "message": sentence, "code": "breaking_change"} for sentence in found)

    @asynccontextmanager
    async def changing(self, tenant: str) -> AsyncIterator[Table]:
        """The table of a tenant while nobody else changes it or the contracts."""
        async with self._one.setdefault(tenant, asyncio.Lock()):
            await self._catch_up(tenant)
            yield self.table(tenant)

    async def amend(self, tenant: str, event: OfRegistry, schema: Schema | None = None) -> None:
        """Commit a change of the registry, within `changing`."""
        document = canonical(schema) if schema is not None else b""
        if isinstance(event, Registered):
            event.document = digest_of(document).hex()
        await self._ask(tenant, Amend(self._read.get(tenant, 0), event, document))
        amend(self._tables.setdefault(tenant, Table()), event, schema)
        self._read[tenant] = len(self.history(tenant))

    async def _ask(self, tenant: str, command: Declare | Default | Amend) -> Decided:
        """Commits a change. If its answer is lost, what was committed counts as soon as the store is back."""
        try:
            return await self._journal.ask(PREFIX + tenant, command)
        except Unavailable:
            self._journal.aside(self._read_back(tenant))
            raise

    async def _read_back(self, tenant: str) -> None:
        if await self._journal.mended():
            async with self._one.setdefault(tenant, asyncio.Lock()):
                await self._catch_up(tenant)

    async def _catch_up(self, tenant: str) -> None:
        """Adopts what was committed and not answered."""
        history, before = self.history(tenant), self.own(tenant)
        if len(history) != self._read.get(tenant, 0):
            await self._restore(tenant, history)
            for listener in self.changed:
                await listener(tenant, before, self.own(tenant))

    async def _restore(self, tenant: str, history: list[Event]) -> None:
        found, table = ContractSet(), Table()
        for each in history:  # one by one: an objective may be declared again
            if isinstance(each, Defaulted):
                found = msgspec.structs.replace(found, defaults={**found.defaults, each.event: each.version})
            elif isinstance(each, Declared):
                data = await self._values.fetch(tenant, bytes.fromhex(each.documents))
                given = read_contracts({f"revision-{each.revision}.json": data.decode()})
                defaults = defaults_of(found, given, kept=each.keeps)
                found = msgspec.structs.replace(joined(found, given), defaults=defaults)
                named = named_in(given, each.names)
                declare(table, named, each.ids or ids_of(named, table))
            else:
                document = (
                    await self._values.fetch(tenant, bytes.fromhex(each.document))
                    if isinstance(each, Registered)
                    else b""
                )
                amend(table, each, msgspec.json.decode(document, type=Schema) if document else None)
        self._tables[tenant] = table
        self._adopt(tenant, found)

    def _adopt(self, tenant: str, own: ContractSet) -> None:
        self._own[tenant], self._read[tenant] = own, len(self.history(tenant))
        self._merged[tenant] = joined(self.platform, own)
