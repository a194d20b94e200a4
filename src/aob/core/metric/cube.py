"""A cube: the tiles of one event feed by dimensions. No clock, no I/O. A dimension has a budget of values: the first
values keep their names, also after a restart; values beyond the budget count as `__other__`."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from aob.core.contract_model import REST
from aob.core.metric.cell import SKETCHES, Cell, Slot, blank, join
from aob.core.metric.tile import DAY_MS, EVER, KEPT_MS, SIZES_MS, Grid, Key, Tile, Tiles

VALUE_MAX: Final = 256  # characters of a value; a longer one counts as `__other__`
_decode = msgspec.msgpack.Decoder(list[tuple[str, int, int, list[str]]]).decode
CELLS_MAX: Final = 250_000  # live cells of one cube; above, seconds (then minutes, hours) are rolled up early
KEYS_MAX: Final = 100_000  # combinations of dimensions in one cube; further ones are `__other__` in every dimension


class _Dimension:
    __slots__ = ("budget", "overflow", "values")

    def __init__(self, budget: int) -> None:
        self.budget, self.overflow = budget, 0
        self.values: set[str] = set()

    def place(self, value: str) -> str:
        if value in self.values:
            return value
        if value == REST or len(self.values) >= self.budget or len(value) > VALUE_MAX:
            self.overflow += 1
            return REST
        self.values.add(value)
        return value


class Dimensions:
    """The values of all dimensions of a tenant, by name and budget."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], _Dimension] = {}
        self.changed = False

    def place(self, names: tuple[str, ...], budget: int, values: tuple[str, ...]) -> tuple[str, ...]:
        """The values under which these count."""
        self.changed = True
        return tuple(self._of(name, budget).place(value) for name, value in zip(names, values, strict=True))

    def overflowed(self, names: tuple[str, ...], budget: int) -> list[str]:
        """Which of these dimensions have exceeded their budget."""
        return [name for name in names if (name, budget) in self._known and self._known[name, budget].overflow]

    def knows(self, name: str, budget: int, value: str) -> bool:
        """Whether a dimension knows this value."""
        known = self._known.get((name, budget))
        return known is not None and value in known.values

    def counts(self) -> dict[str, tuple[int, int]]:
        """By dimension: the number of known values, and how often another one occurred."""
        found: dict[str, tuple[int, int]] = {}
        for (name, _), each in self._known.items():
            values, overflow = found.get(name, (0, 0))
            found[name] = (max(values, len(each.values)), overflow + each.overflow)
        return found

    def merge(self, other: "Dimensions") -> None:
        """Merge another one; values over a budget count as others."""
        for (name, budget), theirs in other._known.items():
            mine = self._of(name, budget)
            for value in sorted(theirs.values - mine.values):
                mine.place(value)
            mine.overflow += theirs.overflow
            self.changed = True

    def dump(self) -> bytes:
        self.changed = False
        rows = [(name, budget, each.overflow, sorted(each.values)) for (name, budget), each in self._known.items()]
        return msgspec.msgpack.encode(rows)

    def load(self, data: bytes) -> None:
        for name, budget, overflow, values in _decode(data):
            each = self._of(name, budget)
            each.overflow, each.values = overflow, set(values)

    def _of(self, name: str, budget: int) -> _Dimension:
        return self._known.setdefault((name, budget), _Dimension(budget))


class CubeId(msgspec.Struct, frozen=True, array_like=True):
    """The identity of a cube: the event type (`~` and a metric's name, for subjects) and version (0: all) that feed it,
    when events count, its dimensions as (name, expression), and their budget."""

    feed: str
    version: int
    at: str
    dimensions: tuple[tuple[str, str], ...]
    budget: int

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.dimensions)


