"""Ports `EventLog` and `DeadLetters` on Postgres. One owner appends, under an epoch that each commit names: an older
owner that wakes writes nothing. The owner numbers the rows itself, so a commit is one call and inserts only."""

import asyncio
import secrets
import time
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from aob.backends.postgres.database import Database
from aob.backends.postgres.dead_letters import PostgresDeadLetters, encoded, numbers_of, written
from aob.core.errors import Unavailable
from aob.core.event import PARTITIONS
from aob.ports.dead_letters import DeadLetters, Letters, Numbers
from aob.ports.event_log import LOG_TAKEN, ROWS_BYTES_MAX, Row, crc_of

DAY_MS: Final = 86_400_000
DAYS_KNOWN_S: Final = 600.0  # how long the days of the log are known before they are read again
LAST_DAY: Final = (1 << 31) - 1
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
        self.days, self._heads = list[_FirstRow](), list[_Head]()
        self._body, self._size = list[bytes](), 0

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
            self.days.append(_FirstRow(part, day, row.row))
        self._heads.append(_Head(
            day, part, row.row, row.tenant, row.at_ms, row.first, row.count, row.duplicate, row.rejected, *sums[1:],
            crc_of(row), self._size, len(row.notes), len(row.lines),
        ))  # fmt: skip
        self._body += (row.notes, row.lines)
        self._size += row.size

    def given(self, epoch: int, letters: Sequence[Letters]) -> tuple[Any, ...]:
        """What the function of the schema is called with."""
        dead = encoded(letters) if letters else ("", b"")
        days = _encode(self.days).decode() if self.days else ""
        return epoch, _encode(self._heads).decode(), b"".join(self._body), days, *dead


