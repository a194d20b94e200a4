"""What the owner of a shard does to move partitions, at rest and while it runs. Each function may be repeated. What
arrives is read from the file of the shard that it leaves; between the first commit and the second that shard need not
run."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

import msgspec

from aob.compose.layout.layout import ShardIds
from aob.core.errors import Conflict, Unavailable
from aob.core.event import partition_of
from aob.core.run.record import decode_events
from aob.journal.partition import PartitionTaken, Step, copied_history
from aob.metrics.platform import Telling
from aob.ports.store import Entry, Extent, Head, Holding, Store, Value, every_message, every_timer
from aob.ports.topics import GroupMark, TopicEnd, every_end, every_mark
from aob.ports.workers import Job, Workers
from aob.runs import Core

RUN: Final = "run"
QUIET_S: Final = 2.0  # how long a partition waits for the work of its runs to end before it stays
LOOK_S: Final = 0.02
COPIED_BYTES: Final = 4 * 2**20
COPIED_ROWS: Final = 256  # rows beside events of one commit of a move
_NAMED: Final = re.compile(rb"sha256:([0-9a-f]{64})")

Opens = Callable[[int], AbstractAsyncContextManager[Store]]  # opens the file of another shard for reading


class Copied(msgspec.Struct):
    """The live runs of a partition as another shard stores them, and what the platform's numbers remember of them."""

    step: Step
    record: PartitionTaken
    at_ms: int


class Paused:
    """The port `Workers` with partitions whose new jobs wait."""

    def __init__(self, workers: Workers, partition: Callable[[str], int]) -> None:
        self._workers, self._partition = workers, partition
        self.waiting: dict[int, dict[tuple[str, str], Job]] = {}
        self.cut_off = workers.cut_off
        self.runs, self.stop, self.withdraw = workers.runs, workers.stop, workers.withdraw

    def submit(self, job: Job) -> None:
        """Take a job, or let it wait."""
        waiting = self.waiting.get(self._partition(job.run)) if self.waiting else None
        if waiting is None:
            self._workers.submit(job)
        else:
            waiting[job.run, job.visit] = job

    def cancel(self, run: str, visit: str, attempt: int | None = None) -> bool:
        """End a lease without a report."""
        for waiting in self.waiting.values():
            job = waiting.get((run, visit))
            if job is not None and attempt in (None, job.attempt):
                del waiting[run, visit]
                return True
        return self._workers.cancel(run, visit, attempt)

    def held(self) -> dict[tuple[str, str], int]:
        """Every job, also those that wait."""
        found = self._workers.held()
        for waiting in self.waiting.values():
            found |= {key: job.attempt for key, job in waiting.items()}
        return found

    def works(self, partition: int) -> bool:
        """Whether workers have begun jobs of a partition. The others wait from now on."""
        mine = [key for key in self._workers.held() if self._partition(key[0]) == partition]
        given = {key: job for key in mine if (job := self._workers.withdraw(*key)) is not None}
        self.waiting[partition] = given | self.waiting[partition]
        return len(given) < len(mine)

    def resume(self, partition: int, *, left: bool = False) -> None:
        """New jobs of a partition wait no longer; those that did are dropped if it `left`."""
        for job in self.waiting.pop(partition, {}).values():
            if not left:
                self._workers.submit(job)


