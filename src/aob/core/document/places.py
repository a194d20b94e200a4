"""Maps JSON Pointers of a document to lines and columns in its text, lazily, and adds them to problems."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final

import msgspec

from aob.core.errors import Problem

KEY_CODES: Final = frozenset({"unknown_key", "duplicate_key", "duplicate_id"})
"""Problems located at a key, not at its value."""

_WRITTEN: Final = re.compile(r"\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\U[0-9a-fA-F]{8}|\\.|.", re.DOTALL)
"""One character of a quoted text, as written."""


class Spot(msgspec.Struct, frozen=True):
    """The place of a value, all from 1. `key_line`/`key_column` are those of its key (0 in a list). `text_line` and
    `text_column` are those of the first character of a scalar's text; `indent` is the first column of its further
    lines; `raw` is the text as written if it has escapes."""

    line: int
    column: int
    key_line: int = 0
    key_column: int = 0
    text_line: int = 0
    text_column: int = 0
    indent: int = 1
    raw: str = ""


class Places(Mapping[str, tuple[int, int]]):
    """Path to (line, column). A map or list has the place of its key, a scalar its own. A path that is not in the text
    has the place of its nearest container."""

    def __init__(self, read: Callable[[], Mapping[str, Spot]], renames: Mapping[str, str] | None = None) -> None:
        self._read = read
        self._renames = renames or {}

    @cached_property
    def spots(self) -> Mapping[str, Spot]:
        """All spots by the path in the original text; read on first use."""
        return self._read()

    def renamed(self, renames: Mapping[str, str]) -> "Places":
        """The same places for a document with renamed parts: new path to path in the text."""
        return Places(lambda: self.spots, renames)

    def spot(self, path: str) -> Spot | None:
        """The spot of a path, or of its nearest container."""
        path = written(path, self._renames)
        while True:
            found = self.spots.get(path)
            if found is not None or not path:
                return found
            path = path.rpartition("/")[0]

    def __getitem__(self, path: str) -> tuple[int, int]:
        spot = self.spot(path)
        if spot is None:
            raise KeyError(path)
        return (spot.line, spot.column) if spot.text_line or not spot.key_line else (spot.key_line, spot.key_column)

    def __iter__(self) -> Iterator[str]:
        return iter(self.spots)

    def __len__(self) -> int:
        return len(self.spots)


def written(path: str, renames: Mapping[str, str]) -> str:
    """A path in the original text, by the rename of it or of its container."""
    prefix = path
    while prefix:
        if prefix in renames:
            return renames[prefix] + path[len(prefix) :]
        prefix = prefix.rpartition("/")[0]
    return path


def located(problems: Sequence[Problem], places: Places | None) -> list[Problem]:
    """The problems with lines and columns of the document, in text order; without places, none."""
    if places is None:
        return [_set(problem, 0, 0) for problem in problems]
    placed = [_placed(problem, places) for problem in problems]
    return sorted(placed, key=lambda problem: (problem.line, problem.column))


def _set(problem: Problem, line: int, column: int) -> Problem:
    return msgspec.structs.replace(problem, line=line, column=column)


def _placed(problem: Problem, places: Places) -> Problem:
    spot = places.spot(problem.path)
    if spot is None:
        return _set(problem, 0, 0)
    if problem.caret and spot.text_line:
        return _set(problem, *_inside(spot, max(problem.line, 1), max(problem.column, 1)))
    if problem.code in KEY_CODES and spot.key_line:
        return _set(problem, spot.key_line, spot.key_column)
    return _set(problem, *places[problem.path])


def _inside(spot: Spot, line: int, column: int) -> tuple[int, int]:
    """The place of a character of a text in the document, by its line and column in the text."""
    if not spot.raw:
        return spot.text_line + line - 1, column - 1 + (spot.text_column if line == 1 else spot.indent)
    offset, at = 0, (1, 1)
    for piece in _WRITTEN.findall(spot.raw):
        if at >= (line, column):
            break
        offset += len(piece)
        at = (at[0] + 1, 1) if piece == "\\n" else (at[0], at[1] + 1)
    return spot.text_line, spot.text_column + offset
