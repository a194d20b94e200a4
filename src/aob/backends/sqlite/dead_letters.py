"""Port `DeadLetters` on SQLite: two tables of the file of the event log, written by its writer, in its transactions."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from aob.backends.sqlite.file import SqliteFile, statements, transaction
from aob.ports.dead_letters import DeadLetter, DeadQuery, Letters, Numbers, rule_of

SQL: Final = statements("dead_letters.sql")


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
        return await self._read(lambda reader: [DeadLetter(*row) for row in reader.execute(SQL["page"], asked)], [])

    async def letter(self, tenant: str, number: int) -> DeadLetter | None:

        def work(reader: sqlite3.Connection) -> DeadLetter | None:
            row = reader.execute(SQL["letter"], (tenant, number)).fetchone()
            return None if row is None else DeadLetter(*row)

        return await self._read(work, None)

    async def counts(self, tenant: str, state: str = "open") -> list[tuple[str, str, int]]:
        return await self._read(lambda reader: list(reader.execute(SQL["counts"], (tenant, state))), [])

    async def close(self) -> None:
        """Finish pending writes, then close the file."""
        await self._file.close()


def write_letters(writer: sqlite3.Connection, letters: Sequence[Letters]) -> list[Numbers]:
    """Write letters within a transaction of the file."""
    told: list[Numbers] = []
    for each in letters:
        numbers: Numbers = ()
        if each.refused:
            (last,) = writer.execute(SQL["add_numbers"], (each.tenant, len(each.refused))).fetchone()
            numbers = tuple(range(last + 1 - len(each.refused), last + 1))
            writer.executemany(SQL["add"], [
                (each.tenant, number, letter.at_ms, letter.type, rule_of(letter), letter.source, letter.id,
                 letter.reasons, letter.line)
                for number, letter in zip(numbers, each.refused, strict=True)
            ])  # fmt: skip
        writer.executemany(SQL["settle"], [(state, note, each.tenant, n) for n, state, note in each.settled])
        told.append(numbers)
    return told
