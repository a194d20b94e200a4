"""A home inside an application: one process that owns every shard, with the verbs of the server and no port."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from aob.compose.app import App, assemble, at_rest
from aob.compose.cluster import Leased
from aob.compose.files import make_room
from aob.compose.layout import layout_in, layout_of, single
from aob.compose.lock import owning, usable
from aob.compose.secrets import check_keys
from aob.compose.settings import read_settings
from aob.compose.shards.local import LocalShard
from aob.compose.shards.owners import Owners
from aob.compose.storage import InDatabase
from aob.views import Views

WAIT_MS: Final = 60_000


@asynccontextmanager
async def open(
    home: str | Path = "./home", *, app: object | str | Sequence[object | str] = (), **settings: Any
) -> AsyncIterator[App]:
    """Open a home in this process: recover it and run it until left.

    `app` is a module, an object or the name of a module with `@node` handlers, or several of them; `settings` override
    those of `HOME/aob.toml`. Raises Conflict `home_in_use` when another process runs it, `many_shards` when it needs
    more than one process, Invalid for wrong settings.
    """
    folder = Path(home)
    with usable(folder):
        parsed = read_settings(folder, os.environ, **settings)
    parts = app if isinstance(app, list | tuple) else (app,) if app else ()
    async with AsyncExitStack() as stack:
        check_keys(parsed)
        with usable(folder):
            make_room(folder)
            stack.enter_context(owning(folder))
        database = None
        if parsed.in_database:
            with usable(folder):
                database = await InDatabase.open(folder, parsed, f"{socket.gethostname()}, process {os.getpid()}")
            stack.push_async_callback(database.close)
            layout = await layout_in(database, parsed.shards, parsed.partitions)
        else:
            with usable(folder):
                found = layout_of if parsed.one_process else single
                layout = found(folder, parsed.shards, parsed.partitions)
            layout = await at_rest(folder, layout)
        running = await assemble(stack, folder, parsed, parts, layout, database=database)
        async with running.working(), AsyncExitStack() as inner:
            if layout.files > 1:
                owners = await inner.enter_async_context(Owners(running, (), layout))
                running.views = cast(Views, owners.verbs)
                running.ended = partial(_ended, owners, running)
            else:
                running.shared.topics.serve([LocalShard(0, running)], lambda: layout)
            if running.shared.gateway is not None:
                await inner.enter_async_context(running.shared.gateway.listening([running.views]))
            claim = running.shared.claim
            if claim is not None:
                claim.lost = partial(_cut_off, running)
                running.views = cast(Views, Leased(running.views, claim))
            yield running


async def _ended(owners: Owners, running: App, run_id: str) -> None:
    """Wait until a run of any shard has ended."""
    while not (await owners.verbs.wait(running.who, run_id, within_ms=WAIT_MS))["ended_at"]:
        pass


def _cut_off(running: App) -> None:
    ending = asyncio.create_task(running.shared.cut_off(), name="aob-cut-off")
    ending.add_done_callback(lambda done: done.cancelled() or done.exception())
