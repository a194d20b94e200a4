"""`aob up`: a home, its server and its key, in one process, until it is told to stop."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from aob.compose.app import App, assemble
from aob.compose.lock import owning
from aob.compose.notices import link_secret
from aob.compose.settings import Settings, read_settings
from aob.server import announced, create_app, listen, loopback_key, serving

GC_YOUNG = 50_000
"""Objects made before a young collection: a commit makes thousands that die together, and scanning them is waste."""


def up(
    home: Path,
    *,
    host: str | None = None,
    port: int | None = None,
    app: Sequence[str] = (),
    shards: int | None = None,
    said: Any = None,
) -> int:
    """Run a home until SIGINT or SIGTERM. `said(url, app, settings)` is called once it takes requests."""
    settings = read_settings(home, os.environ, host=host, port=port, shards=shards)
    gc.set_threshold(GC_YOUNG, 20, 100)
    sys.setswitchinterval(0.001)
    try:
        import uvloop
    except ImportError:  # Windows has none
        asyncio.run(_up(home, settings, app, said))
    else:
        uvloop.run(_up(home, settings, app, said))
    return 0


async def _up(home: Path, settings: Settings, app: Sequence[str], said: Any) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    async with AsyncExitStack() as stack:
        stack.enter_context(owning(home))
        running = await assemble(stack, home, settings, app)
        await _serve(stack, running, settings, said)
        await stop.wait()


async def _serve(stack: AsyncExitStack, running: App, settings: Settings, said: Any) -> None:
    home = running.home
    await loopback_key(home, running.views)
    bound = listen(settings.host, settings.port)
    application = create_app(running.views, link_secret=link_secret(home))
    url = await stack.enter_async_context(serving(application, bound))
    running.notices.base_url = url
    stack.enter_context(announced(home, url))
    if said is not None:
        said(url, running, settings)
