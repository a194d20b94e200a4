"""Loaded as handlers by every process of a home: the one that comes to a step of a move kills itself, once a home."""

import os
import signal
from pathlib import Path
from typing import Any

import aob
from aob.backends.sqlite.store import SqliteStore
from tests.crash.move_life import step_of

TRAP = "AOB_TEST_TRAP"
"""`STEP.MOMENT COUNT`: at which commit of a move, before or after it, for the how-manieth time."""
FIRED = "trap-fired"


@aob.node(effect="keyed")
async def tick(value: Any) -> int:
    """Work."""
    return 1


def _set() -> None:
    point, _, count = os.environ.get(TRAP, "").partition(" ")
    step, _, moment = point.partition(".")
    left, plain = int(count or 0), SqliteStore.commit

    async def commit(self: SqliteStore, batch: Any) -> Any:
        nonlocal left
        here = step_of(batch) == step
        left -= here
        if here and not left and moment == "before":
            _kill(self)
        answer = await plain(self, batch)
        if here and not left and moment == "after":
            _kill(self)
        return answer

    if point:
        setattr(SqliteStore, "commit", commit)  # noqa: B010  # mypy knows the method


def _kill(store: SqliteStore) -> None:
    fired = Path(store._path).parent / FIRED
    if not fired.exists():
        fired.touch()
        os.kill(os.getpid(), signal.SIGKILL)


_set()
