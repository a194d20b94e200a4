"""Port `Log` on SQLite: one file for all topics, WAL, `synchronous=FULL`, one row per append. Appends that arrive
during a write share the next transaction and sync. The file is opened at first use: a home without events has none.
Several processes may append; each waits for the other's transaction."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import msgspec

from aob.backends.append_queue import AppendQueue
from aob.backends.sqlite.file import SqliteFile, statements, transaction
from aob.backends.sqlite.identity import SQL as FILE_SQL
from aob.backends.sqlite.identity import UNCHECKED, UNMARKED, identify
from aob.core.errors import Conflict, Unavailable
from aob.core.event import PARTITIONS
from aob.ports.log import Appended, Logged, Record, check_append, content_digest, stamped
from aob.ports.marks import Mark

GROUP_RECORDS: Final = 20_000  # records after which a transaction takes no further append

SQL: Final = statements("log.sql")
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(list[Record]).decode


class _Append:
    """One append in the queue, its answer, and the caller's future."""

    __slots__ = ("answer", "future", "keyed", "partition", "records", "topic")

    def __init__(self, topic: str, partition: int, records: Sequence[Record], keyed: bool) -> None:
        self.topic, self.partition, self.records, self.keyed = topic, partition, records, keyed
        self.future: asyncio.Future[list[Appended]] = asyncio.get_running_loop().create_future()
        self.answer: list[Appended] | Exception = []


class SqliteLog:
    """All topics in one SQLite file."""

    def __init__(
        self, path: Path, now_ms: Callable[[], int], *, timeout_s: float = 5.0, mark: Mark = UNMARKED,
        partitions: int = PARTITIONS,
    ) -> None:  # fmt: skip
        self._mark, self._partitions = mark, partitions
        self._row = 0
        self._now_ms = now_ms
        self._file = SqliteFile(path, "aob-log", self._prepare, timeout_s=timeout_s)
        self._read = self._file.peek
        self._queue = AppendQueue(self._flush)
        self._topics: dict[str, int] = {}
        self._closed = False
        self.commits = 0

    async def append(
        self, topic: str, partition: int, records: Sequence[Record], *, keyed: bool = False
    ) -> list[Appended]:
        check_append(topic, partition, records, self._partitions)
        return await self._queue.answer(records, lambda: _Append(topic, partition, records, keyed))

    async def read(self, topic: str, partition: int, start: int, limit: int = 1_000) -> list[Logged]:
        start = max(0, start)

        def work(reader: sqlite3.Connection) -> list[Logged]:
            found: list[Logged] = []
            number = _number(reader, topic)
            if number is None:
                return found
            for first, at_ms, data, crc in reader.execute(SQL["batches_from"], (number, partition, start)):
                if len(found) >= limit:
                    break
                if crc not in (UNCHECKED, crc32(data)):
                    why = f"{self._file.path.name}: what {topic} holds from {first} on is not what was written"
                    raise Unavailable(why, code="row_corrupt", hint="restore the file from a backup")
                found.extend(
                    Logged(offset, at_ms, record) for offset, record in enumerate(_decode(data), first)
                    if offset >= start
                )  # fmt: skip
            return found[: max(0, limit)]

        return await self._read(work, [])

    async def topics(self) -> list[str]:
        return await self._read(lambda reader: [name for (name,) in reader.execute(SQL["topics"])], [])

    async def end(self, topic: str, partition: int) -> int:

        def work(reader: sqlite3.Connection) -> int:
            number = _number(reader, topic)
            return 0 if number is None else _end(reader, number, partition)

        return await self._read(work, 0)

    async def close(self) -> None:
        """Finish pending writes, then close the file."""
        if self._closed:
            return
        self._closed = True
        await self._queue.close()
        await self._file.close()

    # -- writing ----------------------------------------------------------------------------------------------------

    async def _flush(self, waiting: deque[_Append]) -> None:
        """Writes the next group."""
        group, records = list[_Append](), 0
        while waiting and records < GROUP_RECORDS:
            group.append(waiting.popleft())
            records += len(group[-1].records)
        try:
            await self._file.write(partial(self._write, group))
        except Exception as error:
            for append in group:
                append.answer = error
        for append in group:
            if append.future.done():
                continue  # no caller waits any more
            if isinstance(append.answer, Exception):
                append.future.set_exception(append.answer)
            else:
                append.future.set_result(append.answer)

    def _write(self, group: list[_Append], writer: sqlite3.Connection) -> None:
        """One transaction, on the log's own thread. A refused append does not affect the others."""
        at_ms, written = self._now_ms(), 0
        known, self._topics = self._topics, {}  # a number that is rolled back was never given
        with transaction(writer):
            for append in group:
                try:
                    written += self._add(writer, append, at_ms, known)
                except Conflict as refused:
                    append.answer = refused
            writer.execute(FILE_SQL["note_known"], (self._mark.peers(),))
        self._topics = known
        if written:
            self._mark.note(self._row)
        self.commits += 1
        self._file.checkpoints.wrote(written)

    def _add(self, writer: sqlite3.Connection, append: _Append, at_ms: int, known_topics: dict[str, int]) -> int:
        """Insert the rows of one append; returns their bytes. Raises Conflict before it writes anything."""
        topic = _topic(writer, append.topic, known_topics)
        first = _end(writer, topic, append.partition)
        place = (topic, append.partition)
        told, fresh, keys = list[Appended](), list[Record](), dict[tuple[str, str, str], tuple[int, bytes]]()
        for record in append.records:
            offset = first + len(fresh)
            if append.keyed:
                key = (record.tenant, record.source, record.id)
                digest = content_digest(record)
                known = keys.get(key) or writer.execute(SQL["key_of"], (*place, *key)).fetchone()
                if known is not None:
                    if known[1] != digest:
                        raise Conflict(f"event {record.id} is there with other content", code="event_exists")
                    told.append(Appended(known[0], True))
                    continue
                keys[key] = (offset, digest)
            fresh.append(stamped(record, at_ms))
            told.append(Appended(offset))
        data = _encode(fresh)
        if fresh:
            added = writer.execute(SQL["add_batch"], (*place, first, len(fresh), at_ms, data, crc32(data)))
            self._row = added.lastrowid or self._row
            writer.executemany(SQL["add_key"], [(*place, *key, *value) for key, value in keys.items()])
        append.answer = told
        return len(data)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.executescript(SQL["schema"])
        found = identify(connection, self._file.path, self._mark, (("batch", "crc integer not null default -1"),))
        self._row = connection.execute(SQL["last_batch"]).fetchone()[0]
        self._mark.begin(found.file_id, self._row)


def _topic(writer: sqlite3.Connection, name: str, known: dict[str, int]) -> int:
    number = known.get(name)
    if number is None:
        number = _number(writer, name)
        if number is None:
            number = int(writer.execute(SQL["add_topic"], (name,)).fetchone()[0])
        known[name] = number
    return number


def _number(connection: sqlite3.Connection, topic: str) -> int | None:
    row: tuple[Any, ...] | None = connection.execute(SQL["topic_of"], (topic,)).fetchone()
    return None if row is None else int(row[0])


def _end(connection: sqlite3.Connection, topic: int, partition: int) -> int:
    row: tuple[Any, ...] | None = connection.execute(SQL["end_of"], (topic, partition)).fetchone()
    return 0 if row is None else int(row[0])
