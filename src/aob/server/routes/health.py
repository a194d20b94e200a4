"""Health of the parts, and two probes. Public; shows nothing of any tenant."""

from typing import Final

from aob.core.answers import Health, JsonObject, Pulse
from aob.core.errors import AobError, Unavailable
from aob.core.verb import Gives
from aob.server.http.answer import Answer, json_answer
from aob.server.http.call import Call, Nothing
from aob.server.http.route import NO_BODY, Route

READY: Final = "ok"  # the only state in which requests are accepted; every other names what is missing


async def show(call: Call[Nothing, None]) -> Answer:
    """The health of the parts."""
    told = await call.verbs.health()
    if call.has_metrics:
        told = {**told, "metrics": await _metrics(call)}
        if told["status"] == READY and told["metrics"].get("status", READY) != READY:
            told["status"] = "degraded"
    return json_answer(told)


async def _metrics(call: Call[Nothing, None]) -> JsonObject:
    """The health of the metrics layer; its failure is reported and affects nothing else."""
    try:
        return dict(await call.metrics.metrics_health())
    except AobError as error:
        return {"status": error.code, "detail": error.detail}


async def live(call: Call[Nothing, None]) -> Answer:
    """Liveness: the process answers."""
    return json_answer({"status": "alive"})


async def ready(call: Call[Nothing, None]) -> Answer:
    """Readiness: the process accepts work."""
    status = str((await call.verbs.health())["status"])
    if status != READY:
        raise Unavailable(f"the server is {status}", code="not_ready", hint="GET /v1/health says which part")
    return json_answer({"status": "ready"})


ROUTES: Final = (
    Route(
        "GET",
        "/v1/health",
        show,
        name="show_health",
        summary="Say how the parts of the server are.",
        verb=None,
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, Health, "Each part."),),
    ),
    Route(
        "GET",
        "/health/live",
        live,
        name="probe_live",
        summary="Say that the process answers.",
        verb=None,
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, Pulse, "It does."),),
    ),
    Route(
        "GET",
        "/health/ready",
        ready,
        name="probe_ready",
        summary="Say whether the process may be sent work.",
        verb=None,
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, Pulse, "It may."),),
    ),
)
