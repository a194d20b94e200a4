"""Names, hashes and lists of contracts; sets joined; errors for names that are unknown."""

from collections.abc import Mapping
from typing import Any, Final

from aob.core.answers import JsonObject
from aob.core.contract import kind_of, to_document
from aob.core.contract_model import Contract, ContractSet
from aob.core.errors import NotFound
from aob.core.hint import meant, nearest
from aob.core.value import canonical, digest_of

PLATFORM_OWNER: Final = "aob"


def label(contract: Contract) -> str:
    """The label of a contract in lists: `metric revenue@2`."""
    return f"{kind_of(contract)} {contract.name}@{getattr(contract, 'version', 1)}"


def digest(contract: Contract) -> str:
    """The hash of a contract's canonical document."""
    return digest_of(canonical(to_document(contract))).hex()


def short(contract: Contract, versions: list[int]) -> JsonObject:
    """A contract's summary for lists."""
    return {
        "kind": kind_of(contract), "name": contract.name, "version": getattr(contract, "version", 1),
        "versions": versions, "owner": contract.owner, "description": contract.description, "hash": digest(contract),
    }  # fmt: skip


def joined(one: ContractSet, other: ContractSet) -> ContractSet:
    """Merges all versions; for objectives of the same name, those of `other`."""

    def both(a: Mapping[str, Mapping[int, Any]], b: Mapping[str, Mapping[int, Any]]) -> dict[str, dict[int, Any]]:
        return {name: {**a.get(name, {}), **b.get(name, {})} for name in (*a, *(n for n in b if n not in a))}

    return ContractSet(
        both(one.events, other.events), both(one.metrics, other.metrics), both(one.alerts, other.alerts),
        {**one.slos, **other.slos}, {**one.defaults, **other.defaults},
    )  # fmt: skip


def metric_unknown(name: str, known: ContractSet) -> NotFound:
    """An error for an unknown metric, with some known ones."""
    near = nearest(name, known.metrics)
    meant = f"did you mean {near}? " if near else ""
    own_first = sorted(known.metrics, key=lambda each: (_is_platforms(known.metrics[each]), each))
    why = f"there is no metric {name[:80]!r}"
    return NotFound(why, code="metric_not_found", hint=f"{meant}metrics: {', '.join(own_first[:12])}")


def unknown(kind: str, name: str, known: Mapping[str, Any]) -> NotFound:
    """An error for an unknown name, with the nearest or some known ones."""
    own = [
        each for each, found in known.items() if not _is_platforms(found if isinstance(found, Mapping) else {1: found})
    ]
    hint = meant(name, known if nearest(name, known) else own, f"{kind}s") or "none yet: aob contract push FOLDER"
    return NotFound(f"there is no {kind} {name[:80]!r}", code="contract_not_found", hint=hint)


def _is_platforms(versions: Mapping[int, Contract]) -> bool:
    return all(contract.owner == PLATFORM_OWNER for contract in versions.values())


def all_of(known: ContractSet) -> list[Mapping[int, Contract]]:
    """The versions of each contract."""
    slos: list[Mapping[int, Contract]] = [{1: slo} for _, slo in sorted(known.slos.items())]
    listed: list[Mapping[str, Mapping[int, Any]]] = [known.events, known.metrics, known.alerts]
    return [*(versions for kind in listed for _, versions in sorted(kind.items())), *slos]


def versions_of(known: ContractSet, kind: str, name: str) -> Mapping[int, Any]:
    """The versions of one contract; none of one that is unknown."""
    if kind == "slo":
        return {1: known.slos[name]} if name in known.slos else {}
    found: Mapping[int, Any] = getattr(known, kind + "s").get(name, {})
    return found
