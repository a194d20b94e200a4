"""Port `Store` on SQLite: one file a shard, WAL, `synchronous=FULL`, one writer connection and one for readers.
Statements of a commit run on the caller's thread, because in another thread each would compete for the interpreter
lock; only COMMIT, which waits for the disk, runs on the writer thread."""

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from zlib import crc32

import msgspec
from msgspec.structs import astuple

from aob.backends.sqlite import entries, extents, held
from aob.backends.sqlite.file import SqliteFile, statements, unavailable
from aob.backends.sqlite.identity import SQL as FILE_SQL
from aob.backends.sqlite.identity import UNMARKED, identify
from aob.backends.sqlite.topics import SQL as TOPICS_SQL
from aob.backends.sqlite.topics import SqliteTopicRows, put_topics, trim_topics
from aob.core.errors import Conflict
from aob.core.event import HOME, Message, MessageMark
from aob.ports.marks import Mark
from aob.ports.store import (
    MOVED,
    Batch,
    EndedQuery,
    Head,
    HeadQuery,
    Holding,
    JournalRow,
    Leftover,
    Pointer,
    Removal,
    Segment,
    StaleEpoch,
    TicketRow,
    TimerRow,
    whole_holding,
)

T = TypeVar("T")
SQL: Final = statements("store.sql")
COLUMNS: Final = (
    ("journal", "crc integer not null default -1"), ("segment", "crc integer not null default -1"),
    ("shard", "cut_again integer not null default -1"), *extents.COLUMNS,
)  # fmt: skip
"""Columns that tables of earlier formats lack."""
WHOLE: Final = whole_holding()
NOWHERE: Final = Pointer(0, 0, 0, 0, 0)
FIRST_MESSAGE: Final = (HOME - 1, 0, 0, 0)
_values: Final = msgspec.msgpack.Decoder(tuple[tuple[bytes, bytes], ...])
_pointers: Final = msgspec.msgpack.Decoder(list[Pointer])


