"""Which streams of a shard are in memory: they come when they are asked for, and leave again when they rest.

A live stream that rests is away: its head, its timers and its open tickets are rows, its history is in segments, and
nothing is to be done for it until somebody asks.
"""

import asyncio
import time
from collections.abc import Coroutine, Iterable, Iterator, Sequence, Set
from typing import Any, Final

import msgspec

from aob.core.errors import AobError, Quarantined, Unavailable, said
from aob.core.event import PARTITIONS, seed_of
from aob.journal.batch import Cutter
from aob.journal.kept import Kept
from aob.journal.law.law import Law
from aob.journal.law.stream import Chunk, Stream
from aob.journal.log import logger
from aob.journal.parts import readable_parts, segment_chunks, without
from aob.journal.recovery import OWN, Recovered, load_stream, recover
from aob.journal.removal import Removals
from aob.journal.tickets import OpenTickets
from aob.journal.timers import Timers
from aob.ports.store import JournalRow, Segment, Store

IDLE_MS: Final = 60_000
"""A stream that rests leaves memory when it was not touched for so long."""
SWEPT: Final = 5_000
SWEEP_S: Final = 0.003
"""Streams that one sweep looks at, and how long it may take."""
STRETCH_ROWS: Final = 32
"""Rows that are rewritten in one go."""


