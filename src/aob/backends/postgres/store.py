"""Port `Store` on Postgres: one shard of the database. Its owner's commits travel together with those of the other
shards of the process, see `commits.py`; a stale one writes nothing. After a lost connection the outcome is not known,
and nothing is sent again: the owner takes a new epoch, which fences what may still be under way, and reads."""

from collections.abc import Sequence
from secrets import token_hex
from typing import Any, Final

import msgspec

from aob.backends.postgres.commits import commits_of
from aob.backends.postgres.database import Database
from aob.backends.postgres.telling import NO_ROW, NO_SHARD, WRITTEN, row_crc, tell
from aob.backends.postgres.text import read, read_row, stored, stored_value
from aob.backends.postgres.topics import PostgresTopicRows
from aob.core.errors import Conflict, Unavailable
from aob.core.event import HOME, Message, MessageMark
from aob.ports.store import (
    EVER_MS,
    Batch,
    EndedQuery,
    Extent,
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

WHOLE: Final = whole_holding()
FIRST_MESSAGE: Final = (HOME - 1, 0, 0, 0)
_values: Final = msgspec.msgpack.Decoder(tuple[tuple[bytes, bytes], ...])
_places: Final = msgspec.json.Decoder(list[Pointer])


class PostgresStore(PostgresTopicRows):
    """One shard of a database that is open; `first` is its holding if none is written. Closing it leaves the database
    open."""

    def __init__(self, database: Database, shard: int, *, first: Holding = WHOLE) -> None:
        self._database, self.shard, self._first = database, shard, first
        self._commits, self._sql = commits_of(database), database.statements("store.sql")
        self._epoch = self._row = 0  # the last one taken here, the last row acknowledged here
        self._me, self._unsure = token_hex(8), False
        """`_unsure`: the answer to the last take was lost."""

    async def take(self) -> int:
        self._unsure = True
        rows = await self._all("take", msgspec.json.encode(self._first).decode(), self._me)
        self._unsure = False
        if not rows:
            raise self._no_shard()
        epoch, row = rows[0]
        if row < self._row or epoch <= self._epoch:
            raise self._went_back(f"its last row is {row}, and row {self._row} was acknowledged")
        self._epoch = epoch
        return int(epoch)

    async def commit(self, batch: Batch) -> int | StaleEpoch:
        answer = await self._commits.commit(self.shard, batch)
        if answer == WRITTEN:
            self._row = max(self._row, batch.row if batch.count else 0)
            return batch.row
        if answer == NO_ROW:
            raise Conflict(f"row {batch.row} cannot follow the last row", code="row_exists")
        if answer == NO_SHARD:
            raise self._no_shard()
        if answer < self._epoch:
            raise self._went_back(f"its epoch is {answer}, and epoch {self._epoch} was taken")
        if (
            self._unsure
            and not (batch.count or batch.cut or tell(self.shard, batch).kinds)
            and await self._took(answer)
        ):
            return batch.row  # nothing is asked but whether another has the shard, and it was a take of this owner
        return StaleEpoch(answer)

    async def _took(self, epoch: int) -> bool:
        """Whether this epoch was taken here, by a take whose answer was lost."""
        ((mine,),) = await self._database.rows(self._sql["taken_by"], (self._me, epoch, self.shard))
        return bool(mine)

    def _went_back(self, why: str) -> Unavailable:
        return Unavailable(
            f"shard {self.shard} of {self._database.address.shown} went back: {why}", code="store_went_back",
            hint="the server lost commits (a fail-over or a restored backup): bring back the one that has them",
        )  # fmt: skip

    def _no_shard(self) -> Unavailable:
        shown = self._database.address.shown
        return Unavailable(f"{shown} does not have shard {self.shard}, or no more", code="store_schema",
                           hint="aob shards says which store has it; whoever opens it anew looks there")  # fmt: skip

    async def last(self) -> tuple[int, int, int]:
        ((row, at_ms, cut),) = await self._all("last")
        return row, at_ms, cut

    async def journal(self, after: int, limit: int = 1_000) -> list[JournalRow]:
        return [
            JournalRow(row, epoch, at_ms, count, data, crc == row_crc(row, epoch, at_ms, count, counts))
            for row, epoch, at_ms, count, data, counts, crc in await self._all("journal_after", after, limit)
        ]

    async def head(self, stream: str) -> Head | None:
        rows = await self._all("head_of", stream)
        return Head(*rows[0]) if rows else None

    async def heads_of(self, streams: Sequence[str]) -> dict[str, Head]:
        rows = await self._all("heads_of", [stored(stream) for stream in streams]) if streams else []
        return {row[0]: Head(*row) for row in rows}

    async def heads(self, query: HeadQuery) -> list[Head]:
        before_ms, before = query.before or (EVER_MS, "")
        rows = await self._all(
            "heads", query.kind, query.tenant, query.tenant, query.status, query.status, query.name, query.name,
            before_ms, before, query.limit,
        )  # fmt: skip
        return [Head(*row) for row in rows]

    async def live(self, kind: str, after: tuple[str, str] = ("", ""), limit: int = 1_000) -> list[Head]:
        return [Head(*row) for row in await self._all("live_heads", kind, *after, limit)]

    async def live_count(self) -> int:
        ((count,),) = await self._all("live_count")
        return int(count)

    async def ended(self, query: EndedQuery) -> list[Head]:
        after_ms, after = query.after or (-EVER_MS, "")
        rows = await self._all(
            "ended", query.kind, query.tenant, query.before_ms, query.before_ms - 1, query.status, query.status,
            query.name, query.name, after_ms, after, query.limit,
        )  # fmt: skip
        return [Head(*row) for row in rows]

    async def removed(self, stream: str) -> Removal | None:
        rows = await self._all("removed", stream)
        return Removal(*rows[0]) if rows else None

    async def removes(self) -> bool:
        return bool(await self._all("removes"))

    async def leftovers(self, before_ms: int, limit: int = 1_000, since_ms: int = 0) -> list[Leftover]:
        return [Leftover(*row) for row in await self._all("leftovers", before_ms, since_ms, limit)]

    async def all_segments(self, after: tuple[str, int], limit: int) -> list[Segment]:
        return [Segment(*row) for row in await self._all("all_segments", *after, limit)]

    async def segments(self, stream: str, after: int = 0, limit: int = 1_000_000) -> list[Segment]:
        return [
            Segment(stream, first, count, row, data, crc, *_pointed(places, times, pieces))
            for first, count, row, data, crc, places, times, pieces in await self._all(
                "segments_of", stream, after, limit
            )
        ]

    async def timers(self, until_ms: int, limit: int = 1_000, after: TimerRow | None = None) -> list[TimerRow]:
        place = (-(1 << 62), "", "") if after is None else (after.due_ms, after.stream, after.id)
        return [TimerRow(*row) for row in await self._all("timers_until", until_ms, *place, limit)]

    async def tickets(self, after: tuple[str, str] = ("", ""), limit: int = 1_000) -> list[TicketRow]:
        return [TicketRow(*row) for row in await self._all("tickets", *after, limit)]

    async def holder(self, id: str) -> str:
        """Always empty: no record is of an earlier release."""
        return ""

    async def tickets_whole(self) -> bool:
        ((whole,),) = await self._all("whole")
        return bool(whole)

    async def holding(self) -> Holding:
        rows = await self._all("holding")
        if not rows or not rows[0][0]:
            return self._first
        return Holding(rows[0][0], rows[0][1], tuple(Extent(*row[2:]) for row in rows if row[2] is not None))

    async def outbox(self, after: tuple[int, int, int, int] | None = None, limit: int = 1_000) -> list[Message]:
        rows = await self._all("outbox", *(after or FIRST_MESSAGE), limit)
        return [Message(*(*row[:8], _values.decode(row[8]))) for row in rows]

    async def message_marks(self) -> tuple[list[MessageMark], list[MessageMark]]:
        rows = await self._all("marks", self.shard)
        sent, received = ([MessageMark(*row[1:]) for row in rows if row[0] is which] for which in (False, True))
        return sent, received

    async def value(self, tenant: str, digest: bytes) -> bytes | None:
        rows = await self._all("value_of", tenant, digest)
        return rows[0][0] if rows else None

    async def entries(
        self, stream: str, first: bytes = b"", before: bytes = b"", *, limit: int = 1_000, newest: bool = False
    ) -> list[tuple[bytes, bytes]]:
        name = "newest_entries" if newest else "entries"
        return [(bytes(row[0]), bytes(row[1])) for row in await self._all(name, stream, first, before, before, limit)]

    async def entries_at(self, stream: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        rows = await self._all("entries_at", stream, list(keys)) if keys else []
        return {bytes(row[0]): bytes(row[1]) for row in rows}

    async def entry_streams(self, after: str = "", limit: int = 1_000) -> list[str]:
        given = {"shard": self.shard, "after": stored(after), "most": limit}
        return [read(name) for (name,) in await self._database.rows(self._sql["entry_streams"], given)]

    async def close(self) -> None:
        """Nothing to close: the database is the process's."""

    async def _all(self, name: str, *given: Any) -> list[Any]:
        return await self._rows(self._sql[name], *given)

    async def _rows(self, sql: Any, *given: Any) -> list[Any]:
        """Rows of a statement about this shard."""
        rows = await self._database.rows(sql, (self.shard, *map(stored_value, given)))
        return [read_row(row) for row in rows]


def _pointed(places: str | None, times: Sequence[int | None], pieces: Sequence[bytes | None]) -> tuple[Any, ...]:
    """What a segment of pointers has beside: the pointers, and what they point to."""
    if places is None:
        return ()
    return _places.decode(places), [
        (time or 0, piece or b"") if time is not None else (0, b"") for time, piece in zip(times, pieces, strict=True)
    ]
