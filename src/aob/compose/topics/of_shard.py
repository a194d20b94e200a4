"""What the owner of a shard answers about its topics; only the main process asks for it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final, TypeAlias, TypeVar

import msgspec

from aob.core.policy import Caller
from aob.journal import Journal
from aob.journal.topics import Compaction, Keep, Trimmed, trim_slice
from aob.ports.log import Appended, Record
from aob.ports.store import Trim
from aob.ports.topics import GroupMark, RecordRow, TopicEnd, every_end, every_mark

WAIT_MS_MAX: Final = 30_000
Known: TypeAlias = dict[str, tuple[int, str]]
"""Keys of records, in hexadecimal, and the offset and the digest of each."""
RowText: TypeAlias = tuple[int, int, int, int, str]
"""A row: first, count, at_ms, crc, data as text."""
TopicStart: TypeAlias = tuple[str, int, int]
"""A topic, a partition, the offset of the first record that is kept."""
Row = TypeVar("Row", TopicEnd, GroupMark)
_records: Final = msgspec.json.Decoder(list[Record]).decode


class TopicsOfShard:
    """The topics of one shard."""

    def __init__(self, journal: Journal) -> None:
        self._journal, self._compaction = journal, Compaction()

    async def topic_append(
        self, who: Caller | None, tenant: str, topic: str, partition: int, records: str, keyed: bool, elsewhere: Known
    ) -> list[Appended]:  # fmt: skip
        """Append records, given as JSON; `elsewhere` are those that an earlier owner of the partition has."""
        known = {bytes.fromhex(key): (offset, bytes.fromhex(digest)) for key, (offset, digest) in elsewhere.items()}
        return await self._journal.append(
            tenant, topic, partition, _records(records), keyed=keyed, elsewhere=known
        )  # fmt: skip

    async def topic_known(
        self, who: Caller | None, tenant: str, topic: str, partition: int, keys: list[str]
    ) -> Known:  # fmt: skip
        """Those of these keys whose records lie here."""
        found = await self._journal.store.keyed(tenant, topic, partition, [bytes.fromhex(key) for key in keys])
        return {key.hex(): (offset, digest.hex()) for key, (offset, digest) in found.items()}

    async def topic_value(self, who: Caller | None, tenant: str, digest: str) -> str | None:
        """A value in JSON that a record refers to by its hash, in hexadecimal, if this shard has it."""
        data = await self._journal.store.value(tenant, bytes.fromhex(digest))
        return data.decode() if data is not None else None

    async def topic_rows(
        self, who: Caller | None, tenant: str, topic: str, partition: int, start: int, limit: int
    ) -> list[RowText]:  # fmt: skip
        """Rows that lie here and end after an offset."""
        return told_rows(await self._journal.read_records(tenant, topic, partition, start, limit))

    async def topic_ends(self, who: Caller | None, tenant: str, topic: str) -> list[TopicEnd]:
        """Where the topics of a tenant end (empty: all; else this one), in the partitions of this shard."""
        ends = every_end(self._journal.store, (tenant, topic, -1))
        return await self._mine(ends, lambda end: end.tenant == tenant and topic in ("", end.topic))

    async def topic_starts(self, who: Caller | None, tenant: str, topics: list[str]) -> list[TopicStart]:
        """Where the rows of topics begin that lie here, by partition."""
        store, most = self._journal.store, self._journal.partitions
        return [
            (topic, partition, first) for topic in topics
            for partition, first in (await store.topic_starts(tenant, topic, most)).items()
        ]  # fmt: skip

    async def topic_trim(self, who: Caller | None, tenant: str, topic: str, keep: Keep) -> Trimmed:
        """Remove records that lie here and are no longer kept, a slice of each partition."""
        records, size, more = 0, 0, False
        for partition in await self._journal.store.topic_starts(tenant, topic, self._journal.partitions):
            place = tenant, topic, partition
            told = [await trim_slice(self._journal, place, keep)]
            if keep.compact and not told[0].more:
                told.append(await self._compaction.run(self._journal, place, keep))
            records, size = records + sum(each.records for each in told), size + sum(each.bytes for each in told)
            more = more or any(each.more for each in told)
        if keep.nothing and not more:
            marks = [mark async for mark in every_mark(self._journal.store, (tenant, "", "", -1))
                     if (mark.tenant, mark.topic) == (tenant, topic)]  # fmt: skip
            for partition in {mark.partition for mark in marks}:
                await self._journal.trim(Trim(tenant, topic, partition, marks=True))
        return Trimmed(records, size, more)

    async def topic_wait(self, who: Caller | None, tenant: str, topic: str, wait_ms: int) -> None:
        """Returns when a topic gets a record here, or after this time."""
        self._journal.check()
        bell = self._journal.bells.next(tenant, topic)
        await asyncio.wait({bell}, timeout=min(wait_ms, WAIT_MS_MAX) / 1_000)

    async def group_marks(self, who: Caller | None, tenant: str, group: str) -> list[GroupMark]:
        """How far the groups of a tenant are (empty: all; else this one), in the partitions of this shard."""
        marks = every_mark(self._journal.store, (tenant, group, "", -1))
        return await self._mine(marks, lambda mark: mark.tenant == tenant and group in ("", mark.group))

    async def _mine(self, rows: AsyncIterator[Row], fits: Callable[[Row], bool]) -> list[Row]:
        """Rows up to the first one that does not fit, of partitions of this shard."""
        foreign, found = self._journal.foreign, list[Row]()
        async for row in rows:
            if not fits(row):
                break
            found += [row] if row.partition not in foreign else []
        return found

    async def group_move(
        self, who: Caller | None, tenant: str, group: str, topic: str, partition: int, low: int, before: int | None,
        reset: bool = False,
    ) -> GroupMark:  # fmt: skip
        """Set how far a group is, if it is at `before`."""
        return await self._journal.move_mark(tenant, group, topic, partition, low, before, reset)


def told_rows(rows: Iterable[RecordRow]) -> list[RowText]:
    """Rows as another process is told them."""
    return [(row.first, row.count, row.at_ms, row.crc, row.data.decode(errors="replace")) for row in rows]


def row_text(tenant: str, topic: str, partition: int, told: RowText) -> RecordRow:
    """A row as told by `topic_rows`."""
    first, count, at_ms, crc, data = told
    return RecordRow(tenant, topic, partition, first, count, at_ms, data.encode(), crc)
