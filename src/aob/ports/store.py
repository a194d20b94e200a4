"""Port `Store`: stores owned topics, heads, segments and timers. A transaction is a value, never a callback."""

from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from aob.core.event import PARTITIONS, Message, MessageMark
from aob.ports.topics import GroupMark, KeyRow, RecordRow, TopicEnd, TopicRows

FILE_CORRUPT: Final = "file_corrupt"
"""The code of a store that finds data in its file that differs from what was written."""
WENT_BACK: Final = "store_went_back"
"""The code of a store whose last row or epoch is below what it acknowledged: it lost commits, and its shard stops."""

DISK_FULL: Final = "disk_full"
AWAY: Final = frozenset({DISK_FULL, "store_locked", "store_failed", "store_away"})
"""Codes of a store that temporarily cannot write. Work for runs waits: the runs are not at fault."""
EVER_MS: Final = 1 << 62
AWAY_AGAIN_S: Final = 0.5  # pause between two attempts


MOVED: Final = "moved"


class Head(msgspec.Struct, array_like=True, gc=False):
    """The data of a stream for lists and searches: a row that is written when its status changes."""

    stream: str
    kind: str
    tenant: str
    name: str
    status: str
    reason: str
    started_ms: int
    ended_ms: int
    seq: int
    info: bytes = b""


