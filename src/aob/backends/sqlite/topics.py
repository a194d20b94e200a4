"""Rows of topics in the file of a shard; and the file `events.db` of earlier releases, which was all topics."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from aob.backends.sqlite.file import SqliteFile, at_rest, statements
from aob.backends.sqlite.identity import UNCHECKED
from aob.ports.store import Batch, Trim
from aob.ports.topics import GroupMark, OldBatch, RecordRow, TopicEnd, cut

SQL: Final = statements("topics.sql")
OLD_BATCHES: Final = 64


def put_topics(writer: sqlite3.Connection, batch: Batch) -> None:
    """Write what a batch has of topics, in its transaction."""
    writer.executemany(SQL["add_record"], [msgspec.structs.astuple(row) for row in batch.records])
    writer.executemany(SQL["add_key"], [msgspec.structs.astuple(key) for key in batch.record_keys])
    writer.executemany(SQL["put_end"], [msgspec.structs.astuple(end) for end in batch.record_ends])
    writer.executemany(SQL["put_mark"], [
        (m.tenant, m.group, m.topic, m.partition, m.low, m.rest, m.at_ms)
        for m in batch.marks
    ])  # fmt: skip


def trim_topics(writer: sqlite3.Connection, trims: Sequence[Trim]) -> None:
    """Remove what is no longer kept, in the transaction of a batch. On the writer thread: it may be a lot."""
    for trim in trims:
        place = trim.tenant, trim.topic, trim.partition
        writer.executemany(SQL["drop_row"], [(*place, first) for first in trim.firsts])
        writer.executemany(SQL["drop_key"], [(*place, key) for key in trim.keys])
        writer.executemany(SQL["rewrite_row"], [(row.data, row.crc, *place, row.first) for row in trim.kept])
        if trim.marks:
            writer.execute(SQL["drop_marks"], place)


class SqliteTopicRows:
    """The reads of a shard."""

    _file: SqliteFile

    async def records(
        self, tenant: str, topic: str, partition: int, start: int, limit: int = 1_000
    ) -> list[RecordRow]:  # fmt: skip
        start = max(0, start)

        def read(reader: sqlite3.Connection) -> list[RecordRow]:
            rows = reader.execute(SQL["rows"], (tenant, topic, partition, start))
            return cut((_row(row, start) for row in rows), start, limit)

        return await self._file.read(read)

    async def topic_ends(self, after: tuple[str, str, int] = ("", "", -1), limit: int = 1_000) -> list[TopicEnd]:
        rows = await self._file.read(lambda reader: reader.execute(SQL["ends"], (*after, limit)).fetchall())
        return [TopicEnd(*row) for row in rows]

    async def topic_end(self, tenant: str, topic: str, partition: int) -> int:
        place = tenant, topic, partition
        row = await self._file.read(lambda reader: reader.execute(SQL["end"], place).fetchone())
        return 0 if row is None else int(row[0])

    async def topic_starts(self, tenant: str, topic: str, partitions: int) -> dict[int, int]:
        def read(reader: sqlite3.Connection) -> dict[int, int]:
            found = ((each, reader.execute(SQL["start"], (tenant, topic, each)).fetchone()) for each in places)
            return {partition: int(row[0]) for partition, row in found if row is not None}

        places = range(partitions)
        return await self._file.read(read)

    async def topic_bytes(self, tenant: str, topic: str, partition: int) -> int:
        place = tenant, topic, partition
        return int((await self._file.read(lambda reader: reader.execute(SQL["bytes"], place).fetchone()))[0])

    async def keyed(
        self, tenant: str, topic: str, partition: int, keys: Sequence[bytes]
    ) -> dict[bytes, tuple[int, bytes]]:
        def read(reader: sqlite3.Connection) -> dict[bytes, tuple[int, bytes]]:
            found = ((key, reader.execute(SQL["keyed"], (tenant, topic, partition, key)).fetchone()) for key in keys)
            return {key: (int(row[0]), bytes(row[1])) for key, row in found if row is not None}

        return await self._file.read(read)

    async def group_marks(
        self, after: tuple[str, str, str, int] = ("", "", "", -1), limit: int = 1_000
    ) -> list[GroupMark]:
        rows = await self._file.read(lambda reader: reader.execute(SQL["group_marks"], (*after, limit)).fetchall())
        return [GroupMark.stored(*row) for row in rows]


def _row(row: tuple[Any, ...], start: int) -> RecordRow:
    """A row; one that is no row any more (a damaged page that SQLite itself does not notice) fails its checksum."""
    if type(row[6]) is bytes and all(type(each) is int for each in (*row[2:6], row[7])):
        return RecordRow(*row)
    return RecordRow("", "", -1, start, 1, 0, b"", -1)


class TopicsFile:
    """`events.db` of an earlier release, which nobody writes any more. The port `OldTopics`."""

    def __init__(self, path: Path) -> None:
        self.path, self.place = path, path.name

    async def ends(self) -> list[TopicEnd]:
        return [TopicEnd("", *row) for row in self._rows(SQL["old_ends"], ())]

    async def seal(self) -> None:
        """Nothing to do: this process has the lock of the home."""

    async def batches(self, topic: str, partition: int, start: int) -> list[OldBatch]:
        with at_rest(self.path) as (file, _):
            checked = "crc" in {row[1] for row in file.execute("pragma table_info(batch)")}
        asked = SQL["old_batches"] % ("crc" if checked else str(UNCHECKED))
        rows = self._rows(asked, (topic, partition, start, OLD_BATCHES))
        return [OldBatch(row[0], row[1], row[2] if type(row[2]) is bytes else b"", row[3]) for row in rows]

    async def keyed(self, topic: str, partition: int, start: int, end: int) -> dict[int, bytes]:
        return dict(self._rows(SQL["old_keys"], (topic, partition, start, end)))

    def _rows(self, asked: str, given: tuple[str | int, ...]) -> list[tuple[Any, ...]]:
        """Rows of a statement; none in a file that no release has finished making. Raises Unavailable."""
        with at_rest(self.path) as (file, there):
            return file.execute(asked, given).fetchall() if {"batch", "topic", "event_key"} <= there else []


def taken_in(path: Path, tenant: str) -> list[TopicEnd]:
    """The ends of the topics of a tenant in the file of a shard, without upgrading it. Raises Unavailable."""
    with at_rest(path) as (file, there):
        rows = file.execute(SQL["ends_of"], (tenant,)) if "record_end" in there else ()
        return [TopicEnd(*row) for row in rows]
