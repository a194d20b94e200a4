"""Routes of events, metrics, contracts, alerts and webhooks: what they take, refuse and say beside the answer."""

import asyncio
import inspect
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from aob.core.verbs import TABLE
from aob.server import create_app
from tests.server.calls import problem
from tests.server.conftest import NOW_MS
from tests.server.fake import SECRET, FakeEngine
from tests.server.fake_metrics import FakeMetrics

EVENT = {"type": "order.created", "source": "shop", "id": "a", "data": {"amount": 10, "region": "north"}}
BAD = {**EVENT, "id": "b", "data": {"amount": "much"}}
PRETTY = json.dumps(EVENT, indent=2).replace("\n", "\r\n").encode()
SEND: list[tuple[bytes, str]] = [
    (json.dumps(EVENT).encode(), "application/json"),
    (json.dumps(EVENT).encode(), ""),
    (PRETTY, "application/cloudevents+json; charset=utf-8"),
    (json.dumps([EVENT]).encode(), "application/json"),
    (json.dumps([EVENT], indent=2).encode(), "application/cloudevents-batch+json"),
    (json.dumps(EVENT).encode() + b"\n", "application/x-ndjson"),
    (json.dumps(EVENT).encode(), "application/x-ndjson; charset=utf-8"),
]


def test_the_fake_takes_what_the_verbs_take() -> None:
    verbs = [verb for verb in TABLE if hasattr(FakeMetrics, verb.name)]
    assert len(verbs) > 30
    for verb in verbs:
        taken = list(inspect.signature(getattr(FakeMetrics, verb.name)).parameters)
        assert taken == ["self", "who", *(field.name for field in msgspec.structs.fields(verb.args))], verb


async def post(http: httpx.AsyncClient, content: bytes, media: str) -> httpx.Response:
    return await http.post("/v1/events", content=content, headers={"content-type": media} if media else {})


@pytest.mark.parametrize(("content", "media"), SEND)
async def test_events_come_alone_in_arrays_and_in_lines(
    content: bytes, media: str, http: httpx.AsyncClient, metrics: FakeMetrics
) -> None:
    told = (await post(http, content, media)).json()
    assert (told["received"], told["accepted"]) == (1, 1)
    assert told["verdicts"] == [{"verdict": "accepted"}]
    (tenant,) = metrics.tenants.values()
    assert tenant.events == [EVENT]


async def test_a_single_refused_event_is_a_problem_with_its_dead_letter(http: httpx.AsyncClient) -> None:
    body = problem(await http.post("/v1/events", json=BAD), 422, "event_rejected")
    assert body["deadletter"] == 1
    assert (body["problems"][0]["path"], body["problems"][0]["message"]) == ("/data/amount", "is no number")
    assert "/v1/deadletter/1/replay" in body["hint"]
    assert (await http.get("/v1/deadletter/1")).json()["event"] == BAD


async def test_refused_events_of_a_batch_have_verdicts(http: httpx.AsyncClient) -> None:
    told = (await http.post("/v1/events", json=[EVENT, BAD, EVENT, 7])).json()
    assert [verdict["verdict"] for verdict in told["verdicts"]] == ["accepted", "rejected", "duplicate", "rejected"]
    assert told["received"] == told["accepted"] + told["duplicate"] + told["rejected"]


async def test_a_line_break_in_a_text_is_not_mended_on_the_way(http: httpx.AsyncClient, metrics: FakeMetrics) -> None:
    broken = json.dumps(EVENT).replace("shop", "sh\nop").encode()
    problem(await post(http, broken, "application/json"), 422, "event_rejected")
    (tenant,) = metrics.tenants.values()
    assert tenant.events == []


