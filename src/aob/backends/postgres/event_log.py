"""Ports `EventLog` and `DeadLetters` on Postgres. One owner appends, under an epoch that each commit names: an older
owner that wakes writes nothing. The owner numbers the rows itself, so a commit is one call and inserts only."""

import asyncio
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from aob.backends.postgres.database import Database
from aob.backends.postgres.dead_letters import PostgresDeadLetters, encoded, numbers_of
from aob.core.errors import Conflict, Unavailable
from aob.core.event import PARTITIONS
from aob.ports.dead_letters import DeadLetters, Letters, Numbers
from aob.ports.event_log import LOG_TAKEN, ROWS_BYTES_MAX, Row, crc_of

DAY_MS: Final = 86_400_000
Sums = tuple[int, int, int]  # accepted, duplicate and rejected of a tenant in a partition
Place = tuple[str, int]  # a tenant and a partition

_encode: Final = msgspec.json.Encoder().encode


class _Head(msgspec.Struct):
    """A row of a commit without its bytes, which lie in the commit's from `s` on: `n` of notes, then `l` of lines."""

    d: int
    p: int
    r: int
    t: str
    a: int
    f: int
    c: int
    u: int
    j: int
    us: int
    js: int
    k: int
    s: int
    n: int
    l: int  # noqa: E741


class _FirstRow(msgspec.Struct):
    """The first row of a partition on a day."""

    p: int
    d: int
    r: int


class _Commit:
    """The rows of a commit, numbered after known ends and sums."""

    def __init__(self, ends: Sequence[tuple[int, int]], sums: Mapping[Place, Sums]) -> None:
        self._before, self._known = ends, sums
        self.ends, self.sums = dict[int, tuple[int, int]](), dict[Place, Sums]()
        self._heads, self._days, self._body, self._size = list[_Head](), list[_FirstRow](), list[bytes](), 0

    def add(self, row: Row) -> None:
        """Number a row, and take it."""
        part, place = row.partition, (row.tenant, row.partition)
        last, at_ms = self.ends.get(part) or self._before[part]
        accepted, duplicate, rejected = self.sums.get(place) or self._known.get(place) or (0, 0, 0)
        row.row, row.at_ms, row.first = last + 1, max(at_ms, row.at_ms), accepted
        self.ends[part] = row.row, row.at_ms
        sums = self.sums[place] = accepted + row.count, duplicate + row.duplicate, rejected + row.rejected
        day = row.at_ms // DAY_MS
        if not last or day != at_ms // DAY_MS:
            self._days.append(_FirstRow(part, day, row.row))
        self._heads.append(_Head(
            day, part, row.row, row.tenant, row.at_ms, row.first, row.count, row.duplicate, row.rejected, *sums[1:],
            crc_of(row), self._size, len(row.notes), len(row.lines),
        ))  # fmt: skip
        self._body += (row.notes, row.lines)
        self._size += row.size

    def given(self, epoch: int, letters: Sequence[Letters]) -> tuple[Any, ...]:
        """What the function of the schema is called with."""
        dead = encoded(letters) if letters else ("", b"")
        days = _encode(self._days).decode() if self._days else ""
        return epoch, _encode(self._heads).decode(), b"".join(self._body), days, *dead


