"""Tiles: spans of time with their cells, nested by level; finds the tiles that cover a span. A leaf holds its own
cells; other tiles are sums of their parts, cached until one changes. Levels: seconds, minutes, hours, days, blocks of
32 days, ever. Hours and days are split at the midnights of the zones of windows."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Final

from aob.core.metric.cell import Cell, Slot, merged
from aob.core.metric.span import day_start

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
Key = tuple[str, ...]


class Grid:
    """The tile boundaries for a set of zones. Immutable."""

    __slots__ = ("zones",)

    def __init__(self, zones: frozenset[str] = frozenset()) -> None:
        self.zones = tuple(sorted(zones - {"UTC"}))

    def start(self, level: int, at_ms: int) -> int:
        """The start of the tile of a level that contains an instant."""
        if level == EVER:
            return -ENDLESS_MS
        start = at_ms // SIZES_MS[level] * SIZES_MS[level]
        if level in _CUT and self.zones:
            for cut in _cuts(at_ms // DAY_MS, self.zones):
                if start < cut <= at_ms:
                    start = cut
        return start

    def end(self, level: int, start: int) -> int:
        """The end of a tile that starts there."""
        if level == EVER:
            return ENDLESS_MS
        end = (start // SIZES_MS[level] + 1) * SIZES_MS[level]
        cuts = _cuts(start // DAY_MS, self.zones) if level in _CUT and self.zones else ()
        return next((cut for cut in cuts if start < cut < end), end)


@lru_cache(maxsize=8_192)
def _cuts(day: int, zones: tuple[str, ...]) -> tuple[int, ...]:
    """The midnights of zones within a UTC day, in order."""
    since, ordinal = day * DAY_MS, day + _EPOCH_ORDINAL
    days = [ordinal + shift for shift in (-1, 0, 1, 2) if 0 < ordinal + shift <= _LAST_ORDINAL]
    found = {day_start(each, zone) for zone in zones for each in days}
    return tuple(sorted(cut for cut in found if since < cut < since + DAY_MS))


class NeedsScan(Exception):  # noqa: N818  # an answer: ask the log instead
    """The kept tiles are too coarse or gone for this span."""


class Tile:
    """The span `[start, end)` of a level. `parts` is None in a leaf. `late`: a late event was folded into it; `taken`
    (of a leaf): values were retracted that its cells cannot subtract."""

    __slots__ = ("_cells", "_total", "end", "late", "level", "parent", "parts", "start", "taken")

    def __init__(self, level: int, start: int, end: int, parent: "Tile | None", leaf: bool) -> None:
        self.level, self.start, self.end, self.parent = level, start, end, parent
        self.parts: dict[int, Tile] | None = None if leaf else {}
        self._cells: dict[Key, Cell] | None = {} if leaf else None
        self._total: Cell | None = None
        self.late = self.taken = False

    def own(self) -> dict[Key, Cell]:
        """The cells of a leaf for adding; call `touch` afterwards."""
        assert self._cells is not None
        return self._cells

    def touch(self, late: bool = False) -> None:
        """Invalidate what was computed from it, after a change."""
        self._total = None
        self.late = self.late or late
        self.spread(late)

    def spread(self, late: bool = False) -> None:
        """Invalidate the larger tiles. A tile without cached results has no ancestor with any."""
        tile = self.parent
        while tile is not None and (tile._total is not None or tile._cells is not None or (late and not tile.late)):
            tile._total = tile._cells = None
            tile.late = tile.late or late
            tile = tile.parent

    def cells(self, slots: Sequence[Slot]) -> Mapping[Key, Cell]:
        """Its cells by combination of dimensions; read-only."""
        if self._cells is None:
            assert self.parts is not None
            found: dict[Key, list[Cell]] = {}
            for part in self.parts.values():
                for key, cell in part.cells(slots).items():
                    found.setdefault(key, []).append(cell)
            self._cells = {key: cells[0] if len(cells) == 1 else merged(slots, cells) for key, cells in found.items()}
        return self._cells

    def total(self, slots: Sequence[Slot]) -> Cell:
        """The merge of all its cells; read-only."""
        found = self._total
        if found is None:
            if self.parts is not None:
                found = merged(slots, [part.total(slots) for part in self.parts.values()])
            else:
                found = merged(slots, list(self.own().values()))
            self._total = found
        return found

    def settle(self, slots: Sequence[Slot]) -> None:
        """Become a leaf and drop the parts. A cell that is the only one of its key is reused."""
        cells = {key: list(cell) for key, cell in self.cells(slots).items()}
        self.taken = any(part.taken for part in (self.parts or {}).values())
        self._cells, self.parts = cells, None

    def first(self) -> int:
        """The start of its first leaf."""
        tile = self
        while tile.parts:
            tile = tile.parts[min(tile.parts)]
        return tile.start


KEPT_MS: Final = (2 * 3_600_000, 2 * 86_400_000, 62 * 86_400_000, 3_660 * 86_400_000)
"""How long seconds, minutes, hours and days are kept; blocks of days are kept for ever."""


class Tiles:
    """All tiles of a cube. `floors[level]`: the instant from which tiles of that level are kept."""

    __slots__ = ("by_level", "cells", "changed", "floors", "grid", "leaf_count", "root", "slots")

    def __init__(self, slots: tuple[Slot, ...], grid: Grid) -> None:
        self.slots, self.grid = slots, grid
        self.floors = [-ENDLESS_MS] * EVER
        self.root = Tile(EVER, -ENDLESS_MS, ENDLESS_MS, None, leaf=False)
        self.by_level: list[dict[int, Tile]] = [{} for _ in range(EVER)]
        self.changed: set[tuple[int, int]] = set()
        """Leaves changed since pages were last written: (level, start); removed leaves too."""
        self.leaf_count = self.cells = 0  # updated by the caller that adds a cell to a leaf: health reads them often

    def open(self, at_ms: int) -> Tile:
        """The leaf of an instant, created if missing."""
        level = 0
        while at_ms < self.floors[level] and level < EVER - 1:
            level += 1
        return self.leaf_at(level, at_ms)

    def leaf_at(self, level: int, at_ms: int, leaf: bool = True) -> Tile:
        """The leaf (or the larger tile) of a level at an instant, created if missing; for restoring pages."""
        if level == EVER:
            return self.root
        start = self.grid.start(level, at_ms)
        tile = self.by_level[level].get(start)
        if tile is None:
            parent = self.leaf_at(level + 1, at_ms, leaf=False)
            if parent.parts is None:
                return parent
            tile = Tile(level, start, self.grid.end(level, start), parent, leaf)
            self.by_level[level][start] = parent.parts[start] = tile
            self.leaf_count += leaf
            tile.spread()
        return tile

    def cover(self, since: int, until: int) -> list[Tile]:
        """The fewest tiles that cover a span; tiles without events are omitted. Raises NeedsScan."""
        found: list[Tile] = []
        open_ = [self.root]
        while open_:
            parts = open_.pop().parts
            if parts is None:
                raise NeedsScan
            for part in parts.values():
                start, end = part.start, part.end
                if start >= since and end <= until:
                    found.append(part)
                elif end > since and start < until:
                    open_.append(part)
        return found

    def within(self, since: int, until: int) -> Iterator[Tile]:
        """The leaves within a span."""
        for tiles in self.by_level:
            tile = tiles.get(since)
            if tile is not None and tile.end == until and tile.parts is None:  # the usual case
                yield tile
                return
        open_ = [self.root]
        while open_:
            for part in (open_.pop().parts or {}).values():
                if part.end > since and part.start < until:
                    if part.parts is not None:
                        open_.append(part)
                    elif since <= part.start and part.end <= until:
                        yield part

    def forget(self, now_ms: int, kept_ms: Sequence[int] = KEPT_MS) -> bool:
        """Roll up tiles older than the retention of their level; return whether any was."""
        moved = False
        for level, kept in enumerate(kept_ms):
            floor = self.grid.start(level + 1, now_ms - kept)
            if floor > self.floors[level]:
                moved = self.roll_up(level, floor) or moved
        return moved

    def roll_up(self, level: int, floor: int) -> bool:
        """Replace the tiles of a level before `floor`, a boundary of the next level, by their sums in that level."""
        before, self.floors[level] = self.floors[level], floor
        old = [
            tile
            for start, tile in self.by_level[level + 1].items()
            if before <= start < floor and tile.parts is not None
        ]
        for tile in old:
            assert tile.parts is not None
            for part in tile.parts.values():
                del self.by_level[level][part.start]
                self.changed.add((level, part.start))
                if part.parts is None:
                    self.leaf_count -= 1
                    self.cells -= len(part.own())
            tile.settle(self.slots)
            self.leaf_count += 1
            self.cells += len(tile.own())
            self.changed.add((level + 1, tile.start))
        return bool(old)

    def leaves(self) -> Iterator[Tile]:
        for tiles in self.by_level:
            for tile in tiles.values():
                if tile.parts is None:
                    yield tile

    def sample(self, count: int) -> Iterator[Tile]:
        """At most `count` leaves of each level, the newest first."""
        for tiles in self.by_level:
            yield from islice((tile for tile in reversed(tiles.values()) if tile.parts is None), count)
