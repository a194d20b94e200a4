"""Finds the files of a home that are missing, older than their peers record, or another home's. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from aob.compose.home import HOME_FILE

Known = Mapping[str, tuple[bytes, int]]  # files by name, with the recorded id and last row


class Seen(NamedTuple):
    """The state of a file: its id, its home, its last row, and what it records of its peers."""

    file_id: bytes
    home: bytes
    format: int
    row: int
    known: Known


class Trouble(NamedTuple):
    """A file that is not in the state in which the home was left."""

    file: str
    what: Literal["missing", "older", "foreign", "damaged"]
    says: str

    @property
    def hint(self) -> str:
        """How to mend it."""
        if self.file == HOME_FILE:
            return "restore it, or remove it: it is made again from the other files"
        return f"restore it, or aob restore --accept-loss {self.file}"


def judged(
    home: bytes, seen: Mapping[str, Seen], known: Iterable[tuple[str, Known]], marked: bytes = b""
) -> list[Trouble]:
    """At most one trouble per file, the worst recorded; `known` maps each file to its records of the others, `marked`
    is the owner of the page of marks. Files without an id are of an earlier release, which no peer records. Records of
    another home's files do not count."""
    owned = [file.home for file in seen.values() if file.home]
    whose = set(owned)
    if home and len(whose) == 1 and home not in whose and (len(owned) > 1 or marked in whose):
        return [Trouble(HOME_FILE, "foreign", f"{HOME_FILE} belongs to another home than all other files")]
    found: dict[str, Trouble] = {}
    for name, file in seen.items():
        if home and file.home and file.home != home:
            found[name] = Trouble(name, "foreign", f"{name} belongs to another home")
    for trouble in _compared(seen, ((by, files) for by, files in known if by not in found)):
        found.setdefault(trouble.file, trouble)
    return sorted(found.values())


def _compared(seen: Mapping[str, Seen], known: Iterable[tuple[str, Known]]) -> Iterator[Trouble]:
    for by, files in known:
        for name, (file_id, row) in files.items():
            file = seen.get(name)
            if file is None:
                yield Trouble(name, "missing", f"{name} is missing: {by} knows of it up to row {row}")
            elif file.file_id != file_id:
                yield Trouble(name, "foreign", f"{name} is not the file that {by} knows")
            elif file.row < row:
                yield Trouble(name, "older", f"{name} ends at row {file.row}, and {by} knows of its row {row}")
