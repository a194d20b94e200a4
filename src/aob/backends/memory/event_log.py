"""Ports `EventLog` and `DeadLetters` in memory: the references. Lost when the process ends."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from operator import attrgetter

import msgspec

from aob.ports.dead_letters import DeadLetter, DeadLetters, DeadQuery, Letters, Numbers, rule_of
from aob.ports.event_log import ROWS_BYTES_MAX, Row

_fields = attrgetter(*Row.__struct_fields__)


class MemoryDeadLetters:
    """Letters in a dict by tenant."""

    def __init__(self) -> None:
        self._dead: dict[str, dict[int, DeadLetter]] = {}

    async def write(self, letters: Sequence[Letters]) -> list[Numbers]:
        told: list[Numbers] = []
        for each in letters:
            mine = self._dead.setdefault(each.tenant, {})
            numbers = tuple(range(len(mine) + 1, len(mine) + 1 + len(each.refused)))
            for number, letter in zip(numbers, each.refused, strict=True):
                mine[number] = msgspec.structs.replace(letter, number=number, state="open", note="")
            for number, state, note in each.settled:
                if number in mine:
                    mine[number] = msgspec.structs.replace(mine[number], state=state, note=note)
            told.append(numbers)
        return told

    async def page(self, query: DeadQuery) -> list[DeadLetter]:
        found = [letter for letter in reversed(self._dead.get(query.tenant, {}).values()) if _fits(letter, query)]
        return found[: max(0, query.limit)]

    async def letter(self, tenant: str, number: int) -> DeadLetter | None:
        return self._dead.get(tenant, {}).get(number)

    async def counts(self, tenant: str, state: str = "open") -> list[tuple[str, str, int]]:
        counts = Counter(
            (letter.type, rule_of(letter)) for letter in self._dead.get(tenant, {}).values()
            if not state or letter.state == state
        )  # fmt: skip
        return [(*key, count) for key, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))][:200]

    async def close(self) -> None:
        """Nothing to close."""


def _fits(letter: DeadLetter, query: DeadQuery) -> bool:
    return (
        (not query.state or letter.state == query.state)
        and (not query.type or letter.type == query.type)
        and (not query.reason or rule_of(letter) == query.reason)
        and (not query.before or letter.number < query.before)
    )


class MemoryEventLog:
    """Rows in one list per partition, and the dead letters."""

    def __init__(self, partitions: int = 1) -> None:
        self.partitions = partitions
        self._rows: list[list[Row]] = [[] for _ in range(partitions)]
        self._ends: Counter[tuple[str, int]] = Counter()
        self.letters: DeadLetters = MemoryDeadLetters()

    async def take(self) -> None:
        """Does nothing: nobody else has this object."""

    async def append(self, rows: Sequence[Row]) -> None:
        for row in rows:
            mine, key = self._rows[row.partition], (row.tenant, row.partition)
            row.row, row.first = len(mine) + 1, self._ends[key]
            row.at_ms = max(row.at_ms, mine[-1].at_ms if mine else 0)
            self._ends[key] += row.count
            mine.append(Row(*_fields(row)))

    async def commit(self, rows: Sequence[Row], letters: Sequence[Letters]) -> list[Numbers]:
        await self.append(rows)
        return await self.letters.write(letters)

    async def rows(self, after: int, limit: int = 100, tenant: str = "", partition: int = 0) -> list[Row]:
        found: list[Row] = []
        size = 0
        for row in self._rows[partition][max(0, after) :]:
            if len(found) >= limit or size > ROWS_BYTES_MAX:
                break
            if not tenant or row.tenant == tenant:
                found.append(row)
                size += len(row.lines)
        return found

    async def rows_of_each(self, after: Mapping[int, int], limit: int, tenant: str = "") -> list[Row]:
        return [row for part, at in after.items() for row in await self.rows(at, limit, tenant, part)]

    async def row_at(self, tenant: str, offset: int, partition: int = 0) -> int:
        for row in self._rows[partition]:
            if row.tenant == tenant and row.first <= offset < row.first + row.count:
                return row.row
        return 0

    async def row_before(self, at_ms: int, partition: int = 0) -> int:
        return bisect_right(self._rows[partition], at_ms, key=lambda row: row.at_ms)

    async def rows_before(self, at_ms: int) -> tuple[int, ...]:
        return tuple([await self.row_before(at_ms, part) for part in range(self.partitions)])

    async def end(self, partition: int = 0) -> tuple[int, int]:
        rows = self._rows[partition]
        return (rows[-1].row, rows[-1].at_ms) if rows else (0, 0)

    async def last_rows(self) -> tuple[int, ...]:
        return tuple(map(len, self._rows))

    async def totals(self, tenant: str, partition: int | None = None) -> tuple[int, int, int]:
        chosen = self._rows if partition is None else [self._rows[partition]]
        mine = [row for rows in chosen for row in rows if row.tenant == tenant]
        return sum(row.count for row in mine), sum(row.duplicate for row in mine), sum(row.rejected for row in mine)

    async def close(self) -> None:
        """Nothing to close."""
