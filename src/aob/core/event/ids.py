"""Ids: distinct types with prefixes, derived by hash wherever a replay must reproduce them."""

import hashlib
import zlib
from typing import Final, NewType

from aob.core.agent_name import AGENT, held_stream, placing, ticket_holder

RunId = NewType("RunId", str)
TicketId = NewType("TicketId", str)
Visit = NewType("Visit", str)

PARTITIONS: Final = 64  # Logical partitions of a home, by default.


def partition_of(stream: str, partitions: int) -> int:
    """The logical partition of a stream, or of a record by its subject; stable for ever (CRC-32 of the id, modulo the
    number of partitions). Of an agent's stream only the key counts, as it would count itself: a record and the key that
    it is for are in one partition."""
    return seed_of(placing(stream)) % partitions


def seed_of(stream: str, after: int = 0) -> int:
    """The initial value of a stream's checksums, so that they match no other stream (CRC-32 of the id); `after` is that
    of its beginning: `seed_of("b", seed_of("a")) == seed_of("ab")`."""
    return zlib.crc32(stream.encode(), after)


def derived_id(prefix: str, *parts: object) -> str:
    """An id that is a hash of its parts: the same parts give the same id in any process, at any time."""
    text = "\x1f".join(str(part) for part in parts)
    return f"{prefix}_{hashlib.blake2b(text.encode(), digest_size=10).hexdigest()}"


def held_id(kind: str, stream: str, *parts: object) -> str:
    """The id of a ticket or patch: the run or key of an agent that holds it, and a hash, so that the holder is known
    from the id; of a key whose name is long only the hash. Beginnings and ends differ between runs, because users
    shorten ids to either."""
    if stream.startswith(AGENT):
        holder, hashed = ticket_holder(stream), derived_id(kind, stream, *parts)
        return f"{kind}_{holder}-{hashed.removeprefix(f'{kind}_')}" if holder else hashed
    return f"{kind}_{stream.removeprefix('run_')}-{derived_id('', stream, *parts)[1:15]}"


def holder_of(id: str) -> str:
    """The run in an id of `held_id`, or the stream of an agent; empty for other ids (of an earlier release, of a patch
    of a tag, of a key whose name is long)."""
    run, dash, _ = id.partition("_")[2].rpartition("-")
    return (held_stream(run) if run.startswith("~") else f"run_{run}") if dash else ""
