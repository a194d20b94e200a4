"""A life that moves the partitions of a home to another number of shards, and is killed in the middle of it."""

import asyncio
from pathlib import Path
from typing import Any

from aob.backends.sqlite.store import SqliteStore
from aob.compose.layout import set_shards
from aob.ports.store import Batch
from tests.crash.points import CommitThread, Trap, around


def step_of(batch: Batch) -> str:
    """Which of the three commits of a move it is; empty for another one."""
    if not batch.extents:
        return ""
    extent = batch.extents[0]
    return "release" if extent.released else "moved" if extent.last_row else "taken"


def main(home: str, shards: int, point: str, count: int) -> None:
    """The child process."""
    trap = Trap(point, count)
    CommitThread.trap = Trap("", 0)
    around(
        SqliteStore, "commit", lambda _, batch: trap.at(f"{step_of(batch)}.before"),
        lambda _, batch: trap.at(f"{step_of(batch)}.after"),
    )  # fmt: skip
    plain = SqliteStore._statements

    def statements(writer: Any, batch: Batch) -> None:
        plain(writer, batch)
        trap.at(f"{step_of(batch)}.written")

    setattr(SqliteStore, "_statements", staticmethod(statements))  # noqa: B010  # mypy knows the attribute
    around(SqliteStore, "take", lambda *_: trap.at("opened"), lambda *_: None)
    asyncio.run(set_shards(Path(home), shards, lambda *_: None))
