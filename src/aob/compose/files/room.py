"""Free disk space of a home, and whether it and its files still exist: checked twice a second while it runs. A full
disk refuses writes and keeps reads: `HOME/reserve` is deleted, so that files can still be opened and decided work can
finish, also after a restart. It is recreated when there is space, and then work goes on."""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from aob.backends.marks_page import MarksPage, home_gone
from aob.compose.files.checking import DERIVED
from aob.core.errors import AobError, Unavailable
from aob.ports.logger import Logger
from aob.ports.store import DISK_FULL

RESERVE: Final = "reserve"
RESERVE_BYTES: Final = 8 * 1024 * 1024
FREE_BYTES_MIN: Final = 1024 * 1024  # below this a start deletes the reserve at once
LOOK_S: Final = 0.5

RENEWED: Final = DERIVED | {"webhooks.db"}  # files that are renamed and rebuilt when they cannot be read

log: Final = Logger("aob.compose")


class Writes(Protocol):
    """A writer: the error of its last write, and the reason why it refuses more."""

    failing: AobError | None
    refusing: AobError | None


def make_room(home: Path) -> None:
    """Before a start on a full disk, delete the reserve: otherwise not even the lock could be written."""
    reserve = home / RESERVE
    try:
        if reserve.exists() and shutil.disk_usage(home).free < FREE_BYTES_MIN:
            reserve.unlink()
    except OSError:
        pass  # the caller that opens the home is informed


class Room:
    """Watches one home. Calls `gone` once when its folder no longer exists. `reserve`: whether to keep one; only `aob
    up` does."""

    def __init__(self, home: Path, page: MarksPage, writes: list[Writes], *, reserve: bool = False) -> None:
        self._home, self._page, self.writes, self.reserve = home, page, writes, reserve
        self.hold = page.hold
        self.gone: Callable[[], None] = lambda: None
        self.left = False
        self.lost = ""
        self._inodes: dict[str, int] = {}  # the inodes of the files that hold acknowledged data, as first seen

    async def watch(self) -> None:
        """Check for ever."""
        while not self.left:
            self.look()
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Check once."""
        if self._page.gone() or not self._there():
            self.left = True
            error = home_gone(self._home, self.lost)
            log.error("home_gone", home=str(self._home), file=self.lost)
            for each in self.writes:
                each.failing = each.refusing = error
            self.gone()
            return
        full = any(each.failing is not None and each.failing.code == DISK_FULL for each in self.writes)
        if full or self._refused():
            self._full()
        elif self.reserve:
            self._keep()

    @property
    def _needed(self) -> int:
        """Bytes for the reserve and as much again; without a reserve, for some commits."""
        return 2 * RESERVE_BYTES if self.reserve else FREE_BYTES_MIN

    def _there(self) -> bool:
        """Whether written data can be found again: a removed file still accepts writes and loses them."""
        try:
            if os.stat(self._page.path).st_ino != self._page.inode:
                return False
            there = {path.name: os.stat(path).st_ino for path in self._home.glob("*.db") if path.name not in RENEWED}
        except OSError:
            return False
        self._inodes = {**there, **self._inodes}
        self.lost = next((name for name, inode in self._inodes.items() if there.get(name) != inode), "")
        return not self.lost

    def _refused(self) -> bool:
        return any(each.refusing is not None for each in self.writes)

    def _full(self) -> None:
        """Refuse writes until there is space for the reserve and as much again."""
        reserve = self._home / RESERVE
        if shutil.disk_usage(self._home).free >= self._needed and self._keep():
            log.info("room_again", home=str(self._home))
            for each in self.writes:
                each.failing = each.refusing = None
            return
        if not self._refused():
            log.error("disk_full", home=str(self._home))
        error = Unavailable(f"the disk of {self._home} is full: nothing is taken, all can be read", code=DISK_FULL,
                            hint=f"free {self._needed >> 20} MiB; work goes on by itself")  # fmt: skip
        for each in self.writes:
            each.refusing = error
        reserve.unlink(missing_ok=True)

    def _keep(self) -> bool:
        """Make the reserve if one is kept; returns whether it exists."""
        path = self._home / RESERVE
        if not self.reserve or path.exists():
            return True
        try:
            if shutil.disk_usage(self._home).free < 2 * RESERVE_BYTES:
                return False
            handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(handle, 0, RESERVE_BYTES)
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError:
            path.unlink(missing_ok=True)
            return False
        return True
