"""An accepted event as folds read it. Its class is built from its contract, so that reading it is reading attributes.

Every class has the attributes of `Event`; `data` and `enriched` are structs of the contract's own fields. Optional
fields that were not sent are `msgspec.UNSET`.
"""

from typing import Final

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.instant import iso

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
    data: JsonValue = None
    at_ms: int = 0
    version: int = 1
    enriched: JsonValue = None
    offset: int = -1
    known: bool = True


def found(event: Event) -> JsonObject | None:
    """What the gate found out about an event, by name: its struct is an array on the wire. None: nothing was asked."""
    return None if event.enriched is None else msgspec.structs.asdict(event.enriched)


def shown(event: Event, line: bytes) -> JsonObject:
    """An accepted event as it is told to others: the event as it came (its line), and what the gate found out."""
    told: JsonObject = {
        "id": event.id, "source": event.source, "type": event.type, "subject": event.subject,
        "time": iso(event.at_ms), "version": event.version, "offset": event.offset, "event": msgspec.Raw(line),
    }  # fmt: skip
    if (named := found(event)) is not None:
        told["enriched"] = msgspec.to_builtins(named)
    return told


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why an event was refused: the stage (`decode schema rule time contract size`), where (JSON Pointer into the
    event), the rule that it breaks, the value found there, and a sentence."""

    stage: str
    pointer: str
    message: str
    rule: str = ""
    value: JsonValue = None
