"""What the record holds of an alert: what it was declared, its turns, what was told, what it started. Data only."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from aob.core.answers import JsonValue
from aob.core.contract_model import AlertContract

Phase = Literal["ok", "pending", "firing", "clearing", "no_data"]
"""`clearing` is firing whose `clear` holds, or whose number is gone, and not for long enough; `no_data` is what a
firing becomes whose number stays away."""
NO_DATA_MS: Final = 86_400_000
"""A number that has been away for so long is not waited for any more."""


class AlertPut(msgspec.Struct, array_like=True, tag=1):
    """A version was made by a caller, not by a contract file."""

    contract: AlertContract
    by: str
    at_ms: int


class AlertDropped(msgspec.Struct, array_like=True, tag=2):
    """Versions up to this one are judged no more."""

    version: int
    by: str
    at_ms: int


class AlertSilenced(msgspec.Struct, array_like=True, tag=3):
    """It tells nobody and starts nothing until then; 0 ends a silence."""

    until_ms: int
    reason: str
    by: str
    at_ms: int


class AlertTurned(msgspec.Struct, array_like=True, tag=4):
    """One instance changed its phase. `version` is the contract it was judged by, `starts` the workflow that a firing
    calls for."""

    key: str
    by: Mapping[str, str]
    phase: Phase
    at_ms: int
    value: JsonValue
    version: int
    position: str = ""
    starts: str = ""


class AlertTold(msgspec.Struct, array_like=True, tag=5):
    """Subscribers have heard of a firing (its beginning), of its end (0), or that its number is gone (since when,
    negative)."""

    key: str
    firing_ms: int


class StartDue(msgspec.Struct, array_like=True, tag=6):
    """A workflow is to be started under this key, with these inputs. `open` are earlier runs that have not ended. With
    `run_id` the run was asked for in this very commit, by a message; earlier releases asked later."""

    key: str
    start_key: str
    workflow: str
    tag: str
    inputs: Mapping[str, JsonValue]
    open: tuple[str, ...]
    at_ms: int
    run_id: str = ""


class StartSettled(msgspec.Struct, array_like=True, tag=7):
    """What became of a start: the run, or why there is none."""

    key: str
    start_key: str
    run_id: str
    reason: str
    at_ms: int


class StartedRunEnded(msgspec.Struct, array_like=True, tag=8):
    """A run that it started has ended: its place is free."""

    run_id: str
    at_ms: int


AlertEvent = (
    AlertPut | AlertDropped | AlertSilenced | AlertTurned | AlertTold | StartDue | StartSettled | StartedRunEnded
)