class Place:
    """The steps of moves at one shard. `opens` reads the file of another."""

    def __init__(self, core: Core, opens: Opens, shard: int) -> None:
        self.number, self._core, self._journal, self._opens = shard, core, core.journal, opens
        self._copies: dict[tuple[int, int], Copied] = {}
        self._kinds = [law.kind for law in core.journal.laws if law.spread]
        self._paused = Paused(core.workers, lambda run: partition_of(run, core.journal.partitions))

    async def holding(self) -> Holding:
        """The extents of this shard."""
        return await self._core.store.holding()

    async def hold(self, partition: int) -> None:
        """The live runs of a partition take no commands and do nothing, and are wholly in this file. Raises Unavailable
        `partition_busy` when the work of one does not end in time."""
        if (await self._held(partition)).last_row or partition in self._journal.leaving:
            return
        self._paused.waiting.setdefault(partition, {})
        self._core.dispatch.pool = self._paused
        self._core.others.hold(partition)
        if not isinstance(self._core.ids, ShardIds):
            self._core.ids = ShardIds(self._core.ambient, self._journal)
        try:
            await self._quiet(partition)
            self._journal.part(partition)
            await self._journal.written(partition)
        except BaseException:
            await self.stay(partition)
            raise

    async def _quiet(self, partition: int) -> None:
        until_s = asyncio.get_running_loop().time() + QUIET_S
        while not self._is_quiet(partition):
            if asyncio.get_running_loop().time() > until_s:
                raise Unavailable(
                    f"work of partition {partition} has not ended within {QUIET_S:.0f} s", code="partition_busy",
                    hint="say it again later, or while the home is stopped",
                )  # fmt: skip
            await asyncio.sleep(LOOK_S)

    def _is_quiet(self, partition: int) -> bool:
        storing = any(partition_of(run, self._journal.partitions) == partition for run in self._core.dispatch.storing())
        return not storing and not self._paused.works(partition) and self._journal.quiet(partition)

    async def stay(self, partition: int) -> None:
        """Undo `hold`, if the partition has not left."""
        self._journal.stay(partition)
        self._resume(partition)
        self._core.others.stay(partition)

    def _resume(self, partition: int) -> None:
        self._paused.resume(partition, left=partition in self._journal.foreign)
        if not self._paused.waiting:
            self._core.dispatch.pool = self._core.workers  # nothing stands between runs and their workers

    async def copy(self, partition: int, source: int) -> None:
        """Read what `take` will write. Raises Unavailable when it differs from what was written."""
        async with self._opens(source) as store:
            await self._copy(store, partition, source)

    async def _copy(self, store: Store, partition: int, source: int) -> Copied:
        extent = _last((await store.holding()).extents, partition)
        copied = await copied_partition(store, self._kinds, partition, self._journal.partitions, source, self.number)
        copied.record.epoch = extent.epoch + 1
        self._copies[partition, copied.record.epoch] = copied
        return copied

    async def leave(self, partition: int, target: int) -> None:
        """The first commit: the partition is held, and moves to another shard."""
        held = await self._held(partition)
        if not held.last_row:
            names = await self._journal.leave(held, target)
            self._resume(partition)
            self._core.left(names)
            self._core.others.gone(partition)

    async def take(self, partition: int, source: int) -> int:
        """The second commit: the partition is this shard's. Returns how many live runs came."""
        async with self._opens(source) as store:
            extent = _last((await store.holding()).extents, partition)
            mine = [each for each in (await self.holding()).extents if each.partition == partition]
            if extent.target != self.number or any(each.epoch > extent.epoch for each in mine):
                return 0
            copied = self._copies.pop((partition, extent.epoch + 1), None)
            copied = copied or await self._copy(store, partition, source)
            await self._copy_entries(store, partition)
        self._copies.clear()
        streams = await self._journal.arrive(copied.record, copied.step, copied.at_ms)
        self._core.dispatch.arrived(streams)
        self._core.others.arrived(streams)
        return len(copied.record.streams)

    async def _copy_entries(self, store: Store, partition: int) -> None:
        """Writes the rows beside events that arrive, some at a time. What an earlier try wrote is written again."""
        entries, size = list[Entry](), 0
        async for entry in entries_of(store, partition, self._journal.partitions):
            entries.append(entry)
            size += len(entry.data or b"")
            if size > COPIED_BYTES or len(entries) >= COPIED_ROWS:
                await self._journal.step(partition, Step(entries=entries))
                entries, size = [], 0
        if entries:
            await self._journal.step(partition, Step(entries=entries))

    async def release(self, partition: int, extent: Extent | None = None, keep: bool = False) -> None:
        """The third commit: another shard has taken the partition, and this one drops its copy. `extent` repairs that
        of a file older than a move; it may `keep` the copy, if the partition came back."""
        extent = extent or await self._held(partition)
        if extent.released:
            return
        partitions, store = self._journal.partitions, self._core.store
        names = [] if keep else [head.stream for head in await live_heads(store, self._kinds, partition, partitions)]
        sent = (await store.message_marks())[0]
        gone = [] if keep else [mark for mark in sent if mark.sender == partition]
        streams = [] if keep else [name async for name in entry_streams(store, partition, partitions)]
        extent = msgspec.structs.replace(extent, released=True)
        rows = [Entry(name, b"") for name in streams]
        await self._journal.step(partition, Step(None, extent, dropped=names, delivered=gone, entries=rows))

    async def _held(self, partition: int) -> Extent:
        return _last((await self.holding()).extents, partition)


