"""What an alert may be asked. Data only; time is that of who asks, or of the commit."""

from collections.abc import Mapping

import msgspec

from aob.core.answers import JsonValue
from aob.core.contract_model import AlertContract


class Seen(msgspec.Struct, frozen=True):
    """One value of the metric, weighed: whether `when` holds and whether it is clear. Both false: in between.
    `missing`: there is no value, and neither expression has something to say of that."""

    key: str
    by: Mapping[str, str]
    value: JsonValue
    holds: bool
    clears: bool
    missing: bool = False


class Weigh(msgspec.Struct):
    """All values that the metric has now; an instance that is not among them is seen as `absent`. `at_ms` is when it
    was read."""

    contract: AlertContract
    seen: tuple[Seen, ...]
    at_ms: int
    position: str = ""
    absent: Seen = Seen("", {}, None, False, True, True)


class Put(msgspec.Struct):
    """Declare a version; it must be newer than `known`, the newest there is elsewhere."""

    contract: AlertContract
    known: int
    by: str


class Drop(msgspec.Struct):
    """Judge no version up to this one."""

    version: int
    by: str


class Silence(msgspec.Struct):
    """Tell nobody and start nothing until then (0: speak again)."""

    until_ms: int
    reason: str
    by: str


class Tell(msgspec.Struct):
    """Subscribers have heard of a firing, or of its end (0)."""

    key: str
    firing_ms: int


class Begin(msgspec.Struct):
    """Start what a firing calls for, as this run, if its cooldown and the number of its open runs allow it. A `refused`
    says why it cannot be started at all (its inputs cannot be made, there is no such workflow)."""

    key: str
    contract: AlertContract
    inputs: Mapping[str, JsonValue]
    run_id: str
    refused: str = ""


class Resume(msgspec.Struct):
    """A start that an earlier release has decided on is asked for now, as this run."""

    start_key: str
    run_id: str


class Settle(msgspec.Struct):
    """What became of a start: a run, or a reason."""

    key: str
    start_key: str
    run_id: str = ""
    reason: str = ""


class RunOver(msgspec.Struct):
    """A run that the alert started has ended, or there is none."""

    run_id: str


AlertCommand = Weigh | Put | Drop | Silence | Tell | Begin | Resume | Settle | RunOver
