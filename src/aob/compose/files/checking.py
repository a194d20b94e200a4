"""Checks the files of a home before any is opened, and opens the page of marks that all its processes share."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from aob.backends.marks_page import MarksPage, known_in, read_marks
from aob.backends.sqlite.identity import look
from aob.compose.files.comparing import Known, Seen, Trouble, judged
from aob.compose.home import hint_of, home_id, home_made, shard_files
from aob.core.errors import Unavailable
from aob.ports.store import FILE_CORRUPT

MARKS: Final = "marks"
TABLES: Final = {"gate.db": "row", "events.db": "batch", "webhooks.db": "", "metrics.db": ""}
"""The files other than the shards, and the tables whose rows count what is durable in them."""
DERIVED: Final = frozenset({"metrics.db"})  # rebuilt from the others when missing; it still records them


@contextmanager
def opened(home: Path, shards: int) -> Iterator[MarksPage]:
    """The page of marks of a home."""
    page = MarksPage(home / MARKS, home_id(home), shards)
    try:
        yield page
    finally:
        page.close()


def check_files(home: Path) -> None:
    """Raises Unavailable `file_missing file_older file_foreign file_damaged` for the first file that is not in the
    state in which the home was left: opening it would silently lose what was acknowledged."""
    for trouble in troubles(home):
        raise Unavailable(trouble.says, code=f"file_{trouble.what}", hint=trouble.hint, file=trouble.file)


def troubles(home: Path) -> list[Trouble]:
    """Every file that is missing, older, another's or damaged."""
    id = home_id(home)
    mine, marked = read_marks(home / MARKS)
    known: list[tuple[str, Known]] = [("the page of marks", marked)] if mine == id or not id else []
    seen: dict[str, Seen] = {}
    found: list[Trouble] = []
    for name in names(home):
        path = home / name
        try:
            file = look(path, _table(name))
        except Unavailable as error:
            if error.code != FILE_CORRUPT:
                raise
            if name not in DERIVED:  # opening it renames and rebuilds it
                found.append(Trouble(name, "damaged", error.detail))
            known = [(by, {file: place for file, place in files.items() if file != name}) for by, files in known]
            continue
        if file is not None:
            seen[name] = Seen(file.file_id, file.home, file.format, file.row, known_in(file.known))
            known.append((name, seen[name].known))
    damaged = {trouble.file for trouble in found} | (DERIVED - seen.keys())
    held = [trouble for trouble in judged(id or mine, seen, known, mine) if trouble.file not in damaged]
    found += [each for each in held if each.file not in DERIVED or each.what != "missing"]
    return found or list(_never_there(home, seen))


def _never_there(home: Path, seen: dict[str, Seen]) -> Iterator[Trouble]:
    """A home of the first release has no marks: its shards exist when any other file does."""
    if home_made(home) == 1 and seen:
        hint = hint_of(home)
        for number in range(hint.shards if hint else 1):
            name = f"shard-{number}.db"
            if name not in seen:
                yield Trouble(name, "missing", f"{name} is missing, and {', '.join(sorted(seen))} is there")


def names(home: Path) -> list[str]:
    """The existing files that record one another."""
    return [*(path.name for path in shard_files(home).values()), *(name for name in TABLES if (home / name).exists())]


def _table(name: str) -> str:
    return TABLES.get(name, "journal")
