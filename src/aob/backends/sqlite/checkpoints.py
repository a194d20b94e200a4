"""WAL checkpoints of one file, on their own connection and thread: the writer does not wait for them. Only above 64 MiB
of WAL does the writer stop for one: while it keeps writing, the WAL cannot restart. When idle, the WAL is truncated."""

import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

PASS_BYTES: Final = 16 * 1024 * 1024  # bytes written before a pass begins
WAL_MAX_BYTES: Final = 64 * 1024 * 1024  # bytes of WAL above which the writer stops for a pass
SHORT_BYTES: Final = 2 * 1024 * 1024
"""It stops right after a pass of the thread, when at most this much is left, or at twice the bytes above."""
IDLE_S: Final = 2.0  # after so long without a write the WAL is truncated
PAGE_BYTES: Final = 4_096


def fold_in(connection: sqlite3.Connection, mode: str = "passive") -> tuple[int, bool]:
    """Run a checkpoint: the bytes of the WAL, and whether the file now holds all of them. A failure does no harm: the
    WAL stays and is read."""
    try:
        busy, frames, done = connection.execute(f"pragma wal_checkpoint({mode})").fetchone()
    except sqlite3.Error:
        return 0, False
    return max(0, frames) * PAGE_BYTES, not busy and frames == done


class Checkpoints:
    """The checkpoints of one file. The thread starts at the first write and ends with `close`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal = self._fresh = self._total = 0
        """Bytes of WAL as far as known; bytes since the last pass began; all bytes."""
        self._limit = WAL_MAX_BYTES
        self._connection: sqlite3.Connection | None = None
        self._one = threading.Lock()  # held by a pass
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._untruncated = self._closed = False

    def wrote(self, size: int) -> None:
        """Count committed bytes. For the writer's thread."""
        self._total += size
        self._wal += size
        self._fresh += size
        if not self._untruncated:
            self._untruncated = True
            self._begin()
        elif self._fresh >= PASS_BYTES and not self._wake.is_set():
            self._wake.set()

    @property
    def due(self) -> bool:
        """Whether the writer must call `finish` before its next transaction."""
        if self._wal <= self._limit:
            return False
        return (self._fresh <= SHORT_BYTES and not self._one.locked()) or self._wal > 2 * self._limit

    def finish(self) -> None:
        """Run a pass while no transaction is open, so that the WAL restarts. For the writer's thread."""
        self._pass("passive")
        self._limit = max(WAL_MAX_BYTES, self._wal + PASS_BYTES)  # a reader of old pages can prevent the restart

    def truncate(self) -> bool:
        """Empty the WAL of an idle file; returns whether it did. A writer waits a moment at most."""
        return self._pass("passive") and self._pass("truncate")

    def close(self) -> None:
        """End the thread after its present pass. Idempotent."""
        self._closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"aob-checkpoint-{self._path.stem}", daemon=True)
            self._thread.start()
        self._wake.set()

    def _work(self) -> None:
        seen = -1
        while True:
            self._wake.wait(IDLE_S if self._untruncated else None)
            self._wake.clear()
            if self._closed:
                return
            if self._fresh >= PASS_BYTES:
                self._pass("passive")
            elif self._total == seen:
                self._untruncated = False
                self._untruncated |= not self.truncate()
            seen = self._total

    def _pass(self, mode: str) -> bool:
        with self._one:
            self._fresh = 0
            with suppress(sqlite3.Error):
                if self._connection is None:
                    where = f"file:{quote(str(self._path))}?mode=rw"  # a removed file does not return
                    self._connection = sqlite3.connect(
                        where, uri=True, isolation_level=None, check_same_thread=False, timeout=0
                    )
                size, whole = fold_in(self._connection, mode)
                self._wal = self._fresh + (0 if whole and not self._fresh else size)
                return whole
        return False
