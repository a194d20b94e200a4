"""An accepted event as folds read it. Its class is built from its contract, so that reading it is reading attributes.

Every class has the attributes of `Event`; `data` and `enriched` are structs of the contract's own fields. Optional
fields that were not sent are `msgspec.UNSET`.
"""

from typing import Any, Final

import msgspec

SKEW_MAX_MS: Final = 5 * 60_000
"""How far in the future the time of an event may lie."""
LINE_BYTES_MAX: Final = 256 * 1024
"""Bytes of one event."""


class Event(msgspec.Struct, gc=False):
    """What every accepted event has. `at_ms` is its time in ms since 1970 (when it was received, if it says none);
    `enriched` what the gate found out about it; `offset` its dense number in the tenant's log, set once it is written;
    `known` is false when it was too old for the gate to know whether it is a repeat (`dedup: unknown`)."""

    id: str
    source: str
    type: str
    subject: str = ""
    data: Any = None
    at_ms: int = 0
    version: int = 1
    enriched: Any = None
    offset: int = -1
    known: bool = True


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why an event was refused: the stage (`decode schema rule time contract size`), where (JSON Pointer into the
    event), the rule that it breaks, the value found there, and a sentence."""

    stage: str
    pointer: str
    message: str
    rule: str = ""
    value: Any = None
