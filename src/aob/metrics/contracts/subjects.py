"""Contracts of events as subjects of the registry: their ids, their rows in the table of schemas, and the one judgement
of what is compatible, by which a push and the registry refuse."""

from collections.abc import Sequence

from aob.core.contract import compare, kind_of, schema_of
from aob.core.contract_model import Contract, ContractSet, EventContract
from aob.core.errors import Conflict
from aob.core.schema import Parsed, Schema, Table, normal_digest, parse, refusals
from aob.core.value import canonical
from aob.metrics.contracts.law import Configured, OfRegistry, Registered, Removed
from aob.metrics.contracts.listing import label, versions_of


def schema_in(contract: EventContract) -> Schema:
    """The schema of an event contract, as the registry tells it."""
    return Schema(canonical(schema_of(contract)).decode(), "JSON")


def named_in(given: ContractSet, names: Sequence[str]) -> list[Contract]:
    """The contracts of a revision in the order of its names."""
    return [contract for name in names if (contract := _by_label(given, name)) is not None]


def _by_label(given: ContractSet, name: str) -> Contract | None:
    kind, _, rest = name.partition(" ")
    word, _, version = rest.rpartition("@")
    found: Contract | None = versions_of(given, kind, word).get(int(version))
    return found


def ids_of(new: Sequence[Contract], table: Table) -> tuple[int, ...]:
    """An id for each event contract, 0 for others: the same schema has the same id."""
    following, made, found = table.next_id, dict[str, int](), list[int]()
    for contract in new:
        if not isinstance(contract, EventContract):
            found.append(0)
            continue
        digest = _digest(contract)
        known = table.id_of(digest) or made.get(digest)
        if known is None:
            known = made[digest] = following
            following += 1
        found.append(known)
    return tuple(found)


def _digest(contract: EventContract) -> str:
    return normal_digest("JSON", schema_in(contract).text.encode())


def declare(table: Table, new: Sequence[Contract], ids: Sequence[int]) -> None:
    """Take contracts of events into the table."""
    for contract, id in zip(new, ids, strict=True):
        if isinstance(contract, EventContract):
            schema = schema_in(contract)
            table.add(contract.type, contract.version, id, schema, _digest(contract), contract=True)


def amend(table: Table, event: OfRegistry, schema: Schema | None) -> None:
    """Take a change of the registry into the table; `schema` is that of what was registered."""
    if isinstance(event, Registered) and schema is not None:
        table.add(event.subject, event.version, event.id, schema, event.digest)
    elif isinstance(event, Removed):
        table.remove(event.subject, event.version, permanent=event.permanent)
    elif isinstance(event, Configured) and event.what == "level":
        table.configure(event.subject, next((each for each in Table.LEVELS if each == event.value), None))
    elif isinstance(event, Configured):
        table.switch(event.subject, next((each for each in Table.MODES if each == event.value), None))


def incompatible(table: Table, subject: str, new: Parsed, version: int = 0) -> list[str]:
    """Why a schema may not follow the versions of a subject (or one of them) at its level; none when it may."""
    live = [each for each in table.live(subject) if version in (0, each.version)]
    before = ((each.version, table.parsed(each.id)) for each in reversed(live))
    return [str(each) for each in refusals(table.level_of(subject), new, before)]


def breaking_of(before: ContractSet, new: Sequence[Contract], table: Table) -> list[str]:
    """What breaks producers or readers: by the rules of contracts against the newest version; for an event whose level
    of compatibility somebody has set, by that level too, against the versions that it names."""
    found: list[str] = []
    for contract in new:
        kind = kind_of(contract)
        versions = versions_of(before, kind, contract.name)
        if versions and kind != "slo":
            newest = versions[max(versions)]
            found += [f"{label(contract)}: {each.sentence}" for each in compare(newest, contract) if each.breaking]
        subject = table.subjects.get(contract.name)
        if isinstance(contract, EventContract) and versions and (table.level or (subject and subject.level)):
            words = incompatible(table, contract.name, parse(schema_in(contract)))
            found += [f"{label(contract)}: {each}" for each in words]
    return found


def refuse_breaking(found: Sequence[str], hint: str) -> None:
    """Raises Conflict `breaking_change` when there is anything."""
    if found:
        raise Conflict("; ".join(found[:5]), code="breaking_change", hint=hint, changes=list(found))
