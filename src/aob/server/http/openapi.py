"""The OpenAPI 3.1 document, made of the same table that dispatches: what is not in the table does not exist."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.problem import ProblemBody
from aob.core.verb import Gives
from aob.server.http.route import AnyRoute, Table
from aob.views import feed_schemas

REF: Final = "#/components/schemas/{name}"
PARAMS: Final = {
    "run_id": ("Id of a run.", "run_2f6c0e9b7a1d4c3e8f55"),
    "name": ("Name of a workflow.", "order"),
    "patch_id": ("Id of a patch.", "patch_9a1d4c3e8f552f6c0e9b"),
    "ticket_id": ("Id of a ticket.", "ticket_06f3zt4n8q2vjk0x5c-7a1d4c3e8f552f"),
    "key_id": ("Id of a key.", "key_4c3e8f552f6c0e9b7a1d"),
    "handler": ("Name of a handler.", "charge_card"),
    "hash": ("sha256 of a blob in hexadecimal, with or without `sha256:` before it.", "0" * 64),
    "cursor": ("The cursor `next` that stood beside the items before.", "1." + "0" * 64),
    "token": ("Token of a signed link, as it was sent.", "lAABAg.c2lnbmF0dXJl"),
    "metric": ("Name of a metric.", "revenue"),
    "type": ("Type of an entity.", "order"),
    "id": ("Id of an entity.", "o-17"),
    "kind": ("What a contract declares: event, metric, alert or slo.", "metric"),
    "contract": ("Name of a contract.", "revenue"),
    "number": ("Number of a dead letter.", "1"),
    "alert": ("Name of an alert.", "refunds_high"),
    "slo": ("Name of an objective.", "revenue_fresh"),
    "webhook_id": ("Id of a webhook.", "hook_4c3e8f552f6c0e9b7a1d"),
    "namespace": ("Name of a namespace.", "acme.support"),
    "agent": ("Name of an agent.", "acme.support.triage"),
    "topic": ("Name of a topic.", "acme.support.tickets"),
    "subject": ("Subject of the registry of schemas.", "orders-value"),
    "group": ("Name of a group of consumers.", "billing"),
    "decision": ("Id of a decision of a model.", "decision_17-2f6c0e9b7a1d4c3e8f55"),
    "task_id": ("Id of a task.", "resize-17"),
    "plan_id": ("Id of a plan.", "triage-17"),
    "delivery_id": ("Id of a delivery.", "msg_7a1d4c3e8f552f6c0e9b"),
}
HEADERS: Final = {
    "Idempotency-Key": "Makes the command happen once: sent again, it answers what the first one did.",
    "If-None-Match": "The `ETag` of an earlier answer: 304 when nothing has changed since.",
    "Prefer": "`wait=30`: wait so many seconds for the end of the run (RFC 7240), 60 at most.",
    "Last-Event-ID": "Go on after this position; wins over the `position` parameter.",
}
ALWAYS: Final = (400, 422, 429, 500, 503)
WHEN_KEYED: Final = (401, 403)
WHEN_NAMED: Final = (404,)
WHEN_OF_A_RUN: Final = {"run_id", "ticket_id", "patch_id", "token"}  # resources of a run may be removed with it (410)
WHEN_GIVEN: Final = (408, 413, 415)
INTRO: Final = """Durable workflows that change while they run.

Every answer that is not a success is `application/problem+json` (RFC 9457) with a stable `code`, a `detail`, a `hint`
and, for a wrong input, `problems`: every wrong place at once. A command that carries an `Idempotency-Key` happens once,
where its route lists that header.
Positions are opaque: take them from answers, give them back as `position`, `min_position` or `Last-Event-ID`.
Paths without a version redirect (308) to `/v1`."""


def openapi(table: Table, version: str) -> JsonObject:
    """The whole document of a table; `version` is the product's."""
    shapes = list(_shapes(table))
    _, components = msgspec.json.schema_components(shapes, ref_template=REF)
    components |= feed_schemas(REF)
    paths: dict[str, dict[str, JsonObject]] = {}
    for route in table.routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    refused = {status for route in table.routes for status in refusals(route)}
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "AOB",
            "version": version,
            "summary": "One event log on which workflows, agents, people and metrics act together.",
            "description": INTRO,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}, {"bearer": []}],
        "tags": [{"name": name} for name in dict.fromkeys(_tag(route) for route in table.routes)],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {str(status): _problem(status) for status in sorted(refused)},
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }
    plain: JsonObject = msgspec.json.decode(msgspec.json.encode(document))  # no tuples of defaults
    _fill(plain)
    return plain


def _fill(schema: JsonValue) -> None:
    """Adds `items` to every array, also where any value is allowed: client generators require it."""
    if isinstance(schema, dict):
        if schema.get("type") == "array" and "items" not in schema and "prefixItems" not in schema:
            schema["items"] = {}
        for below in schema.values():
            _fill(below)
    elif isinstance(schema, list):
        for below in schema:
            _fill(below)


def refusals(route: AnyRoute) -> tuple[int, ...]:
    """The error statuses of a route, derived from its input and role."""
    found = {*ALWAYS, *route.refuses}
    found.update(WHEN_KEYED if route.role is not None else ())
    found.update(WHEN_NAMED if route.params else ())
    found.update((410,) if WHEN_OF_A_RUN.intersection(route.params) else ())
    found.update(WHEN_GIVEN if route.takes_body else ())
    return tuple(sorted(found))


