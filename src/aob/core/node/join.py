"""`join`: waits for its in-edges: all of them, any one, or n; at its deadline it continues with those that arrived."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from aob.core.errors import Problem
from aob.core.node.kind import Kind, duration


class JoinConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`n` belongs to `mode: n`. `deadline` counts from the first signal. `cancel_rest` cancels what can no longer
    matter once the join is decided. The output maps each taken source to its output."""

    mode: Literal["all", "any", "n"] = "all"
    n: int = 0
    deadline: str | int | float = 0
    cancel_rest: bool = False


def check_join(config: JoinConfig) -> Iterator[Problem]:
    """Checks beyond types; the survey checks that `n` fits the in-edges."""
    yield from duration("/deadline", config.deadline)
    if config.n and config.mode != "n":
        yield Problem("/n", f"`n` belongs to mode: n, and this is mode: {config.mode}", "bad_join")


JOIN = Kind("join", JoinConfig, inner=True, deterministic=True, check=check_join)
