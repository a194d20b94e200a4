"""Checks whether contracts fit together and with known ones. Places are `kind/name@version#/pointer`."""

from collections.abc import Iterator, Mapping
from typing import Final

from aob.core.contract.check.alert import alert_problems, slo_problems
from aob.core.contract.check.event import event_problems
from aob.core.contract.check.metric import metric_problems
from aob.core.contract.check.visible_names import ENRICHMENTS, event_names, events_of, judge
from aob.core.contract.document import key_of, to_document
from aob.core.contract_model import AlertContract, ContractSet, EventContract, MetricContract, T, as_before
from aob.core.document.shape import escape
from aob.core.errors import Problem
from aob.core.expression.paths import read_paths

WARNING: Final = "warn_"
_Kind = Mapping[str, Mapping[int, EventContract | MetricContract | AlertContract]]


def event_advice(contract: EventContract, whole: ContractSet) -> Iterator[Problem]:
    """Advice about an event type."""
    if not contract.entities and all(contract.type not in metric.types for metric in whole.newest_metrics()):
        at = f"event/{contract.type}@{contract.version}#"
        hint = f"a metric with moves: [{{on: {contract.type}}}], or entities"
        yield Problem(at, f"{contract.type} moves nothing", f"{WARNING}unused", hint=hint)


def metric_advice(metric: MetricContract, whole: ContractSet) -> Iterator[Problem]:
    """Advice about a metric."""
    at = f"metric/{metric.name}@{metric.version}#"
    told = set[str]()
    for name, text in metric.dimensions.items():
        for event in (event for move in metric.moves for event in events_of(move, whole)):
            made = judge(text, "", event_names(event)).expression
            paths = read_paths(made.tree.root).paths if made is not None else ()
            for field in (".".join(path.fields) for path in paths if path.root == "data"):
                if field in event.pii and name not in told:
                    told.add(name)
                    message = f"{name} shows {field} of {event.type}, which is {event.pii[field]} data"
                    yield Problem(f"{at}/dimensions/{escape(name)}", message, f"{WARNING}pii", hint="group by less")


def check_set(
    contracts: ContractSet, base: ContractSet | None = None, *, enrichments: frozenset[str] = frozenset(ENRICHMENTS)
) -> list[Problem]:
    """Every problem of these contracts over the known ones of `base`, each with the path `kind/name@version#/pointer`,
    including what the new ones would break of the known. A code that begins with `warn_` is advice."""
    known = base or ContractSet()
    whole = joined(known, contracts)
    found = list(_changed(contracts, known))
    touched = {key_of(each): each for each in (*_touched(contracts, whole), *_each(contracts.metrics))}
    for event in _each(contracts.events):
        found += event_problems(event, whole, enrichments)
    for metric in touched.values():
        found += metric_problems(metric, whole)
    for alert in _each(contracts.alerts):
        found += alert_problems(alert, whole)
    for slo in contracts.slos.values():
        found += slo_problems(slo, whole)
    for event in _each(contracts.events):
        found += event_advice(event, whole)
    for metric in _each(contracts.metrics):
        found += metric_advice(metric, whole)
    return found


def _each(kind: Mapping[str, Mapping[int, T]]) -> Iterator[T]:
    for versions in kind.values():
        yield from versions.values()


def _touched(contracts: ContractSet, whole: ContractSet) -> Iterator[MetricContract]:
    """The newest metrics that read any of these contracts."""
    for metric in whole.newest_metrics():
        if whole.types_of(metric.name) & contracts.events.keys() or metric.operands & contracts.metrics.keys():
            yield metric


def _changed(contracts: ContractSet, known: ContractSet) -> Iterator[Problem]:
    """A known version must not change."""
    kinds: tuple[tuple[_Kind, _Kind], ...] = (
        (contracts.events, known.events), (contracts.metrics, known.metrics), (contracts.alerts, known.alerts),
    )  # fmt: skip
    for more, base in kinds:
        for new in _each(more):
            versions = base.get(new.name, {})
            same = versions.get(new.version)
            if same is not None and to_document(same) not in (to_document(new), to_document(as_before(new))):
                message = f"version {new.version} of {new.name} is there already and says something else"
                hint = f"version: {max(versions) + 1}"
                yield Problem(f"{key_of(new)}#/version", message, "version_changed", hint=hint)


def joined(base: ContractSet, more: ContractSet) -> ContractSet:
    """Both sets as one; `more` wins where both hold a version."""
    return ContractSet(
        _both(base.events, more.events),
        _both(base.metrics, more.metrics),
        _both(base.alerts, more.alerts),
        {**base.slos, **more.slos},
    )


def _both(base: Mapping[str, Mapping[int, T]], more: Mapping[str, Mapping[int, T]]) -> dict[str, Mapping[int, T]]:
    return {name: {**base.get(name, {}), **more.get(name, {})} for name in (*base, *more)}
