"""Dumps a fold as pages and restores it. A page has the leaves in one larger tile; None when all were rolled up."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

import msgspec

from aob.core.metric.cell import SKETCHES, Cell, Entry, Slot
from aob.core.metric.cube import Cube
from aob.core.metric.fold.plan import State, cube_name
from aob.core.metric.tile import EVER, Tile

_SOURCES: Final = "sources"
_DIMENSIONS: Final = "dimensions"
_WANTED: Final = "wanted"
_HEAD: Final = "head"
_SUBJECTS: Final = "~"
_LATE: Final = 1
_TAKEN: Final = 2
CELL_BYTES: Final = 200
SLOT_BYTES: Final = 40
SAMPLED: Final = 8  # tiles of a level, and cells of a tile, that are sampled to estimate the size of sketches
_TileRow = tuple[int, int, list[tuple[list[str], Cell]]]
_rows = msgspec.msgpack.Decoder(list[_TileRow])
_wanted = msgspec.msgpack.Decoder(dict[str, list[tuple[int, int]]])


class _Head(msgspec.Struct, array_like=True):
    newest: dict[str, int]
    furthest: int
    crowded: int
    floors: list[int]
    unmoved: dict[str, int] = {}


_head = msgspec.msgpack.Decoder(_Head)


def pages_of(fold: State, full: bool) -> Iterator[tuple[str, bytes | None]]:
    """Pages that changed since the last dump, or all. Changes made between two pages are in the next dump."""
    some = False
    for cube in fold.cubes.values():
        if full or cube.moved or cube.tiles.changed:
            name, some = cube_name(cube.id, cube.slots), True
            for page, data in _cube_pages(cube, full):
                yield f"{name}/{page}", data
    for name, subjects in fold.subjects.items():
        for page, data in subjects.pages(full):
            some = True
            yield f"{_SUBJECTS}{name}/{page}", data
    if full or fold.sources.changed:
        some = True
        yield _SOURCES, fold.sources.dump()
    if full or fold.dimensions.changed:
        some = True
        yield _DIMENSIONS, fold.dimensions.dump()
    if some:
        yield _WANTED, msgspec.msgpack.encode({name: sorted(spans) for name, spans in fold.wanted.items() if spans})


def load(fold: State, pages: Mapping[str, bytes | None]) -> None:
    """Restore from a dump."""
    cubes = {cube_name(cube.id, cube.slots): cube for cube in fold.cubes.values()}
    subjects: dict[str, dict[str, bytes]] = {}
    places: dict[str, list[tuple[int, bytes]]] = {}
    for path, data in pages.items():
        name, _, page = path.rpartition("/")
        if not data:
            continue
        if path == _SOURCES:
            fold.sources.load(data)
        elif path == _DIMENSIONS:
            fold.dimensions.load(data)
        elif path == _WANTED:
            fold.wanted = {metric: dict.fromkeys(spans, 0) for metric, spans in _wanted.decode(data).items()}
        elif name.startswith(_SUBJECTS):
            subjects.setdefault(name.removeprefix(_SUBJECTS), {})[page] = data
        elif name in cubes and page == _HEAD:
            cube, head = cubes[name], _head.decode(data)
            cube.newest, cube.furthest, cube.crowded = head.newest, head.furthest, head.crowded
            cube.unmoved = head.unmoved
            cube.tiles.floors[:] = head.floors
        else:
            cube_of, _, level = name.rpartition("/")
            places.setdefault(cube_of, []).append((int(level), data))
    for name, found in places.items():
        if name in cubes:
            _read_cube(cubes[name], found)
    for name, parts in subjects.items():
        if name in fold.subjects:
            fold.subjects[name].load(parts)


def _cube_pages(cube: Cube, full: bool) -> Iterator[tuple[str, bytes | None]]:
    tiles, grid = cube.tiles, cube.tiles.grid
    places = {(level, grid.start(level + 1, start)) for level, start in tiles.changed}
    cube.moved = False
    tiles.changed.clear()
    if full:
        places = {(tile.level, grid.start(tile.level + 1, tile.start)) for tile in tiles.leaves()}
    yield _HEAD, msgspec.msgpack.encode(_Head(cube.newest, cube.furthest, cube.crowded, tiles.floors, cube.unmoved))
    for level, start in places:
        whole = tiles.root if level + 1 == EVER else tiles.by_level[level + 1].get(start)
        parts = whole.parts if whole is not None else None
        found = [part for part in parts.values() if part.parts is None] if parts else []
        yield f"{level}/{start}", msgspec.msgpack.encode([_row(tile, cube.slots) for tile in found]) if found else None


def _row(tile: Tile, slots: Sequence[Slot]) -> tuple[int, int, list[tuple[tuple[str, ...], Cell]]]:
    cells = [
        (key, [_write(slot, entry) for slot, entry in zip(slots, cell, strict=True)])
        for key, cell in tile.own().items()
    ]
    return tile.start, tile.late + _TAKEN * tile.taken, cells


def _read_cube(cube: Cube, pages: Sequence[tuple[int, bytes]]) -> None:
    """Restore larger leaves first: no smaller leaf is within them."""
    for level, data in sorted(pages, key=lambda page: -page[0]):
        for start, marks, cells in _rows.decode(data):
            tile = cube.tiles.leaf_at(level, start)
            own = tile.own()
            for key, cell in cells:
                own[tuple(key)] = [_read(slot, entry) for slot, entry in zip(cube.slots, cell, strict=True)]
            cube.tiles.cells += len(own)
            tile.taken = bool(marks & _TAKEN)
            tile.touch(bool(marks & _LATE))
    cube.recall()


def _write(slot: Slot, entry: Entry) -> Entry:
    if entry is None or slot.kind == "count":
        return entry
    if slot.kind == "sum":
        return format(entry, "x")
    return entry.dump() if slot.kind in SKETCHES else entry


def _read(slot: Slot, entry: Entry) -> Entry:
    if entry is None or slot.kind == "count":
        return entry
    if slot.kind == "sum":
        return int(entry, 16)
    if slot.kind == "last":
        return tuple(entry)
    return SKETCHES[slot.kind].load(entry) if slot.kind in SKETCHES else entry


def size(fold: State) -> dict[str, int]:
    """Sizes, for frequent calls: uses counters, and samples the bytes of sketches."""
    cells = tiles = held = 0
    for cube in fold.cubes.values():
        cells, tiles = cells + cube.tiles.cells, tiles + cube.tiles.leaf_count
        sketched = [index for index, slot in enumerate(cube.slots) if slot.kind in SKETCHES]
        some = [cell for tile in cube.tiles.sample(SAMPLED) for cell in islice(tile.own().values(), SAMPLED)]
        sketches = sum(cell[index].size() for cell in some for index in sketched if cell[index] is not None)
        held += cube.tiles.cells * (CELL_BYTES + SLOT_BYTES * len(cube.slots) + sketches // max(1, len(some)))
    subjects = sum(len(each) for each in fold.subjects.values())
    held += sum(each.size() for each in fold.subjects.values())
    overflow = sum(count for _, count in fold.dimensions.counts().values())
    crowded = sum(cube.crowded for cube in fold.cubes.values())
    return {"cells": cells, "tiles": tiles, "subjects": subjects, "bytes": held, "overflow": overflow,
            "crowded": crowded}  # fmt: skip
