"""What the history of a key says about records that its group reads again: read once for many of them."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Protocol

import msgspec

from aob.core.agent.again import Before, settled_before
from aob.core.agent.record import Input
from aob.journal import Stream

KEPT_MAX: Final = 4_096  # records whose effects are in memory; the keys read longest ago are read again


class Happened(Protocol):
    """A committed event."""

    @property
    def event(self) -> Any:
        """The event itself."""


Reads = Callable[[Stream, int], AsyncIterator[Happened]]
"""The committed events of a stream after a sequence number."""


class _Known(msgspec.Struct, gc=False):
    """The records of a source of a key from an offset up to another (None: all), as of a generation."""

    source: str
    generation: int
    start: int
    end: int | None
    found: dict[tuple[str, int], Before]


class Histories:
    """The histories of the keys of a shard, as far as they were read lately."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._known: dict[str, _Known] = {}

    async def before(self, stream: Stream, given: Input) -> Before | None:
        """What earlier handlings of a record have left; None: nothing."""
        known = self._known.pop(stream.name, None)
        if known is None or not _tells(known, given):
            events = (fact.event async for fact in self._reads(stream, -1))
            found, end = await settled_before(stream.name, events, given.source, given.offset)
            known = _Known(given.source, given.generation, given.offset, end, found)
        self._known[stream.name] = known
        while len(self._known) > 1 and sum(1 + len(each.found) for each in self._known.values()) > KEPT_MAX:
            del self._known[next(iter(self._known))]
        return known.found.get((given.source, given.offset))

    def clear(self) -> None:
        """Reads everything again."""
        self._known.clear()


def _tells(known: _Known, given: Input) -> bool:
    if given.behind or (known.source, known.generation) != (given.source, given.generation):
        return False  # a replay may be of what was handled a moment ago
    return known.start <= given.offset and (known.end is None or given.offset < known.end)
