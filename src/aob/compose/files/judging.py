"""Which file of a home is missing, older than its peers know, or another's. Pure: what was seen in, troubles out."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

Known = Mapping[str, tuple[bytes, int]]
"""Files by name, with the id and the last row that somebody knows of them."""


class Seen(NamedTuple):
    """A file as it lies there: who it is, whose, its last row, and what it knows of its peers."""

    file_id: bytes
    home: bytes
    format: int
    row: int
    known: Known


class Trouble(NamedTuple):
    """A file that cannot be what the home was left with."""

    file: str
    what: Literal["missing", "older", "foreign", "damaged"]
    says: str

    @property
    def hint(self) -> str:
        """What helps."""
        return f"restore it, or aob restore --accept-loss {self.file}"


def judged(home: bytes, seen: Mapping[str, Seen], known: Iterable[tuple[str, Known]]) -> list[Trouble]:
    """One trouble a file, the worst that anybody knows; `known` says who knows what. Files without an id are of a
    release that gave none, and nobody can know them."""
    found: dict[str, Trouble] = {}
    for name, file in seen.items():
        if home and file.home and file.home != home:
            found[name] = Trouble(name, "foreign", f"{name} belongs to another home")
    for trouble in _compared(seen, known):
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
