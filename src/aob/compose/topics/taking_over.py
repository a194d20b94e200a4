"""Takes over the topics of an earlier release, which had a place of their own: a file of the home, or tables that no
shard had. Each owner takes the records of its partitions when it opens its shard, once, before anything is appended
there: ids, offsets and times stay. Topics were shared by tenants then: each gets its own, and keeps the offsets."""

from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Final

import msgspec

from aob.backends.sqlite.topics import TopicsFile, taken_in
from aob.compose.files.accepting import forget_file
from aob.compose.home import shard_files
from aob.core.errors import Unavailable
from aob.journal.topics import GAP_OF_ONE
from aob.ports.log import Record
from aob.ports.logger import Logger
from aob.ports.store import Batch, StaleEpoch, Store
from aob.ports.topics import KeyRow, OldBatch, OldTopics, RecordRow, TopicEnd, every_end, key_of

OLD_FILE: Final = "events.db"
TAKEN: Final = ""
"""The tenant of ends that say how far records of an earlier release were taken over."""
log: Final = Logger("aob.compose")
_records: Final = msgspec.json.Decoder(list[Record]).decode


async def take_over(
    old: OldTopics, store: Store, permit: Callable[[], Awaitable[None]] | None = None
) -> int:  # fmt: skip
    """Take over the records of the partitions of a shard; returns how many. What was taken before is not taken again.
    `permit` raises when this process may not take the shard. Raises Unavailable `row_corrupt` when records are not
    what was written."""
    holding = await store.holding()
    last = {extent.partition: extent for extent in sorted(holding.extents, key=lambda each: each.epoch)}
    partitions = {number for number, extent in last.items() if not extent.last_row}
    left = await _left(old, store, partitions)
    if not left:
        return 0
    if permit is not None:
        await permit()
    await old.seal()
    left = await _left(old, store, partitions)
    taking = _Taking(old, store, await store.take(), (await store.last())[0])
    for end, start in left:
        await taking.take(end, start)
    log.info("topics_taken_over", place=old.place, records=taking.count)
    return taking.count


async def _left(old: OldTopics, store: Store, partitions: Collection[int]) -> list[tuple[TopicEnd, int]]:
    """Partitions of topics that are not wholly taken, and from where on."""
    ends = [each for each in await old.ends() if each.partition in partitions]
    if not ends:
        return []
    done = dict[tuple[str, int], int]()
    async for each in every_end(store):
        if each.tenant != TAKEN:
            break
        done[each.topic, each.partition] = each.next
    starts = [(each, done.get((each.topic, each.partition), 0)) for each in ends]
    return [(each, start) for each, start in starts if start < each.next]


class _Taking:
    """Takes records into one shard, under an epoch."""

    def __init__(self, old: OldTopics, store: Store, epoch: int, row: int) -> None:
        self._old, self._store, self._epoch, self._row = old, store, epoch, row
        self.count = 0

    async def take(self, end: TopicEnd, start: int) -> None:
        """The records of one partition of a topic, from an offset on."""
        while start < end.next:
            batches = await self._old.batches(end.topic, end.partition, start)
            if not batches:
                raise _damaged(self._old, end, start)
            rows = [row for each in batches for row in self._rows(end, each)]
            start = batches[-1].first + len(_records(batches[-1].data))
            keys = await self._keys(end, rows)
            ends = {row.tenant: TopicEnd(row.tenant, end.topic, end.partition, row.end) for row in rows}
            await self._commit(rows, keys, [*ends.values(), TopicEnd(TAKEN, end.topic, end.partition, start)])
            self.count += sum(len(row.logged(self._old.place)) for row in rows)

    def _rows(self, end: TopicEnd, batch: OldBatch) -> list[RecordRow]:
        """A batch as a row for each tenant, whose first and last records are its own."""
        if not batch.sound:
            raise _damaged(self._old, end, batch.first)
        records, found = _records(batch.data), list[RecordRow]()
        for tenant in dict.fromkeys(record.tenant for record in records):
            mine = [number for number, record in enumerate(records) if record.tenant == tenant]
            kept = [each if each.tenant == tenant else None for each in records[mine[0] : mine[-1] + 1]]
            found.append(
                RecordRow.of(tenant, end.topic, end.partition, batch.first + mine[0], batch.at_ms, kept)
            )  # fmt: skip
        return found

    async def _keys(self, end: TopicEnd, rows: list[RecordRow]) -> list[KeyRow]:
        first, last = min(row.first for row in rows), max(row.end for row in rows)
        digests = await self._old.keyed(end.topic, end.partition, first, last)
        return [
            KeyRow(row.tenant, end.topic, end.partition, key_of(each.record.source, each.record.id), each.offset,
                   digests[each.offset])
            for row in rows for each in row.logged(self._old.place) if each.offset in digests
        ]  # fmt: skip

    async def _commit(self, rows: list[RecordRow], keys: list[KeyRow], ends: list[TopicEnd]) -> None:
        at_ms = max(row.at_ms for row in rows)
        self._row += 1
        batch = Batch(self._epoch, self._row, at_ms, 1, b"[%b]" % GAP_OF_ONE, b"{}", records=rows, record_keys=keys,
                      record_ends=ends)  # fmt: skip
        if isinstance(await self._store.commit(batch), StaleEpoch):
            raise Unavailable("another process took the shard", code="stale_epoch", hint="it opens the home")


async def tidy(home: Path) -> None:
    """The file of an earlier release goes once the shards have all of it. The caller holds the home's lock, and nothing
    of it is open."""
    path = home / OLD_FILE
    if not path.exists():
        return
    taken: dict[tuple[str, int], int] = {}
    for shard in shard_files(home).values():
        for each in taken_in(shard, TAKEN):
            taken[each.topic, each.partition] = max(each.next, taken.get((each.topic, each.partition), 0))
    if all(each.next <= taken.get((each.topic, each.partition), 0) for each in await TopicsFile(path).ends()):
        forget_file(home, OLD_FILE)
        for end in ("", "-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)


def _damaged(old: OldTopics, end: TopicEnd, offset: int) -> Unavailable:
    return Unavailable(
        f"{old.place}: what {end.topic} holds from {offset} on in partition {end.partition} is not what was written",
        code="row_corrupt", hint="restore the file or the database from a backup",
    )  # fmt: skip
