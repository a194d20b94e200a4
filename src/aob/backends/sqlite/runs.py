"""Port `Runs` (`aob.core.ingest`) on a folder: one SQLite file with a table of sorted ids for each run, and filters. A
run is written once, in the order of its ids, and dropped as a whole. Losing the folder only shortens how far back ids
are known, and the gate says so. No file is created before the first run."""

import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from aob.backends.sqlite.checkpoints import fold_in
from aob.backends.sqlite.file import connect, statements, transaction, unavailable

SQL: Final = statements("runs.sql")
FILE: Final = "runs.db"


class FileRuns:
    """The runs of one tenant. `add` and `keep` may run concurrently with the reading loop; all raise Unavailable."""

    def __init__(self, folder: Path, *, timeout_s: float = 5.0) -> None:
        self._path, self._timeout_s = folder / FILE, timeout_s
        self._reader: sqlite3.Connection | None = None
        self._writes = threading.Lock()

    def add(self, number: int, keys: Sequence[bytes], filters: Mapping[int, bytes]) -> None:
        """Store a run and the present filters together. Replaces an older one of the same number."""

        def work(writer: sqlite3.Connection) -> None:
            _drop(writer, [number])
            writer.execute(f"create table run_{number:d} (key blob primary key) without rowid")
            writer.executemany(f"insert or ignore into run_{number:d} values (?)", ((key,) for key in keys))  # noqa: S608  # a number
            writer.execute(SQL["add_run"], (number,))
            writer.executemany(SQL["set_filter"], list(filters.items()))

        self._write(work)

    def holds(self, number: int, key: bytes) -> bool:
        """Whether a run has a key."""
        rows = self._read(f"select 1 from run_{number:d} where key = ?", key)  # noqa: S608  # a number
        return bool(rows)

    def numbers(self) -> list[int]:
        """The numbers of the stored runs."""
        return [number for (number,) in self._read(SQL["runs"])]

    def filter(self, epoch: int) -> bytes | None:
        """A filter as stored."""
        rows = self._read(SQL["filter"], epoch)
        return bytes(rows[0][0]) if rows else None

    def keep(self, numbers: Iterable[int], filters: Iterable[int]) -> None:
        """Drop all other runs and filters."""
        gone = sorted(set(self.numbers()) - set(numbers))
        old = {epoch for (epoch,) in self._read(SQL["filters"])} - set(filters)
        if not gone and not old:
            return

        def work(writer: sqlite3.Connection) -> None:
            _drop(writer, gone)
            writer.executemany(SQL["drop_filter"], [(epoch,) for epoch in old])

        self._write(work)

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _read(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            if self._reader is None:
                if not self._path.exists():
                    return []
                self._reader = self._open()
            found: list[tuple[Any, ...]] = self._reader.execute(statement, values).fetchall()
        except (sqlite3.Error, OSError) as error:
            raise unavailable(self._path, error) from error
        return found

    def _write(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Run work in one transaction, on its own connection, then fold in the WAL."""
        with self._writes:
            writer: sqlite3.Connection | None = None
            try:
                writer = self._open()
                with transaction(writer):
                    work(writer)
                fold_in(writer, "truncate")
            except (sqlite3.Error, OSError) as error:
                raise unavailable(self._path, error) from error
            finally:
                if writer is not None:
                    writer.close()

    def _open(self) -> sqlite3.Connection:
        connection = connect(self._path, self._timeout_s)
        connection.executescript(SQL["schema"])
        return connection


def _drop(writer: sqlite3.Connection, numbers: Iterable[int]) -> None:
    for number in numbers:
        writer.execute(f"drop table if exists run_{number:d}")
        writer.execute(SQL["drop_run"], (number,))
