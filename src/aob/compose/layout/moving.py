"""Moves partitions between the shards of a home that is not running: each in three commits, safe to stop after any.

The source commits that a partition moved, and refuses its runs; the target commits that it took it, with the state of
its live runs; the source deletes its copy. The next opening of the home finishes an interrupted move.
"""

import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec

from aob.backends.marks_page import MarksPage
from aob.backends.sqlite.store import SqliteStore
from aob.compose.layout.layout import Held, Layout, layout_of
from aob.compose.layout.resting import Resting, resting
from aob.core.errors import Conflict, Unavailable
from aob.core.event import Message, MessageMark, partition_of
from aob.core.run.record import decode_events
from aob.journal import Journal
from aob.journal.partition import Moving, PartitionMoved, PartitionTaken, copied_history, head_of, row_data, stream_of
from aob.metrics.platform import Remembered, Telling
from aob.ports.store import (
    Batch,
    Extent,
    Head,
    Segment,
    StaleEpoch,
    Store,
    TicketRow,
    TimerRow,
    Value,
    every_message,
    every_timer,
)
from aob.work.pool import Running

RUNS: Final = "run"
_NAMED: Final = re.compile(rb"sha256:([0-9a-f]{64})")

Step = Callable[[int, int, int, int], None]
"""Called after each partition: its number, source shard, target shard, and how many live runs moved."""


class Copied(msgspec.Struct):
    """The live runs of a partition in the form that another shard stores."""

    heads: list[Head] = []
    segments: list[Segment] = []
    timers: list[TimerRow] = []
    tickets: list[TicketRow] = []
    values: dict[tuple[str, bytes], Value] = {}
    remembered: dict[str, dict[str, Remembered]] = {}
    outbox: list[Message] = []
    sent: list[MessageMark] = []
    received: list[MessageMark] = []


