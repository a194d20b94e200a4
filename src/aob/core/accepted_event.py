"""An accepted event for folds. Its class is built from its contract, so that fields are attributes. Every class has the
attributes of `Event`; `data` and `enriched` are structs of the contract's own fields. Optional fields that were not
sent are `msgspec.UNSET`."""

from typing import Final

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.instant import iso

SKEW_MAX_MS: Final = 5 * 60_000  # how far in the future the time of an event may be
LINE_BYTES_MAX: Final = 256 * 1024  # bytes of one event


class Event(msgspec.Struct, gc=False):
    """The attributes of every accepted event. `at_ms` is its time in ms since 1970 (of receipt, if it has none);
    `enriched` the data added by the gate; `offset` its dense number in the tenant's log, set when written; `known` is
    false if it was too old for deduplication (`dedup: unknown`)."""

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
    """The data added by the gate, by name: its struct is an array on the wire. None if there is none."""
    return None if event.enriched is None else msgspec.structs.asdict(event.enriched)


def shown(event: Event, line: bytes) -> JsonObject:
    """An accepted event for subscribers: its original line, and the data added by the gate."""
    told: JsonObject = {
        "id": event.id, "source": event.source, "type": event.type, "subject": event.subject,
        "time": iso(event.at_ms), "version": event.version, "offset": event.offset, "event": msgspec.Raw(line),
    }  # fmt: skip
    if (named := found(event)) is not None:
        told["enriched"] = msgspec.to_builtins(named)
    return told


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why an event was refused: the stage (`decode schema rule time contract size`), the place (JSON Pointer into the
    event), the broken rule, the value there, and a sentence."""

    stage: str
    pointer: str
    message: str
    rule: str = ""
    value: JsonValue = None
