"""`loop`: repeats its body, each pass a scope, while a condition holds and a limit is not reached."""

from typing import Final

import msgspec

from aob.core.node.kind import ConfigExpression, Kind, within

PASSES_MAX: Final = 1_000_000


class LoopConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`while` (CEL over `loop.index`, `loop.previous`, and the usual names) is evaluated before each pass; without it
    the body runs `max` times. A loop that ends by `max` is `exhausted` and takes those edges, else the ones of success.
    `collect` keeps every pass's output in a manifest, else the last one is the output."""

    max: int
    while_: str = msgspec.field(name="while", default="")
    collect: bool = False


LOOP = Kind(
    "loop",
    LoopConfig,
    outcomes=("success", "exhausted", "failure"),
    inner=True,
    body=True,
    check=lambda config: within("/max", config.max, 1, PASSES_MAX, "the number of passes"),
    expressions=(ConfigExpression("while", "while_", gives=("bool",), inside=True),),
    name_in_body="loop",
)