class Cube:
    """The cells of one cube. `newest` is, by condition, the time of the newest event for which it held."""

    def __init__(self, id: CubeId, slots: tuple[Slot, ...], dimensions: Dimensions, grid: Grid) -> None:
        self.id, self.slots = id, slots
        self.places = {slot: index for index, slot in enumerate(slots)}
        self.tiles = Tiles(slots, grid)
        self.newest: dict[str, int] = {}
        self.furthest = 0
        self.latest: dict[Key, int] = {}  # by combination of dimensions, the start of the last tile that has its cell
        self.crowded = 0
        self.unmoved: dict[str, int] = {}  # by metric, the number of values it could not use
        self.moved = False
        self._dimensions = dimensions

    def cell(self, tile: Tile, key: Key) -> Cell:
        """The cell of a combination of dimensions in a leaf, created if missing."""
        cells = tile.own()
        found = cells.get(key)
        if found is None:
            key = self.place(key)
            found = cells.get(key)
            if found is None:
                found = cells[key] = blank(self.slots)
                self.tiles.cells += 1
        if tile.start > self.latest.get(key, -1):
            self.latest[key] = tile.start
        return found

    def touch(self, tile: Tile, late: bool = False) -> None:
        """Record that a leaf changed."""
        tile.touch(late)
        self.tiles.changed.add((tile.level, tile.start))
        self.moved = True
        if tile.end > self.furthest:
            self.furthest = tile.end

    def lose(self, metrics: Iterable[str], count: int) -> None:
        """Count values that these metrics could not use."""
        for metric in metrics:
            self.unmoved[metric] = self.unmoved.get(metric, 0) + count
        self.moved = True

    def see(self, when: str, at_ms: int) -> None:
        """Record the time of an event that changed it."""
        if at_ms > self.newest.get(when, -1):
            self.newest[when] = at_ms

    def place(self, key: Key) -> Key:
        """The combination under which a key counts."""
        if key in self.latest:
            return key
        placed = self._dimensions.place(self.id.names, self.id.budget, key)
        if placed not in self.latest:
            if len(self.latest) >= KEYS_MAX:
                self.crowded += 1
                return (REST,) * len(key)
            self.latest[placed] = -1
        return placed

    def forget(self, now_ms: int, kept_ms: Sequence[int] = KEPT_MS) -> None:
        """Roll up old tiles; and newer ones when there are too many cells."""
        tiles = self.tiles
        tiles.forget(now_ms, kept_ms)
        for level in range(EVER - 2):
            if len(tiles.by_level[level]) and tiles.cells > CELLS_MAX:
                self._press(level, now_ms)

    def _press(self, level: int, now_ms: int) -> None:
        """Roll up the oldest tiles of a level until few enough cells are left, except the current ones."""
        tiles = self.tiles
        now = tiles.grid.start(level + 1, now_ms - SIZES_MS[level + 1])
        for start in sorted(start for start in tiles.by_level[level + 1] if start < now):
            if tiles.cells <= CELLS_MAX:
                return
            tiles.roll_up(level, tiles.by_level[level + 1][start].end)

    def pressed(self, now_ms: int, kept_ms: Sequence[int]) -> bool:
        """Whether tiles were rolled up early."""
        tiles = self.tiles
        return any(
            floor > tiles.grid.start(level + 1, now_ms - kept)
            for level, (floor, kept) in enumerate(zip(tiles.floors, kept_ms, strict=False))
        )

    def merge(self, other: "Cube") -> None:
        """Merge a cube of events of other keys, which is not changed; after its dimensions."""
        tiles = self.tiles
        for level, floor in enumerate(other.tiles.floors):
            if floor > tiles.floors[level]:
                tiles.roll_up(level, floor)
        for theirs in other.tiles.leaves():
            level = theirs.level
            while level < EVER - 1 and theirs.start < tiles.floors[level]:
                level += 1  # smaller tiles are no longer kept here
            mine = tiles.leaf_at(level, theirs.start)
            mine.taken = mine.taken or theirs.taken
            own = mine.own()
            for key, cell in theirs.own().items():
                placed = self._known(key)
                found = own.get(placed)
                if found is None:
                    found = own[placed] = blank(self.slots)
                    tiles.cells += 1
                for index, (slot, entry) in enumerate(zip(self.slots, cell, strict=True)):
                    if found[index] is None and entry is not None and slot.kind in SKETCHES:
                        found[index] = type(entry).load(entry.dump())
                    else:
                        found[index] = join(slot.kind, found[index], entry, True)
                self.latest[placed] = max(self.latest.get(placed, -1), mine.start)
            self.touch(mine, theirs.late)
        for when, at_ms in other.newest.items():
            self.see(when, at_ms)
        for metric, count in other.unmoved.items():
            self.lose((metric,), count)
        self.furthest = max(self.furthest, other.furthest)
        self.crowded += other.crowded
        self.moved = True

    def _known(self, key: Key) -> Key:
        """The combination under which a key of another cube counts: unknown values are over the budget."""
        if key in self.latest:
            return key
        known, names, budget = self._dimensions.knows, self.id.names, self.id.budget
        placed = tuple(value if known(name, budget, value) else REST for name, value in zip(names, key, strict=True))
        if placed not in self.latest and len(self.latest) >= KEYS_MAX:
            self.crowded += 1
            return (REST,) * len(key)
        return placed

    def recall(self) -> None:
        """Rebuild `latest` and `furthest` after tiles were restored."""
        for tile in self.tiles.leaves():
            for key in tile.own():
                self.latest[key] = max(self.latest.get(key, -1), tile.start)
            if tile.end > self.furthest:
                self.furthest = min(tile.end, tile.start + DAY_MS)