@pytest.mark.parametrize(
    ("content", "media", "status", "code"),
    [
        (b"[1,", "application/json", 400, "malformed"),
        (b"[{", "application/cloudevents-batch+json", 400, "malformed"),
        (b"{}", "application/cloudevents-batch+json", 422, "invalid"),
        (b"[" * 5_000, "application/json", 400, "too_deep"),
        (b"<a/>", "application/xml", 415, "unsupported_media_type"),
        (b"{nope", "application/json", 422, "event_rejected"),
        (b"", "application/json", 200, ""),
    ],
)
async def test_bodies_that_are_none(
    content: bytes, media: str, status: int, code: str, http: httpx.AsyncClient
) -> None:
    answer = await post(http, content, media)
    assert (answer.status_code, answer.json().get("code", "")) == (status, code)


async def test_lines_reach_the_gate_as_they_came(http: httpx.AsyncClient, metrics: FakeMetrics) -> None:
    lines = b"\n".join(json.dumps({**EVENT, "id": str(n)}).encode() for n in range(1_000)) + b"\n"
    assert (await post(http, lines, "application/x-ndjson")).json()["accepted"] == 1_000
    assert metrics.calls == [("ingest", len(lines))]


async def test_a_gate_that_is_full_says_when_to_come_again(http: httpx.AsyncClient, metrics: FakeMetrics) -> None:
    metrics.busy = True
    answer = await http.post("/v1/events", json=EVENT)
    assert problem(answer, 429, "busy")["retry_after_s"] == 0.01
    assert answer.headers["retry-after"] == "1"


async def test_a_number_that_has_not_changed_is_not_told_again(http: httpx.AsyncClient) -> None:
    first = await http.get("/v1/metrics/revenue")
    tag = first.headers["etag"]
    assert tag.startswith('W/"')
    again = await http.get("/v1/metrics/revenue", headers={"if-none-match": f'"other", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    await http.post("/v1/events", json=EVENT)
    moved = await http.get("/v1/metrics/revenue", headers={"if-none-match": tag})
    assert (moved.status_code, moved.json()["value"]) == (200, 10)


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("1767225600000", NOW := 1_767_225_600_000),
        ("2026-01-01T00:00:00Z", NOW),
        ("2026-01-01T01:00:00.000+01:00", NOW),
        ("2026-01-01T00:00:00.000999999Z", NOW),
        ("-1000", -1_000),
    ],
)
async def test_instants_are_rfc_3339_or_milliseconds(
    text: str, at_ms: int, http: httpx.AsyncClient, metrics: FakeMetrics
) -> None:
    query = {"since": text, "until": text, "as_of": text, "known_at": text}
    assert (await http.get("/v1/metrics/revenue", params=query)).status_code == 200
    _, asked = metrics.calls[-1]
    assert {asked.since_ms, asked.until_ms, asked.as_of_ms, asked.known_at_ms} == {at_ms}


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2026-01-01T00:00:00",
        "2026-01-01",
        "20260101T000000Z",
        "9" * 30,
        "2026-13-01T00:00:00Z",
        "--1",
        "1.5",
    ],
)
async def test_what_is_no_instant_is_refused_with_its_name(text: str, http: httpx.AsyncClient) -> None:
    body = problem(await http.get("/v1/metrics/revenue", params={"until": text}), 422, "invalid")
    assert body["problems"][0]["path"] == "?until"


async def test_dimensions_are_told_apart_and_fixed(http: httpx.AsyncClient, metrics: FakeMetrics) -> None:
    await http.get("/v1/metrics/revenue?by=region,region&by=region&where=region:a:b&where=region:c")
    _, asked = metrics.calls[-1]
    assert (asked.by, asked.where) == (("region",), {"region": "c"})
    problem(await http.get("/v1/metrics/revenue?where=region"), 422, "invalid")
    problem(await http.get("/v1/metrics/revenue?by=colour"), 422, "invalid")
    problem(await http.get("/v1/metrics/revenue?window=1y"), 422, "invalid")


async def test_a_changelog_is_of_the_last_hour_by_default(http: httpx.AsyncClient) -> None:
    told = (await http.get("/v1/changelog?metric=orders")).json()
    assert (told["since"], told["until"]) == (NOW_MS - 3_600_000, NOW_MS)


