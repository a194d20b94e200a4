"""Merges two folds over disjoint keys; the result equals one fold of all events."""

from aob.core.contract_model import REST
from aob.core.metric.cell import SKETCHES, Entry, Slot, blank, join
from aob.core.metric.cube import KEYS_MAX, Cube, Dimensions
from aob.core.metric.fold.plan import State
from aob.core.metric.tile import EVER, Key, Tile


def merge(fold: State, other: State) -> None:
    """Merge another fold of the same contracts, which is not changed."""
    fold.dimensions.merge(other.dimensions)
    fold.sources.merge(other.sources)
    for id, theirs in other.cubes.items():
        if theirs.moved or theirs.tiles.cells:
            _merge_cube(fold.cubes[id], theirs, fold.dimensions)
    for name, subjects in other.subjects.items():
        fold.subjects[name].merge(subjects)
    for metric, spans in other.wanted.items():
        for span in spans:
            fold.stamp += 1
            fold.wanted.setdefault(metric, {})[span] = fold.stamp
    fold.faults |= other.faults


def _merge_cube(cube: Cube, other: Cube, dimensions: Dimensions) -> None:
    tiles = cube.tiles
    for level, floor in enumerate(other.tiles.floors):
        if floor > tiles.floors[level]:
            tiles.roll_up(level, floor)
    for theirs in other.tiles.leaves():
        mine = _leaf(cube, theirs)
        mine.taken = mine.taken or theirs.taken
        own = mine.own()
        for key, cell in theirs.own().items():
            placed = _placed(cube, dimensions, key)
            found = own.get(placed)
            if found is None:
                found = own[placed] = blank(cube.slots)
                tiles.cells += 1
            for index, (slot, entry) in enumerate(zip(cube.slots, cell, strict=True)):
                found[index] = _joined(slot, found[index], entry)
            cube.latest[placed] = max(cube.latest.get(placed, -1), mine.start)
        cube.touch(mine, theirs.late)
    for when, at_ms in other.newest.items():
        cube.see(when, at_ms)
    for metric, count in other.unmoved.items():
        cube.lose((metric,), count)
    cube.furthest = max(cube.furthest, other.furthest)
    cube.crowded += other.crowded
    cube.moved = True


def _leaf(cube: Cube, theirs: Tile) -> Tile:
    """The leaf to merge into: a larger one, where smaller tiles are no longer kept."""
    level = theirs.level
    while level < EVER - 1 and theirs.start < cube.tiles.floors[level]:
        level += 1
    return cube.tiles.leaf_at(level, theirs.start)


def _placed(cube: Cube, dimensions: Dimensions, key: Key) -> Key:
    if key in cube.latest:
        return key
    names, budget = cube.id.names, cube.id.budget
    placed = tuple(
        value if dimensions.knows(name, budget, value) else REST for name, value in zip(names, key, strict=True)
    )
    if placed not in cube.latest and len(cube.latest) >= KEYS_MAX:
        cube.crowded += 1
        return (REST,) * len(key)
    return placed


def _joined(slot: Slot, mine: Entry, theirs: Entry) -> Entry:
    """Merge both, changing the first in place."""
    if mine is None and theirs is not None and slot.kind in SKETCHES:
        return type(theirs).load(theirs.dump())
    return join(slot.kind, mine, theirs, True)
