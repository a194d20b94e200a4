"""Opens a file or database that holds threads of graphs and nothing else of a home."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from aob.compose.lock import owning, usable
from aob.compose.threads import ManyShards, OneShard
from aob.core.errors import Conflict, Invalid, NotFound, Problem
from aob.journal import Journal
from aob.ports.store import Store
from aob.threads import Threads

SQLITE: Final = "sqlite:///"
MEMORY: Final = "memory:"
POSTGRES: Final = ("postgresql://", "postgres://")


@asynccontextmanager
async def alone(url: str) -> AsyncIterator[OneShard | ManyShards]:
    """Threads in a file, a database or memory, owned until left. Raises Conflict `file_in_use` or `home_in_use`,
    Invalid for another URL, Unavailable."""
    async with AsyncExitStack() as stack:
        if url.startswith(POSTGRES):
            from aob.compose.shards import open as open_home

            folder = Path(stack.enter_context(TemporaryDirectory(prefix="aob-saver-")))
            app = await stack.enter_async_context(open_home(folder, store=url))
            yield app.threads
            return
        journal = Journal(
            await _store(stack, url), [], clock_ms=lambda: time.time_ns() // 1_000_000,
            on_commit=lambda commit: None, on_recovered=lambda found: None, put_blob=_no_blob, get_value=_no_value,
        )  # fmt: skip
        await stack.enter_async_context(journal)
        yield OneShard(Threads(journal))


async def _store(stack: AsyncExitStack, url: str) -> Store:
    if url.startswith(MEMORY):
        from aob.backends.memory.store import MemoryStore

        return MemoryStore()
    if not url.startswith(SQLITE) or url == SQLITE:
        why = f"{url.partition('://')[0][:20]}: is no place for threads"
        raise Invalid(why, [Problem("url", why, hint="sqlite:///FILE, postgresql://…, memory:")])
    from aob.backends.sqlite.store import SqliteStore

    path = _owned(stack, url.removeprefix(SQLITE))
    store = await SqliteStore.open(path)
    stack.push_async_callback(store.close)
    return store


def _owned(stack: AsyncExitStack, name: str) -> Path:
    """The path of a file whose lock is held until the stack is left."""
    path = Path(name).expanduser().absolute()
    with usable(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        stack.enter_context(owning(path.parent, f"{path.name}.lock"))
    except Conflict as error:
        raise Conflict(f"{path} is in use by {_holder(path)}", code="file_in_use",
                       hint="end it, or name another file; a home serves many") from error  # fmt: skip
    return path


def _holder(path: Path) -> str:
    try:
        pid = path.with_name(f"{path.name}.lock").read_text()
    except OSError:
        pid = ""
    return "this process" if pid == str(os.getpid()) else f"process {pid}" if pid else "another process"


async def _no_blob(tenant: str, digest: bytes, data: bytes) -> None:
    raise NotFound("threads have no blobs")


async def _no_value(tenant: str, digest: bytes) -> bytes:
    raise NotFound("threads have no values")
