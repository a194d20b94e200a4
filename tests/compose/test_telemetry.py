"""Spans from the request over the commit and the fold to the delta, at a collector; times of stages for Prometheus."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

import aob
from aob.compose.app import App
from aob.compose.metrics import Exposition
from aob.core.metric_query import MetricQuery
from aob.ports.telemetry import TRACE, Trace, traced
from aob.server import create_app
from tests.servers.listening import listening

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CONTRACTS = {
    "shop.yaml": """
event: order.created
version: 1
owner: shop
enrich: [order_size]
fields: {amount: {type: number, unit: EUR}}
---
metric: orders
version: 1
type: count
owner: shop
moves: [{on: order.created}]
windows: [all]
"""
}
LINE = b'{"id":"e-1","source":"shop","type":"order.created","data":{"amount":1.5}}'


class Collector:
    """A collector of spans that speaks OTLP over HTTP."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, or several on one connection."""
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            body = await reader.readexactly(length)
            if b"content-encoding: gzip" in head.lower():
                import gzip

                body = gzip.decompress(body)
            request = ExportTraceServiceRequest.FromString(body)
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    self.spans.extend(scope.spans)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()


@asynccontextmanager
async def collector() -> AsyncIterator[Collector]:
    found = Collector()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await found.serve(reader, writer)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    async with listening(serve) as port:
        found.url = f"http://127.0.0.1:{port}"
        yield found


def client_of(app: App, secret: str) -> httpx.AsyncClient:
    wiring = app.wiring
    assert wiring is not None
    served = create_app(app.views, app.metrics, telemetry=wiring.telemetry)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=served), base_url="http://aob", headers={"x-api-key": secret}
    )


async def test_an_event_is_traced_from_the_request_to_the_delta(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collector() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        async with aob.open(tmp_path / "home") as app:
            await app.metrics.push_contracts(app.who, CONTRACTS)
            key = await app.views.create_key(app.who, "test", ["admin"])
            feed = app.metrics.stream(app.who, metrics=[MetricQuery("orders", window="all")])
            assert (await anext(feed))[2]["value"] == 0
            async with client_of(app, key["secret"]) as client:
                sent = await client.post(
                    "/v1/events", content=LINE,
                    headers={"content-type": "application/x-ndjson", "traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"},
                )  # fmt: skip
            assert sent.json()["accepted"] == 1
            assert (await anext(feed))[2]["value"] == 1
            await feed.aclose()  # type: ignore[attr-defined]  # it is a generator
    mine = {span.name: span for span in found.spans if span.trace_id.hex() == TRACE_ID}
    assert set(mine) == {"POST /v1/events", "commit", "fold", "delta"}
    assert mine["POST /v1/events"].parent_span_id.hex() == SPAN_ID
    request = mine["POST /v1/events"].span_id
    assert {mine[name].parent_span_id for name in ("commit", "fold", "delta")} == {request}


async def test_every_stage_is_timed_and_told_to_prometheus(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "home") as app:
        wiring = app.wiring
        assert wiring is not None
        await app.metrics.push_contracts(app.who, CONTRACTS)
        key = await app.views.create_key(app.who, "test", ["admin"])
        async with client_of(app, key["secret"]) as client:
            headers = {"content-type": "application/x-ndjson"}
            await client.post("/v1/events", content=LINE + b"\n" + LINE + b"\n{}", headers=headers)
            await client.get("/v1/metrics/orders")
        app.views.core.egress["webhooks"].replaced += 1  # as its transport does when a pool is stuck
        numbers = Exposition(
            wiring.telemetry.stages, wiring.figures, lambda: dict(app.views.core.journal.stats),
            replaced=app.views.core.replaced, certificates=lambda: {"api.pem": 1_800_000_000.0},
        )  # fmt: skip
        text = numbers.text().decode()
        open_metrics = numbers.text(True).decode()
    for line in (
        'aob_stage_units_total{stage="gate"} 3.0', 'aob_stage_errors_total{stage="gate"} 1.0',
        'aob_stage_units_total{stage="store"} 1.0', 'aob_stage_units_total{stage="enrich"} 2.0',
        'aob_stage_units_total{stage="fold"} 1.0',
        'aob_stage_seconds_count{stage="ingest"} 1.0', 'aob_stage_seconds_count{stage="serve"} 1.0',
        "aob_events_received_total 3.0", "aob_events_accepted_total 1.0", "aob_events_duplicate_total 1.0",
        "aob_events_rejected_total 1.0", 'aob_egress_pools_replaced_total{of="webhooks"} 1.0',
        'aob_egress_pools_replaced_total{of="nodes"} 0.0',
        'aob_certificate_expiry_timestamp_seconds{file="api.pem"} 1.8e+09',
    ):  # fmt: skip
        assert line in text, text
    families = {family.name: family for family in text_string_to_metric_families(open_metrics)}
    assert families["aob_stage_seconds"].type == "histogram"
    assert {"aob", "aob_events_received", "aob_cells", "process_cpu_seconds"} <= families.keys()


def test_a_line_of_the_log_names_the_trace_the_tenant_and_the_correlation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import structlog

    from aob.compose.logging import set_up_log
    from aob.ports.logger import Logger

    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    before = structlog.get_config()
    set_up_log("info", pretty=False)
    token = TRACE.set(Trace(TRACE_ID, SPAN_ID, "acme", "order-7"))
    try:
        Logger("aob.test").warning("something_odd", row=7)
        Logger("aob.test").info("fine")
    finally:
        TRACE.reset(token)
        structlog.configure(**before)
    first, second = map(json.loads, out.getvalue().splitlines())
    assert (first["event"], first["row"], first["level"]) == ("something_odd", 7, "warning")
    assert (first["trace_id"], first["span_id"]) == (TRACE_ID, SPAN_ID)
    assert (first["tenant"], first["correlation_id"]) == ("acme", "order-7")
    assert second["event"] == "fine"


@pytest.mark.parametrize("header", [None, "", "00-xyz", f"00-{'0' * 32}-{SPAN_ID}-01", f"00-{TRACE_ID}-{SPAN_ID}"])
def test_a_traceparent_that_is_not_well_formed_begins_a_trace_of_its_own(header: str | None) -> None:
    assert traced(header) is None


def test_a_traceparent_names_trace_and_span() -> None:
    assert traced(f"00-{TRACE_ID}-{SPAN_ID}-01") == Trace(TRACE_ID, SPAN_ID)


def test_a_trace_on_a_terminal_shows_no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    import structlog

    from aob.compose.logging import set_up_log
    from aob.ports.logger import Logger

    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    before = structlog.get_config()
    set_up_log("info", pretty=True)
    authorization = "Bearer of a key"
    try:
        raise ValueError(len(authorization))
    except ValueError:
        Logger("aob.test").exception("broke")
    finally:
        structlog.configure(**before)
    assert "ValueError: 15" in out.getvalue()
    assert authorization not in out.getvalue()
