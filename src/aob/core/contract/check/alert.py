"""Checks alerts and objectives: their metrics exist, with their windows and dimensions."""

from collections.abc import Iterator
from typing import Final

from aob.core.contract.check.visible_names import VisibleNames, judge, value_shape
from aob.core.contract_model import AlertContract, ContractSet, MetricContract, Slo
from aob.core.document.shape import escape
from aob.core.duration import parse_duration
from aob.core.errors import Problem
from aob.core.expression.check import Shape
from aob.core.hint import meant

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
            yield from judge(text, f"{at}/{key}", VisibleNames({"value": value}), want="bool").problems
    sight = VisibleNames(
        {"value": value, "metric": "string", "alert": "string", "by": "dyn", "at": "dyn", "position": "string"}
    )
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
            yield from judge(slo.good, f"{at}/good", VisibleNames({"value": shape}), want="bool").problems
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
