"""Where tiles of each level begin and end: instants in, edges out.

Levels: seconds, minutes, hours, days, blocks of 32 days, ever. Hours and days are cut at the midnights of the zones
that windows are told in, so that days and months of any zone are made of whole tiles.
"""

from functools import lru_cache
from typing import Final

from aob.core.metric.span.calendar import day_start

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
SIZES_MS: Final = (SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS, 32 * DAY_MS)
EVER: Final = len(SIZES_MS)
ENDLESS_MS: Final = 1 << 60
_CUT: Final = (2, 3)
_EPOCH_ORDINAL: Final = 719_163
_LAST_ORDINAL: Final = 3_652_059


class Grid:
    """The edges for a set of zones. Immutable."""

    __slots__ = ("zones",)

    def __init__(self, zones: frozenset[str] = frozenset()) -> None:
        self.zones = tuple(sorted(zones - {"UTC"}))

    def start(self, level: int, at_ms: int) -> int:
        """Where the tile of a level that holds an instant begins."""
        if level == EVER:
            return -ENDLESS_MS
        start = at_ms // SIZES_MS[level] * SIZES_MS[level]
        if level in _CUT and self.zones:
            for cut in _cuts(at_ms // DAY_MS, self.zones):
                if start < cut <= at_ms:
                    start = cut
        return start

    def end(self, level: int, start: int) -> int:
        """Where a tile that begins there ends."""
        if level == EVER:
            return ENDLESS_MS
        end = (start // SIZES_MS[level] + 1) * SIZES_MS[level]
        if level in _CUT and self.zones:
            for cut in _cuts(start // DAY_MS, self.zones):
                if start < cut < end:
                    return cut
        return end


@lru_cache(maxsize=8_192)
def _cuts(day: int, zones: tuple[str, ...]) -> tuple[int, ...]:
    """The midnights of zones within a day of UTC, in order."""
    since, ordinal = day * DAY_MS, day + _EPOCH_ORDINAL
    days = [ordinal + shift for shift in (-1, 0, 1, 2) if 0 < ordinal + shift <= _LAST_ORDINAL]
    found = {day_start(each, zone) for zone in zones for each in days}
    return tuple(sorted(cut for cut in found if since < cut < since + DAY_MS))
