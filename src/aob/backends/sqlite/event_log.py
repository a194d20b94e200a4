"""Port `EventLog` on SQLite: one file with one writer, WAL, `synchronous=FULL`, a row a tenant and commit.

The file is opened at the first use: a home without events has none.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from aob.backends.sqlite.dead_letters import SqliteDeadLetters, write_letters
from aob.backends.sqlite.file import SqliteFile, statements, transaction
from aob.backends.sqlite.identity import SQL as FILE_SQL
from aob.backends.sqlite.identity import UNCHECKED, UNMARKED, identify
from aob.core.errors import Unavailable
from aob.ports.dead_letters import DeadLetters, Letters, Numbers
from aob.ports.event_log import Group, Place, Row
from aob.ports.marks import Mark

SQL: Final = statements("event_log.sql")
ROWS_BYTES_MAX: Final = 16 * 1024 * 1024
"""Bytes of lines that one read gives."""
Sums = tuple[int, int, int]
"""Accepted, duplicate and rejected of a tenant."""


class SqliteEventLog:
    """All tenants in one SQLite file."""

    def __init__(self, path: Path, *, timeout_s: float = 5.0, mark: Mark = UNMARKED) -> None:
        self._mark = mark
        self._known: bytes | None = None
        self._file = SqliteFile(path, "aob-events", self._prepare, timeout_s=timeout_s)
        self._read = self._file.peek
        self.letters: DeadLetters = SqliteDeadLetters(self._file)
        self._last: tuple[int, int] | None = None
        self._totals: dict[str, Sums] = {}

    async def append(self, groups: Sequence[Group]) -> list[Place]:
        """Write all groups or none, durably."""
        return (await self.commit(groups, ()))[0]

    async def commit(self, groups: Sequence[Group], letters: Sequence[Letters]) -> tuple[list[Place], list[Numbers]]:
        """Write all groups and letters or none, durably."""
        return await self._file.write(lambda writer: self._write(writer, groups, letters))

    async def rows(self, after: int, limit: int = 100, tenant: str = "") -> list[Row]:
        """Rows after a row, in order."""

        def work(reader: sqlite3.Connection) -> list[Row]:
            found: list[Row] = []
            size = 0
            asked = reader.execute(SQL["rows_of"], (after, tenant)) if tenant else reader.execute(SQL["rows"], (after,))
            for *fields, crc in asked:
                row = Row(*fields)
                if type(row.lines) is not bytes or type(row.notes) is not bytes or crc not in (UNCHECKED, _crc(row)):
                    raise self._corrupt(row.row)
                found.append(row)
                size += len(row.lines)
                if len(found) >= limit or size > ROWS_BYTES_MAX:
                    break
            return found

        return await self._read(work, []) if limit > 0 else []

    async def row_at(self, tenant: str, offset: int) -> int:
        """The row that holds an offset of a tenant."""

        def work(reader: sqlite3.Connection) -> int:
            row = reader.execute(SQL["row_at"], (tenant, offset)).fetchone()
            return int(row[0]) if row is not None and row[1] <= offset < row[1] + row[2] else 0

        return await self._read(work, 0)

    async def row_before(self, at_ms: int) -> int:
        """The last row written at or before an instant."""

        def work(reader: sqlite3.Connection) -> int:
            row = reader.execute(SQL["row_before"], (at_ms,)).fetchone()
            return 0 if row is None else int(row[0])

        return await self._read(work, 0)

    async def end(self) -> tuple[int, int]:
        """The last row and its time."""
        return await self._read(_end, (0, 0))

    async def totals(self, tenant: str) -> tuple[int, int, int]:
        """Accepted, duplicate and rejected of a tenant."""

        return await self._read(lambda reader: _total(reader, tenant), (0, 0, 0))

    async def close(self) -> None:
        """Write what waits, then let go of the file."""
        await self._file.close()

    # -- on the writer's thread -------------------------------------------------------------------------------------

    def _write(
        self, writer: sqlite3.Connection, groups: Sequence[Group], letters: Sequence[Letters]
    ) -> tuple[list[Place], list[Numbers]]:
        last, kept, self._last = self._last or _end(writer), self._totals, None
        self._totals = {}  # whatever breaks from here on, the file is asked what it holds
        places, totals, written = list[Place](), dict[str, Sums](), 0
        known, self._known = self._known, None
        with transaction(writer):
            for group in groups:
                total = totals.get(group.tenant) or kept.get(group.tenant) or _total(writer, group.tenant)
                last = (last[0] + 1, max(last[1], group.at_ms))
                places.append(_add(writer, group, last, total))
                totals[group.tenant] = (
                    total[0] + group.count, total[1] + group.duplicate, total[2] + group.rejected,
                )  # fmt: skip
                written += len(group.lines) + len(group.notes)
            writer.executemany(SQL["set_total"], [(tenant, *total) for tenant, total in totals.items()])
            numbers = write_letters(writer, letters)
            if (peers := self._mark.peers()) != known:
                writer.execute(FILE_SQL["note_known"], (peers,))
        self._known = peers
        self._mark.note(last[0])
        self._last = last
        self._totals = kept | totals
        self._file.checkpoints.wrote(written)
        return places, numbers

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.executescript(SQL["schema"])
        found = identify(connection, self._file.path, self._mark, (("row", "crc integer not null default -1"),))
        self._mark.begin(found.file_id, _end(connection)[0])

    def _corrupt(self, row: int) -> Unavailable:
        name = self._file.path.name
        return Unavailable(
            f"{name}: row {row} is not what was written (its checksum differs)", code="row_corrupt",
            hint=f"restore {name} from a backup, or lose what the row held: aob restore --accept-loss {name}:{row}",
        )  # fmt: skip


def _add(writer: sqlite3.Connection, group: Group, last: tuple[int, int], total: Sums) -> Place:
    number, at_ms = last
    row = Row(number, group.tenant, at_ms, total[0], group.count, group.duplicate, group.rejected, group.lines,
              group.notes)  # fmt: skip
    writer.execute(
        SQL["add_row"],
        (number, group.tenant, at_ms, total[0], group.count, group.duplicate, group.rejected, group.notes, group.lines,
         _crc(row)),
    )  # fmt: skip
    return Place(number, total[0])


def _crc(row: Row) -> int:
    """The checksum of a row; it is worked out on the writer's thread, beside the loop."""
    head = f"{row.row},{row.tenant},{row.at_ms},{row.first},{row.count},{row.duplicate},{row.rejected},".encode()
    return crc32(row.lines, crc32(row.notes, crc32(head)))


def _total(connection: sqlite3.Connection, tenant: str) -> Sums:
    row: tuple[Any, ...] | None = connection.execute(SQL["total_of"], (tenant,)).fetchone()
    return (0, 0, 0) if row is None else (int(row[0]), int(row[1]), int(row[2]))


def _end(connection: sqlite3.Connection) -> tuple[int, int]:
    row: tuple[Any, ...] | None = connection.execute(SQL["end"]).fetchone()
    return (0, 0) if row is None else (int(row[0]), int(row[1]))
