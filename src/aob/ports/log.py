"""Port `Log`: topics of business events and agents' records. What it acknowledges is durable, ordered and permanent.
Anyone appends, without an expected version: the log finds the shard that writes a partition. A topic belongs to a
tenant."""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec
from msgspec import Raw

from aob.core.answers import JsonObject
from aob.core.errors import CallerError, Problem, TooLarge
from aob.core.event import Positions
from aob.core.instant import iso
from aob.core.value import canonical, digest_of

_positions: Final = Positions(Positions.TOPICS)
TOPIC_CHARS_MAX: Final = 200
RECORD_BYTES_MAX: Final = 1024 * 1024  # bytes of data in one record: the smallest limit of the common brokers
RECORDS_MAX: Final = 10_000  # records of one append
APPEND_BYTES_MAX: Final = 16 * 1024 * 1024  # bytes of data of one append


class Record(msgspec.Struct, frozen=True, array_like=True):
    """An event with its CloudEvents attributes, under the names of the wire (lower case, no underscores). `data` is
    unparsed JSON. `time` is RFC 3339 in UTC; an empty one becomes the time of the append. `subject` decides the
    partition, see `aob.core.event.partition_of`. `extensions` are further attributes by name."""

    id: str
    source: str
    type: str
    tenant: str
    subject: str = ""
    data: Raw = Raw(b"null")
    time: str = ""
    correlationid: str = ""
    causationid: str = ""
    depth: int = 1
    extensions: dict[str, str] = {}


class Appended(msgspec.Struct, frozen=True, array_like=True):
    """The location of a record. `repeated`: an earlier append of the same id had written it, this one wrote nothing."""

    offset: int
    repeated: bool = False


class Logged(msgspec.Struct, frozen=True, array_like=True):
    """A record read back: its offset in the partition and when it was appended."""

    offset: int
    at_ms: int
    record: Record


class TopicShape(msgspec.Struct, frozen=True, array_like=True):
    """A topic, and the offset of the next record of each partition that has one."""

    name: str
    ends: dict[int, int]


class Log(Protocol):
    """The topics of every tenant, with as many partitions as the home. Offsets of a partition begin at 0 and have no
    gaps, except where an earlier release had records of other tenants. A topic exists once it has a record. Every
    method raises Unavailable when the disk is full or the log cannot be reached, and then wrote nothing; only after a
    lost connection (its field `unknown` is set) may an append have been written: a keyed one is repeated."""

    async def append(
        self, tenant: str, topic: str, partition: int, records: Sequence[Record], *, keyed: bool = False
    ) -> list[Appended]:
        """Append records of one tenant in order, all or none; returns once they are durable.

        With `keyed` a record whose (source, id) is in the partition already is not written again and gets its offset;
        only `keyed` appends are compared, with records that are kept. Raises Conflict `event_exists` when the id was
        used for another type, subject or data, TooLarge, CallerError `bad_topic`, Busy.
        """


class Admitting(Log, Protocol):
    """A log that says beforehand whether it will take records, for those that are appended by a commit of their own."""

    def judged(self, tenant: str, topic: str, type: str, data: bytes, depth: int, at: str) -> list[Problem] | None:
        """Why a topic does not take a record, none: it does; `at` is its path. None where that has to be asked:
        `admit`."""

    async def admit(
        self, tenant: str, records: Sequence[tuple[str, Record]], *, counts: bool = True
    ) -> list[Problem]:  # fmt: skip
        """Why these records, each with its topic, may not be appended; the paths begin with `/outputs/NUMBER`. When
        there is no reason, and it `counts`, those of a type with a contract pass the gate, and count once per id."""

    async def request_topic(self, tenant: str, agent: str, asked: JsonObject) -> JsonObject:
        """Declare a topic for an agent that handles a record. Raises the CallerError whose code is the rule that
        refuses it."""


class Topics(Log, Protocol):
    """The log with its reads."""

    async def read(self, tenant: str, topic: str, partition: int, start: int, limit: int = 1_000) -> list[Logged]:
        """Return records from an offset on, in order; none past the end. There may be fewer than `limit`, and more
        behind them."""

    async def topics(self, tenant: str, topic: str = "") -> list[TopicShape]:
        """The topics of a tenant, by name; or one of them."""


def check_append(tenant: str, topic: str, partition: int, records: Sequence[Record], partitions: int) -> int:
    """Reject what no log accepts; returns the bytes of data. Raises CallerError `bad_topic`, `bad_partition`,
    `other_tenant`; TooLarge."""
    if not topic or len(topic) > TOPIC_CHARS_MAX or not topic.isprintable():
        raise CallerError(f"{topic[:40]!r} is not the name of a topic", code="bad_topic")
    if not 0 <= partition < partitions:
        raise CallerError(f"there is no partition {partition}", code="bad_partition", hint=f"0 to {partitions - 1}")
    if any(record.tenant != tenant for record in records):
        raise CallerError(f"topic {topic} of {tenant} takes no records of another tenant", code="other_tenant")
    if len(records) > RECORDS_MAX:
        raise TooLarge(f"{len(records):,} records in one append, at most {RECORDS_MAX:,} are taken")
    whole = 0
    for record in records:
        size = memoryview(record.data).nbytes
        if size > RECORD_BYTES_MAX:
            why = f"the data of event {record.id!r} has {size:,} bytes, at most {RECORD_BYTES_MAX:,} are taken"
            raise TooLarge(why, hint="put it into an object store and send its key")
        whole += size
    if whole > APPEND_BYTES_MAX:
        raise TooLarge(
            f"one append has {whole:,} bytes, at most {APPEND_BYTES_MAX:,} are taken", hint="append in parts"
        )
    return whole


def stamped(record: Record, at_ms: int) -> Record:
    """A record with its own time, else that of the append."""
    if record.time:
        return record
    return msgspec.structs.replace(record, time=iso(at_ms))


def content_digest(record: Record) -> bytes:
    """A digest of the fields that two records under one id must share: 32 bytes."""
    return digest_of(canonical([record.type, record.subject, record.data]))


def token_of(partition: int, offset: int) -> str:
    """The position after a record of a topic: a reader resumes there with the next one of its partition."""
    return _positions.token(partition, offset)
