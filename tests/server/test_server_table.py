"""The table is the API: what dispatch knows and what OpenAPI says are the same, and every answer fits its schema."""

import re

import httpx
import jsonschema_rs
import pytest

from aob.server import App, openapi_document
from aob.server.http.openapi import PARAMS, refusals
from aob.server.http.route import AnyRoute
from aob.server.routes import make_table

ROUTES = make_table("0", (b"",), lambda: 0).routes
DOCUMENT = openapi_document()


def test_every_route_is_described_and_nothing_else_is() -> None:
    described = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert described == {(route.method, route.path) for route in ROUTES}


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for methods in DOCUMENT["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_route_says_what_it_takes_needs_gives_and_refuses(route: AnyRoute) -> None:
    operation = DOCUMENT["paths"][route.path][route.method.lower()]
    named = {row["name"] for row in operation["parameters"] if row["in"] == "path"}
    assert named == set(re.findall(r"\{(\w+)\}", route.path)) <= set(PARAMS)
    assert all(row["description"] for row in operation["parameters"] if row["in"] != "query")
    assert ("requestBody" in operation) is route.takes_body
    assert {int(status) for status in operation["responses"]} == {*refusals(route), *(g.status for g in route.gives)}
    assert operation.get("security") == ([] if route.role is None else None)
    assert route.role is None or {401, 403} <= set(refusals(route))


def test_only_probes_health_docs_and_links_are_open() -> None:
    open_paths = {route.path for route in ROUTES if route.role is None}
    assert open_paths == {
        "/v1/health", "/health/live", "/health/ready", "/openapi.json", "/docs", "/v1/links/{token}", "/metrics",
    }  # fmt: skip


def test_the_document_is_a_valid_openapi_document_of_references_that_exist() -> None:
    text = str(DOCUMENT)
    for kind, name in re.findall(r"#/components/(\w+)/([\w.-]+)", text):
        assert name in DOCUMENT["components"][kind]
    for name, schema in DOCUMENT["components"]["schemas"].items():
        jsonschema_rs.meta.validate(
            {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": {name: schema}}
        )


async def test_the_server_gives_its_document_and_its_page(http: httpx.AsyncClient, app: App) -> None:
    del http.headers["x-api-key"]
    document = (await http.get("/openapi.json")).json()
    assert document == DOCUMENT
    page = await http.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert all(route.path in page.text for route in ROUTES)
    assert "<script" not in page.text
