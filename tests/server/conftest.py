"""One engine in memory, its application, and callers that speak to it without a network."""

from collections.abc import AsyncIterator

import httpx
import pytest

from aob.fanout import Limits
from aob.server import App, create_app
from tests.server.fake import SECRET, FakeEngine
from tests.server.fake_metrics import FakeMetrics

LINK_SECRET = b"l" * 32
NOW_MS = 1_000_000


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def metrics() -> FakeMetrics:
    return FakeMetrics()


@pytest.fixture
def app(engine: FakeEngine, metrics: FakeMetrics) -> App:
    limits = Limits(heartbeat_s=60)
    text = lambda as_open_metrics: b"aob_events 1\n" + b"# EOF\n" * as_open_metrics  # noqa: E731
    return create_app(
        engine, metrics, link_secrets=(LINK_SECRET,), limits=limits, metrics_text=text, now_ms=lambda: NOW_MS
    )


@pytest.fixture
async def http(app: App) -> AsyncIterator[httpx.AsyncClient]:
    """A caller with the key of the home."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://aob", headers={"x-api-key": SECRET}) as caller:
        yield caller
