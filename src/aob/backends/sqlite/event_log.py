"""Ports `EventLog` and `DeadLetters` on SQLite: one file, made at first use, one writer, `synchronous=FULL`, a row per
tenant and commit."""

import sqlite3
from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, Final

from aob.backends.sqlite.file import SqliteFile, statements, transaction
from aob.backends.sqlite.identity import SQL as FILE_SQL
from aob.backends.sqlite.identity import UNCHECKED, UNMARKED, identify
from aob.core.errors import Conflict, Unavailable
from aob.ports.dead_letters import DeadLetter, DeadLetters, DeadQuery, Letters, Numbers, rule_of
from aob.ports.event_log import ROWS_BYTES_MAX, Row, crc_of
from aob.ports.marks import Mark

SQL: Final = statements("event_log.sql")
LETTERS: Final = statements("dead_letters.sql")
Sums = tuple[int, int, int]  # accepted, duplicate and rejected of a tenant


class _Part:
    """A partition: its statements, and its end as known on the writer's thread."""

    def __init__(self, number: int) -> None:
        names = {"{row}": f"row_{number}" if number else "row", "{total}": f"total_{number}" if number else "total"}
        self.number = number
        self.sql = {
            name: reduce(lambda text, each: text.replace(*each), names.items(), text) for name, text in SQL.items()
        }
        self.forget()

    def forget(self) -> None:
        """Forget the known end: the file is read again."""
        self.last: tuple[int, int] | None = None
        self.totals = dict[str, Sums]()


class SqliteEventLog:
    """All tenants in one SQLite file. Its first partition is the order of the file; further ones have their own tables,
    and one transaction writes all."""

    def __init__(self, path: Path, *, partitions: int = 1, timeout_s: float = 5.0, mark: Mark = UNMARKED) -> None:
        self._mark, self.partitions = mark, partitions
        self._parts = [_Part(number) for number in range(partitions)]
        self._known: bytes | None = None
        self._file = SqliteFile(path, "aob-events", self._prepare, timeout_s=timeout_s)
        self._read = self._file.peek
        self.letters: DeadLetters = SqliteDeadLetters(self._file)

    async def take(self) -> None:
        """Does nothing: the file belongs to the process that holds its home, and its writes come one by one."""

    async def append(self, rows: Sequence[Row]) -> None:
        await self.commit(rows, ())

    async def commit(self, rows: Sequence[Row], letters: Sequence[Letters]) -> list[Numbers]:
        return await self._file.write(lambda writer: self._write(writer, rows, letters))

    async def rows(self, after: int, limit: int = 100, tenant: str = "", partition: int = 0) -> list[Row]:
        sql = self._parts[partition].sql

        def work(reader: sqlite3.Connection) -> list[Row]:
            found: list[Row] = []
            size = 0
            asked = reader.execute(sql["rows_of"], (after, tenant)) if tenant else reader.execute(sql["rows"], (after,))
            for *fields, crc in asked:
                row = Row(*fields)
                row.partition = partition
                if type(row.lines) is not bytes or type(row.notes) is not bytes or crc not in (UNCHECKED, crc_of(row)):
                    raise self._corrupt(row)
                found.append(row)
                size += len(row.lines)
                if len(found) >= limit or size > ROWS_BYTES_MAX:
                    break
            return found

        return await self._read(work, []) if limit > 0 else []

    async def rows_of_each(self, after: Mapping[int, int], limit: int, tenant: str = "") -> list[Row]:
        return [row for part, at in after.items() for row in await self.rows(at, limit, tenant, part)]

    async def row_at(self, tenant: str, offset: int, partition: int = 0) -> int:

        def work(reader: sqlite3.Connection) -> int:
            row = reader.execute(self._parts[partition].sql["row_at"], (tenant, offset)).fetchone()
            return int(row[0]) if row is not None and row[1] <= offset < row[1] + row[2] else 0

        return await self._read(work, 0)

    async def row_before(self, at_ms: int, partition: int = 0) -> int:

        def work(reader: sqlite3.Connection) -> int:
            row = reader.execute(self._parts[partition].sql["row_before"], (at_ms,)).fetchone()
            return 0 if row is None else int(row[0])

        return await self._read(work, 0)

    async def rows_before(self, at_ms: int) -> tuple[int, ...]:
        return tuple([await self.row_before(at_ms, part) for part in range(self.partitions)])

    async def end(self, partition: int = 0) -> tuple[int, int]:
        return await self._read(lambda reader: _end(reader, self._parts[partition]), (0, 0))

    async def last_rows(self) -> tuple[int, ...]:
        return await self._read(lambda reader: tuple([_end(reader, part)[0] for part in self._parts]),
                                (0,) * self.partitions)  # fmt: skip

    async def totals(self, tenant: str, partition: int | None = None) -> tuple[int, int, int]:
        parts = self._parts if partition is None else [self._parts[partition]]

        def work(reader: sqlite3.Connection) -> Sums:
            accepted, duplicate, rejected = zip(*(_total(reader, part, tenant) for part in parts), strict=True)
            return sum(accepted), sum(duplicate), sum(rejected)

        return await self._read(work, (0, 0, 0))

    async def close(self) -> None:
        """Finish pending writes, then close the file."""
        await self._file.close()

    # -- on the writer's thread -------------------------------------------------------------------------------------

    def _write(self, writer: sqlite3.Connection, rows: Sequence[Row], letters: Sequence[Letters]) -> list[Numbers]:
        written, changed = 0, dict[_Part, _Ahead]()
        known, self._known = self._known, None
        try:
            with transaction(writer):
                for row in rows:
                    part = self._parts[row.partition]
                    ahead = changed.get(part)
                    if ahead is None:
                        ahead = changed[part] = _Ahead(part.last or _end(writer, part))
                    _add(writer, part, ahead, row)
                    written += row.size
                for part, ahead in changed.items():
                    writer.executemany(
                        part.sql["set_total"], [(tenant, *total) for tenant, total in ahead.totals.items()]
                    )
                numbers = write_letters(writer, letters)
                if (peers := self._mark.peers()) != known:
                    writer.execute(FILE_SQL["note_known"], (peers,))
            self._known = peers
            for part, ahead in changed.items():
                part.last = ahead.last
                part.totals.update(ahead.totals)
            self._mark.note((self._parts[0].last or (0,))[0])
        except BaseException:
            for part in changed:  # it is unknown whether it was written
                part.forget()
            raise
        self._file.checkpoints.wrote(written)
        return numbers

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.executescript(SQL["schema"])
        found = identify(connection, self._file.path, self._mark, (("row", "crc integer not null default -1"),))
        end = _end(connection, self._parts[0])[0]
        there = connection.execute(SQL["partitions"]).fetchone()[0]
        if there == 1 and not end:  # a new file: it gets all of its partitions
            for part in self._parts[1:]:
                connection.executescript(part.sql["partition"])
        elif there != self.partitions:
            raise Conflict(f"{self._file.path.name} has {there} partitions, not {self.partitions}",
                           code="other_partitions")  # fmt: skip
        self._mark.begin(found.file_id, end)

    def _corrupt(self, row: Row) -> Unavailable:
        name = self._file.path.name
        which = f"row {row.row}" + (f" of partition {row.partition}" if row.partition else "")
        why = f"{name}: {which} is not what was written (its checksum differs)"
        hint = f"restore {name} from a backup, or lose what the row held: aob restore --accept-loss {name}:{row.row}"
        return Unavailable(why, code="row_corrupt", hint=hint)