def _last(extents: Sequence[Extent], partition: int) -> Extent:
    found = max((each for each in extents if each.partition == partition), key=lambda each: each.epoch, default=None)
    if found is None:
        raise Conflict(f"partition {partition} was never here", code="partition_elsewhere")
    return found


async def entry_streams(store: Store, partition: int, partitions: int) -> AsyncIterator[str]:
    """The streams of a partition with rows beside events."""
    after = ""
    while page := await store.entry_streams(after):
        for after in page:
            if partition_of(after, partitions) == partition:
                yield after


async def entries_of(store: Store, partition: int, partitions: int) -> AsyncIterator[Entry]:
    """The rows beside events of a partition, of which nothing changes any more; each stream begins with a removal of
    what is there of it."""
    async for name in entry_streams(store, partition, partitions):
        yield Entry(name, b"")
        first = b""
        while page := await store.entries(name, first, limit=COPIED_ROWS):
            for key, data in page:
                yield Entry(name, key, data)
            first = page[-1][0] + b"\0"


async def live_heads(store: Store, kinds: Sequence[str], partition: int, partitions: int) -> list[Head]:
    """The heads of the live streams of a partition."""
    found = list[Head]()
    for kind in kinds:
        after = ("", "")
        while page := await store.live(kind, after):
            found += [head for head in page if partition_of(head.stream, partitions) == partition]
            after = (page[-1].status, page[-1].stream)
    return found


async def copied_partition(
    store: Store, kinds: Sequence[str], partition: int, partitions: int, source: int, to: int
) -> Copied:
    """The live streams of a partition, of which nothing changes any more, for another shard."""
    heads, telling = await live_heads(store, kinds, partition, partitions), dict[str, Telling]()
    names = {head.stream for head in heads}
    step, values = Step(heads=heads), dict[tuple[str, bytes], Value]()
    segments = step.segments = []
    for head in heads:
        named = set[str]()
        async for segment, chunks in copied_history(store, source, head.stream, to):
            segments.append(segment)
            for chunk in chunks:
                named.update(each.decode() for each in _NAMED.findall(bytes(chunk.data)))
                for event in decode_events(chunk.data) if head.kind == RUN else ():
                    telling.setdefault(head.tenant, Telling()).tell(head.stream, event, chunk.at_ms)
        await _values(store, head.tenant, named, values)
    step.values = list(values.values())
    step.timers = [timer async for timer in every_timer(store) if timer.stream in names] if names else []
    after, tickets = ("", ""), []
    while names and (rows := await store.tickets(after)):
        tickets += [row for row in rows if row.stream in names]
        after = (rows[-1].stream, rows[-1].id)
    step.tickets = tickets
    step.outbox = [each async for each in every_message(store) if each.sender == partition]
    sent, received = await store.message_marks()
    step.sent = [mark for mark in sent if mark.sender == partition]
    step.received = [mark for mark in received if mark.receiver == partition]
    step.record_ends, step.marks = await _topics_of(store, partition)
    remembered = {tenant: dict(each.runs) for tenant, each in telling.items()}
    return Copied(step, PartitionTaken(partition, 0, source, 0, sorted(names), remembered), (await store.last())[1])


async def _topics_of(store: Store, partition: int) -> tuple[list[TopicEnd], list[GroupMark]]:
    """Where topics end in a partition, and how far groups are there."""
    ends, marks = list[TopicEnd](), list[GroupMark]()
    async for end in every_end(store):
        ends += [end] if end.partition == partition else []
    async for mark in every_mark(store):
        marks += [mark] if mark.partition == partition else []
    return ends, marks


async def _values(store: Store, tenant: str, named: set[str], values: dict[tuple[str, bytes], Value]) -> None:
    """Add the values that events name, and those that these name."""
    while named:
        digest = bytes.fromhex(named.pop())
        if (tenant, digest) in values:
            continue
        data = await store.value(tenant, digest)
        if data is not None:  # else it is a blob, which all shards have
            values[tenant, digest] = Value(tenant, digest, data)
            named.update(each.decode() for each in _NAMED.findall(data))
