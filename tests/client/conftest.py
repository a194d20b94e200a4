"""A real server over an engine in memory, for clients and commands."""

from collections.abc import AsyncIterator

import pytest

from aob.fanout import Limits
from aob.server import App, create_app, serving
from tests.server.fake import FakeEngine
from tests.server.fake_metrics import FakeMetrics


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def metrics() -> FakeMetrics:
    return FakeMetrics()


@pytest.fixture
def app(engine: FakeEngine, metrics: FakeMetrics) -> App:
    return create_app(engine, metrics, limits=Limits(heartbeat_s=0.05))


@pytest.fixture
async def url(app: App) -> AsyncIterator[str]:
    async with serving(app) as address:
        yield address
