"""Ended streams that stay in memory for a while, for who reads them: so many, with so many events. The oldest leave."""

from collections import deque
from collections.abc import Set
from typing import Final

from aob.journal.law.stream import Stream

ENDED_KEPT: Final = 1_000
"""Ended streams that stay in memory for reading."""
ENDED_EVENTS: Final = 100_000
"""Events that they have together at most."""


class Kept:
    """The ended streams among those in memory, in the order in which they came."""

    def __init__(self) -> None:
        self.streams: deque[tuple[str, int]] = deque()
        """Each with how many events it had when it came."""
        self.events = 0

    def add(self, stream: Stream) -> None:
        """One has ended, or was read back for somebody."""
        self.streams.append((stream.name, stream.seq))
        self.events += stream.seq

    def forget(self, gone: Set[str]) -> None:
        """These were removed."""
        self.streams = deque(kept for kept in self.streams if kept[0] not in gone)
        self.events = sum(events for _, events in self.streams)

    def shrink(self, streams: dict[str, Stream]) -> None:
        """The oldest leave memory while there are too many; one waits until a segment holds all of it."""
        while len(self.streams) > ENDED_KEPT or self.events > ENDED_EVENTS:
            name, events = self.streams[0]
            stream = streams.get(name)
            if stream is not None and stream.chunks:
                return
            self.streams.popleft()
            self.events -= events
            if stream is not None and stream.ended:
                del streams[name]
