"""A home with a port for workers, and the words of its tests."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aob
from aob.compose import App
from aob.compose.handlers import DeclaredHandlers
from aob.ports.workers import Job
from aob.work import Facts
from tests.workers.client import Client, Ctx, handler

HANDLERS = [
    handler("work"), handler("pay", "once"), handler("look", "none"), handler("twice", "none", deterministic=True),
    handler("check", "none"),
]  # fmt: skip


@asynccontextmanager
async def home(folder: Path, lease_ms: int = 30_000) -> AsyncIterator[App]:
    """A home that serves workers; their lease as given."""
    async with aob.open(folder, grpc_port=0) as app:
        assert app.shared.gateway is not None
        app.shared.gateway.hub.lease_ms = lease_ms
        yield app


async def key_of(app: App, *roles: str, tenant: str | None = None) -> str:
    """A new key."""
    return str((await app.views.create_key(app.who, "worker", roles or ("work",), tenant))["secret"])


def where(app: App) -> str:
    """The address for workers."""
    assert app.shared.gateway is not None
    return app.shared.gateway.address


async def comes(what: Callable[[], Any]) -> None:
    """Waits until something that nothing tells of is so."""
    async with asyncio.timeout(60):
        while not what():  # noqa: ASYNC110  # there is no signal of it
            await asyncio.sleep(0.005)


async def kept(app: App, *names: str) -> None:
    """Until the records of the home have these handlers."""
    facts = Facts({})
    found = DeclaredHandlers(app.shared.following.records, facts)
    while not set(names) <= facts.of(app.who.tenant).keys():
        await asyncio.sleep(0.005)
        await found.refresh()


async def echo(job: Job, ctx: Ctx) -> Any:
    return job.input


async def worker(app: App, perform: Any = echo, **more: Any) -> Client:
    """A worker with all handlers, not attached yet."""
    return Client(where(app), await key_of(app), perform, handlers=HANDLERS, **more)
