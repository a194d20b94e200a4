"""Routes without a key: health of the parts (in words; more to who has a key), two probes, the API's own description,
and the numbers of this process for Prometheus. They show nothing of any tenant."""

import asyncio
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

from aob.core.answers import Health, JsonObject, Pulse
from aob.core.errors import AobError, Unavailable
from aob.core.policy import Caller
from aob.core.rights import sees_home
from aob.core.status import status_words
from aob.core.verb import Gives
from aob.server.http.answer import HTML, Answer, Header, encode, json_answer
from aob.server.http.call import Call, Nothing
from aob.server.http.headers import accepted
from aob.server.http.page import docs_page
from aob.server.http.route import AnyRoute, public

READY: Final = "ok"  # the only state in which requests are accepted; every other names what is missing
CLOSED: Header = (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'")
TEXT: Final = b"text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS: Final = b"application/openmetrics-text; version=1.0.0; charset=utf-8"
REST: Final = 9
"""For so many times what it took to make, a text of numbers is given again: however often it is asked for, it costs a
tenth of the process."""


async def show(call: Call[Nothing, None]) -> Answer:
    """The health of the parts."""
    told = await call.verbs.health()
    if call.has_metrics:
        told = {**told, "metrics": await _metrics(call)}
        if told["status"] == READY and told["metrics"].get("status", READY) != READY:
            told["status"] = "degraded"
    return json_answer(told if sees_home(call.who) else _in_words(told, call.who))


def _in_words(told: JsonObject, who: Caller) -> JsonObject:
    """What others than admins of the home are told: how each part is. Any key also tells where a feed begins, and one
    for work where workers come to."""
    words = status_words(told)
    if who.roles and "position" in told:
        words["position"] = told["position"]
    if who.may("work") and "workers" in told:
        words["workers"] = told["workers"]
    return words


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
    """Readiness: the process accepts work, be it that of some shards only. What the others have waits there, and a
    balancer that left this process out for it would refuse what can be done."""
    told = await call.verbs.health()
    status = str(told["status"])
    if status != READY and not any(shard["status"] == READY for shard in told.get("shards", ())):
        raise Unavailable(f"the server is {status}", code="not_ready", hint="GET /v1/health says which part")
    return json_answer({"status": "ready"})


_PARTS: Final = Gives(200, Health, "Each part.")
_WORK: Final = "Say whether the process may be sent work."
HEALTH: Final = (
    public(
        "GET",
        "/v1/health",
        show,
        "show_health",
        "Say how the parts of the server are; to an admin of the tenant `default`, in full.",
        _PARTS,
    ),
    public("GET", "/health/live", live, "probe_live", "Say that the process answers.", Gives(200, Pulse, "It does.")),
    public("GET", "/health/ready", ready, "probe_ready", _WORK, Gives(200, Pulse, "It may.")),
)


def docs_routes(make: Callable[[], JsonObject]) -> Iterator[AnyRoute]:
    """`/openapi.json` and `/docs`, over a document that is made at the first request."""
    document = cache(make)

    async def openapi(call: Call[Nothing, None]) -> Answer:
        return Answer(encode(document()))

    async def page(call: Call[Nothing, None]) -> Answer:
        return Answer(docs_page(document()).encode(), media=HTML, headers=(CLOSED,))

    what = Gives(200, JsonObject, "The document.")
    yield public("GET", "/openapi.json", openapi, "show_openapi", "The OpenAPI 3.1 document of this server.", what)
    yield public("GET", "/docs", page, "show_docs", "The same for people.", Gives(200, str, "A page.", "text/html"))


def prometheus_routes(text: Callable[[bool], bytes] | None) -> Iterator[AnyRoute]:
    """`/metrics`, over a function that makes the text, as OpenMetrics when it is requested."""
    medias = [media.decode().partition(";")[0] for media in (TEXT, OPEN_METRICS)]
    kept: dict[bool, tuple[float, bytes]] = {}

    def made(as_open_metrics: bool, make: Callable[[bool], bytes]) -> bytes:
        clock = asyncio.get_running_loop().time
        began_s = clock()
        until_s, found = kept.get(as_open_metrics, (0.0, b""))
        if began_s >= until_s:
            found = make(as_open_metrics)
            ended_s = clock()
            kept[as_open_metrics] = ended_s + REST * (ended_s - began_s), found
        return found

    async def metrics(call: Call[Nothing, None]) -> Answer:
        if text is None:
            raise Unavailable("no numbers are kept here", code="not_here", hint="ask the server that `aob up` printed")
        as_open_metrics = accepted(call.header(b"accept"), medias) == medias[1]
        return Answer(made(as_open_metrics, text), media=OPEN_METRICS if as_open_metrics else TEXT)

    summary = "The numbers of this process in Prometheus' text format, or as OpenMetrics when asked for it."
    gives = [Gives(200, str, "The numbers.", media) for media in medias]
    yield public("GET", "/metrics", metrics, "show_prometheus", summary, *gives)