class Pointer(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Location of the events of one decision: row, byte in its data, count; `base` is the index of the first event in
    the row, `crc` the checksum of their chunk (see journal)."""

    row: int
    base: int
    offset: int
    length: int
    crc: int


class Segment(msgspec.Struct, array_like=True, gc=False):
    """Consecutive events of one stream, for reading it alone. `data` holds chunks (see journal), a second copy; `crc`
    is -1 if written without one. A stream that ended within few rows has `pointers` instead of data; read back,
    `pieces` are, for each, the time of the row (0: there is none) and the bytes."""

    stream: str
    first_seq: int
    count: int
    row: int
    data: bytes
    crc: int = -1
    pointers: Sequence[Pointer] = ()
    pieces: Sequence[tuple[int, bytes]] = ()


class TimerRow(msgspec.Struct, array_like=True, gc=False):
    """A durable timer of a stream."""

    stream: str
    id: str
    due_ms: int


class TicketRow(msgspec.Struct, array_like=True, gc=False):
    """An open ticket of a stream: its owner, its deadline (0: none), and the roles that decide it, one per line."""

    stream: str
    id: str
    tenant: str
    due_ms: int
    roles: str


class Value(msgspec.Struct, array_like=True):
    """A value of 4 to 64 KiB that a record refers to by its sha256."""

    tenant: str
    digest: bytes
    data: bytes


class Removal(msgspec.Struct, array_like=True, frozen=True):
    """The remains of a removed stream: the removal's record, the tenant, by whom, when, and the cutoff by end time."""

    stream: str
    record: str
    tenant: str
    by: str
    at_ms: int
    before_ms: int


class Leftover(msgspec.Struct, array_like=True, frozen=True):
    """A value that a removed stream used and others may use too (`kind` value), or data outside the store (`kind` log):
    checked, and removed, later."""

    kind: str
    tenant: str
    name: bytes
    at_ms: int


class Entry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A row beside the events of a stream, under a key: written over the one that was there. Without `data` the rows
    from `key` on are removed, up to `before` (not included; empty: all that follow)."""

    stream: str
    key: bytes
    data: bytes | None = None
    before: bytes = b""


class Trim(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What is removed of a partition of a topic: rows by their `firsts`, the keys of records (32 bytes each), what rows
    in `kept` held beside what they hold now, the `marks` of all groups. Its end stays: no offset is given again."""

    tenant: str
    topic: str
    partition: int
    firsts: Sequence[int] = ()
    keys: Sequence[bytes] = ()
    kept: Sequence[RecordRow] = ()
    marks: bool = False


class Extent(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A stretch of a partition's history in one shard: its epoch, its first journal row, its last (0: it goes on). An
    ended one moved to the shard `target`; `released`: nothing remains to be copied from it."""

    partition: int
    epoch: int
    first_row: int
    last_row: int = 0
    target: int = -1
    released: bool = False


class Holding(msgspec.Struct, array_like=True, frozen=True):
    """One shard's record of the partitions of its home: their number, the number of shards when the home was made, and
    the extents in this shard, by partition and epoch."""

    partitions: int
    made: int
    extents: Sequence[Extent] = ()


def whole_holding(partitions: int = PARTITIONS) -> Holding:
    """The record of the only shard of a home."""
    return Holding(partitions, 1, tuple(Extent(number, 0, 1) for number in range(partitions)))


class Batch(msgspec.Struct):
    """All that one commit writes, under one epoch of one shard. `row` is the journal row it will be, `data` its events
    encoded (JSON: a list of `[stream, first_seq, [event, ...]]`), `counts` the count of events per partition in it."""

    epoch: int
    row: int
    at_ms: int
    count: int
    data: bytes
    counts: bytes = b""
    heads: Sequence[Head] = ()
    segments: Sequence[Segment] = ()
    timers: Sequence[TimerRow] = ()
    timers_done: Sequence[tuple[str, str]] = ()
    values: Sequence[Value] = ()
    cut: int = 0
    tickets: Sequence[TicketRow] = ()
    tickets_done: Sequence[tuple[str, str]] = ()
    tickets_whole: bool = False
    """From this commit on every open ticket has its row."""
    removals: Sequence[Removal] = ()
    """Streams whose head, segments, timers and tickets are deleted."""
    rewritten: Sequence[tuple[int, bytes]] = ()
    """The data of journal rows without the events of these streams."""
    leftovers: Sequence[Leftover] = ()
    settled: Sequence[Leftover] = ()
    """Leftovers that are finished."""
    dropped: Sequence[tuple[str, bytes]] = ()
    """Values to delete, by tenant and hash, except those whose hash is in this batch or a row after `unless_after`."""
    unless_after: int = 0
    extents: Sequence[Extent] = ()
    """Extents that begin or change; one for each partition and epoch."""
    outbox: Sequence[Message] = ()
    sent: Sequence[MessageMark] = ()
    """The last number of each pair that got one."""
    delivered: Sequence[MessageMark] = ()
    """Up to where the outbox is no longer needed."""
    received: Sequence[MessageMark] = ()
    """The last message taken of each pair."""
    moved: Sequence[str] = ()
    """Streams whose segments, timers and tickets are deleted, because another shard has them. Their heads stay, of kind
    `MOVED`: they give the tenant of what was written here of a stream."""
    records: Sequence[RecordRow] = ()
    """Records of topics; their partitions end where `record_ends` says."""
    record_keys: Sequence[KeyRow] = ()
    record_ends: Sequence[TopicEnd] = ()
    marks: Sequence[GroupMark] = ()
    """How far groups have come in partitions of topics."""
    trims: Sequence[Trim] = ()
    """What is removed of partitions of topics."""
    entries: Sequence[Entry] = ()
    """Rows beside events to write and to remove, in this order."""


class JournalRow(msgspec.Struct, array_like=True):
    """One commit as written. `sound`: whether the columns next to data are intact; the data has its own checksums."""

    row: int
    epoch: int
    at_ms: int
    count: int
    data: bytes
    sound: bool = True


class StaleEpoch(msgspec.Struct, frozen=True):
    """Another owner has taken the shard: nothing was written."""

    held_epoch: int


class EndedQuery(msgspec.Struct, frozen=True):
    """Which ended streams to list, in order of start: `after` is (`started_ms`, stream) of the last one of the page
    before."""

    kind: str
    tenant: str
    before_ms: int
    status: str = ""
    name: str = ""
    after: tuple[int, str] | None = None
    limit: int = 50


class HeadQuery(msgspec.Struct, frozen=True):
    """Which heads to list, newest first: `before` is (`started_ms`, stream) of the last one of the page before."""

    kind: str
    tenant: str = ""
    status: str = ""
    name: str = ""
    before: tuple[int, str] | None = None
    limit: int = 50


class Store(TopicRows, Protocol):
    """One shard of the store: the object is the shard, and no method names one.

    `commit` writes all of a batch or nothing, durably, only while its epoch is the latest taken, and only as the row
    after the last one (a batch without events writes no row). `cut`, when not 0, is the row after which recovery may
    begin. An empty id in `timers_done` or `tickets_done` stands for all of the stream. Deletions of a batch precede its
    writes. Readers see a batch wholly or not at all. Raises Unavailable when the disk is full or the store cannot be
    reached: then nothing of the batch is written, or that is unknown (a lost connection): the owner takes a new epoch,
    which fences that commit, and reads.

    Messages between streams are keyed by partitions: a moving partition takes along the outbox rows and `sent` marks
    whose `sender` it is, and the `received` marks whose `receiver` it is. Nothing in them names a shard.
    """

    async def take(self) -> int:
        """Become the owner: raises the epoch by one and fences every older owner from this moment."""

    async def commit(self, batch: Batch) -> int | StaleEpoch:
        """Write the batch; returns its row number."""

    async def last(self) -> tuple[int, int, int]:
        """The last journal row, the latest committed time in ms, and the row of the last cut (0, 0, 0 when empty)."""

    async def journal(self, after: int, limit: int = 1_000) -> list[JournalRow]:
        """Rows after a row, in order."""

    async def head(self, stream: str) -> Head | None:
        """The head of a stream."""

    async def heads_of(self, streams: Sequence[str]) -> dict[str, Head]:
        """The heads of several streams, where they exist."""

    async def heads(self, query: HeadQuery) -> list[Head]:
        """Heads by kind, tenant, status and name, latest start first; ties by the greater name."""

    async def live(self, kind: str, after: tuple[str, str] = ("", ""), limit: int = 1_000) -> list[Head]:
        """Heads of a kind that have not ended, by (status, stream), those greater than `after`."""

    async def live_count(self) -> int:
        """The number of heads that `live` returns, of all kinds."""

    async def ended(self, query: EndedQuery) -> list[Head]:
        """Heads of streams that ended before an instant, earliest start first; ties by the lesser name."""

    async def removed(self, stream: str) -> Removal | None:
        """The remains of a removed stream; of several with the same name, of the last."""

    async def removes(self) -> bool:
        """Whether a stream was ever removed."""
        ...

    async def leftovers(self, before_ms: int, limit: int = 1_000, since_ms: int = 0) -> list[Leftover]:
        """Leftovers from before an instant, and not before another, the oldest first."""

    async def all_segments(self, after: tuple[str, int], limit: int) -> list[Segment]:
        """Segments of all streams by (stream, first sequence number), those greater than `after`; none of pointers,
        because their data is in the journal."""

    async def segments(self, stream: str, after: int = 0, limit: int = 1_000_000) -> list[Segment]:
        """Segments of a stream in order, those that hold events from the sequence number `after` on. One of pointers
        represents all that begin within it, unless a copy of all of its events exists, which is read instead."""

    async def timers(self, until_ms: int, limit: int = 1_000, after: TimerRow | None = None) -> list[TimerRow]:
        """Timers due up to an instant, by (due, stream, id), those greater than `after`."""

    async def tickets(self, after: tuple[str, str] = ("", ""), limit: int = 1_000) -> list[TicketRow]:
        """Open tickets by (stream, id), those greater than `after`."""

    async def holder(self, id: str) -> str:
        """The stream of a ticket or patch of an earlier release, whose id does not contain it; empty if there is
        none."""

    async def tickets_whole(self) -> bool:
        """Whether every open ticket has its row: earlier releases wrote none."""

    async def holding(self) -> Holding:
        """The partitions of the home according to this shard."""

    async def outbox(self, after: tuple[int, int, int, int] | None = None, limit: int = 1_000) -> list[Message]:
        """Messages not known to be taken, by (sender, receiver, generation, number), those greater than `after`."""

    async def message_marks(self) -> tuple[list[MessageMark], list[MessageMark]]:
        """The last numbers sent and received of each pair of partitions, by (sender, receiver)."""

    async def value(self, tenant: str, digest: bytes) -> bytes | None:
        """A value by its hash, if this store holds it."""

    async def entries(
        self, stream: str, first: bytes = b"", before: bytes = b"", *, limit: int = 1_000, newest: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """Keys and data of a stream's rows beside its events, from a key on and up to another (not included; empty: to
        the end), by key; `newest`: the greatest first."""

    async def entries_at(self, stream: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The data of these rows, where they exist."""

    async def entry_streams(self, after: str = "", limit: int = 1_000) -> list[str]:
        """The streams with such rows by name, those greater than `after`."""

    async def close(self) -> None:
        """Close all resources. Idempotent."""


async def every_message(store: Store) -> AsyncIterator[Message]:
    """All messages of the outbox, a page at a time."""
    after: tuple[int, int, int, int] | None = None
    while page := await store.outbox(after):
        for message in page:
            yield message
        after = (page[-1].sender, page[-1].receiver, *page[-1].place)


async def every_timer(store: Store) -> AsyncIterator[TimerRow]:
    """All timers, a page at a time."""
    after: TimerRow | None = None
    while page := await store.timers(EVER_MS, after=after):
        for after in page:
            yield after


class ListedFrom(NamedTuple):
    """Where a list is read: a replica, the last journal row that it has, when the last commit was made that it has
    (unknown: None); or no replica, and `why` not."""

    store: Store | None
    row: int
    replayed_ms: int | None
    why: str = ""


class Lists(Protocol):
    """The replica that lists of one shard are read from."""

    async def lists(self) -> ListedFrom:
        """Where to read now. What is read afterwards is at least as fresh as this says."""

    def failed(self, error: Exception) -> str:
        """It could not be read, and is not asked for a moment; returns why, in a word."""