async def test_a_silence_lasts_an_hour_by_default_and_ends_when_told(http: httpx.AsyncClient) -> None:
    path = "/v1/alerts/revenue_high/silence"
    assert (await http.post(path, json={})).json()["silenced_until"] == NOW_MS + 3_600_000
    assert (await http.post(path, json={"for": "90s"})).json()["silenced_until"] == NOW_MS + 90_000
    assert (await http.post(path, json={"until": 0})).json()["state"] == "ok"
    problem(await http.post(path, json={"for": "soon"}), 422, "invalid")
    problem(await http.post(path, json={"for": "1h", "until": 5}), 422, "invalid")


async def test_contracts_come_as_files_or_as_one_text(http: httpx.AsyncClient) -> None:
    text = b"metric: revenue\ntype: sum\n"
    yaml = await http.put("/v1/contracts", content=text, headers={"content-type": "application/yaml"})
    assert yaml.json()["new"] == ["metric/revenue"]
    files = await http.put("/v1/contracts", json={"files": {"m.yaml": text.decode()}})
    assert files.json()["same"] == ["metric/revenue"]
    one = await http.put("/v1/contracts", json={"metric": "orders", "type": "count"})
    assert one.json()["new"] == ["metric/orders"]
    problem(await http.put("/v1/contracts", json={"files": {"m.yaml": 7}}), 422, "invalid")
    problem(
        await http.put("/v1/contracts", content=b"{", headers={"content-type": "application/json"}), 400, "malformed"
    )
    bad = await http.put("/v1/contracts", content=b"\xff", headers={"content-type": "text/yaml"})
    problem(bad, 400, "malformed")
    problem(await http.get("/v1/contracts/thing/revenue"), 400, "bad_kind")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v1/deadletter/x", None, 400, "bad_number"),
        ("GET", "/v1/deadletter/9", None, 404, "deadletter_not_found"),
        ("GET", "/v1/deadletter?state=lost", None, 422, "invalid"),
        ("POST", "/v1/deadletter:replay", {}, 422, "invalid"),
        ("POST", "/v1/query", {}, 422, "invalid"),
        ("POST", "/v1/query", {"sql": "select 1", "entity": "order"}, 422, "invalid"),
        ("POST", "/v1/query", {"metrics": ["orders"], "since": "soon"}, 422, "invalid"),
        ("POST", "/v1/batch", {"reads": []}, 422, "invalid"),
        ("GET", "/v1/search", None, 422, "invalid"),
        ("GET", "/v1/entity/ship/a", None, 404, "entity_not_found"),
        ("GET", "/v1/lineage?metric=none", None, 404, "metric_not_found"),
        ("GET", "/v1/slo/none", None, 404, "slo_not_found"),
        ("PUT", "/v1/alerts/a", {"when": "true"}, 422, "invalid"),
        ("PUT", "/v1/alerts/a", [], 422, "invalid"),
        ("POST", "/v1/webhooks", {"url": "x"}, 422, "invalid"),
        ("PATCH", "/v1/webhooks/none", {}, 404, "webhook_not_found"),
        ("DELETE", "/v1/webhooks/none", None, 404, "webhook_not_found"),
        ("GET", "/v1/stream/events?metric=none", None, 404, "metric_not_found"),
        ("GET", "/v1/stream/events?position=abc", None, 409, "position_expired"),
    ],
)
async def test_what_is_refused(
    method: str, path: str, body: Any, status: int, code: str, http: httpx.AsyncClient
) -> None:
    problem(await http.request(method, path, json=body), status, code)


