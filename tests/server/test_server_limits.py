"""The limit on reads: a window for each key, writes and the home's own key free, open when it breaks, shut for auth."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from aob.core.errors import Invalid
from aob.core.policy import Caller
from aob.server import App, create_app, read_api_keys
from aob.server.limits import SLOT_S, UNIT, WINDOW_S, ReadLimit
from tests.server.calls import problem
from tests.server.fake import FakeEngine
from tests.server.fake_metrics import FakeMetrics

READS = 3
KEYS = "reader:reader-secret-0001:view+run, other:other-secret-00002:view:east,boss:boss-secret-000003:admin"


class Clock:
    """The time that the limit sees."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(ReadLimit, "_now_s", staticmethod(clock))
    return clock


@pytest.fixture
def app(engine: FakeEngine, metrics: FakeMetrics) -> App:
    return create_app(engine, metrics, reads_per_minute=READS, api_keys=read_api_keys(KEYS))


@pytest.fixture
async def reader(app: App) -> AsyncIterator[httpx.AsyncClient]:
    """A caller with a key of the environment."""
    headers = {"x-api-key": "reader-secret-0001"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://aob", headers=headers) as caller:
        yield caller


def left(answer: httpx.Response) -> tuple[str, ...]:
    return tuple(answer.headers[f"ratelimit-{name}"] for name in ("limit", "remaining", "reset"))


async def test_a_key_reads_so_often_in_any_minute(reader: httpx.AsyncClient, clock: Clock) -> None:
    for remaining, reset in (("2", "60"), ("1", "50"), ("0", "40")):
        answer = await reader.get("/v1/metrics")
        assert (answer.status_code, left(answer)) == (200, ("3", remaining, reset))
        clock.now += 10
    answer = await reader.get("/v1/runs")
    body = problem(answer, 429, "rate_limited")
    assert (body["retry_after_s"], answer.headers["retry-after"], left(answer)) == (30.0, "30", ("3", "0", "30"))
    clock.now += 30.5
    assert (await reader.get("/v1/metrics")).status_code == 200
    problem(await reader.get("/v1/metrics"), 429, "rate_limited")


async def test_keys_have_windows_of_their_own(reader: httpx.AsyncClient, clock: Clock) -> None:
    for _ in range(READS):
        await reader.get("/v1/metrics")
    problem(await reader.get("/v1/metrics"), 429, "rate_limited")
    other = await reader.get("/v1/metrics", headers={"authorization": "Bearer other-secret-00002", "x-api-key": ""})
    assert other.status_code == 401  # the first header that names a key is the one that counts
    del reader.headers["x-api-key"]
    other = await reader.get("/v1/metrics", headers={"authorization": "Bearer other-secret-00002"})
    assert (other.status_code, left(other)[1]) == (200, "2")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/events", [{"type": "x", "source": "s", "id": "1"}]),
        ("POST", "/v1/runs", {}),
        ("POST", "/v1/deadletter:discard", {"numbers": []}),
        ("GET", "/v1/health", None),
        ("GET", "/health/live", None),
        ("GET", "/docs", None),
        ("GET", "/openapi.json", None),
    ],
)
async def test_writes_health_and_docs_are_free(
    method: str, path: str, body: Any, reader: httpx.AsyncClient, clock: Clock
) -> None:
    for _ in range(READS * 2):
        answer = await reader.request(method, path, json=body)
        assert answer.status_code < 300
        assert "ratelimit-limit" not in answer.headers
    assert left(await reader.get("/v1/metrics"))[1] == str(READS - 1)


@pytest.mark.parametrize("path", ["/v1/query", "/v1/contracts:check"])
async def test_reads_that_are_posted_are_counted(path: str, reader: httpx.AsyncClient, clock: Clock) -> None:
    for _ in range(READS):
        await reader.post(path, json={})
    problem(await reader.post(path, json={}), 429, "rate_limited")


async def test_the_key_of_the_home_has_no_limit(app: App, http: httpx.AsyncClient) -> None:
    for _ in range(READS * 2):
        assert "ratelimit-limit" not in (await http.get("/v1/metrics")).headers


async def test_a_limiter_that_breaks_lets_everyone_pass_and_says_so(
    reader: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: ReadLimit, *given: Any) -> Any:
        raise OSError("the counter is away")

    monkeypatch.setattr(ReadLimit, "_window", broken)
    with capture_logs() as logs:
        answers = [await reader.get("/v1/metrics") for _ in range(READS * 2)]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {"off; reason=unavailable"}
    assert [log["event"] for log in logs] == ["limiter_broken"]  # once, not once a request


async def test_a_live_number_costs_a_hundredth_of_a_list(reader: httpx.AsyncClient, clock: Clock) -> None:
    for path in ("/v1/metrics/revenue", "/v1/entity/order/1", "/v1/alerts/none", "/v1/slo/none", "/v1/runs/none"):
        for _ in range(10):
            await reader.get(path)
    assert left(await reader.get("/v1/metrics"))[1] == "1"  # 3.00 - 0.50 - 1.00 = 1.50
    reads = [{"metric": "revenue"}] * 50
    assert left(await reader.post("/v1/batch", json={"reads": reads}))[1] == "1"
    await reader.get("/v1/metrics/revenue")
    problem(await reader.get("/v1/metrics"), 429, "rate_limited")  # 0.99 are left
    assert left(await reader.get("/v1/metrics/revenue"))[1] == "0"


