"""Rows of topics in memory."""

from collections.abc import Sequence

from aob.ports.store import Batch
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
        for row in batch.records:
            self._records.setdefault((row.tenant, row.topic, row.partition), []).append(row)
        for key in batch.record_keys:
            self._keys[(key.tenant, key.topic, key.partition), key.key] = key.offset, key.digest
        self._ends |= {(end.tenant, end.topic, end.partition): end for end in batch.record_ends}
        self._marks |= {(mark.tenant, mark.group, mark.topic, mark.partition): mark for mark in batch.marks}

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

    async def keyed(
        self, tenant: str, topic: str, partition: int, keys: Sequence[bytes]
    ) -> dict[bytes, tuple[int, bytes]]:
        place = tenant, topic, partition
        return {key: self._keys[place, key] for key in keys if (place, key) in self._keys}

    async def group_marks(
        self, after: tuple[str, str, str, int] = ("", "", "", -1), limit: int = 1_000
    ) -> list[GroupMark]:
        return [mark for place, mark in sorted(self._marks.items()) if place > after][:limit]
