"""Rows beside the events of streams in the file of a shard: written in the transaction of their commit, read by key."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from aob.backends.sqlite.file import statements
from aob.ports.store import Entry

SQL: Final = statements("entries.sql")


def write(writer: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    """Write and remove rows, in order."""
    numbers: dict[str, int] = {}
    lessened: set[int] = set()
    for entry in entries:
        if (number := numbers.get(entry.stream)) is None:
            found = writer.execute(SQL["number"], (entry.stream,)).fetchone()
            if found is None:
                if entry.data is None:
                    continue
                found = writer.execute(SQL["add_stream"], (entry.stream,)).fetchone()
            number = numbers[entry.stream] = found[0]
        if entry.data is not None:
            writer.execute(SQL["put"], (number, entry.key, entry.data))
            continue
        lessened.add(number)
        if entry.before:
            writer.execute(SQL["drop"], (number, entry.key, entry.before))
        else:
            writer.execute(SQL["drop_from"], (number, entry.key))
    writer.executemany(SQL["drop_stream"], [(number,) for number in lessened])


def read(
    reader: sqlite3.Connection, stream: str, first: bytes, before: bytes, limit: int, *, newest: bool
) -> list[tuple[bytes, bytes]]:
    """Rows of a stream from a key on."""
    name = f"{'newest' if newest else 'rows'}{'_before' if before else ''}"
    return reader.execute(SQL[name], (stream, first, before, limit)).fetchall()


def read_at(reader: sqlite3.Connection, stream: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
    """Rows of a stream at some keys."""
    number = reader.execute(SQL["number"], (stream,)).fetchone()
    if number is None:
        return {}
    rows = ((key, reader.execute(SQL["row"], (number[0], key)).fetchone()) for key in keys)
    return {key: row[0] for key, row in rows if row is not None}
