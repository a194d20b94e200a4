"""Port `Pages` on SQLite: one file, one transaction per save. An unreadable file is renamed and rebuilt."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from aob.backends.sqlite.file import SqliteFile, statements, transaction
from aob.backends.sqlite.identity import SQL as FILE_SQL
from aob.backends.sqlite.identity import UNCHECKED, UNMARKED, identify
from aob.core.errors import Unavailable
from aob.ports.marks import Mark
from aob.ports.pages import PAGE_CORRUPT, Key, Owner
from aob.ports.store import StaleEpoch

SQL: Final = statements("pages.sql")
COLUMNS: Final = (("page", "crc integer not null default -1"), ("kept_page", "crc integer not null default -1"))


class SqlitePages:
    """Pages in one SQLite file."""

    def __init__(self, path: Path, *, timeout_s: float = 5.0, mark: Mark = UNMARKED) -> None:
        self._mark = mark
        self._file = SqliteFile(path, "aob-pages", self._prepare, timeout_s=timeout_s, anew=True)
        self._read = self._file.peek

    async def take(self, shard: int) -> Owner:

        def work(file: sqlite3.Connection) -> Owner:
            with transaction(file):
                return Owner(shard, int(file.execute(SQL["take"], (shard,)).fetchone()[0]))

        return await self._file.write(work)

    async def save(
        self, owner: Owner, marks: Mapping[str, int], pages: Mapping[Key, bytes | None], dropped: Sequence[Key] = ()
    ) -> StaleEpoch | None:

        def work(file: sqlite3.Connection) -> None:
            file.executemany(SQL["set_mark"], list(marks.items()))
            file.executemany(SQL["drop_pages"], [(tenant, len(start), start) for tenant, start in dropped])
            kept = [(*key, data, crc32(data)) for key, data in pages.items() if data is not None]
            file.executemany(SQL["set_page"], kept)
            file.executemany(SQL["drop_page"], [key for key, data in pages.items() if data is None])
            file.execute(FILE_SQL["note_known"], (self._mark.peers(),))

        return await self._owned(owner, work, sum(len(data) for data in pages.values() if data is not None))

    async def marks(self) -> dict[str, int]:
        return await self._read(lambda file: {str(feed): int(at) for feed, at in file.execute(SQL["marks"])}, {})

    async def load(self, tenant: str) -> dict[str, bytes]:
        return await self._read(
            lambda file: {
                str(name): self._sound(name, data, crc) for name, data, crc in file.execute(SQL["load"], (tenant,))
            },
            {},
        )

    async def page(self, tenant: str, name: str) -> bytes | None:

        def work(file: sqlite3.Connection) -> bytes | None:
            row: tuple[Any, ...] | None = file.execute(SQL["page"], (tenant, name)).fetchone()
            return None if row is None else self._sound(name, *row)

        return await self._read(work, None)

    async def tenants(self) -> list[str]:
        return await self._read(lambda file: [str(tenant) for (tenant,) in file.execute(SQL["tenants"])], [])

    async def keep(self, owner: Owner, label: int, starts: Sequence[str], most: int) -> StaleEpoch | None:

        def work(file: sqlite3.Connection) -> None:
            file.execute(SQL["keep_marks"], (label,))
            file.execute(SQL["forget_pages"], (label,))
            file.executemany(SQL["keep_pages"], [(label, len(start), start) for start in starts])
            file.execute(SQL["drop_kept_marks"], (most,))
            file.execute(SQL["drop_kept_pages"])

        return await self._owned(owner, work)

    async def kept(self) -> dict[int, dict[str, int]]:

        def work(file: sqlite3.Connection) -> dict[int, dict[str, int]]:
            found: dict[int, dict[str, int]] = {}
            for label, feed, at in file.execute(SQL["kept"]):
                found.setdefault(int(label), {})[str(feed)] = int(at)
            return found

        return await self._read(work, {})

    async def load_kept(self, label: int, tenant: str) -> dict[str, bytes]:
        return await self._read(
            lambda file: {
                str(name): self._sound(name, data, crc)
                for name, data, crc in file.execute(SQL["load_kept"], (label, tenant))
            },
            {},
        )

    async def clear(self, owner: Owner) -> StaleEpoch | None:

        def work(file: sqlite3.Connection) -> None:
            for statement in SQL["clear"].split(";"):
                file.execute(statement)

        return await self._owned(owner, work)

    async def close(self) -> None:
        await self._file.close()

    async def _owned(
        self, owner: Owner, work: Callable[[sqlite3.Connection], None], size: int = 0
    ) -> StaleEpoch | None:
        """Run work in a transaction, unless another owner has taken the shard."""

        def run(file: sqlite3.Connection) -> StaleEpoch | None:
            with transaction(file):
                held = file.execute(SQL["epoch"], (owner.shard,)).fetchone()
                if held is None or held[0] != owner.epoch:
                    return StaleEpoch(0 if held is None else int(held[0]))
                work(file)
            self._file.checkpoints.wrote(size)
            return None

        return await self._file.write(run)

    def _sound(self, name: str, data: bytes, crc: int) -> bytes:
        if crc not in (UNCHECKED, crc32(data)):
            raise Unavailable(f"{self._file.path.name}: the page {name} is not what was written", code=PAGE_CORRUPT,
                              hint="restore the file from a backup")  # fmt: skip
        return bytes(data)

    def _prepare(self, file: sqlite3.Connection) -> None:
        file.execute("pragma synchronous = normal")  # what a power cut loses is read again from the log
        file.executescript(SQL["schema"])
        found = identify(file, self._file.path, self._mark, COLUMNS)
        self._mark.begin(found.file_id, 0)  # pages are written without a sync: their rows guarantee nothing
