"""Alerts and objectives as they are written to their contracts.

In: a draft. Out: an `AlertContract` or `Slo`, or None when its shape is wrong; problems stand in the draft.
"""

from typing import Final

from aob.core.contract.definition import AlertDefinition, SloDefinition, StartDefinition
from aob.core.contract.reading.draft import Draft, cel
from aob.core.contract_model import AlertContract, Slo

BURNS: Final = "value > 1.0"
"""When an alert on a burn rate fires that does not say."""
FRESHNESS_MS: Final = 5_000
"""What a freshness objective promises that says no limit."""


def read_alert(draft: Draft) -> AlertContract | None:
    """The contract of a draft."""
    made = draft.shape(AlertDefinition)
    if made is None:
        return None
    if isinstance(made.by, str):
        draft.renames["/by/0"] = "/by"
    if made.when == "" and not made.slo:
        draft.wrong("", "`when` is missing", "missing", 'add `when: "value > …"`, or `slo:` for a burn rate')
    start = StartDefinition(made.start) if isinstance(made.start, str) else made.start
    if isinstance(made.start, StartDefinition) and not start.workflow:
        draft.wrong("/start/workflow", "is empty", "missing", "name the workflow that the alert starts")
    return AlertContract(
        name=made.alert,
        version=made.version,
        metric=made.metric,
        when=cel(made.when) or BURNS,
        slo=made.slo,
        clear=cel(made.clear),
        window=made.window,
        where=made.where,
        by=(made.by,) if isinstance(made.by, str) else tuple(made.by),
        for_ms=draft.duration(made.for_, "/for"),
        clear_for_ms=draft.duration(made.clear_for, "/clear_for"),
        severity=made.severity,
        start=start.workflow,
        tag=start.tag,
        inputs={name: cel(text) for name, text in start.inputs.items()},
        cooldown_ms=draft.duration(start.cooldown, "/start/cooldown"),
        open_runs_max=start.open_runs,
        owner=made.owner,
        description=made.description,
    )


def read_slo(draft: Draft) -> Slo | None:
    """The objective of a draft."""
    made = draft.shape(SloDefinition)
    if made is None:
        return None
    if not made.metric:
        draft.wrong("", "`metric` is missing", "missing", "add `metric:`")
        return None
    return slo_of(made, draft, "", made.slo, made.metric, made.owner)


def slo_of(made: SloDefinition, draft: Draft, path: str, name: str, metric: str, owner: str) -> Slo:
    """An objective under this name, of this metric unless it says one."""
    default_ms = FRESHNESS_MS if made.objective == "freshness" else 0
    return Slo(
        name=made.slo or name,
        metric=made.metric or metric,
        objective=made.objective,
        target=made.target,
        window_ms=draft.duration(made.window, f"{path}/window"),
        limit_ms=draft.duration(made.limit, f"{path}/limit", default_ms),
        good=cel(made.good),
        description=made.description,
        owner=made.owner or owner,
    )