class SqliteStore(SqliteTopicRows):
    """One shard in one SQLite file. Use `await SqliteStore.open(path)`."""

    def __init__(self, path: Path, timeout_s: float, mark: Mark, first: Holding) -> None:
        self._path, self._timeout_s, self._mark, self._first = path, timeout_s, mark, first
        self._known: bytes | None = None
        self._file = SqliteFile(path, "aob-commit", self._prepare, timeout_s=timeout_s)
        self._checkpoints, self._read = self._file.checkpoints, self._file.read
        self._writer: sqlite3.Connection

    @classmethod
    async def open(
        cls, path: Path, *, timeout_s: float = 5.0, mark: Mark = UNMARKED, first: Holding = WHOLE
    ) -> "SqliteStore":
        """Open or create the file, and upgrade it; `first` is its holding if none is written. Raises Unavailable when
        it cannot be opened or is locked, Conflict when a later release has written it."""
        store = cls(path, timeout_s, mark, first)
        try:
            store._writer = await store._file.write(lambda writer: writer)
        except BaseException:
            await store.close()
            raise
        store._writer.execute("pragma busy_timeout = 0")  # waiting for a lock happens on the writer thread: _patiently
        return store

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.executescript(SQL["schema"])
        connection.executescript(extents.SQL["schema"] + TOPICS_SQL["schema"] + entries.SQL["schema"])
        identity = identify(connection, self._path, self._mark, COLUMNS)
        extents.claim(connection, self._first)
        held.index(connection)
        self._mark.begin(identity.file_id, connection.execute(SQL["last_row"]).fetchone()[0])

    async def take(self) -> int:
        return await self._file.write(
            lambda writer: self._patiently(lambda: int(writer.execute(SQL["take"]).fetchone()[0]))
        )

    async def commit(self, batch: Batch) -> int | StaleEpoch:
        writer, do = self._writer, self._file.writes.do
        try:
            if self._checkpoints.due:
                await do(self._checkpoints.finish)
            try:
                writer.execute("begin immediate")
            except sqlite3.OperationalError:  # locked by another process, briefly or for long: the loop goes on
                await do(lambda: self._patiently(lambda: writer.execute("begin immediate")))
            held = writer.execute(SQL["owner"]).fetchone()[0]
            if held != batch.epoch:
                writer.execute("rollback")
                return StaleEpoch(held)
            if batch.removals or batch.rewritten or batch.moved or batch.leftovers or batch.settled or batch.dropped:
                await do(lambda: self._remove(writer, batch))
            if batch.trims:
                await do(lambda: trim_topics(writer, batch.trims))
            self._statements(writer, batch)
            if (known := self._mark.peers()) != self._known:
                writer.execute(FILE_SQL["note_known"], (known,))
                self._known = known
            await do(partial(writer.execute, "commit"))
        except sqlite3.Error as error:
            self._abandon()
            raise unavailable(self._path, error) from error
        except BaseException:
            self._abandon()
            raise
        if batch.count:
            self._mark.note(batch.row)
        size = len(batch.data) + sum(len(row.data) for row in batch.records)
        pages = 2 + size // 4_096 + (len(batch.heads) + len(batch.segments)) // 8
        beside = sum(4_096 + len(entry.data or b"") for entry in batch.entries)
        trimmed = 4_096 * sum(4 * len(trim.firsts) + len(trim.keys) + 2 * len(trim.kept) for trim in batch.trims)
        self._checkpoints.wrote(4_096 * (pages + len(batch.rewritten) + 4 * len(batch.removals)) + beside + trimmed)
        return batch.row

    @staticmethod
    def _statements(writer: sqlite3.Connection, batch: Batch) -> None:
        if batch.count:
            added = writer.execute(
                SQL["add_journal"],
                (batch.row, batch.epoch, batch.at_ms, batch.count, batch.counts, batch.data, _head_crc(batch)),
            )
            if not added.rowcount:
                raise Conflict(f"row {batch.row} cannot follow the last row", code="row_exists")
        else:
            writer.execute(SQL["note_time"], (batch.at_ms,))
        if batch.heads:
            writer.executemany(SQL["put_head"], [astuple(head) for head in batch.heads])
        if batch.segments:
            writer.executemany(SQL["add_segment"], [_copy_row(each) for each in batch.segments if not each.pointers])
            writer.executemany(SQL["add_pointer"], [_pointer_row(each) for each in batch.segments if each.pointers])
        if batch.timers:
            writer.executemany(SQL["put_timer"], [(t.stream, t.id, t.due_ms) for t in batch.timers])
        if batch.tickets:
            writer.executemany(SQL["put_ticket"], [astuple(ticket) for ticket in batch.tickets])
        for what, done in (("timer", batch.timers_done), ("ticket", batch.tickets_done)):
            for stream, id in done:
                if id:
                    writer.execute(SQL[f"drop_{what}"], (stream, id))
                else:
                    writer.execute(SQL[f"drop_{what}s"], (stream,))
        if batch.tickets_whole:
            writer.execute(SQL["note_whole"])
        if batch.values:
            writer.executemany(SQL["add_value"], [(v.tenant, v.digest, v.data) for v in batch.values])
        if batch.extents:
            extents.put(writer, batch.extents)
        if batch.outbox or batch.delivered or batch.sent or batch.received:
            _exchange(writer, batch)
        if batch.records or batch.record_ends or batch.marks:
            put_topics(writer, batch)
        if batch.entries:
            entries.write(writer, batch.entries)
        if batch.cut:
            writer.execute(SQL["note_cut"], (batch.cut,))

    @staticmethod
    def _remove(writer: sqlite3.Connection, batch: Batch) -> None:
        """On the writer thread: it may be a lot, and must not block the loop."""
        writer.executemany(SQL["drop_head"], [(removal.stream,) for removal in batch.removals])
        writer.executemany(SQL["move_head"], [(MOVED, stream) for stream in batch.moved])
        for stream in (*(removal.stream for removal in batch.removals), *batch.moved):
            for statement in ("drop_segments", "drop_pointer", "drop_timers", "drop_tickets"):
                writer.execute(SQL[statement], (stream,))
        writer.executemany(SQL["rewrite"], batch.rewritten)
        writer.executemany(SQL["note_removed"], [astuple(removal) for removal in batch.removals])
        writer.executemany(SQL["add_leftover"], [astuple(leftover) for leftover in batch.leftovers])
        writer.executemany(SQL["drop_leftover"], [(each.kind, each.tenant, each.name) for each in batch.settled])
        if batch.dropped:
            said = [batch.data, *(row[0] for row in writer.execute(SQL["rows_after"], (batch.unless_after,)))]
            gone = [at for at in batch.dropped if not any(at[1].hex().encode() in data for data in said)]
            writer.executemany(SQL["drop_value"], gone)

    def _patiently(self, work: Callable[[], T]) -> T:
        """Waits for a lock that another process holds, up to the timeout; only on the writer thread."""
        self._writer.execute(f"pragma busy_timeout = {round(self._timeout_s * 1_000)}")
        try:
            return work()
        finally:
            self._writer.execute("pragma busy_timeout = 0")

    def _abandon(self) -> None:
        self._known = None
        try:
            if self._writer.in_transaction:
                self._writer.execute("rollback")
        except sqlite3.Error:
            pass  # the connection has already rolled the transaction back

    async def last(self) -> tuple[int, int, int]:

        def read(reader: sqlite3.Connection) -> tuple[int, int, int]:
            _, cut, at_ms, again = reader.execute(SQL["owner"]).fetchone()
            rows = [_journal_row(row) for row in reader.execute(SQL["last_heads"])]
            last = rows[0].row if rows else 0
            at_ms = max(at_ms, *(row.at_ms for row in rows if row.sound), 0)
            # A damaged cut is ignored: the whole journal says the same, and takes longer.
            return last, at_ms, cut if again in (-1, cut) else 0

        return await self._read(read)

    async def journal(self, after: int, limit: int = 1_000) -> list[JournalRow]:
        return [_journal_row(row) for row in await self._all("journal_after", (after, limit))]

    async def head(self, stream: str) -> Head | None:
        rows = await self._all("head_of", (stream,))
        return Head(*rows[0]) if rows else None

    async def heads_of(self, streams: Sequence[str]) -> dict[str, Head]:

        def read(reader: sqlite3.Connection) -> dict[str, Head]:
            found: dict[str, Head] = {}
            for at in range(0, len(streams), 500):
                part = streams[at : at + 500]
                marks = ",".join("?" * len(part))
                for row in reader.execute(f"select * from head where stream in ({marks})", part):  # noqa: S608
                    found[row[0]] = Head(*row)
            return found

        return await self._read(read)

    async def heads(self, query: HeadQuery) -> list[Head]:
        given = {"tenant = ?": query.tenant, "status = ?": query.status, "name = ?": query.name}
        clauses: list[tuple[str, tuple[str | int, ...]]] = [("kind = ?", (query.kind,))]
        clauses += [(clause, (value,)) for clause, value in given.items() if value]
        if query.before is not None:
            clauses.append(("(started_ms, stream) < (?, ?)", query.before))
        return await self._listed(clauses, "started_ms desc, stream desc", query.limit)

    async def live(self, kind: str, after: tuple[str, str] = ("", ""), limit: int = 1_000) -> list[Head]:
        return [Head(*row) for row in await self._all("live_heads", (kind, *after, limit))]

    async def live_count(self) -> int:
        ((count,),) = await self._all("live_count", ())
        return int(count)

    async def ended(self, query: EndedQuery) -> list[Head]:
        given = {"status = ?": query.status, "name = ?": query.name}
        clauses: list[tuple[str, tuple[str | int, ...]]] = [
            ("kind = ? and tenant = ?", (query.kind, query.tenant)),
            ("started_ms < ? and ended_ms between 1 and ?", (query.before_ms, query.before_ms - 1)),
            *((clause, (value,)) for clause, value in given.items() if value),
        ]
        if query.after is not None:
            clauses.append(("(started_ms, stream) > (?, ?)", query.after))
        return await self._listed(clauses, "started_ms, stream", query.limit)

    async def _listed(self, clauses: Sequence[tuple[str, tuple[str | int, ...]]], order: str, limit: int) -> list[Head]:
        """Heads for which all clauses hold, each with its values."""
        where = " and ".join(clause for clause, _ in clauses)
        values = [value for _, given in clauses for value in given]
        sql = f"select * from head where {where} order by {order} limit ?"  # noqa: S608
        rows = await self._read(lambda reader: reader.execute(sql, (*values, limit)).fetchall())
        return [Head(*row) for row in rows]

    async def removed(self, stream: str) -> Removal | None:
        rows = await self._all("removed", (stream,))
        return Removal(*rows[0]) if rows else None

    async def removes(self) -> bool:
        return bool(await self._all("removes", ()))

    async def leftovers(self, before_ms: int, limit: int = 1_000, since_ms: int = 0) -> list[Leftover]:
        return [Leftover(*row) for row in await self._all("leftovers", (before_ms, since_ms, limit))]

    async def all_segments(self, after: tuple[str, int], limit: int) -> list[Segment]:
        return [Segment(*row) for row in await self._all("all_segments", (*after, limit))]

    async def segments(self, stream: str, after: int = 0, limit: int = 1_000_000) -> list[Segment]:

        def read(reader: sqlite3.Connection) -> list[Segment]:
            row = reader.execute(SQL["pointer_of"], (stream,)).fetchone()
            whole = [] if row is None else [Segment(*row)]
            held = whole[0].count if whole else 0
            pointed = [_pointed(reader, each) for each in whole if held > after]
            rest = reader.execute(SQL["segments_of"], (stream, after, held, limit))
            return [*pointed, *(Segment(*row) for row in rest)][:limit]

        return await self._read(read)

    async def timers(self, until_ms: int, limit: int = 1_000, after: TimerRow | None = None) -> list[TimerRow]:
        place = (-(1 << 62), "", "") if after is None else (after.due_ms, after.stream, after.id)
        return [TimerRow(*row) for row in await self._all("timers_until", (until_ms, *place, limit))]

    async def tickets(self, after: tuple[str, str] = ("", ""), limit: int = 1_000) -> list[TicketRow]:
        return [TicketRow(*row) for row in await self._all("tickets", (*after, limit))]

    async def holder(self, id: str) -> str:
        return await self._read(partial(held.stream_of, id=id))

    async def tickets_whole(self) -> bool:
        return bool((await self._all("whole", ()))[0][0])

    async def holding(self) -> Holding:
        return await self._read(lambda reader: extents.held(reader) or self._first)

    async def outbox(self, after: tuple[int, int, int, int] | None = None, limit: int = 1_000) -> list[Message]:
        rows = await self._all("outbox", (*(after or FIRST_MESSAGE), limit))
        return [Message(*(*row[:8], _values.decode(row[8]))) for row in rows]

    async def message_marks(self) -> tuple[list[MessageMark], list[MessageMark]]:

        def read(reader: sqlite3.Connection) -> tuple[list[MessageMark], list[MessageMark]]:
            sent, received = ([MessageMark(*row) for row in reader.execute(SQL[name])] for name in ("sent", "received"))
            return sent, received

        return await self._read(read)

    async def value(self, tenant: str, digest: bytes) -> bytes | None:
        rows = await self._all("value_of", (tenant, digest))
        return rows[0][0] if rows else None

    async def entries(
        self, stream: str, first: bytes = b"", before: bytes = b"", *, limit: int = 1_000, newest: bool = False
    ) -> list[tuple[bytes, bytes]]:
        return await self._read(lambda reader: entries.read(reader, stream, first, before, limit, newest=newest))

    async def entries_at(self, stream: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        return await self._read(lambda reader: entries.read_at(reader, stream, keys))

    async def entry_streams(self, after: str = "", limit: int = 1_000) -> list[str]:
        return [stream for (stream,) in await self._read(
            lambda reader: reader.execute(entries.SQL["streams"], (after, limit)).fetchall()
        )]  # fmt: skip

    async def close(self) -> None:
        await self._file.close()

    async def _all(self, name: str, values: tuple[Any, ...]) -> list[Any]:
        return await self._read(lambda reader: reader.execute(SQL[name], values).fetchall())


def _exchange(writer: sqlite3.Connection, batch: Batch) -> None:
    writer.executemany(SQL["drop_messages"], [astuple(mark)[:4] for mark in batch.delivered])
    writer.executemany(
        SQL["put_message"], [(*astuple(each)[:-1], msgspec.msgpack.encode(each.values)) for each in batch.outbox]
    )
    writer.executemany(SQL["note_sent"], [astuple(mark) for mark in batch.sent])
    writer.executemany(SQL["note_received"], [astuple(mark) for mark in batch.received])


def _copy_row(segment: Segment) -> tuple[Any, ...]:
    return segment.stream, segment.first_seq, segment.count, segment.row, segment.data, segment.crc


def _pointer_row(segment: Segment) -> tuple[Any, ...]:
    return segment.stream, segment.count, segment.row, msgspec.msgpack.encode(segment.pointers), segment.crc


def _pointed(reader: sqlite3.Connection, segment: Segment) -> Segment:
    """A segment of pointers with the data they point to. Damaged ones have none."""
    try:
        segment.pointers = _pointers.decode(segment.data)
    except msgspec.MsgspecError:
        segment.pointers = [NOWHERE]
    rows = [reader.execute(SQL["piece"], (at.row, at.offset, at.length)).fetchone() for at in segment.pointers]
    segment.data = b""
    segment.pieces = [row if row is not None and type(row[1]) is bytes else (0, b"") for row in rows]
    return segment


def _head_crc(batch: Batch) -> int:
    return crc32(b"%d,%d,%d,%d,%b" % (batch.row, batch.epoch, batch.at_ms, batch.count, batch.counts))


def _journal_row(row: tuple[Any, ...]) -> JournalRow:
    number, epoch, at_ms, count, data, counts, crc = row
    if not (type(data) is bytes and type(counts) is bytes and type(at_ms) is int and type(count) is int):
        return JournalRow(number, 0, 0, 0, b"", False)  # a damaged page that SQLite itself does not notice
    sound = crc in (-1, crc32(b"%d,%d,%d,%d,%b" % (number, epoch, at_ms, count, counts)))
    return JournalRow(number, epoch, at_ms, count, data, sound)
