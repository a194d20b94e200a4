"""A home whose nodes of built-in kinds are performed by an executor behind a real stream, in the test's process."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aob
from aob.compose import App
from aob.compose.executor import Executor
from aob.compose.live_settings import LiveSettings
from aob.ports.workers import AWAY
from aob.worker import Holding, Link, Performing, Plan, Values, hello_of

open_here = aob.open
HAS = (*AWAY, "object/home", "agent/script", "agent/recorded", "agent/live", "notify/desk", "notify/mailto")


@asynccontextmanager
async def opened(home: str | Path, *, app: Any = (), **settings: Any) -> AsyncIterator[App]:
    """As `aob.open`; the home itself performs no built-in kind that a worker may perform."""
    async with (
        open_here(home, app=app, grpc_port=0, kinds_without_worker="wait", **settings) as running, executor(running)
    ):  # fmt: skip
        yield running


@asynccontextmanager
async def executor(
    running: App, name: str = "e", address: str = "", own: Executor | None = None
) -> AsyncIterator[Holding]:  # fmt: skip
    """An executor with the tools of a home, or tools of its `own`, in this process; it attaches to the home, or where
    it is told."""
    shared = running.shared
    assert shared.gateway is not None
    key = str((await running.views.create_key(running.who, "executor", ("work", "execute"), None))["secret"])
    plan = Plan((), address or shared.gateway.address, name, secrets.token_hex(8), key=key)
    kinds = own or Executor(shared.tools, LiveSettings(shared.settings, {}), list(HAS))
    holding, welcome = (
        Holding(hello_of(plan, shared.handlers, "", kinds.offers), asyncio.get_running_loop()),
        asyncio.Event(),
    )
    holding.welcomed = lambda *_: welcome.set()
    holding.settings = kinds.told
    refused: list[Exception] = []
    link = Link(plan, holding, lambda why: None, refused.append)
    async with (
        Values(holding.value_max, lambda: "", key) as values,
        Performing(shared.handlers, holding, values, 64, kinds=kinds),
    ):
        link.open()
        try:
            async with asyncio.timeout(20):
                await welcome.wait()
            yield holding
        finally:
            await asyncio.to_thread(link.close)
            assert not refused, refused
