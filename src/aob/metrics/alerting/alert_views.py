"""Renders the state of an alert as views and notices. Pure."""

from collections.abc import Mapping

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.contract_model import AlertContract
from aob.core.event import derived_id
from aob.core.metric.alert import AlertState, Instance
from aob.core.metric_answers import AlertView


class Sighted(msgspec.Struct, frozen=True):
    """A value of the last evaluation, of an instance or of one that is ok."""

    by: Mapping[str, str]
    value: JsonValue


def views_of(
    contract: AlertContract, state: AlertState, sighted: Mapping[str, Sighted], looked_ms: int, now_ms: int
) -> list[AlertView]:
    """A view of each instance and of each ok value; of the alert itself if there is neither."""
    found = []
    for key in (*state.instances, *(key for key in sighted if key not in state.instances)):
        instance = state.instances.get(key) or Instance(key, sighted[key].by, since_ms=looked_ms)
        value = sighted[key].value if key in sighted else instance.value
        found.append(_view(contract, state, instance, value, now_ms))
    return found or [_view(contract, state, Instance("", {}), None, now_ms)]


def _view(contract: AlertContract, state: AlertState, instance: Instance, value: JsonValue, now_ms: int) -> AlertView:
    fires = instance.phase in ("firing", "clearing")
    view: AlertView = {
        "name": contract.name,
        "version": contract.version,
        "metric": contract.metric,
        "by": dict(instance.by),
        "state": "firing" if fires else instance.phase if instance.phase in ("pending", "no_data") else "ok",
        "since": instance.firing_ms if fires else instance.since_ms,
        "value": value,
        "when": contract.when,
        "severity": contract.severity,
    }
    if state.silent(now_ms):
        view["silenced_until"] = state.silenced_ms
        if view["state"] != "ok":
            view["state"] = "silenced"
    if state.runs:
        view["runs"] = list(state.runs)
    return view


def notice_of(contract: AlertContract | None, state: AlertState, instance: Instance, now_ms: int) -> JsonObject:
    """The notice for subscribers when an alert fires, ends, or loses its value. A repeated notice has the same `id`."""
    told = "firing" if instance.firing_ms > 0 else "no_data" if instance.firing_ms else "ok"
    since_ms = abs(instance.firing_ms) or instance.since_ms
    notice: JsonObject = {
        "id": derived_id("notice", state.tenant, state.name, instance.key, told, since_ms),
        "alert": state.name,
        "version": instance.version,
        "by": dict(instance.by),
        "state": told,
        "since": since_ms,
        "at": now_ms,
        "value": instance.value,
        "position": instance.position,
    }
    if contract is not None:
        notice |= {"metric": contract.metric, "when": contract.when, "severity": contract.severity}
        notice |= {"owner": contract.owner, "description": contract.description}
    return notice
