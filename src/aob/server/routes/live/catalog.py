"""Queries: one of three kinds in a body, rows as JSON or as a file."""

from typing import Annotated, Final

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import Invalid, Problem
from aob.server.http.answer import JSON, Answer, json_answer
from aob.server.http.call import Call
from aob.server.http.headers import accepted
from aob.server.http.route import takes
from aob.server.http.verb_routes import Fields, Odd
from aob.server.limits import cost_of
from aob.server.routes.live.asked import Word, instant
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


async def query(call: Call[object, QueryBody], fields: Fields) -> Answer:
    """Queries by name or by SQL."""
    body = call.body
    given = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not None}
    if sum(name in given for name in ONE_OF) != 1:
        problem = Problem("", f"takes exactly one of {', '.join(ONE_OF)}", hint='{"metrics": ["revenue"]}')
        raise Invalid("the body is not what this route takes", [problem])
    for name in ("since", "until"):
        if name in given:
            given[name] = instant(given[name], name)
    found = await call.act("query")(call.who, given)
    call.cost = cost_of(len(found["rows"]), found["took_ms"] / 1_000)
    media = accepted(call.header(b"accept"), (JSON.decode(), *TABLES))
    return await table_answer(found, media) if media in TABLES else json_answer(found)


ODD: Final = {"query": Odd(query, takes(QueryBody))}
