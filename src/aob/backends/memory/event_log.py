"""Port `EventLog` in memory: the reference. It is gone with its process."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence

import msgspec

from aob.ports.event_log import DeadLetter, DeadQuery, Group, Place, Row, rule_of

ROWS_BYTES_MAX = 16 * 1024 * 1024


class MemoryEventLog:
    """Rows in a list, dead letters in a dict by tenant."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._ends: Counter[str] = Counter()
        self._dead: dict[str, dict[int, DeadLetter]] = {}

    async def append(self, groups: Sequence[Group]) -> list[Place]:
        """Write all groups, in order."""
        places: list[Place] = []
        for group in groups:
            number, first = len(self._rows) + 1, self._ends[group.tenant]
            at_ms = max(group.at_ms, self._rows[-1].at_ms if self._rows else 0)
            self._rows.append(
                Row(number, group.tenant, at_ms, first, group.count, group.duplicate, group.rejected,
                    bytes(group.lines), bytes(group.notes))
            )  # fmt: skip
            self._ends[group.tenant] += group.count
            mine = self._dead.setdefault(group.tenant, {})
            numbers = []
            for letter in group.dead:
                numbers.append(len(mine) + 1)
                mine[numbers[-1]] = msgspec.structs.replace(letter, number=numbers[-1], state="open", note="")
            for settled, state, note in group.settled:
                if settled in mine:
                    mine[settled] = msgspec.structs.replace(mine[settled], state=state, note=note)
            places.append(Place(number, first, tuple(numbers)))
        return places

    async def rows(self, after: int, limit: int = 100, tenant: str = "") -> list[Row]:
        """Rows after a row."""
        found: list[Row] = []
        size = 0
        for row in self._rows[max(0, after) :]:
            if len(found) >= limit or size > ROWS_BYTES_MAX:
                break
            if not tenant or row.tenant == tenant:
                found.append(row)
                size += len(row.lines)
        return found

    async def row_at(self, tenant: str, offset: int) -> int:
        """The row that holds an offset."""
        for row in self._rows:
            if row.tenant == tenant and row.first <= offset < row.first + row.count:
                return row.row
        return 0

    async def row_before(self, at_ms: int) -> int:
        """The last row written at or before an instant."""
        return bisect_right(self._rows, at_ms, key=lambda row: row.at_ms)

    async def end(self) -> tuple[int, int]:
        """The last row and its time."""
        return (self._rows[-1].row, self._rows[-1].at_ms) if self._rows else (0, 0)

    async def totals(self, tenant: str) -> tuple[int, int, int]:
        """Accepted, duplicate, rejected."""
        mine = [row for row in self._rows if row.tenant == tenant]
        return sum(row.count for row in mine), sum(row.duplicate for row in mine), sum(row.rejected for row in mine)

    async def dead(self, query: DeadQuery) -> list[DeadLetter]:
        """Dead letters, newest first."""
        found = [letter for letter in reversed(self._dead.get(query.tenant, {}).values()) if _fits(letter, query)]
        return found[: max(0, query.limit)]

    async def dead_letter(self, tenant: str, number: int) -> DeadLetter | None:
        """One dead letter."""
        return self._dead.get(tenant, {}).get(number)

    async def dead_counts(self, tenant: str, state: str = "open") -> list[tuple[str, str, int]]:
        """How many by type and rule."""
        counts = Counter(
            (letter.type, rule_of(letter)) for letter in self._dead.get(tenant, {}).values()
            if not state or letter.state == state
        )  # fmt: skip
        return [(*key, count) for key, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))][:200]

    async def close(self) -> None:
        """Nothing is held."""


def _fits(letter: DeadLetter, query: DeadQuery) -> bool:
    return (
        (not query.state or letter.state == query.state)
        and (not query.type or letter.type == query.type)
        and (not query.reason or rule_of(letter) == query.reason)
        and (not query.before or letter.number < query.before)
    )
