"""A home in this process: `async with aob.open("./home", app=module) as app`. The same code that `aob up` serves."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from aob.compose.home import ShardIds, single
from aob.compose.lock import owning, usable
from aob.compose.notices import Notices, link_secret
from aob.compose.parts import load_handlers, make_tools, open_blobs, open_store
from aob.compose.settings import Settings, read_settings
from aob.core.policy import LOCAL, Caller
from aob.runs import Ambient, Core
from aob.views import Views
from aob.work import Logs
from aob.work.kinds import performer, placer


class RunHandle:
    """A run that this process started: its id, its status at the start, and its end."""

    def __init__(self, app: "App", run_id: str, status: str, created: bool) -> None:
        self._app, self.id, self.status, self.created = app, run_id, status, created

    def __repr__(self) -> str:
        return f"<run {self.id} {self.status}>"

    async def done(self) -> dict[str, Any]:
        """The whole run once it has ended: `status`, `output`, `error`, `nodes` and more."""
        await self._app.views.core.ended(self._app.who, self.id)
        told = await self.show()
        self.status = told["status"]
        return told

    async def show(self) -> dict[str, Any]:
        """The whole run as it is now."""
        return await self._app.views.run(self._app.who, self.id)


class App:
    """A running home. `views` has every verb that the server has; the methods here are the ones used most."""

    def __init__(self, views: Views, home: Path, settings: Settings, notices: Notices, who: Caller = LOCAL) -> None:
        self.views, self.home, self.settings, self.notices, self.who = views, home, settings, notices, who

    async def push(self, document: Mapping[str, Any] | bytes | str | Path, *, tag: str = "main") -> dict[str, Any]:
        """Push a workflow: a document, its text, or the path of its file. Raises Invalid with every problem."""
        if isinstance(document, Path):
            document = await asyncio.to_thread(document.read_bytes)
        elif isinstance(document, str):
            document = document.encode()
        plain = document if isinstance(document, bytes) else dict(document)
        return await self.views.push(self.who, plain, tag=tag)

    async def start(self, workflow: str, inputs: Any = None, **options: Any) -> RunHandle:
        """Start a run; it is durable when this returns. Options as `views.start` takes them (`key`, `mode`, ...)."""
        told = await self.views.start(self.who, workflow, inputs, **options)
        return RunHandle(self, told["run_id"], told["status"], told["created"])

    async def run(self, run_id: str) -> dict[str, Any]:
        """A whole run."""
        return await self.views.run(self.who, run_id)

    async def answer(self, ticket_id: str, choice: str, reason: str = "", values: Any = None) -> dict[str, Any]:
        """Decide a ticket."""
        return await self.views.answer(self.who, ticket_id, choice, reason=reason, values=values)


@asynccontextmanager
async def open(
    home: str | Path = "./home", *, app: object | str | Sequence[object | str] = (), **settings: Any
) -> AsyncIterator[App]:
    """Open a home in this process: recover what it holds, run it until left.

    `app` is a module, an object or the name of a module with `@node` handlers, or several of them; `settings` go over
    those of `HOME/aob.toml`. Raises Conflict `home_in_use` when another process runs it, `many_shards` when it needs
    more than one process, Invalid for wrong settings.
    """
    folder = Path(home)
    parsed = read_settings(folder, os.environ, **settings)
    parts = app if isinstance(app, list | tuple) else (app,) if app else ()
    async with AsyncExitStack() as stack:
        stack.enter_context(owning(folder))
        single(folder, parsed.shards)
        yield await assemble(stack, folder, parsed, parts)


async def assemble(
    stack: AsyncExitStack, home: Path, settings: Settings, app: Sequence[object | str], shard: int = 0, shards: int = 1
) -> App:
    """Make and enter every part of a shard, in the order in which they stand on each other."""
    with usable(home):
        return await _assembled(stack, home, settings, app, shard, shards)


async def _assembled(
    stack: AsyncExitStack, home: Path, settings: Settings, app: Sequence[object | str], shard: int, shards: int
) -> App:
    handlers = load_handlers(app, settings)
    store = await open_store(settings, home, shard)
    stack.push_async_callback(store.close)
    blobs = open_blobs(settings, home)

    def now_ms() -> int:
        return time.time_ns() // 1_000_000

    logs = Logs(home / "logs", now_ms)
    stack.callback(logs.close)
    tools = await make_tools(stack, settings, home, handlers, blobs, now_ms)
    core = Core(
        store, blobs, handlers.facts, lambda dispatch: performer(tools, dispatch.context, dispatch.verify),
        place=placer(tools), rules=settings.patch_rules(), ambient=Ambient(now_ms), logs=logs,
        concurrency=settings.concurrency,
    )  # fmt: skip
    core.journal.shard = shard
    if shards > 1:
        core.ids = ShardIds(core.ambient, shard, shards)
    await stack.enter_async_context(core)
    notices = await stack.enter_async_context(Notices(core, tools, link_secret(home)))
    return App(Views(core), home, settings, notices)
