"""Converts rows of the event log to rows of tables, as lines of one JSON list, with the gate's notes on them."""

from typing import Any

import msgspec

from aob.core.accepted_event import Event, found
from aob.core.answers import JsonObject, JsonValue
from aob.core.contract_model import ContractSet
from aob.core.ingest import Gate, paths
from aob.core.metric import Change, Changes
from aob.ports.event_log import Row


class Line(msgspec.Struct):
    """An event as a row of the table of all events."""

    number: int
    id: str
    source: str
    subject: str
    at: int
    version: int
    type: str
    data: JsonValue
    enriched: JsonObject | None


class Saying(msgspec.Struct):
    """An update of an entity by an event."""

    entity: str
    id: str
    at: int
    number: int
    part: int
    event: str
    removed: bool
    changed: JsonObject


class _Sent(msgspec.Struct):
    """`data` is decoded as the gate decodes it and encoded again: DuckDB reads the first of a repeated key, and other
    values differently too."""

    data: JsonValue = None


class Decoder:
    """Reads rows by the contracts of one tenant."""

    def __init__(self, contracts: ContractSet) -> None:
        self._gate = Gate(contracts)
        self._sent = msgspec.json.Decoder(_Sent)
        self._changes = Changes(contracts, paths)

    def read(self, row: Row) -> tuple[list[Line], list[Saying]]:
        """The events of a row with their updates of entities; skips a row that cannot be read (the fold reports it)."""
        try:
            events = self._gate.reread(row.lines, row.notes, row.number)
        except Exception:
            return [], []
        sent = map(self._sent.decode, filter(None, row.lines.split(b"\n")))
        lines: list[Line] = []
        sayings: list[Saying] = []
        for event, given in zip(events, sent, strict=False):
            lines.append(
                Line(event.offset, event.id, event.source, event.subject, event.at_ms, event.version, event.type,
                     given.data, found(event))
            )  # fmt: skip
            for move in self._changes.moves.get((event.type, event.version), ()):
                said = _said(move, event)
                if said is not None:
                    id, change = said
                    at_ms, number, part = change.stamp
                    sayings.append(
                        Saying(move.entity, id, at_ms, number, part, change.type, change.removes, change.set)
                    )
        return lines, sayings


def _said(move: Any, event: Event) -> tuple[str, Change] | None:
    """The update of an entity by a move; none where it cannot be evaluated, as for the entities in memory."""
    try:
        said: tuple[str, Change] | None = move.change(event)
    except Exception:
        return None
    return said


def listed(items: list[Line] | list[Saying]) -> str:
    """Items as JSON text."""
    return msgspec.json.encode(items, enc_hook=str).decode()
