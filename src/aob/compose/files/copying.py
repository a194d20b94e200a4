"""`aob backup DIR` copies a home, also a running one; `aob restore DIR` puts a copy where no home is. SQLite's backup
copies each database as of one moment. The order makes the copy consistent without a pause: first the files that follow
others (numbers, cursors of webhooks), then the shards, then what runs have published (events, topics), last the blobs.
What a copy records of a peer is cut to what was copied of that peer."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from aob.backends.marks_page import PAGE, SLOT, known_in, places_of
from aob.backends.sqlite.extents import look_held
from aob.backends.sqlite.file import unavailable
from aob.backends.sqlite.identity import look
from aob.compose.files.checking import MARKS, TABLES, check_files, names
from aob.compose.home import HOME_FILE, files_only, home_id, home_made, new_generation
from aob.core.errors import Conflict, NotFound
from aob.ports.store import Holding

FOLDERS: Final = ("dedup", "blobs", "objects", "secrets", "contracts", "scripts", "recordings", "logs")
FILES: Final = ("aob.toml", "key", "link.secret", "losses.jsonl", "records.json")
_ORDER: Final = ("metrics.db", "webhooks.db", "shard-", "gate.db", "events.db")
DATABASE: Final = ".db"
INSTEAD: Final = (
    "pg_dump or point-in-time recovery of the server copies runs, events and secrets; of this folder copy aob.toml, "
    "key, contracts/ and blobs/, and keep AOB_MASTER_KEY"
)
"""How to copy a home whose truth is in a database."""


def backup(home: Path, to: Path) -> dict[str, int]:
    """Copy a home into a new or empty folder; returns bytes by file. Raises NotFound, Conflict, Unavailable."""
    if not home_made(home):
        raise NotFound(f"{home} is no home", code="no_home", hint="aob up makes one")
    files_only(home, INSTEAD)
    if to.exists() and any(to.iterdir()):
        raise Conflict(f"{to} is not empty", code="folder_not_empty", hint="name a folder that is not there yet")
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    extents = _extents(home)
    copied = {name: _copied(home / name, to / name) for name in sorted(names(home), key=_place)}
    if _extents(home) != extents:  # a copy from before a move of one file and from after it of another loses its runs
        raise Conflict("partitions moved between shards meanwhile", code="partitions_moved",
                       hint="make another backup, into another folder, when aob shards set has ended")  # fmt: skip
    for name in FILES:
        if (home / name).is_file():
            copied[name] = _plain(home / name, to / name)
    for name in FOLDERS:
        if (home / name).is_dir():
            copied[name] = _folder(home / name, to / name)
    _settled(to)
    if (home / HOME_FILE).is_file():  # last: an interrupted copy is no home
        copied[HOME_FILE] = _plain(home / HOME_FILE, to / HOME_FILE)
    check_files(to)
    return copied


def restore(copy: Path, home: Path) -> dict[str, int]:
    """Put a copy where no home is, as a new generation of it. Raises as `backup` does."""
    if not (copy.is_dir() and home_made(copy)):
        raise NotFound(f"{copy} is no copy of a home", code="no_home", hint="name a folder that aob backup has made")
    found = backup(copy, home)
    new_generation(home)
    return found


def _extents(home: Path) -> dict[str, Holding | None]:
    return {name: look_held(home / name) for name in names(home) if name.startswith("shard-")}


def _place(name: str) -> tuple[int, str]:
    return next(number for number, start in enumerate(_ORDER) if name.startswith(start)), name


def _copied(path: Path, to: Path) -> int:
    try:
        os.close(os.open(to, os.O_WRONLY | os.O_CREAT, 0o600))
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(to)) as copy:
            source.backup(copy)
            copy.execute("pragma journal_mode = wal").fetchall()
            copy.execute("pragma wal_checkpoint(truncate)").fetchall()
    except (sqlite3.Error, OSError) as error:
        raise unavailable(path, error) from error
    return _synced(to)


def _folder(path: Path, to: Path) -> int:
    """Copy a folder recursively; a file that disappears meanwhile was a temporary file."""
    to.mkdir(mode=0o700, exist_ok=True)
    size = 0
    for entry in sorted(path.iterdir()):
        if entry.is_dir():
            size += _folder(entry, to / entry.name)
        elif entry.suffix == DATABASE:
            size += _copied(entry, to / entry.name)
        elif not entry.name.startswith(".") and not entry.name.endswith(("-wal", "-shm")):
            try:
                size += _plain(entry, to / entry.name)
            except FileNotFoundError:
                continue
    return size


def _plain(path: Path, to: Path) -> int:
    shutil.copyfile(path, to)
    to.chmod(0o600)
    return _synced(to)


def _synced(path: Path) -> int:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size


def _settled(to: Path) -> None:
    """Make the copies' records of one another, and their page of marks, match what was copied."""
    there = {name: look(to / name, TABLES.get(name, "journal")) for name in names(to)}
    rows = {name: (file.file_id, file.row) for name, file in there.items() if file is not None and file.file_id}
    for name, file in there.items():
        if file is None or not file.known:
            continue
        known = {
            peer: (place[0], min(place[1], rows[peer][1])) if peer in rows and rows[peer][0] == place[0] else place
            for peer, place in known_in(file.known).items()
        }
        with closing(sqlite3.connect(to / name, isolation_level=None)) as copy:
            copy.execute("update file set known = ?", (places_of(known, len(file.known)),))
    marks = b"AOBMARK2" + home_id(to).ljust(16, b"\0") + bytes(SLOT - 24) + places_of(rows, PAGE - SLOT)
    handle = os.open(to / MARKS, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as page:
        page.write(marks)
