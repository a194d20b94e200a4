"""The events of an alert's record: declarations, phase changes, notifications and starts. Data only."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from aob.core.answers import JsonValue
from aob.core.contract_model import AlertContract

Phase = Literal["ok", "pending", "firing", "clearing", "no_data"]
"""`clearing` is a firing whose `clear` holds, or whose value is missing, but not for long enough; `no_data` follows a
firing whose value stays missing."""
NO_DATA_MS: Final = 86_400_000  # after this time without a value, `no_data` ends


class AlertPut(msgspec.Struct, array_like=True, tag=1):
    """A caller, not a contract file, declared a version."""

    contract: AlertContract
    by: str
    at_ms: int


class AlertDropped(msgspec.Struct, array_like=True, tag=2):
    """Versions up to this one are no longer evaluated."""

    version: int
    by: str
    at_ms: int


class AlertSilenced(msgspec.Struct, array_like=True, tag=3):
    """It notifies no subscriber and starts no run until then; 0 ends a silence."""

    until_ms: int
    reason: str
    by: str
    at_ms: int


class AlertTurned(msgspec.Struct, array_like=True, tag=4):
    """An instance changed its phase. `version` is that of the contract, `starts` the workflow a firing starts."""

    key: str
    by: Mapping[str, str]
    phase: Phase
    at_ms: int
    value: JsonValue
    version: int
    position: str = ""
    starts: str = ""


class AlertTold(msgspec.Struct, array_like=True, tag=5):
    """Subscribers were notified of a firing (its start), its end (0), or a missing value (since when, negative).
    `position`: of the notice, unique in the tenant and in the order of commits; 0: the time of the turn (older
    releases)."""

    key: str
    firing_ms: int
    position: int = 0


class StartDue(msgspec.Struct, array_like=True, tag=6):
    """A workflow must be started under this key with these inputs. `open` are earlier runs that have not ended. With
    `run_id` the run was requested by a message in the same commit; earlier releases requested it later."""

    key: str
    start_key: str
    workflow: str
    tag: str
    inputs: Mapping[str, JsonValue]
    open: tuple[str, ...]
    at_ms: int
    run_id: str = ""


class StartSettled(msgspec.Struct, array_like=True, tag=7):
    """The outcome of a start: the run, or the reason why there is none."""

    key: str
    start_key: str
    run_id: str
    reason: str
    at_ms: int


class StartedRunEnded(msgspec.Struct, array_like=True, tag=8):
    """A run that it started has ended and no longer counts as open."""

    run_id: str
    at_ms: int


AlertEvent = (
    AlertPut | AlertDropped | AlertSilenced | AlertTurned | AlertTold | StartDue | StartSettled | StartedRunEnded
)
