"""`join`: waits for its in-edges: all of them, any one, or n; with a deadline it goes on with what has come."""

from typing import Literal

import msgspec

from aob.core.node.kind import Kind


class JoinConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`n` belongs to `mode: n`. `deadline` counts from the first signal. `cancel_rest` cancels what can no longer
    matter once the join is decided. The output maps each taken source to its output."""

    mode: Literal["all", "any", "n"] = "all"
    n: int = 0
    deadline: str | int | float = 0
    cancel_rest: bool = False


JOIN = Kind("join", JoinConfig, inner=True, deterministic=True)