class PostgresEventLog:
    """All tenants in one table, whose rows carry their partition. The first append takes the log if nobody asked for
    it; after a commit of unknown outcome the next one fences it and reads the ends again."""

    def __init__(self, db: Database, *, partitions: int = PARTITIONS) -> None:
        self.partitions = partitions
        self._db, self._sql = db, db.statements("event_log.sql")
        self._holder, self._epoch = secrets.token_hex(16), 0
        self._turn = asyncio.Lock()
        self._sure = False  # the ends and sums below are those of the database
        self._ends: list[tuple[int, int]] = [(0, 0)] * partitions
        self._sums: dict[Place, Sums] = {}
        self.letters: DeadLetters = PostgresDeadLetters(db)

    async def take(self) -> None:
        async with self._turn:
            await self._take()

    async def append(self, rows: Sequence[Row]) -> None:
        await self.commit(rows, ())

    async def commit(self, rows: Sequence[Row], letters: Sequence[Letters]) -> list[Numbers]:
        async with self._turn:
            if not self._sure:
                await self._take()
            await self._know({(row.tenant, row.partition) for row in rows})
            commit = _Commit(self._ends, self._sums)
            for row in rows:
                commit.add(row)
            given = commit.given(self._epoch, letters)
            self._sure = False
            told = await self._called("append", given)
            self._sure = True
            for partition, end in commit.ends.items():
                self._ends[partition] = end
            self._sums |= commit.sums
            return numbers_of(letters, told)

    async def rows(self, after: int, limit: int = 100, tenant: str = "", partition: int = 0) -> list[Row]:
        return await self.rows_of_each({partition: after}, limit, tenant)

    async def rows_of_each(self, after: Mapping[int, int], limit: int, tenant: str = "") -> list[Row]:
        if limit <= 0 or not after:
            return []
        places = list(after), list(after.values())
        found = await self._db.rows(
            self._sql["rows_of" if tenant else "rows"],
            (*places, *([tenant] if tenant else []), limit, ROWS_BYTES_MAX),
        )
        return [_row(*fields, crc=crc) for *fields, crc in found]

    async def row_at(self, tenant: str, offset: int, partition: int = 0) -> int:
        found = await self._db.row(self._sql["row_at"], {"tenant": tenant, "offset": offset, "partition": partition})
        return int(found[0]) if found is not None and found[1] <= offset < found[1] + found[2] else 0

    async def row_before(self, at_ms: int, partition: int = 0) -> int:
        asked = {"at_ms": at_ms, "day": at_ms // DAY_MS, "partition": partition}
        found = await self._db.row(self._sql["row_before"], asked)
        return 0 if found is None else int(found[0])

    async def end(self, partition: int = 0) -> tuple[int, int]:
        found = await self._db.row(self._sql["end"], (partition, partition))
        return (0, 0) if found is None else (int(found[0]), int(found[1]))

    async def last_rows(self) -> tuple[int, ...]:
        return tuple([row for row, _ in await self._all_ends()])

    async def totals(self, tenant: str, partition: int | None = None) -> tuple[int, int, int]:
        parts = range(self.partitions) if partition is None else (partition,)
        found = (await self._sums_of((tenant, part) for part in parts)).values()
        accepted, duplicate, rejected = zip(*found, strict=True) if found else ((), (), ())
        return sum(accepted), sum(duplicate), sum(rejected)

    async def close(self) -> None:
        """Does nothing: the database is its process's."""

    # -- the owner --------------------------------------------------------------------------------------------------

    async def _take(self) -> None:
        """Become the owner, or fence what this owner sent before; then the ends are known."""
        epoch = int(await self._called("fence" if self._epoch else "take", (self._holder,)))
        ends = await self._all_ends()
        if any(now[0] < known[0] for now, known in zip(ends, self._ends, strict=True)):
            raise Unavailable("the event log ends before what it had acknowledged", code="store_went_back",
                              hint="the database was restored, or failed over and lost commits")  # fmt: skip
        self._epoch, self._ends, self._sums, self._sure = epoch, ends, {}, True

    async def _know(self, places: set[Place]) -> None:
        """Read the sums that are not known yet."""
        if unknown := places.difference(self._sums):
            found = await self._sums_of(unknown)
            self._sums |= {place: found.get(place, (0, 0, 0)) for place in unknown}

    async def _called(self, name: str, given: tuple[Any, ...]) -> Any:
        """What a function for owners answers. Raises Unavailable `log_taken` when it is another's log."""
        try:
            found = await self._db.row(self._sql[name], given)
        except Conflict as error:
            raise Unavailable(f"the event log refuses a commit: {error.detail}", code="store_failed",
                              hint="run `aob db check`") from error  # fmt: skip
        if found is None or found[0] is None:
            raise Unavailable("another process owns the event log now", code=LOG_TAKEN,
                              hint="nothing was written; end this process")  # fmt: skip
        return found[0]

    async def _all_ends(self) -> list[tuple[int, int]]:
        ends = [(0, 0)] * self.partitions
        for partition, row, at_ms in await self._db.rows(self._sql["ends"]):
            ends[partition] = row, at_ms
        return ends

    async def _sums_of(self, places: Iterable[Place]) -> dict[Place, Sums]:
        tenants, parts = zip(*places, strict=True)
        found = await self._db.rows(self._sql["totals"], (list(tenants), list(parts)))
        return {
            (tenant, part): (accepted, duplicate, rejected) for tenant, part, accepted, duplicate, rejected in found
        }


def _row(*fields: Any, crc: int) -> Row:
    """A row as it was written. Raises Unavailable `row_corrupt`."""
    row = Row(*fields)
    if crc_of(row) != crc:
        raise Unavailable(
            f"the event log: row {row.row} of partition {row.partition} is not what was written (its checksum differs)",
            code="row_corrupt", hint="restore the database from a backup",
        )  # fmt: skip
    return row
