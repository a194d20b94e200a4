"""Do contracts fit together: every problem of a set, over what is known already. Pure; places are `kind/name@version#`.

In: a set, and the set that it is added to. Out: problems, all at once; none when the set may be taken over.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from aob.core.contract.model import ContractSet, MetricContract, T
from aob.core.errors import Problem

ENRICHMENTS: Final = frozenset({"order_size", "click_class", "payment_risk"})
"""The enrichments that the gate ships with."""


def check_set(
    contracts: ContractSet, base: ContractSet | None = None, *, enrichments: frozenset[str] = ENRICHMENTS
) -> list[Problem]:
    """Every problem of these contracts, each with the path `kind/name@version#/pointer`. They are judged together with
    those of `base`, which are known already and not judged again."""
    whole = joined(base or ContractSet(), contracts)
    return [*_unmoved(contracts, whole)]


def joined(base: ContractSet, more: ContractSet) -> ContractSet:
    """Both sets as one; where both hold a version, it is that of `more`."""
    return ContractSet(
        _both(base.events, more.events),
        _both(base.metrics, more.metrics),
        _both(base.alerts, more.alerts),
        {**base.slos, **more.slos},
    )


def _both(base: Mapping[str, Mapping[int, T]], more: Mapping[str, Mapping[int, T]]) -> dict[str, Mapping[int, T]]:
    return {name: {**base.get(name, {}), **more.get(name, {})} for name in (*base, *more)}


def _unmoved(contracts: ContractSet, whole: ContractSet) -> Iterator[Problem]:
    for versions in contracts.metrics.values():
        for metric in versions.values():
            yield from _moved(metric, whole)


def _moved(metric: MetricContract, whole: ContractSet) -> Iterator[Problem]:
    at = f"metric/{metric.name}@{metric.version}#"
    if metric.type != "derived" and not metric.moves:
        yield Problem(at, f"no event moves {metric.name}", "unmoved", hint="moves: [{on: order.created}]")
    for index, move in enumerate(metric.moves):
        if move.on not in whole.events:
            yield Problem(f"{at}/moves/{index}/on", f"there is no event {move.on}", "unknown_event")
