"""One engine in memory, its application, and callers that speak to it without a network."""

from collections.abc import AsyncIterator

import httpx
import pytest

from aob.fanout import Limits
from aob.server import App, create_app
from tests.server.fake import SECRET, FakeEngine

LINK_SECRET = b"l" * 32
NOW_MS = 1_000_000


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def app(engine: FakeEngine) -> App:
    return create_app(engine, link_secret=LINK_SECRET, limits=Limits(heartbeat_s=60), now_ms=lambda: NOW_MS)


@pytest.fixture
async def http(app: App) -> AsyncIterator[httpx.AsyncClient]:
    """A caller with the key of the home."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://aob", headers={"x-api-key": SECRET}) as caller:
        yield caller
