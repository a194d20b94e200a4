"""A real server over an engine in memory, for clients and commands."""

from collections.abc import AsyncIterator

import pytest

from aob.fanout import Limits
from aob.server import App, create_app, serving
from tests.server.fake import FakeEngine


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def app(engine: FakeEngine) -> App:
    return create_app(engine, limits=Limits(heartbeat_s=0.05))


@pytest.fixture
async def url(app: App) -> AsyncIterator[str]:
    async with serving(app) as address:
        yield address
