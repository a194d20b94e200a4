"""The extents of partitions in the file of a shard: read before a home is opened, to find the owners."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aob.backends.sqlite.file import at_rest, statements, transaction
from aob.ports.store import Extent, Holding

SQL: Final = statements("extents.sql")
COLUMNS: Final = (("shard", "partitions integer not null default 0"), ("shard", "made integer not null default 0"))
"""Columns that tables of earlier formats lack. A file without the number of partitions gets it when it is first
opened."""


def held(connection: sqlite3.Connection) -> Holding | None:
    """The holding in an open file; None if none is written yet."""
    partitions, made = connection.execute(SQL["shape"]).fetchone()
    if not partitions:
        return None
    rows = connection.execute(SQL["extents"]).fetchall()
    found = (Extent(p, epoch, first, last, to, bool(done)) for p, epoch, first, last, to, done in rows)
    return Holding(partitions, made, tuple(found))


def claim(connection: sqlite3.Connection, first: Holding) -> Holding:
    """The holding in an open file, written as `first` if there was none."""
    if (known := held(connection)) is not None:
        return known
    with transaction(connection):  # another process may have written it meanwhile
        known = held(connection)
        if known is None:
            connection.execute(SQL["tell"], (first.partitions, first.made))
            put(connection, first.extents)
    return known or first


def put(connection: sqlite3.Connection, extents: Sequence[Extent]) -> None:
    """Write the present extents."""
    connection.executemany(
        SQL["put"], [(e.partition, e.epoch, e.first_row, e.last_row, e.target, e.released) for e in extents]
    )


def look_held(path: Path) -> Holding | None:
    """The holding in a file, without upgrading it; None for none. Raises Unavailable."""
    with at_rest(path) as (file, there):
        return held(file) if {"shard", "extent"} <= there else None
