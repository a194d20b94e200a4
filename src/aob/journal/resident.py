"""Decides which streams of a shard are in memory: loads them on demand and evicts idle ones. An evicted live stream is
away: its head, timers and open tickets are rows, its history is in segments, and it has nothing to do until it gets a
command."""

import asyncio
import time
from collections.abc import Coroutine, Iterable, Iterator, Sequence, Set
from typing import Any, Final

import msgspec

from aob.core.errors import AobError, Conflict, Quarantined, Unavailable, said
from aob.core.event import PARTITIONS, partition_of
from aob.journal.batch import Cutter
from aob.journal.kept import Kept
from aob.journal.law.law import Law, law_for
from aob.journal.law.stream import Chunk, Stream
from aob.journal.log import logger
from aob.journal.pages import StatePages
from aob.journal.parts import file_of, readable_parts, segment_chunks, without
from aob.journal.recovery import OWN, Recovered, load_stream, recover
from aob.journal.tickets import OpenTickets
from aob.journal.timers import Timers
from aob.ports.pages import OwnedPages
from aob.ports.store import Holding, JournalRow, Segment, Store

IDLE_MS: Final = 60_000  # an idle stream is evicted after this long without access
SWEPT: Final = 5_000
SWEEP_S: Final = 0.003  # streams scanned by one sweep, and its time limit
STRETCH_ROWS: Final = 32  # rows rewritten in one batch


