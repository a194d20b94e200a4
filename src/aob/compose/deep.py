"""`aob doctor --deep` of a home that nobody runs: its shards are read back by their laws, and nothing is performed."""

import os
import time
from pathlib import Path
from typing import Any

from aob.compose.files import Seen, compared
from aob.compose.lock import owning
from aob.compose.metrics import make_laws
from aob.compose.parts import load_handlers, open_blobs
from aob.compose.settings import read_settings
from aob.journal import Recovered
from aob.ports.store import Store
from aob.runs import Ambient, Core
from aob.work import Logs


async def looked_deep(home: Path) -> list[Seen]:
    """Heads and timers held against the events. Raises Conflict for a home that runs."""
    with owning(home):
        settings = read_settings(home, os.environ, app=())
        handlers = load_handlers((), settings)
        ambient = Ambient(lambda: time.time_ns() // 1_000_000)
        logs = Logs(home / "logs", ambient.now_ms)
        blobs = open_blobs(settings, home)

        async def read_back(store: Store) -> Recovered:
            core = Core(
                store, blobs, handlers.facts, lambda dispatch: _nothing, place=lambda job: None,
                rules=settings.patch_rules(), ambient=ambient, logs=logs, laws=list(make_laws().values()),
            )  # fmt: skip
            return await core.journal.read_back(store)

        try:
            return await compared(home, read_back, blobs)
        finally:
            logs.close()


async def _nothing(job: Any) -> Any:
    raise AssertionError("nothing is performed")
