"""Ids of tickets and patches that an earlier release has made: they do not say their run, an index made once does."""

import re
import sqlite3
from typing import Any, Final

import msgspec

from aob.backends.sqlite.file import statements

SQL: Final = statements("held.sql")
TAGS: Final = frozenset({9, 12})
"""Events of runs that open a ticket or propose a patch: its id is their first field."""
_ANY: Final = re.compile(rb"\[(?:9|12),")
_parts: Final = msgspec.json.Decoder(list[tuple[str, int, list[list[Any]]]]).decode


def index(connection: sqlite3.Connection) -> None:
    """Make the index where it is not made. What cannot be read of a row is left out: whoever needs it says so."""
    connection.executescript(SQL["schema"])
    if connection.execute(SQL["made"]).fetchone():
        return
    connection.execute("begin immediate")
    try:
        for (data,) in connection.execute(SQL["rows"]):
            try:
                parts = _parts(data) if _ANY.search(data) else []
            except msgspec.MsgspecError:
                continue
            for stream, _, events in parts:
                if stream.startswith("run_"):
                    found = [(event[1], stream) for event in events if event and event[0] in TAGS]
                    connection.executemany(SQL["hold"], found)
        connection.execute(SQL["note_made"])
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise


def stream_of(connection: sqlite3.Connection, id: str) -> str:
    """The stream that holds a ticket or patch of an earlier release; empty when there is none."""
    found = connection.execute(SQL["stream_of"], (id,)).fetchone()
    return str(found[0]) if found else ""
