"""Port `Log` on Postgres: any process appends, and locks the row of its partition's end. Appends that arrive during a
commit share the next one."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final
from zlib import crc32

import msgspec

from aob.backends.append_queue import AppendQueue
from aob.backends.postgres.database import Database
from aob.core.errors import Conflict, Unavailable
from aob.core.event import PARTITIONS
from aob.core.value import canonical, digest_of
from aob.ports.log import Appended, Logged, Record, check_append, content_digest, stamped

GROUP_RECORDS: Final = 20_000  # records after which a commit takes no further append
GROUP_BYTES: Final = 16 * 1024 * 1024  # bytes after which it takes none

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(list[Record]).decode


class _Asked(msgspec.Struct, omit_defaults=True):
    """An append as the function of the schema takes it: the parts of its bytes, and for a keyed one the hash of each
    record's id and of its content."""

    topic: str
    partition: int
    at_ms: int
    count: int
    starts: list[int]
    sizes: list[int]
    crcs: list[int]
    keys: list[str] | None = None
    digests: list[str] | None = None


class _Told(msgspec.Struct):
    """What became of an append: its first offset and the (place, offset) of records that were there before, or the
    place of the record that refuses it."""

    first: int = 0
    old: list[tuple[int, int]] = []
    clash: int | None = None


_told: Final = msgspec.json.Decoder(list[_Told]).decode


class _Append:
    """An append that waits: what is sent of it, and its caller's future. `places`: of each record, that of the first
    one with its id."""

    __slots__ = ("asked", "data", "future", "ids", "places")

    def __init__(self, topic: str, partition: int, records: Sequence[Record], keyed: bool, at_ms: int) -> None:
        self.future: asyncio.Future[list[Appended]] = asyncio.get_running_loop().create_future()
        if keyed:
            self._keyed(topic, partition, records, at_ms)
            return
        self.places, self.ids = list(range(len(records))), list[str]()
        self.data = [_encode([stamped(record, at_ms) for record in records])]
        self.asked = _Asked(topic, partition, at_ms, len(records), [], [], [])

    def _keyed(self, topic: str, partition: int, records: Sequence[Record], at_ms: int) -> None:
        known, digests = dict[str, int](), list[str]()
        self.places, self.ids, self.data = list[int](), list[str](), list[bytes]()
        for record in records:
            key = digest_of(canonical([record.tenant, record.source, record.id])).hex()
            digest, place = content_digest(record).hex(), known.setdefault(key, len(known))
            self.places.append(place)
            if place < len(digests):
                if digests[place] != digest:
                    raise _exists(record.id)
                continue
            digests.append(digest)
            self.ids.append(record.id)
            self.data.append(_encode([stamped(record, at_ms)]))
        self.asked = _Asked(topic, partition, at_ms, len(known), [], [], [], list(known), digests)

    def put(self, start: int) -> int:
        """Say where its bytes lie; returns where they end."""
        for data in self.data:
            self.asked.starts.append(start)
            self.asked.sizes.append(len(data))
            self.asked.crcs.append(crc32(data))
            start += len(data)
        return start

    def tell(self, told: _Told) -> None:
        """Answer the caller, if it still waits."""
        if self.future.done():
            return
        if told.clash is not None:
            self.future.set_exception(_exists(self.ids[told.clash]))
            return
        old = dict(told.old)
        offsets, fresh = list[Appended](), told.first
        for place in range(self.asked.count):
            if place in old:
                offsets.append(Appended(old[place], True))
            else:
                offsets.append(Appended(fresh))
                fresh += 1
        told_of, answer = set[int](), list[Appended]()
        for place in self.places:
            answer.append(Appended(offsets[place].offset, True) if place in told_of else offsets[place])
            told_of.add(place)
        self.future.set_result(answer)


class PostgresLog:
    """All topics in one table. A topic exists once it has a record."""

    def __init__(self, db: Database, now_ms: Callable[[], int], *, partitions: int = PARTITIONS) -> None:
        self._db, self._now_ms, self._partitions = db, now_ms, partitions
        self._sql = db.statements("log.sql")
        self._queue = AppendQueue(self._write)
        self.commits = 0

    async def append(
        self, topic: str, partition: int, records: Sequence[Record], *, keyed: bool = False
    ) -> list[Appended]:
        check_append(topic, partition, records, self._partitions)
        return await self._queue.answer(records, lambda: _Append(topic, partition, records, keyed, self._now_ms()))

    async def read(self, topic: str, partition: int, start: int, limit: int = 1_000) -> list[Logged]:
        start, end = max(0, start), max(0, start) + max(0, limit)
        asked = {"topic": topic, "partition": partition, "start": start, "end": end}
        found: list[Logged] = []
        for first, at_ms, data, crc in await self._db.rows(self._sql["read"], asked) if limit > 0 else ():
            if crc != crc32(data):
                why = f"{self._db.address.shown}: what {topic} holds from {first} on is not what was written"
                raise Unavailable(why, code="row_corrupt",
                                  hint="restore the database from a backup")  # fmt: skip
            found += [
                Logged(offset, at_ms, record) for offset, record in enumerate(_decode(data), first)
                if start <= offset < end
            ]  # fmt: skip
        return found

    async def topics(self) -> list[str]:
        return [name for (name,) in await self._db.rows(self._sql["topics"])]

    async def end(self, topic: str, partition: int) -> int:
        found = await self._db.row(self._sql["end"], (topic, partition))
        return 0 if found is None else int(found[0])

    async def close(self) -> None:
        """Finish pending writes; the database is its process's."""
        await self._queue.close()

    async def _write(self, waiting: deque[_Append]) -> None:
        """One commit of what comes first. A refused append does not affect the others."""
        group, records, size = list[_Append](), 0, 0
        while waiting and records < GROUP_RECORDS and size < GROUP_BYTES:
            append = waiting.popleft()
            group.append(append)
            records += len(append.places)
            size = append.put(size)
        body = b"".join([data for append in group for data in append.data])
        try:
            row = await self._db.row(self._sql["append"], (_encode([each.asked for each in group]).decode(), body))
            told = _told(row[0]) if row is not None else []
        except Exception as error:
            for append in group:
                if not append.future.done():
                    append.future.set_exception(error)
            return
        self.commits += 1
        for append, answer in zip(group, told, strict=True):
            append.tell(answer)


def _exists(id: str) -> Conflict:
    return Conflict(f"event {id} is there with other content", code="event_exists")