class Away:
    """The names of live streams that are not in memory, each with a number that is new each time it leaves."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._left = dict.fromkeys(names, 0)
        self._count = 0

    def __len__(self) -> int:
        return len(self._left)

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def add(self, name: str) -> None:
        """It has left memory."""
        self._count += 1
        self._left[name] = self._count

    def back(self, name: str) -> None:
        """It is in memory again, or nowhere."""
        self._left.pop(name, None)

    def left(self, name: str) -> int:
        """The number of the time at which it left; -1 for one that is not away."""
        return self._left.get(name, -1)


class Resident:
    """The streams in memory. The journal decides on them and commits."""

    store: Store
    laws: list[Law]
    shard: int
    partitions: int = PARTITIONS
    foreign: Set[int] = frozenset()
    """Partitions of runs that other shards own: of theirs only what ended here is known."""
    now_ms: int
    row: int
    cut_row: int
    timers: Timers
    tickets: OpenTickets

    def __init__(self) -> None:
        self.streams: dict[str, Stream] = {}
        self.away = Away()
        self.unreadable: dict[str, str] = {}
        """Streams whose history cannot be read, and why: nothing is decided for them, and nothing is written."""
        self._waiting: dict[str, list[Any]] = {}
        self._reading: set[str] = set()
        """Of those that wait, the streams that are being read back."""
        self._outdated: set[str] = set()
        """Of those, the ones that were removed meanwhile: what was read is no longer so."""
        self._ended = Kept()
        self._cutter = Cutter()
        self._sweep: list[Stream] = []
        self._swept_row = -1
        self._settling = False
        """Segments are written for streams that are to leave, also when nothing else is committed."""
        self._left_out = False

    def law_of(self, name: str) -> Law:
        """The law whose prefix the name carries."""
        raise NotImplementedError

    def check(self) -> None:
        """Raises what keeps the shard from its store. Its memory is empty then: what is not there is not known."""
        raise NotImplementedError

    def _resume(self, name: str, error: AobError | None) -> None:
        raise NotImplementedError

    def aside(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run something beside the loop."""
        raise NotImplementedError

    # -- coming -------------------------------------------------------------------------------------------------------

    async def load(self, name: str) -> Stream | None:
        """A stream for reading, from memory or from the store; None when it does not exist. Raises what keeps the
        memory of this shard from being whole, while it is being read back."""
        while True:
            self.check()
            stream = self.streams.get(name)
            if stream is not None:
                stream.touched = self.now_ms
                return stream if stream.seq else None
            if name in self.unreadable:
                raise set_aside(name, self.unreadable[name])
            left = self.away.left(name)
            try:
                found = await load_stream(self.store, self.shard, self.law_of(name), name)
            except Exception as error:
                told = self._unreadable(name, error, left)
                if told is error:
                    raise
                raise told from error
            if name not in self.streams and left == self.away.left(name):
                break  # else it was asked for meanwhile: what was read is old
        if left >= 0 and found is not None:
            self._come(found)
            return found
        # What lives and is not away is in memory: a half of a stream is one that is removed while it is read.
        return found if found is None or found.ended else None

    def _come(self, stream: Stream) -> None:
        self.away.back(stream.name)
        stream.touched = self.now_ms
        self.streams[stream.name] = stream
        if stream.ended:
            self._ended.add(stream)  # for a while, like one that ends now

    def _fetch(self, name: str, asked: Any) -> None:
        self._waiting[name] = [asked]
        self._reading.add(name)
        self.aside(self._read_back(name))

    async def _read_back(self, name: str) -> None:
        error: AobError | None = None
        left = self.away.left(name)
        try:
            stream = await load_stream(self.store, self.shard, self.law_of(name), name)
            while name in self._outdated:
                self._outdated.discard(name)
                stream = await load_stream(self.store, self.shard, self.law_of(name), name)
            if name not in self.streams:
                self._refuse_foreign(name, stream)
                self._come(stream or Stream(name, self.law_of(name), self.law_of(name).fresh(name)))
        except Exception as failed:
            told = self._unreadable(name, failed, left)
            error = told if isinstance(told, AobError) else Quarantined(
                f"{name} cannot be read back: {type(failed).__name__}: {said(failed)}"
            )  # fmt: skip
        self._resume(name, error)

    def _elsewhere(self, name: str) -> bool:
        """Whether a stream is a run that another shard owns."""
        return seed_of(name) % self.partitions in self.foreign and self.law_of(name).spread

    def _refuse_foreign(self, name: str, stream: Stream | None) -> None:
        """Raises Unavailable `partition_moved` for a run that another shard owns, unless it ended here."""
        if self._elsewhere(name) and not (stream is not None and stream.ended):
            number = seed_of(name) % self.partitions
            raise Unavailable(f"partition {number} is not in shard {self.shard}", code="partition_moved",
                              hint="ask again: the home routes to its owner", shard=self.shard)  # fmt: skip

    def _unreadable(self, name: str, error: Exception, left: int) -> Exception:
        """What is told of a stream that could not be read. A live one is named, as those are that a start finds."""
        if isinstance(error, AobError) and error.code not in OWN:
            return error
        if left < 0 or left != self.away.left(name):
            return error
        logger().error("stream_unreadable", stream=name, exc_info=error)
        reason = error.detail if isinstance(error, AobError) else f"{type(error).__name__}: {said(error)}"
        self.away.back(name)
        self.unreadable[name] = reason
        self.timers.drop(name, "")
        self.tickets.drop(name, "")
        return set_aside(name, reason)

    # -- leaving ------------------------------------------------------------------------------------------------------

    def _forget(self, removals: Removals) -> None:
        """Streams were removed: memory knows nothing of them either."""
        gone = {removal.stream for removal in removals.streams}
        for name in gone:
            self.streams.pop(name, None)
            self.away.back(name)
        self._outdated |= gone & self._reading
        self._ended.forget(gone)

    def let_go(self, idle_ms: int = IDLE_MS, many: int = SWEPT) -> bool:
        """Some of the streams that rest leave memory; those that no segment holds wholly get one first. Called now and
        then; whether there is something to write."""
        if not self._sweep:
            self._sweep = list(self.streams.values())
            if self._swept_row == self.row > self.cut_row and not self._cutter.target and not self._left_out:
                self._cutter.begin(self.row, self.streams)  # nothing happens: the next start reads no journal
                self._settling = True
            self._swept_row = self.row
        before_ms, until_s = self.now_ms - idle_ms, time.perf_counter() + SWEEP_S
        for number in range(min(many, len(self._sweep))):
            if not number & 63 and time.perf_counter() > until_s:
                break
            stream = self._sweep.pop()
            name = stream.name
            if stream.touched > before_ms or name in self._waiting or self.streams.get(name) is not stream:
                continue
            if stream.ended or not stream.seq or not stream.law.rests(stream):
                continue
            if stream.chunks:
                self._cutter.due[name] = stream
                self._settling = True
            elif stream.kept_from == stream.seq:
                del self.streams[name]
                self.away.add(name)
        return self._settling

    # -- what is stored of them -------------------------------------------------------------------------------------

    async def chunks(self, segment: Segment) -> list[Chunk]:
        """The chunks of a segment. Raises Unavailable `segment_corrupt` when it is not what was written."""
        return await segment_chunks(self.store, self.shard, segment)

    async def read_back(self, store: Store) -> Recovered:
        """A shard as it would be read back from a store, without becoming its owner."""
        return await recover(store, self.shard, self.laws, every=True)

    async def rows_without(self, rows: Sequence[int], gone: Set[str]) -> list[tuple[int, bytes]]:
        """The data of durable rows without the events of some streams. Raises Unavailable `row_corrupt`, whose field
        `row` says which."""
        made: list[tuple[int, bytes]] = []
        for first, count in _stretches(rows):
            found = await self.store.journal(self.shard, first - 1, count)
            made += await asyncio.to_thread(self._without, found, gone)
        return made

    def _without(self, rows: Sequence[JournalRow], gone: Set[str]) -> list[tuple[int, bytes]]:
        return [(row.row, without(row, self.shard, gone)) for row in rows]

    @staticmethod
    def readable(row: JournalRow) -> list[tuple[str, int, msgspec.Raw, bool]]:
        """What can be read of a row (the stream of a gap has no name, and for its sequence number how many events are
        gone): streams, sequence numbers, events, and whether they are what was written."""
        return [(part.stream, part.seq, part.events, part.sound) for part in readable_parts(row)]


def _stretches(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as (first, how many) that follow one another, each not too long."""
    first = count = 0
    for row in rows:
        if count and (row != first + count or count >= STRETCH_ROWS):
            yield first, count
            count = 0
        first, count = (first if count else row), count + 1
    if count:
        yield first, count


def set_aside(name: str, reason: str) -> Quarantined:
    """What is told of a stream whose history cannot be read."""
    return Quarantined(f"{name} is set aside: {reason}", hint="restore the file from a backup and start again")
