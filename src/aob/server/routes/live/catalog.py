"""The catalog: all that may be asked for, found by words, what moves what, and questions over it."""

from typing import Annotated, Final

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import Invalid, Problem
from aob.core.metric_answers import CatalogAnswer, Lineage, QueryAnswer
from aob.core.verb import UNIT, Gives
from aob.server.http.accept import accepted
from aob.server.http.answer import JSON, Answer, json_answer
from aob.server.http.call import Call, Nothing
from aob.server.http.route import NO_BODY, Route, takes
from aob.server.limits import cost_of
from aob.server.routes.live.asked import Word, instant
from aob.server.routes.live.shapes import SearchHits
from aob.server.routes.live.tables import TABLES, table_answer

ROWS_MAX: Final = 10_000
SQL_CHARS_MAX: Final = 20_000
NAMES_MAX: Final = 50
ONE_OF: Final = ("metrics", "entity", "sql")

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Names = Annotated[list[Name], msgspec.Meta(max_length=NAMES_MAX)]


class QueryBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One of three: `metrics` by name (with `dimensions where window since until step order limit`), an `entity` by its
    type (with `fields where order limit`), or `sql` over the tenant's views (with `parameters`)."""

    metrics: Names | None = None
    dimensions: Names | None = None
    entity: Name | None = None
    fields: Names | None = None
    where: dict[str, JsonValue] | None = None
    window: Word | None = None
    since: str | int | None = None
    until: str | int | None = None
    step: Word | None = None
    order: Names | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=ROWS_MAX)] | None = None
    sql: Annotated[str, msgspec.Meta(min_length=1, max_length=SQL_CHARS_MAX)] | None = None
    parameters: list[JsonValue] | JsonObject | None = None
    min_position: str | None = None


class SearchAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which words, and of which kind."""

    q: Annotated[str, msgspec.Meta(min_length=1, max_length=500, description="Words.")]
    kind: Annotated[Word, msgspec.Meta(description="Only things of this kind, such as `metric`.")] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 20


class LineageAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What touches a metric or a type of event; all of it without."""

    metric: Word = ""
    event: Word = ""


async def query(call: Call[Nothing, QueryBody]) -> Answer:
    """Ask by name or by SQL."""
    body = call.body
    given = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not None}
    if sum(name in given for name in ONE_OF) != 1:
        problem = Problem("", f"takes exactly one of {', '.join(ONE_OF)}", hint='{"metrics": ["revenue"]}')
        raise Invalid("the body is not what this route takes", [problem])
    for name in ("since", "until"):
        if name in given:
            given[name] = instant(given[name], name)
    found = await call.metrics.query(call.who, given)
    call.cost = cost_of(len(found["rows"]), found["took_ms"] / 1_000)
    media = accepted(call.header(b"accept"), (JSON.decode(), *TABLES))
    return await table_answer(found, media) if media in TABLES else json_answer(found)


async def catalog(call: Call[Nothing, None]) -> Answer:
    """All that may be asked for."""
    return json_answer(await call.metrics.catalog(call.who))


async def search(call: Call[SearchAsked, None]) -> Answer:
    """By words."""
    asked = call.query
    return json_answer({"hits": await call.metrics.search(call.who, asked.q, kind=asked.kind, limit=asked.limit)})


async def lineage(call: Call[LineageAsked, None]) -> Answer:
    """What moves what."""
    return json_answer(await call.metrics.lineage(call.who, metric=call.query.metric, event=call.query.event))


ROUTES: Final = (
    Route(
        "POST",
        "/v1/query",
        query,
        name="query",
        summary="Ask for rows: metrics and dimensions by name, an entity's states, or SQL over the tenant's views.",
        verb="query",
        query=Nothing,
        body=takes(QueryBody),
        gives=(
            Gives(200, QueryAnswer, "The rows; as a file when `Accept` names one."),
            *(Gives(200, bytes, "The rows.", media) for media in TABLES),
        ),
        refuses=(404, 413),
        cost=UNIT,
    ),
    Route(
        "GET",
        "/v1/catalog",
        catalog,
        name="show_catalog",
        summary="List all that may be asked for: events, metrics, entities, dimensions, alerts, views.",
        verb="catalog",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, CatalogAnswer, "The catalog."),),
    ),
    Route(
        "GET",
        "/v1/search",
        search,
        name="search_catalog",
        summary="Find things of the catalog by words.",
        verb="search",
        query=SearchAsked,
        body=NO_BODY,
        gives=(Gives(200, SearchHits, "What was found, best first."),),
    ),
    Route(
        "GET",
        "/v1/lineage",
        lineage,
        name="show_lineage",
        summary="Show what moves what: the graph of events, metrics, entities and alerts.",
        verb="lineage",
        query=LineageAsked,
        body=NO_BODY,
        gives=(Gives(200, Lineage, "The graph."),),
        refuses=(404,),
    ),
)