class _Ahead:
    """The state of a partition after a commit."""

    __slots__ = ("last", "totals")

    def __init__(self, last: tuple[int, int]) -> None:
        self.last, self.totals = last, dict[str, Sums]()


def _add(writer: sqlite3.Connection, part: _Part, ahead: _Ahead, row: Row) -> None:
    tenant = row.tenant
    total = ahead.totals.get(tenant) or part.totals.get(tenant) or _total(writer, part, tenant)
    row.row, row.at_ms = ahead.last = (ahead.last[0] + 1, max(ahead.last[1], row.at_ms))
    row.first = total[0]
    ahead.totals[tenant] = total[0] + row.count, total[1] + row.duplicate, total[2] + row.rejected
    writer.execute(
        part.sql["add_row"],
        (row.row, tenant, row.at_ms, row.first, row.count, row.duplicate, row.rejected, row.notes, row.lines,
         crc_of(row)),
    )  # fmt: skip


def _total(connection: sqlite3.Connection, part: _Part, tenant: str) -> Sums:
    row: tuple[Any, ...] | None = connection.execute(part.sql["total_of"], (tenant,)).fetchone()
    return (0, 0, 0) if row is None else (int(row[0]), int(row[1]), int(row[2]))


def _end(connection: sqlite3.Connection, part: _Part) -> tuple[int, int]:
    row: tuple[Any, ...] | None = connection.execute(part.sql["end"]).fetchone()
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


class SqliteDeadLetters:
    """The letters of all tenants in the file of their log."""

    def __init__(self, file: SqliteFile) -> None:
        self._file, self._read = file, file.peek

    async def write(self, letters: Sequence[Letters]) -> list[Numbers]:

        def work(writer: sqlite3.Connection) -> list[Numbers]:
            with transaction(writer):
                return write_letters(writer, letters)

        return await self._file.write(work)

    async def page(self, query: DeadQuery) -> list[DeadLetter]:
        asked = (query.tenant, query.state, query.type, query.reason, query.before, max(0, query.limit))
        return await self._read(lambda reader: [DeadLetter(*row) for row in reader.execute(LETTERS["page"], asked)], [])

    async def letter(self, tenant: str, number: int) -> DeadLetter | None:

        def work(reader: sqlite3.Connection) -> DeadLetter | None:
            row = reader.execute(LETTERS["letter"], (tenant, number)).fetchone()
            return None if row is None else DeadLetter(*row)

        return await self._read(work, None)

    async def counts(self, tenant: str, state: str = "open") -> list[tuple[str, str, int]]:
        return await self._read(lambda reader: list(reader.execute(LETTERS["counts"], (tenant, state))), [])

    async def close(self) -> None:
        """Finish pending writes, then close the file."""
        await self._file.close()


def write_letters(writer: sqlite3.Connection, letters: Sequence[Letters]) -> list[Numbers]:
    """Write letters within a transaction of the file."""
    told: list[Numbers] = []
    for each in letters:
        numbers: Numbers = ()
        if each.refused:
            (last,) = writer.execute(LETTERS["add_numbers"], (each.tenant, len(each.refused))).fetchone()
            numbers = tuple(range(last + 1 - len(each.refused), last + 1))
            writer.executemany(LETTERS["add"], [
                (each.tenant, number, letter.at_ms, letter.type, rule_of(letter), letter.source, letter.id,
                 letter.reasons, letter.line)
                for number, letter in zip(numbers, each.refused, strict=True)
            ])  # fmt: skip
        writer.executemany(LETTERS["settle"], [(state, note, each.tenant, n) for n, state, note in each.settled])
        told.append(numbers)
    return told
