"""`timer`: waits for time, durably: a duration from now, or until an instant (CEL over the usual names)."""

import msgspec

from aob.core.node.kind import Kind


class TimerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"for_": "for"}):
    """Exactly one of `for` (a duration) and `until` (CEL giving a timestamp, or an RFC 3339 string)."""

    for_: str | int | float = ""
    until: str = ""


TIMER = Kind("timer", TimerConfig, waits=True, deterministic=True, outcomes=("success",))
