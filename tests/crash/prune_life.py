"""A life that prunes a home whose runs have ended, and is killed in the middle of it."""

import asyncio
from pathlib import Path
from typing import Any

import aob
from aob.backends.sqlite.store import SqliteStore
from aob.ports.store import Batch
from aob.runs.removal import prune
from tests.crash.points import Trap, set_traps
from tests.runs.home import Deed

STEP_RUNS = 3


async def prune_all(home: Path) -> int:
    """Removes every run that has ended; how many went."""
    async with aob.open(home, app=Deed().handlers()) as app:
        cursor, count, before_ms = None, 0, app.views.core.journal.clock.now()
        while True:
            step = await app.views.prune(app.who, before_ms, cursor=cursor)
            cursor, count = step["next"], count + step["runs"]
            if cursor is None:
                return count


def main(home: str, point: str, count: int) -> None:
    """The child process. Its steps are small."""
    vars(prune)["STEP_RUNS"] = STEP_RUNS
    trap = Trap(point, count)
    set_traps(trap)
    plain = SqliteStore._remove

    def removing(writer: Any, batch: Batch) -> None:
        trap.at("remove.before")
        plain(writer, batch)
        trap.at("remove.after")

    setattr(SqliteStore, "_remove", staticmethod(removing))  # noqa: B010  # mypy knows the attribute
    asyncio.run(prune_all(Path(home)))
