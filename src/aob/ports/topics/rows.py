"""The rows of topics in a shard. A topic belongs to a tenant; its records lie in the shard that owned their partition
when they were appended, and stay there when the partition moves."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final, Protocol
from zlib import crc32

import msgspec

from aob.core.errors import Unavailable
from aob.core.value import canonical, digest_of
from aob.ports.log import Logged, Record

READ_BYTES_MAX: Final = 4 * 1024 * 1024  # bytes after which a read of rows takes no further row

_encode: Final = msgspec.json.Encoder().encode
_records: Final = msgspec.json.Decoder(list[Record | None])
_offsets: Final = msgspec.json.Decoder(list[int])


class RecordRow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Consecutive records of one partition, written by one commit: the offset of the first, their number, the time of
    the commit. `data` is a JSON list of records; null stands for one that is another tenant's (of an earlier release,
    in which tenants shared topics). `crc` is that of the data and all fields."""

    tenant: str
    topic: str
    partition: int
    first: int
    count: int
    at_ms: int
    data: bytes
    crc: int

    @property
    def end(self) -> int:
        """The offset after its last record."""
        return self.first + self.count

    @classmethod
    def of(
        cls, tenant: str, topic: str, partition: int, first: int, at_ms: int, records: Sequence[Record | None]
    ) -> "RecordRow":  # fmt: skip
        """A row of these records."""
        return cls.sealed(tenant, topic, partition, first, len(records), at_ms, _encode(records))

    @classmethod
    def sealed(
        cls, tenant: str, topic: str, partition: int, first: int, count: int, at_ms: int, data: bytes
    ) -> "RecordRow":  # fmt: skip
        """A row of records that are encoded already, with its checksum."""
        crc = _crc(tenant, topic, partition, first, count, at_ms, data)
        return cls(tenant, topic, partition, first, count, at_ms, data, crc)

    def logged(self, place: str) -> list[Logged]:
        """Its records. Raises Unavailable `row_corrupt` when it is not what was written; `place` is the store."""
        if self.crc != _crc(self.tenant, self.topic, self.partition, self.first, self.count, self.at_ms, self.data):
            raise Unavailable(
                f"{place}: what {self.topic} holds from {self.first} on in partition {self.partition} is not what was "
                "written", code="row_corrupt", hint="restore the file or the database from a backup",
            )  # fmt: skip
        found = enumerate(_records.decode(self.data), self.first)
        return [Logged(offset, self.at_ms, record) for offset, record in found if record is not None]


class KeyRow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A keyed record: its key (see `key_of`, 32 bytes), its offset, and the digest of its content (32 bytes)."""

    tenant: str
    topic: str
    partition: int
    key: bytes
    offset: int
    digest: bytes


class TopicEnd(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The offset of the next record of a partition of a topic."""

    tenant: str
    topic: str
    partition: int
    next: int


class GroupMark(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How far a group has come in a partition: all records below `low` are done, and of later ones those in `done`,
    sorted."""

    tenant: str
    group: str
    topic: str
    partition: int
    low: int
    done: tuple[int, ...] = ()
    at_ms: int = 0
    """When it was last moved."""
    generation: int = 1
    """Counts how often it was set back, from 1: what was read in an earlier generation moves it no more."""

    @property
    def rest(self) -> str:
        """`done` and the generation as a text for a column: a list of offsets, led by the negative generation once the
        group was set back."""
        return msgspec.json.encode(self.done if self.generation == 1 else (-self.generation, *self.done)).decode()

    @classmethod
    def stored(
        cls, tenant: str, group: str, topic: str, partition: int, low: int, rest: str, at_ms: int
    ) -> "GroupMark":  # fmt: skip
        """A mark of its columns."""
        done = _offsets.decode(rest)
        generation = -done[0] if done and done[0] < 0 else 1
        return cls(tenant, group, topic, partition, low, tuple(done[generation > 1 :]), at_ms, generation)


class TopicRows(Protocol):
    """Reads of the rows of topics of one shard. Rows are read as they were written: whoever decodes them checks."""

    async def records(self, tenant: str, topic: str, partition: int, start: int, limit: int = 1_000) -> list[RecordRow]:
        """Rows that end after an offset, in order, until they hold `limit` records from there on, or
        `READ_BYTES_MAX` bytes."""

    async def topic_ends(self, after: tuple[str, str, int] = ("", "", -1), limit: int = 1_000) -> list[TopicEnd]:
        """The ends of partitions by (tenant, topic, partition), those greater than `after`."""

    async def topic_end(self, tenant: str, topic: str, partition: int) -> int:
        """The offset of the next record; 0 if there is none."""

    async def topic_starts(self, tenant: str, topic: str, partitions: int) -> dict[int, int]:
        """The offset of the first row of each partition below this number that has one."""

    async def topic_bytes(self, tenant: str, topic: str, partition: int) -> int:
        """The bytes of the rows of a partition."""

    async def keyed(
        self, tenant: str, topic: str, partition: int, keys: Sequence[bytes]
    ) -> dict[bytes, tuple[int, bytes]]:
        """Those of these keys that are known: the offset and the digest of each."""

    async def group_marks(
        self, after: tuple[str, str, str, int] = ("", "", "", -1), limit: int = 1_000
    ) -> list[GroupMark]:
        """The marks of groups by (tenant, group, topic, partition), those greater than `after`."""


async def every_end(
    store: TopicRows, after: tuple[str, str, int] = ("", "", -1)
) -> AsyncIterator[TopicEnd]:  # fmt: skip
    """All ends after one, a page at a time."""
    while page := await store.topic_ends(after):
        for end in page:
            yield end
        after = page[-1].tenant, page[-1].topic, page[-1].partition


async def every_mark(
    store: TopicRows, after: tuple[str, str, str, int] = ("", "", "", -1)
) -> AsyncIterator[GroupMark]:  # fmt: skip
    """All marks of groups after one, a page at a time."""
    while page := await store.group_marks(after):
        for mark in page:
            yield mark
        after = page[-1].tenant, page[-1].group, page[-1].topic, page[-1].partition


def cut(rows: Iterable[RecordRow], start: int, limit: int) -> list[RecordRow]:
    """The first of these rows, as many as a read returns: see `TopicRows.records`."""
    found, size = list[RecordRow](), 0
    if limit <= 0:
        return found
    for row in rows:
        found.append(row)
        limit -= row.end - max(row.first, start)
        size += len(row.data)
        if limit <= 0 or size >= READ_BYTES_MAX:
            break
    return found


def key_of(source: str, id: str) -> bytes:
    """The key of a record among those of its topic."""
    return digest_of(canonical([source, id]))


def _crc(tenant: str, topic: str, partition: int, first: int, count: int, at_ms: int, data: bytes) -> int:
    return crc32(data, crc32(f"{tenant}\n{topic}\n{partition},{first},{count},{at_ms}".encode()))