async def test_an_answer_is_counted_by_its_rows_and_its_time(
    reader: httpx.AsyncClient, metrics: FakeMetrics, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def query(who: Caller, body: Any) -> Any:
        rows = [[n] for n in range(body["limit"])]
        return {"columns": ["n"], "types": ["BIGINT"], "rows": rows, "truncated": False, "position": "p",
                "took_ms": 150.0}  # fmt: skip

    monkeypatch.setattr(metrics, "query", query)
    answer = await reader.post("/v1/query", json={"sql": "select 1", "limit": 10})
    assert left(answer)[1] == "1"  # one for the question, one for 150 ms
    await reader.post("/v1/query", json={"sql": "select 1", "limit": 5_000})  # told, and more than was left
    problem(await reader.get("/v1/metrics/revenue"), 429, "rate_limited")


async def test_event_streams_are_free(reader: httpx.AsyncClient, app: App, clock: Clock) -> None:
    free = {route.path for route in app.table.routes if route.method == "GET" and route.role and not route.cost}
    assert free == {"/v1/events", "/v1/runs/events", "/v1/runs/{run_id}/events", "/v1/stream/events",
                    "/v1/stream/org"}  # fmt: skip


async def test_the_keys_of_a_tenant_have_a_bound_together(
    engine: FakeEngine, metrics: FakeMetrics, clock: Clock
) -> None:
    keys = ",".join(f"k{n}:secret-of-key-number-{n}:view:east" for n in range(3)) + ",o:other-secret-00002:view:west"
    app = create_app(engine, metrics, reads_per_minute=4, tenant_reads_per_minute=6, api_keys=read_api_keys(keys))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://aob") as caller:

        async def read(secret: str) -> httpx.Response:
            return await caller.get("/v1/metrics", headers={"x-api-key": secret})

        assert [left(await read("secret-of-key-number-0"))[1] for _ in range(4)] == ["3", "2", "1", "0"]
        body = problem(await read("secret-of-key-number-0"), 429, "rate_limited")
        assert "this key has spent its 4 units" in body["detail"]
        assert [left(await read("secret-of-key-number-1"))[:2] for _ in range(2)] == [("6", "1"), ("6", "0")]
        for n in (1, 2):
            body = problem(await read(f"secret-of-key-number-{n}"), 429, "rate_limited")
            assert "this tenant has spent its 6 units" in body["detail"]
        assert left(await read("other-secret-00002"))[:2] == ("4", "3")


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 250)), min_size=1, max_size=60))
def test_no_minute_holds_more_than_its_units_and_what_is_refused_says_when_it_passes(
    reads: list[tuple[float, int]],
) -> None:
    clock = Clock()
    limit = ReadLimit(5, 0)
    limit._now_s = clock  # type: ignore[method-assign]
    passed: list[tuple[float, int]] = []
    for pause_s, cost in reads:
        clock.now += pause_s
        told = limit.take("t", "k", cost)
        if not told.spent:
            passed.append((clock.now, cost))
            assert sum(spent for at, spent in passed if at > clock.now - WINDOW_S) <= 5 * UNIT
        else:
            clock.now += told.reset_s + SLOT_S
            assert not limit.take("t", "k", cost).spent
            passed.append((clock.now, cost))


async def test_no_key_opens_what_is_broken_or_unknown(reader: httpx.AsyncClient) -> None:
    problem(await reader.get("/v1/metrics", headers={"x-api-key": "reader-secret-0002"}), 401, "unauthorized")
    problem(await reader.put("/v1/contracts", json={}), 403, "refused")


def test_keys_of_the_environment_are_callers() -> None:
    keys = read_api_keys(KEYS + ",")
    assert len(keys) == 3
    reader, other = keys.authenticate("reader-secret-0001"), keys.authenticate("other-secret-00002")
    assert reader
    assert reader == Caller("default", "reader", frozenset(("view", "run")), reader.id)
    assert other
    assert other == Caller("east", "other", frozenset(("view",)), other.id)
    assert keys.holder(reader.id) == reader
    assert keys.holder("env_0") is None
    assert keys.authenticate("") is None
    assert "secret" not in repr(vars(keys))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a:short:view", "at least 16"),
        ("a:long-enough-secret", "has a name, a secret"),
        (":long-enough-secret:view", "has a name"),
        ("a:long-enough-secret:view:t:x", "has a name"),
        ("a:long-enough-secret:king7", "no role king7"),
        ("a:long-enough-secret:", "no role"),
        ("a:long-enough-secret:view:../other", "no name for a tenant"),
        ("a:long-enough-secret:view,b:long-enough-secret:run", "that of another key"),
    ],
)
def test_keys_that_are_written_wrong_are_refused_without_their_secret(text: str, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_api_keys(text)
    assert said in str(caught.value)
    assert "long-enough" not in str(caught.value)
