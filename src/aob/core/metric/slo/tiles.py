"""Counts of good and of all, by the minute for a few days and by the hour before. Pure: time is an argument.

A span is answered in whole tiles: in minutes as far back as there are minutes, in hours before that.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
MINUTES_KEPT_MS: Final = 74 * HOUR_MS
"""The longest burn rate looks back three days."""
HOURS_KEPT_MS: Final = 91 * 24 * HOUR_MS
PAGE_MS: Final[Mapping[str, int]] = {"m": 6 * HOUR_MS, "h": 30 * 24 * HOUR_MS}
"""What one page holds of minutes and of hours."""

Counts = dict[int, tuple[float, float]]


class Tiles:
    """Counts of one objective. Counts need not be whole: time that a value was good counts in ms."""

    def __init__(self) -> None:
        self._levels: dict[str, Counts] = {"m": {}, "h": {}}
        """Minutes, and hours with all of their minutes."""
        self._changed: set[tuple[str, int]] = set()

    def add(self, at_ms: int, good: float, total: float) -> None:
        """Count at an instant."""
        for level, size in (("m", MINUTE_MS), ("h", HOUR_MS)):
            tiles, start = self._levels[level], at_ms - at_ms % size
            before = tiles.get(start, (0, 0))
            tiles[start] = (before[0] + good, before[1] + total)
            self._changed.add((level, start // PAGE_MS[level]))

    def add_span(self, since_ms: int, until_ms: int, *, good: bool) -> None:
        """Count the ms of a span, all of them good or all bad."""
        at_ms = since_ms
        while at_ms < until_ms:
            end = min(until_ms, at_ms - at_ms % MINUTE_MS + MINUTE_MS)
            self.add(at_ms, end - at_ms if good else 0, end - at_ms)
            at_ms = end

    def between(self, since_ms: int, until_ms: int) -> tuple[float, float]:
        """Good and all of `[since, until)`, in whole tiles, the ones at both ends included."""
        first = until_ms - MINUTES_KEPT_MS
        edge = max(since_ms, first + (-first) % HOUR_MS)
        good, total = _sum(self._levels["m"], edge - edge % MINUTE_MS, until_ms)
        if since_ms < edge:
            before = _sum(self._levels["h"], since_ms - since_ms % HOUR_MS, edge)
            good, total = good + before[0], total + before[1]
        return good, total

    def forget(self, now_ms: int) -> None:
        """Drop what no span of an objective reaches any more."""
        for level, kept_ms in (("m", MINUTES_KEPT_MS + HOUR_MS), ("h", HOURS_KEPT_MS)):
            tiles = self._levels[level]
            for start in [start for start in tiles if start < now_ms - kept_ms]:
                del tiles[start]
                self._changed.add((level, start // PAGE_MS[level]))

    def dump(self, *, full: bool = False) -> dict[str, bytes | None]:
        """The pages that have changed since the last dump, or all; None for one that is empty now."""
        pages: dict[str, bytes | None] = {}
        if full:
            self._changed |= {(level, at // PAGE_MS[level]) for level, tiles in self._levels.items() for at in tiles}
        for level, number in sorted(self._changed):
            size, tiles = PAGE_MS[level], self._levels[level]
            found = {start: counts for start, counts in tiles.items() if start // size == number}
            pages[f"{level}{number}"] = msgspec.msgpack.encode(found) if found else None
        self._changed.clear()
        return pages

    def load(self, pages: Mapping[str, bytes]) -> None:
        """Pages that `dump` gave. Raises msgspec.DecodeError."""
        for name, data in pages.items():
            self._levels[name[:1]] |= msgspec.msgpack.decode(data, type=Counts)


def _sum(tiles: Counts, since_ms: int, until_ms: int) -> tuple[float, float]:
    found = [counts for start, counts in tiles.items() if since_ms <= start < until_ms]
    return sum(good for good, _ in found), sum(total for _, total in found)
