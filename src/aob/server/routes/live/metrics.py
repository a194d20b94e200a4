"""Metrics: list them, read one, read many at one position, and say why one moved. A read has an ETag."""

from hashlib import blake2b
from time import perf_counter
from typing import Annotated, Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.metric_answers import Changelog, EntityIds, EntityView, MetricAnswer, Pushes
from aob.core.verb import LIVE, UNIT, Gives
from aob.server.http.answer import Answer, Header, encode, json_answer
from aob.server.http.call import Call, Nothing
from aob.server.http.route import NO_BODY, Route, takes
from aob.server.limits import cost_of
from aob.server.routes.live.asked import Fresh, Instant, MetricAsked, Pairs, Word, instant, pairs
from aob.server.routes.live.shapes import BatchAnswer, EntityTypes, MetricList

READS_MAX: Final = 200
SPAN_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
REVALIDATE: Final[Header] = (b"cache-control", b"private, no-cache")
UNTAGGED: Final = frozenset(("freshness_ms", "watermark", "cached"))
"""What of an answer moves with time alone."""


class EntityAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The state of an entity now or `as_of` an event time, with up to `history` of its changes."""

    as_of: Instant = None
    history: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 0
    min_position: Fresh = ""


class EntitiesAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which page."""

    after: Annotated[str, msgspec.Meta(max_length=1_000, description="`next` of the page before.")] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 100
    min_position: Fresh = ""


class ChangelogAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of which metric, between which instants (the last hour without them), over which window of it. Without a
    metric: what was pushed, in the last day."""

    metric: Word = ""
    since: Instant = msgspec.field(name="from", default=None)
    until: Instant = msgspec.field(name="to", default=None)
    where: Pairs = ()
    window: Word = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 100


class BatchBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Reads that are answered at one position: each the fields of a metric query (`metric`, `window`, `by`, `where`,
    `since_ms`, …), or `{"entity": type, "id": id}`."""

    reads: Annotated[list[JsonObject], msgspec.Meta(min_length=1, max_length=READS_MAX)]


async def list_metrics(call: Call[Nothing, None]) -> Answer:
    """All metrics."""
    return json_answer({"metrics": await call.metrics.metrics(call.who)})


async def read_metric(call: Call[MetricAsked, None]) -> Answer:
    """One number."""
    begun = perf_counter()
    answer = await call.metrics.metric(call.who, call.query.of(call.params["metric"]))
    if answer["path"] == "scan":
        call.cost = UNIT + cost_of(len(answer.get("rows", ())), perf_counter() - begun)
    return with_tag(call, answer)


def with_tag(call: Call[MetricAsked, None], answer: MetricAnswer) -> Answer:
    """The answer with its tag, or 304 when the caller has it. The tag is of all it says but for what only time moves:
    the platform's numbers, and those that are filled or told anew, move without a position."""
    stays = {name: each for name, each in answer.items() if name not in UNTAGGED}
    known = msgspec.json.encode(stays, order="sorted")
    tag = b'W/"%b"' % blake2b(known, digest_size=12).hexdigest().encode()
    headers: tuple[Header, ...] = ((b"etag", tag), REVALIDATE)
    had = call.headers.get(b"if-none-match", b"")
    if had and tag in (each.strip() for each in had.split(b",")):
        return Answer(b"", 304, b"", headers)
    return Answer(encode(answer), headers=headers)


async def read_entity(call: Call[EntityAsked, None]) -> Answer:
    """One entity."""
    query = call.query
    found = await call.metrics.entity(
        call.who,
        call.params["type"],
        call.params["id"],
        as_of_ms=instant(query.as_of, "as_of"),
        history=query.history,
        min_position=query.min_position,
    )
    return json_answer(found)


async def list_entity_types(call: Call[Nothing, None]) -> Answer:
    """The types."""
    return json_answer({"types": await call.metrics.entity_types(call.who)})


