"""A contract on its way from a file: its problems so far, and which path of it stands where in the file.

In: a plain object and the struct that it should be. Out: a typed definition, or every problem of its shape.
"""

from itertools import islice
from typing import TypeVar

import msgspec

from aob.core.contract.definition import Cel
from aob.core.document import PROBLEMS_MAX, Duration, Tree, wrong_shape
from aob.core.duration import parse_duration
from aob.core.errors import Problem

S = TypeVar("S", bound=msgspec.Struct)


class Draft:
    """One contract that is being read. Paths are JSON Pointers into it; `renames` leads from paths of the contract as
    it is checked to those as it is written; `short` are those that stand for a longer expression than is written."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.problems: list[Problem] = []
        self.renames: dict[str, str] = {}
        self.short: set[str] = set()

    def wrong(self, path: str, message: str, code: str = "bad_value", hint: str = "") -> None:
        """Note a problem."""
        self.problems.append(Problem(path, message, code, hint=hint))

    def shape(self, kind: type[S]) -> S | None:
        """The tree as a definition; None when it has not that shape."""
        try:
            return msgspec.convert(self.tree, kind)
        except msgspec.ValidationError as error:
            found = list(islice(wrong_shape(self.tree, kind, ""), PROBLEMS_MAX))
            self.problems += found or [Problem("", str(error), "bad_type")]
            return None

    def duration(self, value: Duration | None, path: str, default_ms: int = 0) -> int:
        """Milliseconds of a duration."""
        if value is None:
            return default_ms
        try:
            return parse_duration(value)
        except ValueError as error:
            self.wrong(path, str(error))
            return default_ms


def cel(value: Cel) -> str:
    """An expression as text: a number, true or false stands for itself."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)
