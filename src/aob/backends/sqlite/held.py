"""Ids of tickets and patches of earlier releases, which do not contain their run: found by an index, made once."""

import re
import sqlite3
from typing import Any, Final

import msgspec

from aob.backends.sqlite.file import statements

SQL: Final = statements("held.sql")
TAGS: Final = frozenset({9, 12})  # events of runs that open a ticket or propose a patch: its id is their first field
_ANY: Final = re.compile(rb"\[(?:9|12),")
_parts: Final = msgspec.json.Decoder(list[tuple[str, int, list[list[Any]]]]).decode


def index(connection: sqlite3.Connection) -> None:
    """Make the index if it is missing. Unreadable parts of a row are left out: code that needs them reports it."""
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
    """The stream of a ticket or patch of an earlier release; empty if there is none."""
    found = connection.execute(SQL["stream_of"], (id,)).fetchone()
    return str(found[0]) if found else ""