class _Days:
    """The first row of each day of each partition, as far as known. The server looks into the days that a statement
    names only: what is older than `since` is never asked for, what is later is if a later day may have begun."""

    def __init__(self, partitions: int) -> None:
        self._of: list[list[tuple[int, int]]] = [[] for _ in range(partitions)]
        self.known_until_s = 0.0

    def lasts(self) -> list[int]:
        """The last known day of each partition, -1 for none."""
        return [days[-1][1] if days else -1 for days in self._of]

    def add(self, partition: int, first: int, day: int) -> None:
        """A later day has begun."""
        if not self._of[partition] or self._of[partition][-1][1] < day:
            self._of[partition].append((first, day))

    def of(self, partition: int) -> list[tuple[int, int]]:
        """The first row and the day of each day of a partition."""
        return self._of[partition]

    def holds(self, partition: int, row: int) -> tuple[int, int]:
        """The days that a row may lie in: from, to."""
        days = self._of[partition]
        at = max(1, bisect_right(days, (row, LAST_DAY)))
        return days[at - 1][1], days[at - 1][1] if at < len(days) else LAST_DAY


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
        self._days = _Days(partitions)
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
            for day in commit.days:
                self._days.add(day.p, day.r, day.d)
            return numbers_of(letters, told)

    async def rows(self, after: int, limit: int = 100, tenant: str = "", partition: int = 0) -> list[Row]:
        return await self.rows_of_each({partition: after}, limit, tenant)

    async def rows_of_each(self, after: Mapping[int, int], limit: int, tenant: str = "") -> list[Row]:
        parts = await self._written(after)
        if limit <= 0 or not parts:
            return []
        days = [self._days.holds(part, after[part] + 1) for part in parts]
        ends = [self._days.holds(part, max(0, after[part]) + limit)[1] for part in parts]  # rows begin at 1
        found = await self._db.rows(self._sql["rows_of" if tenant else "rows"], {
            "partitions": parts, "afters": [after[part] for part in parts], "limit": limit, "tenant": tenant,
            "since": min(day for day, _ in days), "until": LAST_DAY if tenant else max(ends), "bytes": ROWS_BYTES_MAX,
        })  # fmt: skip
        at = self._db.address.shown
        return [_row(*fields, crc=crc, at=at) for *fields, crc in found]

    async def row_at(self, tenant: str, offset: int, partition: int = 0) -> int:
        await self._written((partition,), fresh=True)
        high: int | None = None
        for first, day in reversed(self._days.of(partition)):
            begins = await self._db.row(self._sql["first_of_day"], (tenant, partition, day))
            if begins is not None and begins[0] <= offset:
                found = await self._db.row(self._sql["row_at"], {
                    "tenant": tenant, "offset": offset, "partition": partition, "day": day, "low": first - 1,
                    "high": high,
                })  # fmt: skip
                return int(found[0]) if found is not None and offset < found[1] + found[2] else 0
            high = first
        return 0

    async def row_before(self, at_ms: int, partition: int = 0) -> int:
        return (await self._rows_before(at_ms, (partition,))).get(partition, 0)

    async def rows_before(self, at_ms: int) -> tuple[int, ...]:
        found = await self._rows_before(at_ms, range(self.partitions))
        return tuple([found.get(partition, 0) for partition in range(self.partitions)])

    async def end(self, partition: int = 0) -> tuple[int, int]:
        return (await self._ends_of((partition,))).get(partition, (0, 0))

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
        await self._written((), fresh=True)  # the days of other owners, before this one adds its own
        ends = await self._all_ends()
        if any(now[0] < known[0] for now, known in zip(ends, self._ends, strict=True)):
            raise Unavailable("the event log ends before what it had acknowledged", code="store_went_back",
                              hint="the database was restored, or failed over and lost commits")  # fmt: skip
        self._epoch, self._ends, self._sums, self._sure = epoch, ends, {}, True

    async def _know(self, places: set[Place]) -> None:
        """Read the sums of tenants that are not known yet, in all partitions at once."""
        if tenants := {tenant for tenant, _ in places.difference(self._sums)}:
            unknown = [(tenant, part) for tenant in tenants for part in range(self.partitions)]
            found = await self._sums_of(unknown)
            self._sums |= {place: found.get(place, (0, 0, 0)) for place in unknown}

    async def _called(self, name: str, given: tuple[Any, ...]) -> Any:
        """What a function for owners answers. Raises Unavailable `log_taken` when it is another's log."""
        told = await written(self._db, self._sql[name], given)
        if told is None:
            raise Unavailable("another process owns the event log now", code=LOG_TAKEN,
                              hint="nothing was written; end this process")  # fmt: skip
        return told

    async def _written(self, parts: Iterable[int], *, fresh: bool = False) -> list[int]:
        """Those of the partitions that have rows, whose days are known afterwards: `fresh`, all that began before."""
        asked, now_s = list(parts), time.monotonic()
        if fresh or now_s > self._days.known_until_s or not all(map(self._days.of, asked)):
            given = list(range(self.partitions)), self._days.lasts()
            for partition, first, day in await self._db.rows(self._sql["newer_days"], given):
                self._days.add(partition, first, day)
            self._days.known_until_s = now_s + DAYS_KNOWN_S
        return [part for part in asked if self._days.of(part)]

    async def _all_ends(self) -> list[tuple[int, int]]:
        found = await self._ends_of(range(self.partitions))
        return [found.get(partition, (0, 0)) for partition in range(self.partitions)]

    async def _ends_of(self, asked: Iterable[int]) -> dict[int, tuple[int, int]]:
        parts = await self._written(asked)
        if not parts:
            return {}
        days = [self._days.of(part)[-1][1] for part in parts]
        found = await self._db.rows(self._sql["ends"], {"partitions": parts, "days": days, "since": min(days)})
        return {partition: (row, at_ms) for partition, row, at_ms in found}

    async def _rows_before(self, at_ms: int, parts: Iterable[int]) -> dict[int, int]:
        asked = list[tuple[int, int, int, int | None]]()
        for part in await self._written(parts, fresh=True):
            days = self._days.of(part)
            at = bisect_right(days, at_ms // DAY_MS, key=lambda each: each[1])
            if at:
                asked.append((part, days[at - 1][1], days[at - 1][0] - 1, days[at][0] if at < len(days) else None))
        if not asked:
            return {}
        partitions, of_days, lows, highs = (list(each) for each in zip(*asked, strict=True))
        found = await self._db.rows(self._sql["rows_before"], {
            "partitions": partitions, "days": of_days, "lows": lows, "highs": highs, "at_ms": at_ms,
            "since": min(each for _, each, _, _ in asked), "until": max(each for _, each, _, _ in asked),
        })  # fmt: skip
        return dict(found)

    async def _sums_of(self, places: Iterable[Place]) -> dict[Place, Sums]:
        """The sums of places that have rows; most have one of late, so those days are looked into first."""
        written = frozenset(await self._written(range(self.partitions)))
        last = max(self._days.lasts())
        missing, found = {place for place in places if place[1] in written}, dict[Place, Sums]()
        for since in (last, last - 3, -1):
            if not missing:
                break
            tenants, parts = zip(*missing, strict=True)
            for tenant, part, *sums in await self._db.rows(self._sql["totals"], (list(tenants), list(parts), since)):
                found[tenant, part] = sums[0], sums[1], sums[2]
            missing -= found.keys()
        return found


def _row(*fields: Any, crc: int, at: str) -> Row:
    """A row as it was written. Raises Unavailable `row_corrupt`."""
    row = Row(*fields)
    if crc_of(row) != crc:
        which = f"row {row.row} of partition {row.partition}"
        raise Unavailable(
            f"{at}: the event log: {which} is not what was written (its checksum differs)",
            code="row_corrupt", hint="restore the database from a backup",
        )  # fmt: skip
    return row
