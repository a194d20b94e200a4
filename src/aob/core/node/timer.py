"""`timer`: waits for time, durably: a duration from now, or until an instant (CEL over the usual names)."""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from aob.core.errors import Problem
from aob.core.node.kind import ConfigExpression, Kind, duration

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\d([Tt ][\d:.]*([Zz]|[+-][\d:]+)?)?")


class TimerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"for_": "for"}):
    """Exactly one of `for` (a duration) and `until` (CEL giving a timestamp, or an RFC 3339 string)."""

    for_: str | int | float = ""
    until: str = ""

    @property
    def until_expression(self) -> str:
        """The CEL text of `until`, empty if it is an instant or absent."""
        return "" if _INSTANT.fullmatch(self.until) else self.until


def check_timer(config: TimerConfig) -> Iterator[Problem]:
    """Checks beyond types: one of the two, and a valid duration."""
    if (config.for_ == "") == (config.until == ""):
        hint = "write for: 10m, or until: CEL giving a timestamp"
        yield Problem("", "a timer has exactly one of `for` and `until`", "bad_timer", hint=hint)
    if config.for_ != "":
        yield from duration("/for", config.for_)


TIMER = Kind(
    "timer",
    TimerConfig,
    waits=True,
    deterministic=True,
    outcomes=("success",),
    check=check_timer,
    expressions=(
        ConfigExpression("until", "until_expression", gives=("timestamp", "google.protobuf.timestamp", "string")),
    ),
)
