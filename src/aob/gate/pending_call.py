"""One caller's gated lines on their way through a commit: their part of a group, and the answer."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from aob.core.answers import JsonObject
from aob.core.event import Positions
from aob.core.ingest import LINE_BYTES_MAX, Event, Gate, Gated, Refused
from aob.ports.dead_letters import DeadLetter
from aob.ports.event_log import Row
from aob.ports.telemetry import Trace

PART_BYTES: Final = 256 * 1024
PART_LINES: Final = 1_000  # a larger call is split into parts, interleaved with other calls
FOLDS_MAX: Final = 50_000
"""Events times the metrics they may move, after which a commit takes no further part: 0.1 s of work."""

_encode: Final = msgspec.json.Encoder().encode
_ACCEPTED: Final = b'{"verdict":"accepted"}'
_UNKNOWN: Final = b'{"verdict":"accepted","dedup":"unknown"}'
_DUPLICATE: Final = b'{"verdict":"duplicate"}'
_NONE: Final = 0


class PendingCall:
    """One call's events after the gate and the claim of their ids. `repeats` are places among the gated events."""

    __slots__ = (
        "dead", "events", "future", "gate", "gated", "repeats", "rows", "settled", "size", "tenant", "text",
        "trace", "within",
    )  # fmt: skip

    def __init__(self, tenant: str, gate: Gate, gated: Gated, repeats: list[int], size: int) -> None:
        self.tenant, self.gate, self.gated, self.repeats, self.size = tenant, gate, gated, repeats, size
        self.events, self.text = _fresh(gated, repeats)
        self.dead: Sequence[int] = ()
        self.settled: list[tuple[int, str, str]] = []
        self.rows: dict[int, int] = {}
        self.trace: Trace | None = None
        self.within = -1
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def letters(self, at_ms: int) -> list[DeadLetter]:
        """Its refused events as the log stores them."""
        return [
            DeadLetter(0, at_ms, each.type, each.source, each.id, _encode(each.reasons), each.line[:LINE_BYTES_MAX])
            for _, each in self.gated.refused
        ]

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

    def told(self) -> "Told":
        """Its result, once it is written."""
        return Told(self.gated.received, len(self.repeats), len(self.gated.refused), self.rows, self.verdicts())


class Commit(Row, eq=False, gc=False):
    """A row of the log with its events; reported before any of its callers gets an answer."""

    events: Sequence[Event] = ()
    refused: Sequence[str] = ()  # the types of refused events; empty for a commit read back
    traces: Sequence[Trace] = ()  # the traces of its calls
    moved: frozenset[str] = frozenset()  # the metrics that it moved, once it is folded
    again: bool = False  # read back at recovery: already reported by an earlier process

    @classmethod
    def of_row(cls, row: Row, events: Sequence[Event], *, again: bool = False) -> "Commit":
        """A commit read back from the log."""
        return cls(**msgspec.structs.asdict(row), events=events, again=again)


class Told(NamedTuple):
    """The result of a part of a call."""

    received: int
    duplicate: int
    rejected: int
    rows: Mapping[int, int]
    verdicts: list[bytes]


def lines_of_part(width: int) -> int:
    """How many lines form a part, if one event may move `width` metrics."""
    return max(1, min(PART_LINES, FOLDS_MAX // width))


def is_large(lines: bytes, most: int) -> bool:
    """Whether a call is split into parts of `most` lines."""
    return len(lines) > PART_BYTES or lines.count(b"\n") > most


def parts(lines: bytes, most: int) -> Iterator[bytes]:
    """Splits a large call into parts of whole lines, at most `most` each."""
    begin = 0
    while begin < len(lines):
        end = min(begin + PART_BYTES, len(lines))
        if lines.count(b"\n", begin, end) > most:
            end = begin
            for _ in range(most):
                end = lines.index(b"\n", end) + 1
        else:
            end = lines.find(b"\n", end) + 1 or len(lines)
        yield lines[begin:end]
        begin = end


def answer(told: Sequence[Told], positions: Positions) -> bytes:
    """The encoded `Ingested` of a call, from the results of its parts."""
    received, duplicate, rejected = (sum(counts) for counts in zip(*[each[:3] for each in told], strict=True))
    verdicts = told[0].verdicts if len(told) == 1 else [verdict for each in told for verdict in each.verdicts]
    rows = told[0].rows if len(told) == 1 else {at: row for each in told for at, row in each.rows.items()}
    return b'{"received":%d,"accepted":%d,"duplicate":%d,"rejected":%d,"position":"%s","verdicts":[%s]}' % (
        received, received - duplicate - rejected, duplicate, rejected,
        positions.written(rows).encode(), b",".join(verdicts),
    )  # fmt: skip


def rejection(refused: Refused, number: int) -> bytes:
    """The verdict on a refused event; number 0 means no dead letter."""
    verdict: JsonObject = {"verdict": "rejected", "reasons": refused.reasons}
    if number:
        verdict["deadletter"] = number
    return _encode(verdict)


def _fresh(gated: Gated, repeats: list[int]) -> tuple[list[Event], bytes]:
    """The new events, and their lines."""
    if not repeats:
        return gated.events, gated.text
    gone = set(repeats)
    lines = gated.text.split(b"\n")
    kept = [place for place in range(len(lines)) if place not in gone]
    return [gated.events[place] for place in kept], b"\n".join([lines[place] for place in kept])
