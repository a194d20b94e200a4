"""Lets partitions of a running shard leave, and receives those of others. Each step is one commit. Before a partition
leaves, its live streams leave memory, wholly written into segments; then nothing is decided for it. What a partition
brings is decided from its commit on. A recovery forgets what was about to leave: the store says who holds it."""

import asyncio
from typing import Any, Final

import msgspec

from aob.core.errors import Unavailable
from aob.core.event import partition_of
from aob.journal.deciding import Asked, fail
from aob.journal.exchange import Exchange
from aob.journal.law import Stream
from aob.journal.log import logger
from aob.journal.partition.law import PartitionMoved, PartitionTaken, Step, stream_of
from aob.ports.store import Extent, Head

OPEN: Final = -1  # as an extent's last row: the row of the commit


class Moves(Exchange):
    """The steps of a move. The journal commits."""

    # -- leaving ------------------------------------------------------------------------------------------------------

    def quiet(self, partition: int) -> bool:
        """Whether no result of a worker, or other command without a caller, waits for a run of a partition."""
        waiting = (asked for each in self._waiting.values() for asked in each)
        return not any(
            asked.future is None and self._of(partition, asked.stream)
            for asked in (*self._inbox, *self._held, *waiting)
        )

    def part(self, partition: int) -> None:
        """Takes the live streams of a partition out of memory; from here on their commands are refused. Raises
        Unavailable `partition_unreadable` when one of them cannot be read."""
        self.check()
        if broken := next((name for name in self.unreadable if self._of(partition, name)), ""):
            raise Unavailable(
                f"{broken} cannot be read: {self.unreadable[broken]}", code="partition_unreadable",
                hint="restore the file from a backup; a partition moves when all of its live runs can be read",
            )  # fmt: skip
        self.foreign = self.foreign | {partition}
        self.turns += 1
        live = self.leaving[partition] = dict[str, Stream | None]()
        for name, stream in list(self.streams.items()):
            if not stream.ended and self._of(partition, name):
                del self.streams[name]
                if stream.seq:
                    live[name] = stream
        for name in [name for name in self.away if self._of(partition, name)]:
            self.away.back(name)
            live[name] = None
        asked = [each for each in (*self._inbox, *self._held) if self._of(partition, each.stream)]
        for queue in (self._inbox, self._held):
            kept = [each for each in queue if not self._of(partition, each.stream)]
            queue.clear()
            queue.extend(kept)
        for name in [name for name in self._waiting if self._of(partition, name)]:
            asked += self._waiting.pop(name)
        for each in asked:
            fail(each, self._moved(each.stream))

    async def written(self, partition: int) -> None:
        """Waits until the live streams of a partition that was taken out of memory are in segments."""
        live = [stream for stream in self.leaving[partition].values() if stream is not None]
        self._cutter.queue += live
        await self.step(partition, Step())  # all that was decided before is durable
        while any(stream.chunks for stream in live) or set(map(id, live)) & set(map(id, self._cutter.queue)):
            self._still(partition)
            await self.step(partition, Step())
        self._still(partition)

    def _still(self, partition: int) -> None:
        """Raises Unavailable when the shard was recovered since a partition was taken out of memory."""
        if partition not in self.leaving:
            raise Unavailable(f"shard {self.shard} was recovered while partition {partition} was leaving it",
                              code="partition_busy", hint="say it again")  # fmt: skip

    def stay(self, partition: int) -> None:
        """Undoes `part`. Does nothing when the partition has left, or the shard was recovered meanwhile."""
        if (live := self.leaving.pop(partition, None)) is None:
            return
        for name, stream in live.items():
            if stream is None:
                self.away.add(name)
            else:
                self.streams[name] = stream
        self.foreign = self.foreign - {partition}

    async def leave(self, held: Extent, target: int) -> list[str]:
        """Commits that a partition left for another shard, and forgets it. Returns the names of its live streams."""
        partition = held.partition
        self._still(partition)
        names = list(self.leaving[partition])
        extent = msgspec.structs.replace(held, last_row=OPEN, target=target)
        await self.step(partition, Step(PartitionMoved(partition, held.epoch + 1, target, 0, names), extent))
        self.leaving.pop(partition, None)
        for name in names:
            self.timers.drop(name, "")
            self.tickets.drop(name, "")
        self._unpage(names)
        self._pairs.leave(partition)
        self.topics.forget(partition)
        self.bells.ring_all()
        return names

    # -- arriving -----------------------------------------------------------------------------------------------------

    async def arrive(self, record: PartitionTaken, step: Step, at_ms: int) -> list[Stream]:
        """Commits that a partition arrived, with its live streams. Returns those with something to do. `at_ms` is the
        time of its last commit."""
        partition = record.partition
        step.record, step.extent = record, Extent(partition, record.epoch, 0)
        step.received = [
            mark for mark in step.received if mark.place > self._pairs.mark((mark.sender, partition)).place
        ]
        self.now_ms = max(self.now_ms, at_ms)
        await self.step(partition, step)
        found = [await self._arrived(head) for head in step.heads if not self.law_of(head.stream).rests_as(head)]
        if partition not in self.foreign:
            return []  # the shard was recovered meanwhile, with the partition
        streams = [stream for stream in found if stream is not None]
        self.topics.forget(partition)
        self.foreign = self.foreign - {partition}
        for stream in streams:
            self._come(stream)
        for head in step.heads:
            if head.stream not in self.streams and head.stream not in self.unreadable:
                self.away.add(head.stream)
        for timer in step.timers:
            self.timers.set(timer.stream, timer.id, timer.due_ms)
        for ticket in step.tickets:
            self.tickets.set(ticket)
        for pair in self._pairs.arrive(step.outbox, step.sent, step.received):
            self._move(pair)
        return streams

    async def _arrived(self, head: Head) -> Stream | None:
        try:
            return await self._load(head.stream)
        except Exception as error:
            logger().error("stream_unreadable", stream=head.stream, exc_info=error)
            self.unreadable[head.stream] = str(error)
            return None

    async def step(self, partition: int, step: Step) -> None:
        """Commits a step of a move. Raises Unavailable when it is unknown whether it was written."""
        record = step.record
        self.check()
        if self.closing:
            raise Unavailable("the home is closing", code="closing")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        name = stream_of(partition, record.epoch if record is not None else 0)
        self._inbox.append(Asked(name, step, future, False))
        self._wake.set()
        await future

    def _of(self, partition: int, name: str) -> bool:
        """Whether a stream is a run of a partition."""
        return partition_of(name, self.partitions) == partition and self.law_of(name).spread
