"""Port `OldTopics`: records of a home of an earlier release, in which topics had a place of their own. They are only
read, by whoever takes them over."""

from typing import Final, Protocol
from zlib import crc32

import msgspec

from aob.ports.topics.rows import TopicEnd

_UNCHECKED: Final = -1  # the checksum of a batch that was written without one


class OldBatch(msgspec.Struct, array_like=True, frozen=True):
    """Consecutive records of a partition: the offset of the first, when they were appended, a JSON list of them, of
    any tenants, and its crc32 (-1: written without one)."""

    first: int
    at_ms: int
    data: bytes
    crc: int

    @property
    def sound(self) -> bool:
        """Whether it is what was written."""
        return self.crc in (_UNCHECKED, crc32(self.data))


class OldTopics(Protocol):
    """The topics of an earlier release."""

    place: str
    """What has them, for people."""

    async def ends(self) -> list[TopicEnd]:
        """The ends of all partitions that have a record, of no tenant."""

    async def seal(self) -> None:
        """From here on nothing is appended there. Idempotent."""

    async def batches(self, topic: str, partition: int, start: int) -> list[OldBatch]:
        """Some batches that hold records from an offset on, in order; none past the end."""

    async def keyed(self, topic: str, partition: int, start: int, end: int) -> dict[int, bytes]:
        """The digests of the keyed records from one offset up to another, by offset."""
