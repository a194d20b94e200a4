"""Port `Log` on SQLite: one file for all topics, WAL, `synchronous=FULL`, a row an append.

Appends that come while others are being written go into one transaction and one sync together. The file is opened at
the first use: a home without events has none. Several processes may append; each waits for the other's transaction.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar
from zlib import crc32

import msgspec

from aob.backends.sqlite.file import connect, statements, unavailable
from aob.backends.sqlite.identity import SQL as FILE_SQL
from aob.backends.sqlite.identity import UNCHECKED, UNMARKED, identify
from aob.core.errors import Busy, Conflict, Unavailable
from aob.ports.log import Appended, Logged, Record, check_append, content_digest, stamped
from aob.ports.marks import Mark

T = TypeVar("T")
WAITING_MAX: Final = 10_000
"""Appends that may wait; the next one is told to come again."""
GROUP_RECORDS: Final = 20_000
"""Records after which a transaction takes no further append."""
CHECKPOINT_BYTES: Final = 16 * 1024 * 1024
"""Bytes written after which the WAL is folded in."""

SQL: Final = statements("log.sql")
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(list[Record]).decode


class _Append:
    """One append in the queue, its answer, and whoever waits for it."""

    __slots__ = ("answer", "future", "keyed", "partition", "records", "topic")

    def __init__(self, topic: str, partition: int, records: Sequence[Record], keyed: bool) -> None:
        self.topic, self.partition, self.records, self.keyed = topic, partition, records, keyed
        self.future: asyncio.Future[list[Appended]] = asyncio.get_running_loop().create_future()
        self.answer: list[Appended] | Exception = []


class SqliteLog:
    """All topics in one SQLite file."""

    def __init__(self, path: Path, now_ms: Callable[[], int], *, timeout_s: float = 5.0, mark: Mark = UNMARKED) -> None:
        self._mark = mark
        self._row = 0
        self._path, self._now_ms, self._timeout_s = path, now_ms, timeout_s
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._writes = ThreadPoolExecutor(1, thread_name_prefix="aob-log")
        self._reads = ThreadPoolExecutor(1, thread_name_prefix="aob-log-read")
        self._queue: deque[_Append] = deque()
        self._task: asyncio.Task[None] | None = None
        self._topics: dict[str, int] = {}
        self._unfolded = 0
        self._closed = False
        self.commits = 0

    async def append(
        self, topic: str, partition: int, records: Sequence[Record], *, keyed: bool = False
    ) -> list[Appended]:
        """Add records, all or none, durably; `keyed` ones once an id."""
        check_append(topic, partition, records)
        if self._closed:
            raise Unavailable("the log is closed", code="closing")
        if not records:
            return []
        if len(self._queue) >= WAITING_MAX:
            raise Busy(f"{WAITING_MAX:,} appends are waiting", retry_after_s=0.5)
        append = _Append(topic, partition, records, keyed)
        self._queue.append(append)
        if self._task is None:
            self._task = asyncio.create_task(self._flush(), name="aob-log")
        return await append.future

    async def read(self, topic: str, partition: int, start: int, limit: int = 1_000) -> list[Logged]:
        """Records from an offset on."""
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
                    raise Unavailable(f"{self._path.name}: what {topic} holds from {first} on is not what was written",
                                      code="row_corrupt", hint="restore the file from a backup")  # fmt: skip
                found.extend(
                    Logged(offset, at_ms, record) for offset, record in enumerate(_decode(data), first)
                    if offset >= start
                )  # fmt: skip
            return found[: max(0, limit)]

        return await self._read(work, [])

    async def topics(self) -> list[str]:
        """The names of all topics."""
        return await self._read(lambda reader: [name for (name,) in reader.execute(SQL["topics"])], [])

    async def end(self, topic: str, partition: int) -> int:
        """The next offset."""

        def work(reader: sqlite3.Connection) -> int:
            number = _number(reader, topic)
            return 0 if number is None else _end(reader, number, partition)

        return await self._read(work, 0)

    async def close(self) -> None:
        """Write what waits, then let go of the file."""
        if self._closed:
            return
        self._closed = True
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._reads, self._let_go, self._reader, False)
        await loop.run_in_executor(self._writes, self._let_go, self._writer, True)
        self._writes.shutdown()
        self._reads.shutdown()

    @staticmethod
    def _let_go(connection: sqlite3.Connection | None, fold: bool) -> None:
        if connection is None:
            return
        if fold:
            with suppress(sqlite3.Error):  # then the WAL stays and is read at the next start
                connection.execute("pragma wal_checkpoint(truncate)").fetchall()
        connection.close()

    # -- writing ----------------------------------------------------------------------------------------------------

    async def _flush(self) -> None:
        """Writes group after group until none waits."""
        try:
            while self._queue:
                group, records = list[_Append](), 0
                while self._queue and records < GROUP_RECORDS:
                    group.append(self._queue.popleft())
                    records += len(group[-1].records)
                try:
                    await asyncio.get_running_loop().run_in_executor(self._writes, self._write, group)
                except Exception as error:
                    failed = unavailable(self._path, error) if isinstance(error, sqlite3.Error | OSError) else error
                    for append in group:
                        append.answer = failed
                for append in group:
                    if append.future.done():
                        continue  # nobody waits any more
                    if isinstance(append.answer, Exception):
                        append.future.set_exception(append.answer)
                    else:
                        append.future.set_result(append.answer)
        finally:
            self._task = None

    def _write(self, group: list[_Append]) -> None:
        """One transaction, on the log's own thread. An append that is refused leaves the others alone."""
        if self._writer is None:
            self._writer = self._open()
        writer, at_ms = self._writer, self._now_ms()
        written = 0
        writer.execute("begin immediate")
        try:
            for append in group:
                try:
                    written += self._add(writer, append, at_ms)
                except Conflict as refused:
                    append.answer = refused
            writer.execute(FILE_SQL["note_known"], (self._mark.peers(),))
            writer.execute("commit")
        except BaseException:
            self._topics.clear()  # a number that was rolled back is nobody's
            if writer.in_transaction:
                writer.execute("rollback")
            raise
        if written:
            self._mark.note(self._row)
        self.commits += 1
        self._unfolded += written
        if self._unfolded > CHECKPOINT_BYTES:
            self._unfolded = 0
            writer.execute("pragma wal_checkpoint(passive)").fetchall()

    def _add(self, writer: sqlite3.Connection, append: _Append, at_ms: int) -> int:
        """The rows of one append; how many bytes they have. Raises Conflict before it writes anything."""
        topic = self._topic(writer, append.topic)
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

    def _topic(self, writer: sqlite3.Connection, name: str) -> int:
        number = self._topics.get(name)
        if number is None:
            number = _number(writer, name)
            if number is None:
                number = int(writer.execute(SQL["add_topic"], (name,)).fetchone()[0])
            self._topics[name] = number
        return number

    # -- reading ----------------------------------------------------------------------------------------------------

    async def _read(self, work: Callable[[sqlite3.Connection], T], none: T) -> T:
        def run() -> T:
            if self._reader is None:
                if not self._path.exists():
                    return none  # reading makes no file
                self._reader = self._open()
                self._reader.execute("pragma query_only = on")
            return work(self._reader)

        if self._closed:
            raise Unavailable("the log is closed", code="closing")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._reads, run)
        except (sqlite3.Error, OSError) as error:
            raise unavailable(self._path, error) from error

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = connect(self._path, self._timeout_s)
        connection.executescript(SQL["schema"])
        found = identify(connection, self._path, self._mark, (("batch", "crc integer not null default -1"),))
        self._row = connection.execute(SQL["last_batch"]).fetchone()[0]
        self._mark.begin(found.file_id, self._row)
        return connection


def _number(connection: sqlite3.Connection, topic: str) -> int | None:
    row: tuple[Any, ...] | None = connection.execute(SQL["topic_of"], (topic,)).fetchone()
    return None if row is None else int(row[0])


def _end(connection: sqlite3.Connection, topic: int, partition: int) -> int:
    row: tuple[Any, ...] | None = connection.execute(SQL["end_of"], (topic, partition)).fetchone()
    return 0 if row is None else int(row[0])
