"""Up to which event time each source has told: events in, the watermark and what came late out."""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Final

import msgspec

from aob.core.accepted_event import Event
from aob.core.contract_model import LATENESS_MS

IDLE_MS: Final = 30_000
"""A source whose newest event is older than this holds nobody up."""
SOURCES_MAX: Final = 10_000
"""Sources that are followed; above, half of them, the quiet ones, are let go."""
_source: Final = attrgetter("source")
_told: Final = attrgetter("source", "type", "at_ms")
_at: Final = attrgetter("at_ms")
_decode = msgspec.msgpack.Decoder(dict[str, tuple[int, int]]).decode


class Sources:
    """All sources of a tenant: by name the newest event time, and how late its events may be."""

    def __init__(self, lateness_ms: Mapping[str, int]) -> None:
        self._lateness_ms = lateness_ms
        self._newest: dict[str, tuple[int, int]] = {}
        self.changed = False

    def see(self, events: Sequence[Event]) -> list[Event]:
        """Take note of events; those that came late."""
        late = self._late(events)
        self.changed = True
        names = set(map(_source, events))
        if len(names) == 1:
            lateness = max(self._lateness_ms.get(type, LATENESS_MS) for type in {event.type for event in events})
            self._put(names.pop(), max(map(_at, events)), lateness)
        else:
            for name, type, at_ms in map(_told, events):
                known = self._newest.get(name)
                if known is None or at_ms > known[0]:
                    self._put(name, at_ms, self._lateness_ms.get(type, LATENESS_MS))
        if len(self._newest) > SOURCES_MAX:
            kept = sorted(self._newest.items(), key=lambda pair: -pair[1][0])[: SOURCES_MAX // 2]
            self._newest = dict(kept)
        return late

    def watermark(self, now_ms: int) -> int | None:
        """The event time up to which all sources that are not idle have told; 30 s ago when all are idle; None when
        there is no source."""
        if not self._newest:
            return None
        busy = [newest - late for newest, late in self._newest.values() if newest + IDLE_MS > now_ms]
        return min(busy, default=now_ms - IDLE_MS)

    def passes_at(self, until: int) -> int:
        """When the watermark passes an instant if nothing more comes."""
        holding = [newest + IDLE_MS for newest, late in self._newest.values() if newest - late < until]
        return max([*holding, until + IDLE_MS])

    def dump(self) -> bytes:
        """All of it as bytes."""
        self.changed = False
        return msgspec.msgpack.encode(self._newest)

    def load(self, data: bytes) -> None:
        """Become what was dumped."""
        self._newest = _decode(data)

    def _put(self, name: str, at_ms: int, lateness_ms: int) -> None:
        newest, late = self._newest.get(name, (0, 0))
        self._newest[name] = (max(newest, at_ms), max(late, lateness_ms))

    def _late(self, events: Sequence[Event]) -> list[Event]:
        marks = self._newest
        if not marks or min(map(_at, events)) >= max(newest for newest, _ in marks.values()):
            return []
        return list(self._behind(events))

    def _behind(self, events: Iterable[Event]) -> Iterable[Event]:
        for event in events:
            known = self._newest.get(event.source)
            if known is not None and event.at_ms < known[0] - self._lateness_ms.get(event.type, LATENESS_MS):
                yield event
