"""The identity of a SQLite file: its id, home, format and peers. Opening upgrades it, step by step and idempotently."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from aob.backends.sqlite.file import at_rest, statements
from aob.core.errors import Conflict
from aob.ports.marks import FORMAT, Mark, Unmarked

SQL: Final = statements("file.sql")
UNMARKED: Final = Unmarked()
UNCHECKED: Final = -1  # the checksum of data of an earlier format without one


class Identity(NamedTuple):
    """The identity of a file, its records of peers, and its last row where it was asked for."""

    file_id: bytes
    home: bytes
    format: int
    known: bytes
    row: int = 0


def identify(
    connection: sqlite3.Connection, path: Path, mark: Mark, columns: Sequence[tuple[str, str]] = ()
) -> Identity:
    """The identity of an open file, made if it has none; missing `columns` of its tables are added. Raises Conflict
    `newer_format` for a file of a later release."""
    connection.executescript(SQL["schema"])
    connection.execute(SQL["add_file"], (mark.home, FORMAT, mark.peers()))
    found = Identity(*connection.execute(SQL["file"]).fetchone())
    if found.format > FORMAT:
        raise newer(path, found.format)
    for table, column in columns:
        name = column.split()[0]
        if name not in {row[1] for row in connection.execute(f"pragma table_info({table})")}:
            connection.execute(f"alter table {table} add column {column}")
    connection.execute(SQL["bring_forward"], (FORMAT,))
    return found._replace(format=FORMAT)


def look(path: Path, table: str) -> Identity | None:
    """The identity of a file, without upgrading it, and the last row of a table; None for an empty file. A file of the
    first format has no id. Raises Unavailable for a damaged file, Conflict for one of a later release."""
    with at_rest(path) as (file, there):
        if not there:
            return None
        found = Identity(b"", b"", 1, b"")
        if "file" in there:
            found = Identity(*(file.execute(SQL["file"]).fetchone() or found[:4]))
        if found.format > FORMAT:
            raise newer(path, found.format)
        if table in there:
            (row,) = file.execute(f"select coalesce(max(rowid), 0) from {table}").fetchone()  # noqa: S608
            found = found._replace(row=row)
        return found


def newer(path: Path, format: int) -> Conflict:
    """The error of a file that a later release has written."""
    return Conflict(f"{path.name} has format {format}, and this release reads up to {FORMAT}", code="newer_format",
                    hint="use the release that wrote it, or a later one")  # fmt: skip