class Shard:
    """The file of one shard while partitions move; everything in it is in segments."""

    def __init__(self, number: int, store: Store) -> None:
        self.number, self.store = number, store
        self.epoch = self.row = self.at_ms = 0
        self.live: dict[int, list[Head]] = {}
        self.timers: dict[str, list[TimerRow]] = {}
        self.tickets: dict[str, list[TicketRow]] = {}

    @classmethod
    async def open(cls, number: int, store: Store, partitions: int, journal: Journal) -> "Shard":
        """Write all live state into segments, and become the owner. Raises Unavailable `partition_unreadable` when some
        of it cannot be read."""
        await _rested(number, store, partitions, journal)
        shard = cls(number, store)
        shard.epoch = await store.take()
        shard.row, shard.at_ms, _ = await store.last()
        after = ("", "")
        while page := await store.live(RUNS, after):
            for head in page:
                shard.live.setdefault(partition_of(head.stream, partitions), []).append(head)
            after = (page[-1].status, page[-1].stream)
        async for timer in every_timer(store):
            shard.timers.setdefault(timer.stream, []).append(timer)
        after = ("", "")
        while rows := await store.tickets(after):
            for row in rows:
                shard.tickets.setdefault(row.stream, []).append(row)
            after = (rows[-1].stream, rows[-1].id)
        return shard

    async def record(self, record: Moving, *, counted: int, extent: Extent, copied: Copied | None = None) -> None:
        """Commit a record with its extent and what was copied."""
        name = stream_of(record.partition, record.epoch)
        batch = Batch(
            self.epoch, self.row + 1, record.at_ms, 1, row_data(name, record),
            msgspec.json.encode({counted: 1}), [head_of(name, record)], extents=[extent],
        )  # fmt: skip
        if copied is not None:
            batch.heads = [*batch.heads, *copied.heads]
            batch.segments, batch.timers, batch.tickets = copied.segments, copied.timers, copied.tickets
            batch.values = list(copied.values.values())
            batch.outbox, batch.sent, batch.received = copied.outbox, copied.sent, copied.received
        await self._commit(batch)
        self.row += 1

    async def release(self, extent: Extent, streams: list[str]) -> None:
        """Delete what another shard has taken."""
        gone = [mark for mark in (await self.store.message_marks())[0] if mark.sender == extent.partition]
        await self._commit(
            Batch(self.epoch, self.row + 1, self.now_ms(), 0, b"[]", extents=[extent], moved=streams,
                  delivered=gone)
        )  # fmt: skip
        self.live.pop(extent.partition, None)

    async def note(self, extent: Extent) -> None:
        """Commit an extent alone."""
        await self._commit(Batch(self.epoch, self.row + 1, self.now_ms(), 0, b"[]", extents=[extent]))

    async def newer(self, received: list[MessageMark]) -> list[MessageMark]:
        """The marks that are ahead of this shard's own."""
        mine = {(mark.sender, mark.receiver): mark.place for mark in (await self.store.message_marks())[1]}
        return [mark for mark in received if mark.place > mine.get((mark.sender, mark.receiver), (0, 0))]

    def now_ms(self) -> int:
        """The time for a commit: it never decreases."""
        self.at_ms = max(self.at_ms, time.time_ns() // 1_000_000)
        return self.at_ms

    async def _commit(self, batch: Batch) -> None:
        if isinstance(await self.store.commit(batch), StaleEpoch):
            raise Conflict(f"another process took shard {self.number}", code="home_in_use", hint="end it")

    async def copy(self, partition: int, to: int, row: int) -> Copied:
        """The live runs of a partition in the form that another shard stores in a row of the partition. Raises
        Unavailable when they differ from what was written."""
        copied, telling = Copied(), dict[str, Telling]()
        for head in self.live.get(partition, ()):
            copied.heads.append(head)
            copied.timers += self.timers.get(head.stream, ())
            copied.tickets += self.tickets.get(head.stream, ())
            await self._history(copied, telling.setdefault(head.tenant, Telling()), head, to, row)
        copied.outbox = [each async for each in every_message(self.store) if each.sender == partition]
        sent, received = await self.store.message_marks()
        copied.sent = [mark for mark in sent if mark.sender == partition]
        copied.received = [mark for mark in received if mark.receiver == partition]
        copied.remembered = {tenant: dict(each.runs) for tenant, each in telling.items()}
        return copied

    async def _history(self, copied: Copied, telling: Telling, head: Head, to: int, row: int) -> None:
        name, named = head.stream, set[str]()
        async for segment, chunks in copied_history(self.store, self.number, name, to, row):
            copied.segments.append(segment)
            for chunk in chunks:
                named.update(each.decode() for each in _NAMED.findall(bytes(chunk.data)))
                for event in decode_events(chunk.data):
                    telling.tell(name, event, chunk.at_ms)
        while named:
            digest = bytes.fromhex(named.pop())
            if (head.tenant, digest) in copied.values:
                continue
            data = await self.store.value(head.tenant, digest)
            if data is not None:  # else it is a blob, which all shards have
                copied.values[head.tenant, digest] = Value(head.tenant, digest, data)
                named.update(each.decode() for each in _NAMED.findall(data))


class Move:
    """Moves partitions of one home while no other process has its shards. `stores` opens that of a shard, `carry` hands
    the target the source's unfinished jobs."""

    def __init__(
        self, layout: Layout, stores: Callable[[int], Awaitable[Store]], resting: Resting,
        carry: Callable[[int, int], None],
    ) -> None:  # fmt: skip
        self._layout, self._stores, self._resting, self._carry = layout, stores, resting, carry
        self._shards: dict[int, Shard] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Move":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def shard(self, number: int) -> Shard:
        """A shard, opened at first use."""
        if number not in self._shards:
            store = await self._stores(number)
            self._stack.push_async_callback(store.close)
            journal = self._resting(store)
            self._shards[number] = await Shard.open(number, store, self._layout.partitions, journal)
        return self._shards[number]

    async def finish(self) -> None:
        """Finish interrupted moves, and repair what an accepted loss took back: an owner whose file does not record a
        partition takes it again with what is left, and a file older than a move releases its copy."""
        for chain in self._layout.chains:
            for held in chain:
                if held.extent.last_row and (not held.extent.released or held is chain[-1]):
                    await self._take(held.shard, held.extent, chain)
            for held, after in pairwise(chain):
                if not held.extent.last_row:
                    await self._superseded(held, after.shard, chain[-1].shard)

    async def move(self, partition: int, to: int) -> int:
        """Move a partition; returns how many live runs moved."""
        chain = self._layout.chains[partition]
        held, target = chain[-1], await self.shard(to)
        source = await self.shard(held.shard)
        copied = await source.copy(partition, to, target.row + 1)  # reports what cannot be read before any write
        streams, at_ms = [head.stream for head in source.live.get(partition, ())], source.now_ms()
        extent = msgspec.structs.replace(held.extent, last_row=source.row + 1, target=to)
        record = PartitionMoved(partition, held.epoch + 1, to, at_ms, streams)
        await source.record(record, counted=partition_of(stream_of(partition, record.epoch), self._layout.partitions),
                            extent=extent)  # fmt: skip
        chain[-1] = Held(held.epoch, held.shard, extent)
        return await self._take(held.shard, extent, chain, copied)

    async def _take(self, from_: int, extent: Extent, chain: list[Held], copied: Copied | None = None) -> int:
        """The second and third commits of a move, where they are missing. `copied` is what the first one covers."""
        source, target, epoch = await self.shard(from_), await self.shard(extent.target), extent.epoch + 1
        streams = [head.stream for head in source.live.get(extent.partition, ())]
        if not any(held.epoch == epoch and held.shard == target.number for held in chain):
            if copied is None:
                copied = await source.copy(extent.partition, target.number, target.row + 1)
            copied.received = await target.newer(copied.received)
            self._carry(from_, target.number)
            taken = Extent(extent.partition, epoch, target.row + 1)
            record = PartitionTaken(extent.partition, epoch, from_, target.now_ms(), streams, copied.remembered)
            name = stream_of(extent.partition, epoch)
            await target.record(record, counted=partition_of(name, self._layout.partitions), extent=taken,
                                copied=copied)  # fmt: skip
            self._taken(target, source, extent.partition)
            chain.append(Held(epoch, target.number, taken))
        await source.release(msgspec.structs.replace(extent, released=True), streams)
        return len(streams)

    async def _superseded(self, held: Held, target: int, owner: int) -> None:
        """Release a partition in an older copy of a file: its owner has newer records."""
        source = await self.shard(held.shard)
        extent = msgspec.structs.replace(held.extent, last_row=max(1, source.row), target=target, released=True)
        if source.number == owner:  # it moved away and back: its runs here are the owner's
            await source.note(extent)
        else:
            await source.release(extent, [head.stream for head in source.live.get(extent.partition, ())])

    @staticmethod
    def _taken(target: Shard, source: Shard, partition: int) -> None:
        """Record in memory what a later move would read."""
        heads = source.live.get(partition, [])
        target.live.setdefault(partition, []).extend(heads)
        for head in heads:
            target.timers[head.stream] = source.timers.pop(head.stream, [])
            target.tickets[head.stream] = source.tickets.pop(head.stream, [])


def planned(layout: Layout, shards: int) -> list[tuple[int, int]]:
    """Which partitions move where, so that so many shards own as many each, give or take one, with the fewest moves."""
    least, more = divmod(layout.partitions, shards)
    room = {number: least + (number < more) for number in range(shards)}
    moving: list[int] = []
    for partition, owner in enumerate(layout.owners):
        if room.get(owner, 0):
            room[owner] -= 1
        else:
            moving.append(partition)
    free = [number for number, count in room.items() for _ in range(count)]
    return list(zip(moving, free, strict=True))


@contextmanager
def moving(home: Path, layout: Layout, page: MarksPage) -> Iterator[Move]:
    """The files of a home, opened to move partitions. The caller holds the home's lock."""

    async def store(number: int) -> Store:
        name = f"shard-{number}.db"
        return await SqliteStore.open(home / name, mark=page.of(name), first=layout.first(number))

    def carry(source: int, target: int) -> None:
        Running.carry(home / f"running-{source}", home / f"running-{target}")

    for path in home.glob("runs-*.pages*"):
        path.unlink()  # what moves leaves no copy behind
    with resting(home) as journal_of:
        yield Move(layout, store, journal_of, carry)


async def finished(home: Path, layout: Layout, page: Callable[[int], Any]) -> Layout:
    """The layout of a home after unfinished moves are finished. The caller holds the home's lock."""
    if not layout.moving:
        return layout
    with page(layout.files) as marks, moving(home, layout, marks) as move:
        async with move:
            await move.finish()
    return layout_of(home)


async def rearranged(home: Path, layout: Layout, shards: int, page: Callable[[int], Any], step: Step) -> Layout:
    """The layout of a home after so many shards own its partitions. The caller holds the home's lock."""
    with page(max(layout.files, shards)) as marks, moving(home, layout, marks) as move:
        async with move:
            for partition, to in planned(layout, shards):
                source = layout.owners[partition]
                step(partition, source, to, await move.move(partition, to))
    return layout_of(home)


async def _rested(number: int, store: Store, partitions: int, journal: Journal) -> None:
    """Open and leave the journal: its last cut writes all live state into segments."""
    journal.shard, journal.partitions = number, partitions
    journal.holds = lambda partition: False  # no message is accepted here
    whole = await store.tickets_whole()
    async with journal:
        journal.timers.replace(())  # due timers fire when the home is opened
        unreadable = next(iter(journal.unreadable.items()), None)
        if unreadable is not None:
            raise Unavailable(
                f"shard-{number}.db: {unreadable[0]} cannot be read: {unreadable[1]}", code="partition_unreadable",
                hint="restore the file from a backup; partitions of a shard move when all of its runs can be read",
            )  # fmt: skip
        tickets, heads = journal.tickets.rows(), _heads(journal)
    if not whole:  # a file of an earlier release: later starts load by rows
        row, at_ms, _ = await store.last()
        epoch = await store.take()
        await store.commit(Batch(epoch, row + 1, at_ms, 0, b"[]", heads=heads, tickets=tickets, tickets_whole=True))


def _heads(journal: Journal) -> list[Head]:
    return [stream.law.head(stream) for stream in journal.streams.values() if stream.seq and not stream.ended]