class Away:
    """The names of evicted live streams, each with a number that is new for each eviction."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._left = dict.fromkeys(names, 0)
        self._count = 0

    def __len__(self) -> int:
        return len(self._left)

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def __iter__(self) -> Iterator[str]:
        return iter(self._left)

    def add(self, name: str) -> None:
        """It was evicted."""
        self._count += 1
        self._left[name] = self._count

    def back(self, name: str) -> None:
        """It is in memory again, or removed."""
        self._left.pop(name, None)

    def left(self, name: str) -> int:
        """The number of its eviction; -1 if it is not away."""
        return self._left.get(name, -1)


class Resident:
    """The streams in memory. The journal decides on them and commits."""

    store: Store
    laws: list[Law]
    shard: int
    partitions: int = PARTITIONS
    foreign: Set[int] = frozenset()
    """Partitions that this shard does not hold, or not any more: of their runs only those that ended here are known."""
    now_ms: int
    row: int
    cut_row: int
    place: str = ""
    """Where the store is, for people; empty: in the file of the shard."""
    pages: StatePages | None = None
    removing = True  # whether streams were ever removed
    timers: Timers
    tickets: OpenTickets
    turns: int = 0
    """Changes when what a reader remembers of stored rows may be outdated: a recovery, a partition that leaves."""

    def __init__(self) -> None:
        self.streams: dict[str, Stream] = {}
        self.away = Away()
        self.unreadable: dict[str, str] = {}
        """Streams with an unreadable history, and why: nothing is decided or written for them."""
        self._waiting: dict[str, list[Any]] = {}
        self._reading: set[str] = set()  # of the waiting streams, those being loaded
        self.removed_elsewhere: dict[str, int] = {}  # removed from a shard that had them before, and when
        self._outdated: set[str] = set()  # of those, the ones removed in the meantime: the loaded data is outdated
        self._ended = Kept()
        self._cutter = Cutter()
        self.leaving: dict[int, dict[str, Stream | None]] = {}
        """By partition that is about to leave its live streams, which take no commands; None: it was away."""
        self._sweep: list[Stream] = []
        self._swept_row = -1
        self._settling = False  # segments are written for streams to evict, even if nothing else is committed
        self._left_out = False
        self._aside: dict[asyncio.Task[None], None] = {}  # cancelled in order, so that a simulated world repeats
        self.broken: AobError | None = None

    def law_of(self, name: str) -> Law:
        """The law of a stream's prefix."""
        law = law_for(self.laws, name)
        if law is None:
            raise Conflict(f"{name!r} belongs to no law", code="unknown_stream")
        return law

    def check(self) -> None:
        """Raises the error that keeps the shard from its store; its memory is then empty."""
        if self.broken is not None:
            raise self.broken.with_traceback(None)

    def _resume(self, name: str, error: AobError | None) -> None:
        raise NotImplementedError

    def aside(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run a task outside the loop; cancelled when the journal ends."""
        task = asyncio.create_task(work)
        self._aside[task] = None
        task.add_done_callback(self._aside.pop)
        return task

    # -- coming -------------------------------------------------------------------------------------------------------

    async def load(self, name: str) -> Stream | None:
        """A stream for reading, from memory or the store; None if it does not exist. Raises the error that keeps the
        shard's memory incomplete, during recovery."""
        while True:
            self.check()
            stream = self.streams.get(name)
            if stream is not None:
                stream.touched = self.now_ms
                return stream if stream.seq else None
            if name in self.unreadable:
                raise quarantine(name, self.unreadable[name])
            left = self.away.left(name)
            try:
                found = await self._load(name)
            except Exception as error:
                told = self._unreadable(name, error, left)
                if told is error:
                    raise
                raise told from error
            if name not in self.streams and left == self.away.left(name):
                break  # else it was loaded or evicted in the meantime: this copy is outdated
        if left >= 0 and found is not None:
            self._come(found)
            return found
        if found is not None and found.ended:
            return found
        # A live stream is in memory or away: a partial one was removed during the read, or is another shard's.
        if self.foreign and self._elsewhere(name) and (found or self.parted(name) or await self.store.head(name)):
            raise self._moved(name)
        return None

    async def _load(self, name: str) -> Stream | None:
        return await load_stream(self.store, self.law_of(name), name, self.pages)

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
            stream = await self._found(name)
            while name in self._outdated:
                self._outdated.discard(name)
                stream = await self._found(name)
            if name not in self.streams:
                self._refuse_foreign(name, stream)
                self._come(stream)
        except Exception as failed:
            told = self._unreadable(name, failed, left)
            error = told if isinstance(told, AobError) else Quarantined(
                f"{name} cannot be read back: {type(failed).__name__}: {said(failed)}"
            )  # fmt: skip
        self._resume(name, error)

    async def _found(self, name: str) -> Stream:
        """A stream of the store, or a fresh one."""
        stream = await self._load(name)
        if stream is None:
            law, gone = self.law_of(name), await self.store.removed(name) if self.removing else None
            removed_ms = self.removed_elsewhere.pop(name, 0) if gone is None else gone.at_ms
            stream = Stream(name, law, law.fresh(name), removed_ms=removed_ms)
        return stream

    def _elsewhere(self, name: str) -> bool:
        """Whether a stream is a run that another shard owns."""
        law = law_for(self.laws, name)
        return law is not None and law.spread and partition_of(name, self.partitions) in self.foreign

    def _refuse_foreign(self, name: str, stream: Stream) -> None:
        """Raises Unavailable `partition_moved` for a run that another shard owns, unless it ended here."""
        if self.foreign and self._elsewhere(name) and not stream.ended:
            raise self._moved(name)

    def _moved(self, name: str) -> Unavailable:
        number = partition_of(name, self.partitions)
        return Unavailable(f"partition {number} is not in shard {self.shard}", code="partition_moved",
                           hint="ask again: the home routes to its owner", shard=self.shard)  # fmt: skip

    def parted(self, name: str) -> bool:
        """Whether a live stream is about to leave."""
        return name in self.leaving.get(partition_of(name, self.partitions), ())

    def elsewhere(self, stream: Stream) -> bool:
        """Whether a stream in a reader's hands is another shard's by now."""
        return bool(self.foreign) and not stream.ended and self._elsewhere(stream.name)

    def stays(self, stream: Stream) -> None:
        """Raises Unavailable `partition_moved` when a stream in a reader's hands is another shard's by now."""
        if self.elsewhere(stream):
            raise self._moved(stream.name)

    async def _read_holding(self) -> None:
        """The partitions that this shard holds, as its store says."""
        holding = await self.store.holding()
        self.partitions, self.foreign, self.leaving = holding.partitions, foreign_in(holding), {}

    def _unreadable(self, name: str, error: Exception, left: int) -> Exception:
        """The error for a stream that could not be read. A live one is reported like those found at a start."""
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
        return quarantine(name, reason)

    # -- leaving ------------------------------------------------------------------------------------------------------

    def _end(self, ended: Sequence[Stream]) -> None:
        """Streams have ended: they stay for a while, for who reads them."""
        for stream in ended:
            self._cutter.due[stream.name] = stream
            self._ended.add(stream)
        if ended:
            self._unpage(stream.name for stream in ended)
        self._ended.shrink(self.streams)

    def _forget(self, gone: Set[str]) -> None:
        """Drops removed streams from memory."""
        self.removing |= bool(gone)
        for name in gone:
            self.streams.pop(name, None)
            self.away.back(name)
        self._outdated |= gone & self._reading
        self._ended.forget(gone)
        self._unpage(gone)

    def keep_pages(self, pages: OwnedPages) -> None:
        """Long streams that leave memory leave a page of their state here."""
        self.pages = StatePages(pages)

    async def _own_pages(self) -> None:
        if self.pages is not None:
            live = {name for name, stream in self.streams.items() if not stream.ended}
            await self.pages.begin(lambda name: name in live or name in self.away)

    def _unpage(self, names: Iterable[str]) -> None:
        """Of streams that have ended, or are removed, no page stays."""
        if self.pages is not None and (paged := self.pages.of(names)):
            self.aside(self.pages.remove(paged))

    def _leave(self, stream: Stream) -> None:
        name = stream.name
        del self.streams[name]
        self.away.add(name)
        if self.pages is not None and self.pages.wanted(stream):
            left = self.away.left(name)
            self.aside(self.pages.keep(self.store, stream, lambda: self.away.left(name) == left))

    def let_go(self, idle_ms: int = IDLE_MS, many: int = SWEPT) -> bool:
        """Evicts some idle streams; those not fully in segments get one first. Called periodically. Returns whether
        there is something to write."""
        if not self._sweep:
            self._sweep = list(self.streams.values())
            if self._swept_row == self.row > self.cut_row and not self._cutter.target and not self._left_out:
                self._cutter.begin(self.row, self.streams)  # idle: the next start reads no journal
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
                self._leave(stream)
        return self._settling

    # -- what is stored of them -------------------------------------------------------------------------------------

    async def chunks(self, segment: Segment) -> list[Chunk]:
        return await segment_chunks(self.store, segment)

    async def read_back(self, store: Store) -> Recovered:
        """The shard as it would be recovered from a store, without taking ownership."""
        foreign = foreign_in(await store.holding())
        return await recover(store, self.shard, self.laws, every=True, foreign=foreign, place=self.place)

    async def rows_without(self, rows: Sequence[int], gone: Set[str]) -> list[tuple[int, bytes]]:
        """The data of durable rows without the events of some streams. Raises Unavailable `row_corrupt` with its row in
        the field `row`."""
        made: list[tuple[int, bytes]] = []
        for first, count in _stretches(rows):
            found = await self.store.journal(first - 1, count)
            made += await asyncio.to_thread(self._without, found, gone)
        return made

    def _without(self, rows: Sequence[JournalRow], gone: Set[str]) -> list[tuple[int, bytes]]:
        return [(row.row, without(row, self.place or file_of(self.shard), gone)) for row in rows]

    @staticmethod
    def readable(row: JournalRow) -> list[tuple[str, int, msgspec.Raw, bool]]:
        """The readable parts of a row: stream, sequence number, events, checksum valid. A gap has no stream name, and
        its number of removed events as sequence number."""
        return [(part.stream, part.seq, part.events, part.sound) for part in readable_parts(row)]


def foreign_in(holding: Holding) -> frozenset[int]:
    """The partitions of a home that a shard does not hold."""
    return frozenset(range(holding.partitions)) - {each.partition for each in holding.extents if not each.last_row}


def _stretches(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Groups ascending numbers into (first, count) of consecutive ones, at most STRETCH_ROWS long."""
    first = count = 0
    for row in rows:
        if count and (row != first + count or count >= STRETCH_ROWS):
            yield first, count
            count = 0
        first, count = (first if count else row), count + 1
    if count:
        yield first, count


def quarantine(name: str, reason: str) -> Quarantined:
    """The error for a stream with an unreadable history."""
    return Quarantined(f"{name} is set aside: {reason}", hint="restore the file from a backup and start again")
