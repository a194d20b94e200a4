"""The commands of an alert. Data only; times are those of the caller or of the commit."""

from collections.abc import Mapping

import msgspec

from aob.core.answers import JsonValue
from aob.core.contract_model import AlertContract


class Seen(msgspec.Struct, frozen=True):
    """One evaluated value of the metric: whether `when` holds and whether it is clear. Both false: in between.
    `missing`: there is no value, and neither expression handles null."""

    key: str
    by: Mapping[str, str]
    value: JsonValue
    holds: bool
    clears: bool
    missing: bool = False


class Weigh(msgspec.Struct):
    """Evaluate all current values of the metric, read at `at_ms`; instances without one are seen as `absent`."""

    contract: AlertContract
    seen: tuple[Seen, ...]
    at_ms: int
    position: str = ""
    absent: Seen = Seen("", {}, None, False, True, True)


class Put(msgspec.Struct):
    """Declare a version; it must be newer than `known`, the newest version elsewhere."""

    contract: AlertContract
    known: int
    by: str


class Drop(msgspec.Struct):
    """Stop evaluating versions up to this one."""

    version: int
    by: str


class Silence(msgspec.Struct):
    """Notify no subscriber and start no run until then (0: end the silence)."""

    until_ms: int
    reason: str
    by: str


class Tell(msgspec.Struct):
    """Subscribers were notified of a firing, or of its end (0), as the notice with this position."""

    key: str
    firing_ms: int
    position: int = 0


class Begin(msgspec.Struct):
    """Start the workflow of a firing as this run, if its cooldown and the number of its open runs allow it. `refused`
    says why it cannot be started at all (its inputs cannot be computed, the workflow does not exist)."""

    key: str
    contract: AlertContract
    inputs: Mapping[str, JsonValue]
    run_id: str
    refused: str = ""


class Resume(msgspec.Struct):
    """Request a start that an earlier release decided on, as this run."""

    start_key: str
    run_id: str


class Settle(msgspec.Struct):
    """The outcome of a start: a run, or a reason."""

    key: str
    start_key: str
    run_id: str = ""
    reason: str = ""


class RunOver(msgspec.Struct):
    """A run that the alert started has ended or does not exist."""

    run_id: str


AlertCommand = Weigh | Put | Drop | Silence | Tell | Begin | Resume | Settle | RunOver
