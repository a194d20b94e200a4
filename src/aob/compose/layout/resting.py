"""The core of a shard that is not running, with all its laws: to replay it, or to move its partitions."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from aob.compose.metrics import make_laws
from aob.compose.parts import load_handlers
from aob.compose.settings import read_settings
from aob.compose.storage import open_blobs
from aob.ports.blobs import Blobs
from aob.ports.store import Store
from aob.runs import Ambient, Core
from aob.work.visit_logs import Logs

Resting: TypeAlias = Callable[[Store], Core]


@contextmanager
def resting(home: Path, blobs: Blobs | None = None) -> Iterator[Resting]:
    """Makes the core of a store; never performs jobs. `blobs` are those of the home, else of its files."""
    settings = read_settings(home, os.environ, app=())
    handlers = load_handlers((), settings)
    ambient = Ambient(lambda: time.time_ns() // 1_000_000)
    logs, blobs = Logs(home / "logs", ambient.now_ms), blobs or open_blobs(settings, home)

    def core(store: Store) -> Core:
        return Core(
            store, blobs, handlers.facts, lambda dispatch: _nothing, place=lambda job: None,
            rules=settings.patch_rules(), ambient=ambient, logs=logs, laws=list(make_laws().values()),
        )  # fmt: skip

    try:
        yield core
    finally:
        logs.close()


async def _nothing(job: Any) -> Any:
    raise AssertionError("nothing is performed")
