"""Ids are different types, carry a prefix, and are derived by hash wherever a replay must find them again."""

import hashlib
import zlib
from typing import Final, NewType

RunId = NewType("RunId", str)
TicketId = NewType("TicketId", str)
Visit = NewType("Visit", str)

PARTITIONS: Final = 64
"""Logical partitions of a home that is made without another number."""
PARTITION_COUNTS: Final = (64, 128, 256)
"""How many a home may have. It keeps its number for its life, on any number of shards."""


def partition_of(stream: str, partitions: int) -> int:
    """The logical partition of a stream, of so many; stable for ever (CRC-32 of the id, modulo their number)."""
    return seed_of(stream) % partitions


def seed_of(stream: str) -> int:
    """What checksums of a stream begin with, so that they hold for no other one (CRC-32 of the id)."""
    return zlib.crc32(stream.encode())


def derived_id(prefix: str, *parts: object) -> str:
    """An id that is a hash of what it stands for: the same parts give the same id, in any process, at any time."""
    text = "\x1f".join(str(part) for part in parts)
    return f"{prefix}_{hashlib.blake2b(text.encode(), digest_size=10).hexdigest()}"


def split_visit(visit: str) -> tuple[str, str]:
    """The scope path and the node of a visit: `each[3]/fetch` is (`each[3]`, `fetch`), `fetch` is (``, `fetch`)."""
    scope, _, node = visit.rpartition("/")
    return scope, node
