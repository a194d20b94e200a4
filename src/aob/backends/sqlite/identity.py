"""Who a SQLite file of a home is: its id, its home, its format, what it knows of its peers. Opening brings it forward.

Bringing a file forward is done step by step and may be repeated: a crash in the middle is a start at the same step.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from aob.backends.sqlite.file import statements
from aob.core.errors import Conflict
from aob.ports.marks import FORMAT, Mark

SQL: Final = statements("file.sql")


class Identity(NamedTuple):
    """Who a file is, and what it knows."""

    file_id: bytes
    home: bytes
    format: int
    known: bytes


def identify(
    connection: sqlite3.Connection, path: Path, mark: Mark, columns: Sequence[tuple[str, str]] = ()
) -> Identity:
    """The identity of a file that is open, made when it has none; `columns` that its tables lack are added.

    Raises Conflict `newer_format` for a file of a later release.
    """
    connection.executescript(SQL["schema"])
    connection.execute(SQL["add_file"], (mark.home, FORMAT, mark.peers()))
    found = Identity(*connection.execute(SQL["file"]).fetchone())
    if found.format > FORMAT:
        raise newer(path, found.format)
    for table, column in columns:
        name = column.split()[0]
        if name not in {row[1] for row in connection.execute(f"pragma table_info({table})")}:
            connection.execute(f"alter table {table} add column {column}")
    return found


def newer(path: Path, format: int) -> Conflict:
    """A file that a later release has written."""
    return Conflict(f"{path.name} has format {format}, and this release reads up to {FORMAT}", code="newer_format",
                    hint="use the release that wrote it, or a later one")  # fmt: skip
