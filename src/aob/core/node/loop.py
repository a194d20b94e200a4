"""`loop`: its body again and again, each pass a scope, while a condition holds and a bound is not reached."""

import msgspec

from aob.core.node.kind import Kind


class LoopConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`while` (CEL over `loop.index`, `loop.previous`, and the usual names) is asked before each pass; without it the
    body runs `max` times. `collect` keeps every pass's output in a manifest, else the last one is the output."""

    max: int
    while_: str = msgspec.field(name="while", default="")
    collect: bool = False


LOOP = Kind("loop", LoopConfig, inner=True, body=True)
