"""Computes the remaining error budget of an objective, and how fast it burns, from good and bad minutes."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from aob.core.contract_model import Slo
from aob.core.metric_answers import SloView

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
MINUTES_KEPT_MS: Final = 74 * HOUR_MS  # the longest burn rate covers three days
HOURS_KEPT_MS: Final = 91 * 24 * HOUR_MS
PAGE_MS: Final[Mapping[str, int]] = {"m": 6 * HOUR_MS, "h": 30 * 24 * HOUR_MS}
"""The span that one page holds of minutes and of hours."""

Counts = dict[int, tuple[float, float]]
WINDOWS_MS: Final[Mapping[str, int]] = {
    "5m": 300_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "2h": 7_200_000,
    "6h": 21_600_000,
    "1d": 86_400_000,
    "3d": 259_200_000,
}
PAIRS: Final = (("5m", "1h", 0.02), ("30m", "6h", 0.05), ("2h", "1d", 0.1), ("6h", "3d", 0.1))
"""Short window, long window, and the share of the budget that may be spent in the long one."""
BURN_MIN: Final = 1.0  # a rate that spends at most the budget over the whole window is never `burning`


class SloTiles:
    """Counts of one objective. They need not be integers: durations of good values count in ms."""

    def __init__(self) -> None:
        self._levels: dict[str, Counts] = {"m": {}, "h": {}}  # minutes, and the hours that contain them
        self._changed: set[tuple[str, int]] = set()

    def add(self, at_ms: int, good: float, total: float) -> None:
        for level, size in (("m", MINUTE_MS), ("h", HOUR_MS)):
            tiles, start = self._levels[level], at_ms - at_ms % size
            before = tiles.get(start, (0, 0))
            tiles[start] = (before[0] + good, before[1] + total)
            self._changed.add((level, start // PAGE_MS[level]))

    def add_span(self, since_ms: int, until_ms: int, *, good: bool) -> None:
        """Count the ms of a span, all good or all bad."""
        at_ms = since_ms
        while at_ms < until_ms:
            end = min(until_ms, at_ms - at_ms % MINUTE_MS + MINUTE_MS)
            self.add(at_ms, end - at_ms if good else 0, end - at_ms)
            at_ms = end

    def between(self, since_ms: int, until_ms: int) -> tuple[float, float]:
        """Good and total counts of `[since, until)`, in whole tiles, including those at both ends."""
        first = until_ms - MINUTES_KEPT_MS
        edge = max(since_ms, first + (-first) % HOUR_MS)
        good, total = _sum(self._levels["m"], edge - edge % MINUTE_MS, until_ms)
        if since_ms < edge:
            before = _sum(self._levels["h"], since_ms - since_ms % HOUR_MS, edge)
            good, total = good + before[0], total + before[1]
        return good, total

    def forget(self, now_ms: int) -> None:
        """Drop tiles that no objective can reach any more."""
        for level, kept_ms in (("m", MINUTES_KEPT_MS + HOUR_MS), ("h", HOURS_KEPT_MS)):
            tiles = self._levels[level]
            for start in [start for start in tiles if start < now_ms - kept_ms]:
                del tiles[start]
                self._changed.add((level, start // PAGE_MS[level]))

    def dump(self, *, full: bool = False) -> dict[str, bytes | None]:
        """The pages that changed since the last dump, or all; None for one that is now empty."""
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
        """Restore pages of `dump`. Raises msgspec.DecodeError."""
        for name, data in pages.items():
            self._levels[name[:1]] |= msgspec.msgpack.decode(data, type=Counts)


def _sum(tiles: Counts, since_ms: int, until_ms: int) -> tuple[float, float]:
    found = [counts for start, counts in tiles.items() if since_ms <= start < until_ms]
    return sum(good for good, _ in found), sum(total for _, total in found)


def view_of(slo: Slo, tiles: SloTiles, now_ms: int) -> SloView:
    """The objective at an instant."""
    good, total = tiles.between(now_ms - slo.window_ms, now_ms + 1)
    ratio = good / total if total else None
    budget = 1 - slo.target
    burn = {name: _burn(tiles, budget, now_ms - size, now_ms) for name, size in WINDOWS_MS.items()}
    left = None
    if ratio is not None:
        left = 1 - (1 - ratio) / budget if budget > 0 else float(ratio >= 1)
    state: Literal["ok", "burning", "exhausted", "unknown"] = "ok"
    if left is None:
        state = "unknown"
    elif left < 0 or (budget <= 0 and left < 1):
        state = "exhausted"
    elif burns(slo, burn):
        state = "burning"
    return {
        "name": slo.name, "metric": slo.metric, "objective": slo.objective, "target": slo.target,
        "window_ms": slo.window_ms, "good": round(good), "total": round(total), "ratio": ratio, "budget_left": left,
        "burn": burn, "state": state,
    }  # fmt: skip


def burns(slo: Slo, burn: Mapping[str, float | None]) -> bool:
    """Whether a pair of windows, both within the objective's own, burns faster than its threshold."""
    for short, long, share in PAIRS:
        limit = max(BURN_MIN, share * slo.window_ms / WINDOWS_MS[long])
        fast, slow = burn[short], burn[long]
        if WINDOWS_MS[long] <= slo.window_ms and fast is not None and slow is not None and min(fast, slow) > limit:
            return True
    return False


def rate_of(slo: Slo, tiles: SloTiles, now_ms: int) -> float | None:
    """The burn rate as a share of its threshold: the highest of all pairs of windows, each counted as the lower of its
    two. Above 1 it is burning. None when nothing was counted."""
    budget, found = 1 - slo.target, list[float]()
    for short, long, share in PAIRS:
        if WINDOWS_MS[long] <= slo.window_ms:
            rates = [_burn(tiles, budget, now_ms - WINDOWS_MS[name], now_ms) for name in (short, long)]
            limit = max(BURN_MIN, share * slo.window_ms / WINDOWS_MS[long])
            # An empty short window does not continue a burn.
            found += [min(rate or 0.0 for rate in rates) / limit] if rates[1] is not None else []
    return max(found, default=None)


def _burn(tiles: SloTiles, budget: float, since_ms: int, now_ms: int) -> float | None:
    good, total = tiles.between(since_ms, now_ms + 1)
    if not total or budget <= 0:
        return None
    return (1 - good / total) / budget
