"""Rows of topics in memory."""

from collections.abc import Sequence

import msgspec

from aob.ports.store import Batch, Trim
from aob.ports.topics import GroupMark, RecordRow, TopicEnd, cut

Place = tuple[str, str, int]


class MemoryTopicRows:
    """The rows of topics of one shard."""

    def __init__(self) -> None:
        self._records: dict[Place, list[RecordRow]] = {}
        self._ends: dict[Place, TopicEnd] = {}
        self._keys: dict[tuple[Place, bytes], tuple[int, bytes]] = {}
        self._marks: dict[tuple[str, str, str, int], GroupMark] = {}

    def put_topics(self, batch: Batch) -> None:
        """Write what a batch has of topics."""
        for trim in batch.trims:
            self._trim(trim)
        for row in batch.records:
            self._records.setdefault((row.tenant, row.topic, row.partition), []).append(row)
        for key in batch.record_keys:
            self._keys[(key.tenant, key.topic, key.partition), key.key] = key.offset, key.digest
        self._ends |= {(end.tenant, end.topic, end.partition): end for end in batch.record_ends}
        self._marks |= {(mark.tenant, mark.group, mark.topic, mark.partition): mark for mark in batch.marks}

    def _trim(self, trim: Trim) -> None:
        place = trim.tenant, trim.topic, trim.partition
        kept = {row.first: row for row in trim.kept}
        gone = set(trim.firsts)
        held = [row for row in self._records.get(place, ()) if row.first not in gone]
        self._records[place] = [
            msgspec.structs.replace(row, data=kept[row.first].data, crc=kept[row.first].crc) if row.first in kept
            else row for row in held
        ]  # fmt: skip
        for key in trim.keys:
            self._keys.pop((place, key), None)
        if trim.marks:
            self._marks = {of: mark for of, mark in self._marks.items() if (of[0], *of[2:]) != place}

    async def records(
        self, tenant: str, topic: str, partition: int, start: int, limit: int = 1_000
    ) -> list[RecordRow]:  # fmt: skip
        start = max(0, start)
        return cut((row for row in self._records.get((tenant, topic, partition), ()) if row.end > start), start, limit)

    async def topic_ends(self, after: Place = ("", "", -1), limit: int = 1_000) -> list[TopicEnd]:
        return [end for place, end in sorted(self._ends.items()) if place > after][:limit]

    async def topic_end(self, tenant: str, topic: str, partition: int) -> int:
        found = self._ends.get((tenant, topic, partition))
        return 0 if found is None else found.next

    async def topic_starts(self, tenant: str, topic: str, partitions: int) -> dict[int, int]:
        rows = {each: self._records.get((tenant, topic, each), ()) for each in range(partitions)}
        return {partition: of[0].first for partition, of in rows.items() if of}

    async def topic_bytes(self, tenant: str, topic: str, partition: int) -> int:
        return sum(len(row.data) for row in self._records.get((tenant, topic, partition), ()))

    async def keyed(
        self, tenant: str, topic: str, partition: int, keys: Sequence[bytes]
    ) -> dict[bytes, tuple[int, bytes]]:
        place = tenant, topic, partition
        return {key: self._keys[place, key] for key in keys if (place, key) in self._keys}

    async def group_marks(
        self, after: tuple[str, str, str, int] = ("", "", "", -1), limit: int = 1_000
    ) -> list[GroupMark]:
        return [mark for place, mark in sorted(self._marks.items()) if place > after][:limit]
