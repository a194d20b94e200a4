"""Rows of topics on Postgres: what a shard reads of its records, keys, ends and marks of groups; and the records of
before step 5 of the schema, which the owners of the shards take over."""

from collections.abc import Sequence
from typing import Any

from aob.backends.postgres.database import Database
from aob.backends.postgres.text import read_row, stored, stored_value
from aob.ports.topics import READ_BYTES_MAX, GroupMark, OldBatch, RecordRow, TopicEnd, cut


class PostgresTopicRows:
    """The reads of a shard."""

    _database: Database
    shard: int

    async def records(
        self, tenant: str, topic: str, partition: int, start: int, limit: int = 1_000
    ) -> list[RecordRow]:  # fmt: skip
        asked = {
            "shard": self.shard, "tenant": stored(tenant), "topic": stored(topic), "partition": partition,
            "start": max(0, start), "most": max(0, limit), "bytes": READ_BYTES_MAX,
        }  # fmt: skip
        rows = await self._database.rows(self._database.statements("topics.sql")["rows"], asked)
        return cut((RecordRow(*read_row(row)) for row in rows), max(0, start), limit)

    async def topic_ends(self, after: tuple[str, str, int] = ("", "", -1), limit: int = 1_000) -> list[TopicEnd]:
        return [TopicEnd(*row) for row in await self._topics("ends", *after, limit)]

    async def topic_end(self, tenant: str, topic: str, partition: int) -> int:
        rows = await self._topics("end", tenant, topic, partition)
        return int(rows[0][0]) if rows else 0

    async def topic_starts(self, tenant: str, topic: str, partitions: int) -> dict[int, int]:
        return dict(await self._topics("starts", tenant, topic, partitions))

    async def topic_bytes(self, tenant: str, topic: str, partition: int) -> int:
        return int((await self._topics("bytes", tenant, topic, partition))[0][0])

    async def keyed(
        self, tenant: str, topic: str, partition: int, keys: Sequence[bytes]
    ) -> dict[bytes, tuple[int, bytes]]:
        rows = await self._topics("keyed", tenant, topic, partition, list(keys))
        return {key: (offset, digest) for key, offset, digest in rows}

    async def group_marks(
        self, after: tuple[str, str, str, int] = ("", "", "", -1), limit: int = 1_000
    ) -> list[GroupMark]:
        return [GroupMark.stored(*row) for row in await self._topics("group_marks", *after, limit)]

    async def _topics(self, name: str, *given: Any) -> list[Any]:
        sql = self._database.statements("topics.sql")[name]
        return [read_row(row) for row in await self._database.rows(sql, (self.shard, *map(stored_value, given)))]


class TopicsBefore:
    """The records of before step 5. The port `OldTopics`."""

    def __init__(self, database: Database) -> None:
        self.place = database.address.shown
        self._database, self._sql = database, database.statements("topics.sql")

    async def ends(self) -> list[TopicEnd]:
        return [TopicEnd("", *row) for row in await self._database.rows(self._sql["before_ends"])]

    async def seal(self) -> None:
        """Releases before append no more."""
        await self._database.rows(self._sql["seal"])

    async def batches(self, topic: str, partition: int, start: int) -> list[OldBatch]:
        asked: dict[str, Any] = {"topic": topic, "partition": partition, "start": start, "most": 64}
        rows = await self._database.rows(self._sql["before_rows"], asked)
        return [OldBatch(*row) for row in rows]

    async def keyed(self, topic: str, partition: int, start: int, end: int) -> dict[int, bytes]:
        asked: dict[str, Any] = {"topic": topic, "partition": partition, "start": start, "end": end}
        found: list[tuple[int, bytes]] = await self._database.rows(self._sql["before_keys"], asked)
        return dict(found)