async def test_ids_of_entities_may_hold_anything_printable(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/entity/order/a%2Fb%20c%3A1")).json()["id"] == "a/b c:1"


async def test_a_new_webhook_says_where_it_is_and_is_not_kept_by_caches(http: httpx.AsyncClient) -> None:
    made = await http.post("/v1/webhooks", json={"url": "https://example.org"})
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    assert (await http.get(made.headers["location"])).json()["url"] == "https://example.org"


async def test_health_tells_of_the_metrics_too_and_outlives_them(http: httpx.AsyncClient, metrics: FakeMetrics) -> None:
    assert (await http.get("/v1/health")).json()["metrics"]["status"] == "ok"
    metrics.broken = True
    told = (await http.get("/v1/health")).json()
    assert (told["status"], told["metrics"]["status"]) == ("degraded", "log_away")
    assert (await http.get("/health/ready")).status_code == 200


async def test_prometheus_needs_no_key(http: httpx.AsyncClient) -> None:
    del http.headers["x-api-key"]
    answer = await http.get("/metrics")
    assert (answer.status_code, answer.text) == (200, "aob_events 1\n")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_whoever_asks_for_numbers_again_and_again_gets_those_that_are_there(engine: FakeEngine) -> None:
    made: list[int] = []

    def text(as_open_metrics: bool) -> bytes:
        made.append(sum(range(1_000_000)))  # tens of ms: what a text of many numbers costs
        return b"aob_events %d\n" % len(made)

    transport = httpx.ASGITransport(app=create_app(engine, metrics_text=text))
    async with httpx.AsyncClient(transport=transport, base_url="http://aob") as http:
        answers = [(await http.get("/metrics")).text for _ in range(100)]
        assert len(made) < 50
        assert answers == sorted(answers, key=lambda told: int(told.split()[1]))
        async with asyncio.timeout(30):
            while len(made) < 3:  # they go on
                await http.get("/metrics")


@pytest.mark.parametrize(
    ("accept", "is_open"),
    [
        ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
         "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", True),
        ("text/plain;version=0.0.4;q=0.5, application/openmetrics-text;q=0.4", False),
        ("text/*", False), ("*/*", False), ("image/png", False), ("application/openmetrics-text;q=x", False),
    ],
)  # fmt: skip
async def test_prometheus_gets_open_metrics_when_it_asks_for_them(
    accept: str, is_open: bool, http: httpx.AsyncClient
) -> None:
    answer = await http.get("/metrics", headers={"accept": accept})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0") == is_open
    assert answer.text.endswith("# EOF\n") == is_open


@pytest.fixture
async def bare(engine: FakeEngine) -> AsyncIterator[httpx.AsyncClient]:
    """A caller of a server that has no metrics layer."""
    transport = httpx.ASGITransport(create_app(engine))
    async with httpx.AsyncClient(transport=transport, base_url="http://aob", headers={"x-api-key": SECRET}) as caller:
        yield caller


@pytest.mark.parametrize("path", ["/v1/metrics", "/v1/stream/events", "/metrics", "/v1/catalog", "/v1/webhooks"])
async def test_a_server_without_metrics_says_that_they_are_elsewhere(path: str, bare: httpx.AsyncClient) -> None:
    problem(await bare.get(path), 503, "not_here")
    assert "metrics" not in (await bare.get("/v1/health")).json()


async def test_roles_hold_and_tenants_are_apart(http: httpx.AsyncClient, engine: FakeEngine) -> None:
    await http.post("/v1/events", json=[EVENT, BAD])
    other = (await http.post("/v1/keys", json={"name": "o", "roles": ["view"], "tenant": "other"})).json()["secret"]
    headers = {"x-api-key": other}
    assert (await http.get("/v1/metrics/orders", headers=headers)).json()["value"] == 0
    assert (await http.get("/v1/deadletter", headers=headers)).json()["deadletters"] == []
    for method, path, body in (
        ("POST", "/v1/events", EVENT), ("POST", "/v1/deadletter:discard", {"numbers": [1]}),
        ("PUT", "/v1/contracts", {}), ("PUT", "/v1/alerts/a", {}), ("DELETE", "/v1/alerts/a", None),
        ("POST", "/v1/alerts/revenue_high/silence", {}), ("POST", "/v1/webhooks", {"url": "https://a.b"}),
    ):  # fmt: skip
        problem(await http.request(method, path, json=body, headers=headers), 403, "refused")
