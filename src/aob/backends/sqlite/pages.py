"""Port `Pages` on SQLite: one file, one transaction a save. It can be made again from the log, so a file that is not
readable is set aside and begun anew."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar
from zlib import crc32

from aob.backends.sqlite.file import connect, statements, unavailable
from aob.backends.sqlite.identity import SQL as FILE_SQL
from aob.backends.sqlite.identity import UNCHECKED, UNMARKED, identify
from aob.core.errors import Unavailable
from aob.ports.marks import Mark
from aob.ports.pages import PAGE_CORRUPT, Key

T = TypeVar("T")
SQL: Final = statements("pages.sql")
COLUMNS: Final = (("page", "crc integer not null default -1"), ("kept_page", "crc integer not null default -1"))
CHECKPOINT_BYTES: Final = 16 * 1024 * 1024
"""Bytes written after which the WAL is folded in."""


class SqlitePages:
    """Pages in one SQLite file, used from one thread of its own."""

    def __init__(self, path: Path, *, timeout_s: float = 5.0, mark: Mark = UNMARKED) -> None:
        self._path, self._timeout_s, self._mark = path, timeout_s, mark
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="aob-pages")
        self._file: sqlite3.Connection | None = None
        self._unfolded = 0
        self._closed = False

    async def save(
        self, marks: Mapping[str, int], pages: Mapping[Key, bytes | None], dropped: Sequence[Key] = ()
    ) -> None:
        """Write marks and pages in one transaction."""

        def work(file: sqlite3.Connection) -> None:
            file.execute("begin immediate")
            try:
                file.executemany(SQL["set_mark"], list(marks.items()))
                file.executemany(SQL["drop_pages"], [(tenant, len(start), start) for tenant, start in dropped])
                kept = [(*key, data, crc32(data)) for key, data in pages.items() if data is not None]
                file.executemany(SQL["set_page"], kept)
                file.executemany(SQL["drop_page"], [key for key, data in pages.items() if data is None])
                file.execute(FILE_SQL["note_known"], (self._mark.peers(),))
                file.execute("commit")
            except BaseException:
                if file.in_transaction:
                    file.execute("rollback")
                raise
            self._unfolded += sum(len(data) for data in pages.values() if data is not None)
            if self._unfolded > CHECKPOINT_BYTES:
                file.execute("pragma wal_checkpoint(passive)")
                self._unfolded = 0

        await self._run(work)

    async def marks(self) -> dict[str, int]:
        """The marks of the last save."""
        return await self._run(lambda file: {str(feed): int(at) for feed, at in file.execute(SQL["marks"])})

    async def load(self, tenant: str) -> dict[str, bytes]:
        """All pages of a tenant but those that are read one by one."""
        return await self._run(
            lambda file: {
                str(name): self._sound(name, data, crc) for name, data, crc in file.execute(SQL["load"], (tenant,))
            }
        )

    async def page(self, tenant: str, name: str) -> bytes | None:
        """One page."""

        def work(file: sqlite3.Connection) -> bytes | None:
            row: tuple[Any, ...] | None = file.execute(SQL["page"], (tenant, name)).fetchone()
            return None if row is None else self._sound(name, *row)

        return await self._run(work)

    async def tenants(self) -> list[str]:
        """Tenants that have pages."""
        return await self._run(lambda file: [str(tenant) for (tenant,) in file.execute(SQL["tenants"])])

    async def keep(self, label: int, starts: Sequence[str], most: int) -> None:
        """Copy marks and pages beside, in one transaction."""

        def work(file: sqlite3.Connection) -> None:
            file.execute("begin immediate")
            try:
                file.execute(SQL["keep_marks"], (label,))
                file.execute(SQL["forget_pages"], (label,))
                file.executemany(SQL["keep_pages"], [(label, len(start), start) for start in starts])
                file.execute(SQL["drop_kept_marks"], (most,))
                file.execute(SQL["drop_kept_pages"])
                file.execute("commit")
            except BaseException:
                if file.in_transaction:
                    file.execute("rollback")
                raise

        await self._run(work)

    async def kept(self) -> dict[int, dict[str, int]]:
        """The labels that stay."""

        def work(file: sqlite3.Connection) -> dict[int, dict[str, int]]:
            found: dict[int, dict[str, int]] = {}
            for label, feed, at in file.execute(SQL["kept"]):
                found.setdefault(int(label), {})[str(feed)] = int(at)
            return found

        return await self._run(work)

    async def load_kept(self, label: int, tenant: str) -> dict[str, bytes]:
        """Pages as they were copied."""
        return await self._run(
            lambda file: {
                str(name): self._sound(name, data, crc)
                for name, data, crc in file.execute(SQL["load_kept"], (label, tenant))
            }
        )

    async def clear(self) -> None:
        """Forget everything."""

        def work(file: sqlite3.Connection) -> None:
            file.executescript(SQL["clear"])

        await self._run(work)

    async def close(self) -> None:
        """Let go of the file."""
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._let_go)
        self._thread.shutdown(wait=False)

    def _sound(self, name: str, data: bytes, crc: int) -> bytes:
        if crc not in (UNCHECKED, crc32(data)):
            raise Unavailable(f"{self._path.name}: the page {name} is not what was written", code=PAGE_CORRUPT,
                              hint="restore the file from a backup")  # fmt: skip
        return bytes(data)

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def run() -> T:
            if self._file is None:
                self._file = self._open()
            return work(self._file)

        if self._closed:
            raise Unavailable("the pages are closed", code="closing")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, run)
        except (sqlite3.Error, OSError) as error:
            raise unavailable(self._path, error) from error

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return self._ready()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            for path in (self._path, *(Path(f"{self._path}{end}") for end in ("-wal", "-shm"))):
                if path.exists():
                    path.rename(f"{path}.broken")
            return self._ready()

    def _ready(self) -> sqlite3.Connection:
        file = connect(self._path, self._timeout_s)
        file.execute("pragma synchronous = normal")  # what a power cut takes away is read again from the log
        file.executescript(SQL["schema"])
        found = identify(file, self._path, self._mark, COLUMNS)
        self._mark.begin(found.file_id, 0)  # pages are written without a sync: their rows bind nobody
        return file
