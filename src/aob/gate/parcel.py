"""What one caller sent, on its way through a commit: gated lines in, its part of a group and its answer out."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from aob.core.event import Position
from aob.core.ingest import LINE_BYTES_MAX, Event, Gate, Gated, Refused
from aob.ports.event_log import DeadLetter
from aob.ports.telemetry import Trace

FEED: Final = 1_001
"""The generation of positions of business events (see `aob.metrics.live.positions`)."""
WHOLE: Final = 1 << 62

_encode: Final = msgspec.json.Encoder().encode
_ACCEPTED: Final = b'{"verdict":"accepted"}'
_UNKNOWN: Final = b'{"verdict":"accepted","dedup":"unknown"}'
_DUPLICATE: Final = b'{"verdict":"duplicate"}'
_NONE: Final = 0


class Parcel:
    """One call's events after the gate and the claim of their ids. `repeats` are places among the gated events."""

    __slots__ = (
        "dead", "events", "future", "gate", "gated", "repeats", "row", "settled", "size", "tenant", "text",
        "trace", "within",
    )  # fmt: skip

    def __init__(self, tenant: str, gate: Gate, gated: Gated, repeats: list[int], size: int) -> None:
        self.tenant, self.gate, self.gated, self.repeats, self.size = tenant, gate, gated, repeats, size
        self.events, self.text = _fresh(gated, repeats)
        self.dead: Sequence[int] = ()
        self.settled: list[tuple[int, str, str]] = []
        self.row = _NONE
        self.trace: Trace | None = None
        self.within = -1
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def letters(self, at_ms: int) -> list[DeadLetter]:
        """Its refused events as dead letters."""
        return [letter_of(refused, at_ms) for _, refused in self.gated.refused]

    def verdicts(self) -> list[bytes]:
        """A verdict for each line, in order, as JSON."""
        gated = self.gated
        told = [_ACCEPTED] * len(gated.events)
        items: list[Any] = self.events
        if not all(event.known for event in items):
            told = [_ACCEPTED if event.known else _UNKNOWN for event in gated.events]
        for place in self.repeats:
            told[place] = _DUPLICATE
        if not gated.refused:
            return told
        whole = [b""] * gated.received
        for place, verdict in zip(gated.places or (), told, strict=True):
            whole[place] = verdict
        numbers: Sequence[int] = self.dead or [_NONE] * len(gated.refused)
        for (place, refused), number in zip(gated.refused, numbers, strict=True):
            whole[place] = rejection(refused, number)
        return whole

    def answer(self, generation: int = FEED) -> bytes:
        """The encoded `Ingested`, once it is written. `generation` is that of positions."""
        gated, duplicate = self.gated, len(self.repeats)
        return b'{"received":%d,"accepted":%d,"duplicate":%d,"rejected":%d,"position":"%s","verdicts":[%s]}' % (
            gated.received, len(gated.events) - duplicate, duplicate, len(gated.refused),
            Position(generation, ((self.row, WHOLE),)).token().encode(), b",".join(self.verdicts()),
        )  # fmt: skip


def rejection(refused: Refused, number: int) -> bytes:
    """The verdict on a refused event; 0 is no dead letter."""
    verdict: dict[str, Any] = {"verdict": "rejected", "reasons": refused.reasons}
    if number:
        verdict["deadletter"] = number
    return _encode(verdict)


def letter_of(refused: Refused, at_ms: int) -> DeadLetter:
    """A refused event as the log keeps it."""
    line = refused.line[:LINE_BYTES_MAX]
    return DeadLetter(0, at_ms, refused.type, refused.source, refused.id, _encode(refused.reasons), line)


def _fresh(gated: Gated, repeats: list[int]) -> tuple[list[Event], bytes]:
    """The events that are new, and their lines."""
    if not repeats:
        return gated.events, gated.text
    gone = set(repeats)
    lines = gated.text.split(b"\n")
    kept = [place for place in range(len(lines)) if place not in gone]
    return [gated.events[place] for place in kept], b"\n".join([lines[place] for place in kept])
