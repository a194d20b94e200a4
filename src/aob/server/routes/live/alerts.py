"""Alerts and objectives: list, show, make, take away, silence."""

from typing import Annotated, Final, Literal

import msgspec

from aob.core.answers import JsonObject
from aob.core.duration import parse_duration
from aob.core.errors import Invalid, Problem
from aob.core.metric_answers import SloView
from aob.core.verb import LIVE, Gives
from aob.server.http.answer import Answer, json_answer
from aob.server.http.call import Call, Nothing
from aob.server.http.route import NO_BODY, Route, Takes, takes
from aob.server.routes.live.asked import instant
from aob.server.routes.live.shapes import AlertList, SloList

SILENCE_MS: Final = 3_600_000


class AlertsAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In which state; all without."""

    state: Literal["", "ok", "pending", "firing", "no_data", "silenced"] = ""


class SilenceBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long it tells nobody and starts nothing: `until` an instant (RFC 3339 or ms; 0 lets it speak again), or `for`
    a duration; an hour without either."""

    until: str | int | None = None
    for_: Annotated[str, msgspec.Meta(max_length=50)] | None = msgspec.field(name="for", default=None)
    reason: Annotated[str, msgspec.Meta(max_length=10_000)] = ""


async def list_alerts(call: Call[AlertsAsked, None]) -> Answer:
    """As they stand."""
    return json_answer({"alerts": await call.metrics.alerts(call.who, state=call.query.state)})


async def show(call: Call[Nothing, None]) -> Answer:
    """One."""
    return json_answer(await call.metrics.alert(call.who, call.params["alert"]))


async def put(call: Call[Nothing, JsonObject]) -> Answer:
    """Make or change one."""
    return json_answer(await call.metrics.put_alert(call.who, call.params["alert"], call.body))


async def delete(call: Call[Nothing, None]) -> Answer:
    """Take one away."""
    return json_answer(await call.metrics.delete_alert(call.who, call.params["alert"]))


async def silence(call: Call[Nothing, SilenceBody]) -> Answer:
    """Silence one."""
    until_ms = _until(call.body, call.now_ms())
    told = await call.metrics.silence_alert(call.who, call.params["alert"], until_ms=until_ms, reason=call.body.reason)
    return json_answer(told)


def _until(body: SilenceBody, now_ms: int) -> int:
    if body.until is not None:
        if body.for_ is not None:
            raise Invalid("say until when, or for how long", [Problem("/for", "stands beside until")])
        return instant(body.until, "until") or 0
    try:
        return now_ms + (SILENCE_MS if body.for_ is None else parse_duration(body.for_))
    except ValueError as error:
        raise Invalid("for is no duration", [Problem("/for", str(error), hint="30m, 2h, 1d")]) from error


async def list_slos(call: Call[Nothing, None]) -> Answer:
    """All objectives."""
    return json_answer({"slos": await call.metrics.slos(call.who)})


async def show_slo(call: Call[Nothing, None]) -> Answer:
    """One objective."""
    return json_answer(await call.metrics.slo(call.who, call.params["slo"]))


TAKES_ALERT: Final = Takes[JsonObject](JsonObject)

ROUTES: Final = (
    Route(
        "GET",
        "/v1/alerts",
        list_alerts,
        name="list_alerts",
        summary="List alerts as they stand.",
        verb="alerts",
        query=AlertsAsked,
        body=NO_BODY,
        gives=(Gives(200, AlertList, "The alerts."),),
    ),
    Route(
        "GET",
        "/v1/alerts/{alert}",
        show,
        name="show_alert",
        summary="Show an alert: its contract, how it stands, its history.",
        verb="alert",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, JsonObject, "The alert."),),
        cost=LIVE,
    ),
    Route(
        "PUT",
        "/v1/alerts/{alert}",
        put,
        name="put_alert",
        summary="Make or change an alert: the fields of its contract (`metric when clear for by start` …).",
        verb="put_alert",
        query=Nothing,
        body=TAKES_ALERT,
        gives=(Gives(200, JsonObject, "The alert as it is judged from now on."),),
        refuses=(409,),
    ),
    Route(
        "DELETE",
        "/v1/alerts/{alert}",
        delete,
        name="delete_alert",
        summary="Judge an alert no more. Its history stays.",
        verb="delete_alert",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, JsonObject, "It is judged no more."),),
    ),
    Route(
        "POST",
        "/v1/alerts/{alert}/silence",
        silence,
        name="silence_alert",
        summary="Silence an alert for a while: it tells nobody and starts nothing.",
        verb="silence_alert",
        query=Nothing,
        body=takes(SilenceBody),
        gives=(Gives(200, JsonObject, "The alert as it stands."),),
    ),
    Route(
        "GET",
        "/v1/slo",
        list_slos,
        name="list_slos",
        summary="List objectives with what is left of their budgets.",
        verb="slos",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, SloList, "The objectives."),),
    ),
    Route(
        "GET",
        "/v1/slo/{slo}",
        show_slo,
        name="show_slo",
        summary="Show an objective and how fast its budget burns.",
        verb="slo",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, SloView, "The objective."),),
        cost=LIVE,
    ),
)
