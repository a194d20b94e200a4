"""The notes that the gate stores with accepted lines to restore events; notes of several groups can be joined."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from aob.core.expression.library import Value


class Notes(msgspec.Struct, array_like=True):
    """The notes of one group: the number of events; the default version of each type at that time; the times of events
    that had none; events too old to be known as new; enrichments by `TYPE@VERSION` in order; whether times were cut to
    the ms, or rounded as by the first release."""

    count: int
    newest: dict[str, int] = {}
    times: dict[int, int] = {}
    unknown: list[int] = []
    enriched: dict[str, list[Value]] = {}
    cut: bool = False


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[Notes]).decode


def notes_of(events: Sequence[Value], newest: Mapping[str, int]) -> bytes:
    """The notes of a group."""
    classes: set[Value] = set(map(type, events))
    times = {place: event.at_ms for place, event in enumerate(events) if not event.time}
    unknown = [place for place, event in enumerate(events) if not event.known]
    enriched: dict[str, list[Value]] = {}
    for kind in classes:
        if any(event.enriched is not None for event in events if event.__class__ is kind):
            column = [event.enriched for event in events if event.__class__ is kind]
            sample = next(event for event in events if event.__class__ is kind)
            enriched[f"{sample.type}@{sample.version}"] = column
    versions = {kind.type: newest[kind.type] for kind in classes}
    return _encode([Notes(len(events), versions, times, unknown, enriched, cut=True)])


def read_notes(notes: bytes) -> list[Notes]:
    """The notes of each group. Raises ValueError for invalid bytes."""
    try:
        return _decode(notes) if notes else []
    except msgspec.MsgspecError as error:
        raise ValueError(f"these are no notes of a gate: {error}") from error


def joined_notes(notes: Iterable[bytes]) -> bytes:
    """The joined notes of groups that are written in one row, in order."""
    parts = [part for part in notes if part]
    if len(parts) == 1:
        return parts[0]
    return _encode([note for part in parts for note in read_notes(part)])
