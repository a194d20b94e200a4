"""The limit on reads: a window for each key, writes and the home's own key free, open when it breaks, shut for auth."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from aob.core.errors import Invalid
from aob.core.policy import Caller
from aob.server import App, create_app, read_api_keys
from aob.server.limits import ReadLimit
from tests.server.calls import problem
from tests.server.fake import FakeEngine
from tests.server.fake_metrics import FakeMetrics

READS = 3
KEYS = "reader:reader-secret-0001:view+run, other:other-secret-00002:view:east,boss:boss-secret-000003:admin"


class Clock:
    """The time that the limits library sees."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.time", clock)
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


@pytest.mark.parametrize("path", ["/v1/query", "/v1/batch", "/v1/contracts:check"])
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
    def broken(self: ReadLimit) -> Any:
        raise OSError("the counter is away")

    monkeypatch.setattr(ReadLimit, "_made", broken)
    with capture_logs() as logs:
        answers = [await reader.get("/v1/metrics") for _ in range(READS * 2)]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {"off; reason=unavailable"}
    assert [log["event"] for log in logs] == ["limiter_broken"]  # once, not once a request


async def test_no_key_opens_what_is_broken_or_unknown(reader: httpx.AsyncClient) -> None:
    problem(await reader.get("/v1/metrics", headers={"x-api-key": "reader-secret-0002"}), 401, "unauthorized")
    problem(await reader.put("/v1/contracts", json={}), 403, "refused")


def test_keys_of_the_environment_are_callers() -> None:
    keys = read_api_keys(KEYS + ",")
    assert len(keys) == 3
    assert keys.authenticate("reader-secret-0001") == Caller("default", "reader", frozenset(("view", "run")))
    assert keys.authenticate("other-secret-00002") == Caller("east", "other", frozenset(("view",)))
    assert keys.authenticate("") is None
    assert "secret" not in repr(vars(keys))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a:short:view", "at least 16"),
        ("a:long-enough-secret", "has a name, a secret"),
        (":long-enough-secret:view", "has a name"),
        ("a:long-enough-secret:view:t:x", "has a name"),
        ("a:long-enough-secret:king", "no role king"),
        ("a:long-enough-secret:", "no role"),
        ("a:long-enough-secret:view,b:long-enough-secret:run", "that of another key"),
    ],
)
def test_keys_that_are_written_wrong_are_refused_without_their_secret(text: str, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_api_keys(text)
    assert said in str(caught.value)
    assert "long-enough" not in str(caught.value)
