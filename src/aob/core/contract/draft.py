"""A contract that is being read: its problems so far, the file positions of its paths, and what its definition says."""

from itertools import islice
from typing import TypeVar

import msgspec

from aob.core.contract.definition import Cel
from aob.core.document import PROBLEMS_MAX, Duration, Tree, Value, wrong_shape
from aob.core.duration import parse_duration
from aob.core.errors import Problem

S = TypeVar("S", bound=msgspec.Struct)


class Draft:
    """One contract that is being read. Paths are JSON Pointers into it; `renames` maps paths of the checked contract to
    those as written; `short` are those with an expression longer than written."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.problems: list[Problem] = []
        self.renames: dict[str, str] = {}
        self.short: set[str] = set()

    def wrong(self, path: str, message: str, code: str = "bad_value", hint: str = "") -> None:
        self.problems.append(Problem(path, message, code, hint=hint))

    def shape(self, kind: type[S]) -> S | None:
        """The tree as a definition; None for a wrong shape."""
        try:
            return msgspec.convert(self.tree, kind)
        except msgspec.ValidationError:
            self.problems += islice(wrong_shape(self.tree, kind, ""), PROBLEMS_MAX)
            return None

    def duration(self, value: Duration | None, path: str, default_ms: int = 0) -> int:
        if value is None:
            return default_ms
        try:
            return parse_duration(value)
        except ValueError as error:
            self.wrong(path, str(error))
            return default_ms


def taken(made: msgspec.Struct, kind: type[S], **own: Value) -> S:
    """The struct of a definition: `own` fields, and common ones, with expressions as texts and lists as tuples."""
    for field in msgspec.structs.fields(kind):
        if field.name not in own and hasattr(made, field.name):
            value = getattr(made, field.name)
            own[field.name] = cel(value) if field.type is str else tuple(value) if type(value) is list else value
    return kind(**own)


def cel(value: Cel) -> str:
    """An expression as text; numbers, true and false are literals."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)
