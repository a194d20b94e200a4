"""`aob restore --accept-loss`: accepts a lost file or row of a stopped home, and rebuilds what others can rebuild."""

import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from aob.backends.marks_page import known_in, places_of, read_marks
from aob.backends.sqlite.file import unavailable
from aob.compose.files.checking import MARKS, TABLES, names
from aob.compose.home import forwarded, home_id, new_generation
from aob.compose.lock import owning
from aob.core.errors import CallerError, NotFound
from aob.core.ingest import joined_notes

LOSSES: Final = "losses.jsonl"
_EMPTY_ROW: Final = """
insert into journal (row, epoch, at_ms, count, counts, data, crc) values (?, 0, 0, 0, x'7b7d', x'5b5d', -1)
on conflict (row) do update set count = 0, counts = x'7b7d', data = x'5b5d', crc = -1"""
_BESIDE: Final = ("", "-wal", "-shm")


def accept_loss(home: Path, what: str) -> str:
    """Accept the loss of `FILE` or of `FILE:ROW`; returns a sentence on what was done. Raises Conflict for a home that
    runs, CallerError for an unknown file, NotFound for a missing row."""
    name, _, row = what.partition(":")
    if name not in TABLES and not (name.startswith("shard-") and name.endswith(".db") and name[6:-3].isdecimal()):
        raise CallerError(f"{name!r} is no file of a home", code="bad_file",
                          hint="shard-0.db, gate.db, events.db, webhooks.db, metrics.db")  # fmt: skip
    if row and not (row.isdecimal() and TABLES.get(name, "journal") in ("journal", "row")):
        raise CallerError(f"{what!r} names no row", code="bad_row", hint="shard-0.db:17 or gate.db:17")
    with owning(home):
        forwarded(home)
        done = _row_lost(home / name, int(row)) if row else _file_lost(home, name)
        _set_aside_what_is_made_again(home, name)
        new_generation(home)
        _noted(home, what, done)
    return done


def _noted(home: Path, what: str, done: str) -> None:
    line = msgspec.json.encode({"at_ms": time.time_ns() // 1_000_000, "lost": what, "done": done})
    with open(os.open(home / LOSSES, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
        file.write(line + b"\n")


def _file_lost(home: Path, name: str) -> str:
    """Start a new generation of the file: it gets a new id, and its peers forget the rows that it lacks."""
    path = home / name
    done = f"{name} was missing: it begins empty"
    if path.exists():
        try:
            with closing(sqlite3.connect(path, isolation_level=None)) as file:
                (sound,) = file.execute("pragma quick_check(1)").fetchone()
                if sound != "ok":
                    raise sqlite3.DatabaseError(sound)
                (whose,) = file.execute("select home from file").fetchone() or (b"",)
                foreign = bool(whose) and whose != home_id(home)
                if not foreign:
                    file.execute("update file set file_id = randomblob(16), known = x''")
            done = f"{name} is taken as it is"
            if foreign:
                done = f"{name} belongs to another home: it is kept as {_renamed(path)}, and begins empty"
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):  # the first format has no ids
                raise unavailable(path, error) from error
            done = f"{name} is taken as it is"
        except sqlite3.DatabaseError:
            done = f"{name} was damaged: it is kept as {_renamed(path)}, and begins empty"
    forget_file(home, name)
    return done


def forget_file(home: Path, name: str) -> None:
    """No other file of a home that is at rest knows this one any more."""
    for other in names(home):
        if other != name:
            _forget(home / other, name)
    marks = home / MARKS
    _, known = read_marks(marks)
    if name in known:
        data = bytearray(marks.read_bytes())
        del known[name]
        data[32:] = places_of(known, len(data) - 32)
        marks.write_bytes(bytes(data))


def _forget(path: Path, name: str) -> None:
    """Remove this file from the records of a peer."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as file:
            row = file.execute("select known from file").fetchone()
            known = known_in(row[0]) if row else {}
            if name in known:
                del known[name]
                file.execute("update file set known = ?", (places_of(known, len(row[0])),))
    except sqlite3.DatabaseError:
        pass  # of the first format, or damaged itself: the next start reports that


def _row_lost(path: Path, row: int) -> str:
    """Keep the row but empty it, so that later rows keep their numbers."""
    if not path.exists():
        raise NotFound(f"there is no {path.name}", code="no_file")
    shard = path.name not in TABLES
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as file:
            table = "journal" if shard else "row"
            (last,) = file.execute(f"select coalesce(max(row), 0) from {table}").fetchone()  # noqa: S608
            if not 0 < row <= last:
                raise NotFound(f"{path.name} has no row {row}: it ends at {last}", code="no_row")
            if shard:
                file.execute(_EMPTY_ROW, (row,))
            else:
                file.execute(
                    "update row set count = 0, lines = x'', notes = ?, crc = -1 where row = ?", (joined_notes(()), row)
                )
    except sqlite3.Error as error:
        raise unavailable(path, error) from error
    held = "the runs that were live there are set aside at the next start" if shard else "what it held is not counted"
    return f"row {row} of {path.name} is empty now: {held}"


def _set_aside_what_is_made_again(home: Path, lost: str) -> None:
    if lost.startswith(("shard-", "gate", "metrics")) and (home / "metrics.db").exists():
        _renamed(home / "metrics.db")
    if lost == "gate.db":
        for folder in ("serving", "dedup"):
            shutil.rmtree(home / folder, ignore_errors=True)


def _renamed(path: Path) -> str:
    """Rename a file to a free name; returns that name."""
    number = 1
    while (kept := path.with_name(f"{path.name}.lost-{number}")).exists():
        number += 1
    for end in _BESIDE:
        beside = path.with_name(path.name + end)
        if beside.exists():
            beside.rename(kept.with_name(kept.name + end))
    return kept.name
