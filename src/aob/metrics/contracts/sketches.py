"""Metrics that are counted by sketches need a library; where it is not installed they are refused."""

from typing import Final

from aob.core.contract_model import ContractSet
from aob.core.errors import Problem
from aob.ports.installed import installed

SKETCHES: Final = "datasketches"
SKETCHED: Final = frozenset({"distinct", "percentile", "top"})


def not_installed(given: ContractSet) -> list[Problem]:
    """Problems for metrics that need a library which is not installed."""
    if installed(SKETCHES):
        return []
    return [
        Problem(f"metric/{metric.name}", f"{metric.type} needs {SKETCHES}, which is not installed", "not_installed",
                hint="pip install 'agentic-orchestration-builder[metrics]', or say exact: true")
        for metric in given.newest_metrics() if metric.type in SKETCHED and not metric.exact
    ]  # fmt: skip


def without_sketches(given: ContractSet) -> ContractSet:
    """The contracts that need no sketch, with their alerts and objectives."""
    metrics = {
        name: versions for name, versions in given.metrics.items()
        if not any(metric.type in SKETCHED and not metric.exact for metric in versions.values())
    }  # fmt: skip
    alerts = {
        name: versions for name, versions in given.alerts.items()
        if all(alert.metric in metrics for alert in versions.values())
    }  # fmt: skip
    slos = {name: slo for name, slo in given.slos.items() if slo.metric in metrics}
    return ContractSet(given.events, metrics, alerts, slos)
