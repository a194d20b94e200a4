"""Checks whether contracts fit together and with known ones, and alerts and objectives with their metrics. Places are
`kind/name@version#/pointer`."""

from collections.abc import Iterator, Mapping
from typing import Final

from aob.core.contract.check.event import event_problems
from aob.core.contract.check.metric import metric_problems
from aob.core.contract.check.visible_names import VisibleNames, event_names, events_of, judge, value_shape
from aob.core.contract.document import key_of, to_document
from aob.core.contract_model import AlertContract, ContractSet, EventContract, MetricContract, Slo, T, as_before
from aob.core.document.shape import escape
from aob.core.duration import parse_duration
from aob.core.errors import Problem
from aob.core.expression.check import Shape
from aob.core.expression.paths import read_paths
from aob.core.hint import meant

WARNING: Final = "warn_"
_Kind = Mapping[str, Mapping[int, EventContract | MetricContract | AlertContract]]
SLO_WINDOW_MAX_MS: Final = 90 * 86_400_000
SLO_WINDOW_MIN_MS: Final = 60_000


def alert_problems(alert: AlertContract, whole: ContractSet) -> Iterator[Problem]:
    """The problems of an alert."""
    at = f"alert/{alert.name}@{alert.version}#"
    metric = whole.metric(alert.metric)
    value: Shape = "dyn"
    if metric is None:
        yield _unknown(alert.metric, whole, f"{at}/metric")
    else:
        value = value_shape(metric)
        yield from _window(alert.window, metric, f"{at}/window")
        for key, names in (("where", tuple(alert.where)), ("by", alert.by)):
            for index, name in enumerate(names):
                if name not in metric.dimensions:
                    path = f"{at}/{key}/{escape(name) if key == 'where' else index}"
                    hint = meant(name, tuple(metric.dimensions), "it has")
                    yield Problem(path, f"{metric.name} has no dimension {name}", "unknown_dimension", hint=hint)
    if alert.slo:
        value = "double"
        yield from _burn(alert, whole, at)
    for key, text in (("when", alert.when), ("clear", alert.clear)):
        if text or key == "when":
            yield from judge(text, f"{at}/{key}", {"value": value}, want="bool").problems
    texts: VisibleNames = dict.fromkeys(("metric", "alert", "position"), "string")
    sight = {**texts, "value": value, "by": "dyn", "at": "dyn"}
    for name, text in alert.inputs.items():
        yield from judge(text, f"{at}/start/inputs/{escape(name)}", sight).problems


def _burn(alert: AlertContract, whole: ContractSet, at: str) -> Iterator[Problem]:
    """Check an alert on a burn rate: an objective of its metric, without window, `where` or `by`."""
    slo = whole.slos.get(alert.slo)
    if slo is None:
        hint = meant(alert.slo, tuple(whole.slos)) if whole.slos else "declare one: slo: NAME"
        yield Problem(f"{at}/slo", f"there is no objective {alert.slo}", "unknown_slo", hint=hint)
    elif slo.metric != alert.metric:
        yield Problem(f"{at}/metric", f"{alert.slo} is about {slo.metric}", "bad_value", hint=f"metric: {slo.metric}")
    for key, given in (("window", alert.window), ("where", alert.where), ("by", alert.by)):
        if given:
            yield Problem(f"{at}/{key}", f"`{key}` means nothing to a burn rate", "unused", hint="leave it out")


def slo_problems(slo: Slo, whole: ContractSet) -> Iterator[Problem]:
    """The problems of an objective."""
    at = f"slo/{slo.name}@1#"
    metric = whole.metric(slo.metric)
    if metric is None:
        yield _unknown(slo.metric, whole, f"{at}/metric")
    if not SLO_WINDOW_MIN_MS <= slo.window_ms <= SLO_WINDOW_MAX_MS:
        yield Problem(f"{at}/window", "an objective looks back between 1 m and 90 d", "bad_window", hint="window: 30d")
    if slo.objective == "value":
        if not slo.good:
            yield Problem(at, "an objective of a value says when it is `good`", "missing", hint='good: "value < 0.02"')
        else:
            shape = value_shape(metric) if metric is not None else "dyn"
            yield from judge(slo.good, f"{at}/good", {"value": shape}, want="bool").problems
    elif slo.good:
        yield Problem(f"{at}/good", f"`good` means nothing to {slo.objective}", "unused", hint="objective: value")
    if slo.objective == "freshness" and not slo.limit_ms:
        yield Problem(f"{at}/limit", "freshness is within a time", "missing", hint="limit: 5s")


def _unknown(name: str, whole: ContractSet, path: str) -> Problem:
    return Problem(path, f"there is no metric {name}", "unknown_metric", hint=meant(name, tuple(whole.metrics)))


def _window(text: str, metric: MetricContract, path: str) -> Iterator[Problem]:
    if not text or text in metric.windows:
        return
    try:
        parse_duration(text)
    except ValueError:
        hint = meant(text, tuple(metric.windows), "it has") + " (or a duration such as 15m)"
        yield Problem(path, f"{metric.name} has no window {text}", "unknown_window", hint=hint)


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


def check_set(contracts: ContractSet, base: ContractSet | None = None) -> list[Problem]:
    """Every problem of these contracts over the known ones of `base`, each with the path `kind/name@version#/pointer`,
    including what the new ones would break of the known. A code that begins with `warn_` is advice."""
    known = base or ContractSet()
    whole = joined(known, contracts)
    found = list(_changed(contracts, known))
    reading = (  # the newest metrics that read any of these contracts
        metric for metric in whole.newest_metrics()
        if whole.types_of(metric.name) & contracts.events.keys() or metric.operands & contracts.metrics.keys()
    )  # fmt: skip
    touched = {key_of(each): each for each in (*reading, *_each(contracts.metrics))}
    for event in _each(contracts.events):
        found += event_problems(event, whole)
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
