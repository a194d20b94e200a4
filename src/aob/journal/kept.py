"""A bounded set of ended streams that stay in memory for readers; evicts the oldest."""

from collections import deque
from collections.abc import Set
from typing import Final

from aob.journal.law.stream import Stream

ENDED_KEPT: Final = 1_000  # ended streams that stay in memory for reading
ENDED_EVENTS: Final = 100_000  # events that they have together at most


class Kept:
    """The ended streams in memory, in order of arrival."""

    def __init__(self) -> None:
        self.streams: deque[tuple[str, int]] = deque()  # each with its number of events on arrival
        self.events = 0

    def add(self, stream: Stream) -> None:
        """Adds a stream that has ended or was restored for a reader."""
        self.streams.append((stream.name, stream.seq))
        self.events += stream.seq

    def forget(self, gone: Set[str]) -> None:
        """Drops removed streams."""
        self.streams = deque(kept for kept in self.streams if kept[0] not in gone)
        self.events = sum(events for _, events in self.streams)

    def shrink(self, streams: dict[str, Stream]) -> None:
        """Evicts the oldest while there are too many; one that is not fully in a segment stays until it is."""
        while len(self.streams) > ENDED_KEPT or self.events > ENDED_EVENTS:
            name, events = self.streams[0]
            stream = streams.get(name)
            if stream is not None and stream.chunks:
                return
            self.streams.popleft()
            self.events -= events
            if stream is not None and stream.ended:
                del streams[name]
