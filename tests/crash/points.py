"""Where a process kills itself. Wrapped around the product in the child process only; the product knows nothing."""

import asyncio
import os
import pathlib
import signal
from collections.abc import Callable
from typing import Any, Final

from aob.backends import folder_blobs
from aob.backends.sqlite.file import Writer
from aob.backends.sqlite.store import SqliteStore
from aob.compose import App
from aob.journal import batch, deciding, journal, recovery
from aob.ports.store import Batch
from aob.runs import Core
from aob.runs.dispatch import Dispatcher

CUT_ROWS: Final = 6
SEGMENT_EVENTS: Final = 4
SEGMENTS_PER_BATCH: Final = 2
"""Small, so that a handful of runs meets cuts over several commits and segments of live streams."""


class Trap:
    """Kills this process, as the kernel would, when it comes to `point` for the `count`-th time."""

    def __init__(self, point: str, count: int) -> None:
        self.point, self.left = point, count

    def at(self, point: str) -> None:
        """This process is here now."""
        if point == self.point:
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)


class CommitThread(Writer):
    """The store's writer thread; the loop's thread goes on, and dies, while COMMIT is at the disk."""

    trap: Trap

    def _give(self, work: Callable[[], Any], future: Any) -> None:
        super()._give(work, future)
        if getattr(work, "args", ()) == ("commit",):
            self.trap.at("commit.at_the_disk")


def around(owner: Any, name: str, before: Callable[..., None], after: Callable[..., None]) -> None:
    """Calls `before` and `after` with the arguments of a method, plain or async."""
    plain = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        before(*args)
        result = plain(*args, **kwargs)
        after(*args)
        return result

    async def awaited(*args: Any, **kwargs: Any) -> Any:
        before(*args)
        result = await plain(*args, **kwargs)
        after(*args)
        return result

    setattr(owner, name, awaited if asyncio.iscoroutinefunction(plain) else wrapped)


def set_traps(trap: Trap) -> None:
    """Wrap everything that can be a point."""
    vars(journal)["CUT_ROWS"], vars(deciding)["SEGMENT_EVENTS"] = CUT_ROWS, SEGMENT_EVENTS
    batch.Cutter.take.__defaults__ = (SEGMENTS_PER_BATCH,)
    _around_commits(trap)
    _around_releases(trap)
    _around_blobs(trap)
    _around_recovery(trap)


def _around_commits(trap: Trap) -> None:
    closing: list[bool] = []

    def when(moment: str, written: Batch) -> None:
        trap.at(f"commit.{moment}")
        if written.segments:
            trap.at(f"segments.{moment}")
        if written.cut:
            trap.at(f"cut.{moment}")
        if closing:
            trap.at(f"last_cut.{moment}")

    def with_statements(writer: Any, written: Batch) -> None:
        plain(writer, written)
        when("before", written)

    plain = SqliteStore._statements
    setattr(SqliteStore, "_statements", staticmethod(with_statements))  # noqa: B010  # mypy knows the attribute
    around(SqliteStore, "commit", lambda _, written: when("begin", written), lambda _, written: when("after", written))
    around(journal.Journal, "_last_cut", lambda _: closing.append(True), lambda _: trap.at("last_cut.done"))

    CommitThread.trap = trap
    made = SqliteStore.__init__

    def init(self: SqliteStore, *args: Any) -> None:
        made(self, *args)
        self._file.writes = CommitThread("aob-commit")

    setattr(SqliteStore, "__init__", init)  # noqa: B010


def _around_releases(trap: Trap) -> None:
    def nothing(*_: Any) -> None:
        return None

    around(journal.Journal, "_release", lambda *_: trap.at("release.before"), lambda *_: trap.at("release.after"))
    around(Core, "_committed", nothing, lambda *_: trap.at("release.effects_left"))
    around(App, "start", nothing, lambda *_: trap.at("start.answered"))


def _around_blobs(trap: Trap) -> None:
    class Temp(type(pathlib.Path())):  # type: ignore[misc]
        def rename(self, target: Any) -> Any:
            trap.at("blob.before_rename")
            renamed = super().rename(target)
            trap.at("blob.after_rename")
            return renamed

    made = folder_blobs.FolderBlobs.__init__

    def init(self: Any, root: pathlib.Path) -> None:
        made(self, Temp(root))

    folder_blobs.FolderBlobs.__init__ = init  # type: ignore[method-assign]


def _around_recovery(trap: Trap) -> None:
    def nothing(*_: Any) -> None:
        return None

    around(SqliteStore, "take", lambda *_: trap.at("recovery.begin"), lambda *_: trap.at("recovery.taken"))
    around(recovery, "_fold", nothing, lambda *_: trap.at("recovery.folded"))
    around(
        Dispatcher, "recovered", lambda *_: trap.at("recovery.before_dispatch"),
        lambda *_: trap.at("recovery.dispatched"),
    )  # fmt: skip
