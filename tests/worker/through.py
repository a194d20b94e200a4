"""A home whose handlers are at a worker, attached over real gRPC in the process of the test: they may be closures."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aob
from aob.compose import App
from aob.work import HandlerTable, scan
from aob.worker import Holding, Link, Performing, Plan, Values, hello_of

open_here = aob.open


@asynccontextmanager
async def opened(home: str | Path, *, app: Any = (), **settings: Any) -> AsyncIterator[App]:
    """As `aob.open`, with the handlers of `app` at a worker."""
    parts = app if isinstance(app, list | tuple) else (app,) if app else ()
    async with open_here(home, grpc_port=0, **settings) as running:
        handlers = scan(*parts)
        if not handlers:
            yield running
            return
        async with attached(running, handlers):
            yield running


@asynccontextmanager
async def attached(running: App, handlers: HandlerTable, name: str = "w") -> AsyncIterator[Holding]:
    """A worker of these handlers in this process."""
    assert running.shared.gateway is not None
    key = str((await running.views.create_key(running.who, "worker", ("work",), None))["secret"])
    plan = Plan((), running.shared.gateway.address, name, secrets.token_hex(8), key=key)
    holding, welcome = Holding(hello_of(plan, handlers, "b1"), asyncio.get_running_loop()), asyncio.Event()
    holding.welcomed = lambda *_: welcome.set()
    refused: list[Exception] = []
    link = Link(plan, holding, lambda why: None, refused.append)
    async with Values(holding.value_max, lambda: "", key) as values, Performing(handlers, holding, values, 64):
        link.open()
        try:
            async with asyncio.timeout(20):
                await welcome.wait()
            yield holding
        finally:
            await asyncio.to_thread(link.close)
            assert not refused, refused