async def list_entities(call: Call[EntitiesAsked, None]) -> Answer:
    """A page of ids."""
    query = call.query
    found = await call.metrics.entity_ids(
        call.who, call.params["type"], after=query.after, limit=query.limit, min_position=query.min_position
    )
    return json_answer(found)


async def changelog(call: Call[ChangelogAsked, None]) -> Answer:
    """Why a number moved."""
    query = call.query
    until_ms = instant(query.until, "to")
    until_ms = call.now_ms() if until_ms is None else until_ms
    since_ms = instant(query.since, "from")
    if not query.metric:
        since_ms = until_ms - DAY_MS if since_ms is None else since_ms
        return json_answer(await call.metrics.pushes(call.who, since_ms=since_ms, until_ms=until_ms, limit=query.limit))
    found = await call.metrics.changelog(
        call.who,
        query.metric,
        since_ms=until_ms - SPAN_MS if since_ms is None else since_ms,
        until_ms=until_ms,
        where=pairs(query.where) or None,
        window=query.window,
        limit=query.limit,
    )
    return json_answer(found)


async def batch(call: Call[Nothing, BatchBody]) -> Answer:
    """Many reads at one position."""
    told = await call.metrics.batch(call.who, call.body.reads)
    call.cost = (len(call.body.reads) - 1) * LIVE + UNIT * sum(each.get("path") == "scan" for each in told["answers"])
    return json_answer(told)


ROUTES: Final = (
    Route(
        "GET",
        "/v1/metrics",
        list_metrics,
        name="list_metrics",
        summary="List all metrics with their windows, dimensions and what moves them.",
        verb="metrics",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, MetricList, "The metrics."),),
    ),
    Route(
        "GET",
        "/v1/metrics/{metric}",
        read_metric,
        name="read_metric",
        summary="Read a metric: its value, by dimensions or as a series, and all that one must know to trust it.",
        verb="metric",
        query=MetricAsked,
        body=NO_BODY,
        headers=("If-None-Match",),
        gives=(
            Gives(200, MetricAnswer, "The number."),
            Gives(304, None, "It is what the caller's `If-None-Match` names."),
        ),
        refuses=(413,),
        cost=LIVE,
    ),
    Route(
        "GET",
        "/v1/entity",
        list_entity_types,
        name="list_entity_types",
        summary="List the types of entities that contracts speak of.",
        verb="entity_types",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, EntityTypes, "The types."),),
    ),
    Route(
        "GET",
        "/v1/entity/{type}",
        list_entities,
        name="list_entities",
        summary="List the entities of a type that there are, a page of ids.",
        verb="entity_ids",
        query=EntitiesAsked,
        body=NO_BODY,
        gives=(Gives(200, EntityIds, "A page."),),
    ),
    Route(
        "GET",
        "/v1/entity/{type}/{id}",
        read_entity,
        name="read_entity",
        summary="Read the state of an entity, now or as of an instant, and its history.",
        verb="entity",
        query=EntityAsked,
        body=NO_BODY,
        gives=(Gives(200, EntityView, "The entity."),),
        refuses=(413,),
        cost=LIVE,
    ),
    Route(
        "GET",
        "/v1/changelog",
        changelog,
        name="read_changelog",
        summary="Say why a number moved: the events, restatements and contract changes between two instants. Without a "
        "metric: what was pushed (contracts, workflows), by whom, when, in the last day.",
        verb="changelog",
        query=ChangelogAsked,
        body=NO_BODY,
        gives=(Gives(200, Changelog, "What moved it; without a metric, what was pushed."), Gives(200, Pushes, "")),
        refuses=(404, 413),
    ),
    Route(
        "POST",
        "/v1/batch",
        batch,
        name="read_batch",
        summary="Read many metrics and entities at one position. A wrong read gets its own error and fails no other.",
        verb="batch",
        query=Nothing,
        body=takes(BatchBody),
        gives=(Gives(200, BatchAnswer, "An answer for each read, in order."),),
        cost=LIVE,
    ),
)