def _operation(route: AnyRoute) -> JsonObject:
    lines = [route.summary]
    if route.role is not None:
        lines.append(f"Needs the role `{route.role}`.")
    answers: JsonObject = {}
    for gives in route.gives:
        answer = answers.setdefault(str(gives.status), {"description": gives.text})
        if gives.shape is not None:
            content, schema = answer.setdefault("content", {}), _schema(gives)
            known = content.get(gives.media)
            content[gives.media] = {"schema": {"anyOf": [known["schema"], schema]} if known else schema}
            if gives.items:
                content[gives.media]["x-itemSchema"] = {"oneOf": [_item(*each) for each in gives.items.items()]}
    for status in refusals(route):
        given = answers.setdefault(str(status), {"$ref": f"#/components/responses/{status}"})
        if "$ref" not in given:  # the route has an HTML page for it, in addition to the problem
            given["content"] |= _problem(status)["content"]
    operation: JsonObject = {
        "operationId": route.name,
        "summary": route.summary.split(". ")[0].rstrip("."),
        "description": "\n\n".join(lines),
        "tags": [_tag(route)],
        "parameters": list(_params(route)),
        "responses": dict(sorted(answers.items())),
    }
    if route.role is None:
        operation["security"] = []
    if route.takes_body:
        operation["requestBody"] = _body(route)
    return operation


def _body(route: AnyRoute) -> JsonObject:
    body = route.body
    content: JsonObject = {media: {"schema": _schema_of(body.shape, media)} for media in body.media}
    for media in body.streamed[:1]:
        content[media] = {"schema": {"type": "string", "description": "One JSON object a line, as for JSON."}}
    return {"required": not body.optional, "content": content}


def _params(route: AnyRoute) -> Iterator[JsonObject]:
    for name in route.params:
        text, example = PARAMS[name]
        schema = {"type": "string", "minLength": 1, "maxLength": 200}
        yield {"name": name, "in": "path", "required": True, "description": text, "schema": schema, "example": example}
    query = _inline(msgspec.json.schema(route.query))
    required = query.get("required", ())
    for name, shape in query["properties"].items():
        text = shape.pop("description", "")
        yield {"name": name, "in": "query", "required": name in required, "description": text, "schema": shape}
    for name in route.headers:
        schema = {"type": "string", "maxLength": 200}
        yield {"name": name, "in": "header", "required": False, "description": HEADERS[name], "schema": schema}


def _inline(schema: JsonObject) -> JsonObject:
    """Resolves a reference of msgspec to the schema itself."""
    if "$ref" not in schema:
        return schema
    found: JsonObject = schema["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    return found


def _item(event: str, shape: Any) -> JsonObject:
    """One kind of event of a stream: its name and the schema of its data."""
    data = {"$ref": REF.format(name=shape)} if isinstance(shape, str) else _schema_of(shape, "application/json")
    name = {"type": "string"} if event == "*" else {"const": event}
    properties = {"id": {"type": "string"}, "event": name, "data": data}
    return {"type": "object", "properties": properties, "required": ["event", "data"]}


def _schema(gives: Gives) -> JsonObject:
    if gives.media == "text/event-stream":
        return {"type": "string", "description": "Server-sent events; `id` is a position, `data` is JSON."}
    if gives.media == "application/x-ndjson":
        return {"type": "string", "description": "One JSON object a line."}
    return _schema_of(gives.shape, gives.media)


def _schema_of(shape: Any, media: str) -> JsonObject:
    if shape is bytes or not media.endswith("json"):
        return {"type": "string", "format": "binary"} if media.endswith("octet-stream") else {"type": "string"}
    (schema,), _ = msgspec.json.schema_components([shape], ref_template=REF)
    return schema


def _shapes(table: Table) -> Iterator[Any]:
    yield ProblemBody
    for route in table.routes:
        yield from (gives.shape for gives in route.gives if gives.shape not in (None, bytes, str))
        yield from (each for gives in route.gives for each in gives.items.values() if not isinstance(each, str))
        if route.takes_body and route.body.shape is not bytes:
            yield route.body.shape


def _problem(status: int) -> JsonObject:
    schema = {"$ref": REF.format(name=ProblemBody.__name__)}
    answer: JsonObject = {
        "description": f"{HTTPStatus(status).phrase}: the problem and how to mend it.",
        "content": {"application/problem+json": {"schema": schema}},
    }
    if status == 429:
        answer["headers"] = {
            name: {"description": text, "schema": {"type": "integer"}}
            for name, text in (
                ("Retry-After", "Seconds to wait."),
                ("RateLimit-Limit", "Units of reads a minute of this key, or its tenant; on what is counted."),
                ("RateLimit-Remaining", "How many are left."),
                ("RateLimit-Reset", "Seconds until there is one more."),
            )
        }
    return answer


def _tag(route: AnyRoute) -> str:
    """The noun of a path: the part after the version."""
    parts = route.path.removeprefix("/v1").split("/")
    return re.split(r"[:.]", parts[1])[0] or "root"
