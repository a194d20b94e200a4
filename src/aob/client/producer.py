"""Prepares events for sending: each gets an id, a source, a time, and a number that makes it count once. An event
without an id gets one, and with it (producer, sequence): a retry is recognised for ever. One with an id keeps it and is
recognised by that. No I/O."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Final, TypeAlias
from uuid import uuid4

import msgspec

from aob.core.answers import JsonValue
from aob.core.metric_answers import Ingested

SOURCE: Final = "aob-sdk"
EVENTS_AT_ONCE: Final = 1_000
ATTEMPTS: Final = 6
WAIT_FIRST_S: Final = 0.1
WAIT_MAX_S: Final = 10.0

Sent: TypeAlias = Mapping[str, JsonValue] | Iterable[Mapping[str, JsonValue]]

_encode_lines = msgspec.json.Encoder().encode_lines


class Lane:
    """Numbers of one producer, in order: at most one of its requests is in flight, so that a number never arrives
    before a smaller one."""

    def __init__(self) -> None:
        self.producer = uuid4().hex
        self.sequence = 0

    def stamped(self, events: Iterable[Mapping[str, JsonValue]], source: str) -> bytes:
        """The events as lines, with missing fields filled in. A number is used up even when its event is refused."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        lines = []
        for event in events:
            whole = {"source": source, "time": now, **event}
            if "id" not in whole:
                self.sequence += 1
                whole["id"] = f"{self.producer}-{self.sequence}"
                whole["producer"], whole["sequence"] = self.producer, self.sequence
            lines.append(whole)
        return _encode_lines(lines)


def batches(events: Sent) -> Iterator[list[Mapping[str, JsonValue]]]:
    """Events in order, in batches of one request."""
    rest = iter((events,) if isinstance(events, Mapping) else events)
    while batch := list(islice(rest, EVENTS_AT_ONCE)):
        yield batch


def joined(total: Ingested | None, part: Ingested) -> Ingested:
    """Merge two answers: counts added, verdicts in order, the later position."""
    if total is None:
        return part
    for name in ("received", "accepted", "duplicate", "rejected"):
        total[name] += part[name]
    total["position"] = part["position"] or total["position"]
    total["verdicts"] += part["verdicts"]
    return total


NOTHING: Final[Ingested] = {
    "received": 0, "accepted": 0, "duplicate": 0, "rejected": 0, "position": "", "verdicts": [],
}  # fmt: skip
