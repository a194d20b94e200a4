"""Tiles counted anew from events, for metrics whose sketches cannot take back: what was retracted is left out.

A retraction takes one equal value out of the tile that it falls into; one that finds none changes nothing.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from aob.core.accepted_event import Event
from aob.core.contract_model import EventContract, Move
from aob.core.metric.cube.slot import put
from aob.core.metric.cube.tile import Key
from aob.core.metric.fold.column import guarded, holds, instants_of, keys_of, text_of
from aob.core.metric.fold.plan import MetricPlan, Part
from aob.core.metric.fold.state import Span, State

Valued = tuple[int, Key, Event, object]


def touched(fold: State, type: str, version: int, events: Sequence[Event]) -> Iterator[tuple[str, Span]]:
    """The spans of tiles to be counted anew, by metric: where values are taken back, and where others come later."""
    for name in fold.plan.refolded:
        plan = fold.plan.metrics[name]
        for move in plan.contract.moves:
            contract = fold.contracts.event(type, version)
            if move.on != type or move.version not in (0, version) or contract is None:
                continue
            takes = move in plan.refolds
            for at_ms, _, _, _ in _valued(plan, move, contract, events):
                tiles = [fold.cubes[part.cube].tiles.open(at_ms) for part in plan.parts]
                if takes:
                    for part, tile in zip(plan.parts, tiles, strict=True):
                        tile.taken = True
                        fold.cubes[part.cube].touch(tile)
                if any(tile.taken for tile in tiles):
                    yield name, (min(tile.start for tile in tiles), max(tile.end for tile in tiles))


def recount(fold: State, metric: str, since: int, until: int, events: Sequence[Event]) -> None:
    """Build the slots of a metric in a span from these events alone."""
    plan = fold.plan.metrics[metric]
    added: list[tuple[Part, Valued]] = []
    taken: list[Valued] = []
    for event in events:
        contract = fold.contracts.event(event.type, event.version) or fold.contracts.event(event.type)
        if contract is None:
            continue
        for part, move in _moves(plan, event):
            for found in _valued(plan, move, contract, [event]):
                if not since <= found[0] < until:
                    continue
                if part is None:
                    taken.append(found)
                else:
                    added.append((part, found))
    cleared = _clear(fold, plan, since, until)
    gone: Counter[tuple[int, Key, str]] = Counter()
    for at_ms, key, _, value in taken:
        tile = fold.cubes[plan.parts[0].cube].tiles.open(at_ms)
        gone[tile.start, key, text_of(value)] += 1
    for part, (at_ms, key, event, value) in sorted(added, key=lambda pair: (pair[1][0], pair[1][2].offset)):
        cube = fold.cubes[part.cube]
        tile = cube.tiles.open(at_ms)
        mark = tile.start, key, text_of(value)
        if gone[mark] > 0:
            gone[mark] -= 1
            continue
        put(cube.cell(tile, key), cube.places[part.slot], part.slot, [event], [value], [at_ms])
    for part, start in cleared:
        cube = fold.cubes[part.cube]
        cube.touch(cube.tiles.open(start), late=True)


def _moves(plan: MetricPlan, event: Event) -> Iterator[tuple[Part | None, Move]]:
    for move in plan.contract.moves:
        if move.on != event.type or move.version not in (0, event.version):
            continue
        if move in plan.refolds:
            yield None, move
            continue
        for part in plan.parts:
            id, slot = part.cube, part.slot
            if (id.feed, id.version, id.at, slot.value, slot.when) == (
                move.on, move.version, move.at, move.value, move.when,
            ):  # fmt: skip
                yield part, move
                break


def _valued(plan: MetricPlan, move: Move, contract: EventContract, events: Sequence[Event]) -> Iterator[Valued]:
    """When, where and what events give by a move."""
    passes = holds(move.when, contract) if move.when else None
    value, instants = guarded(move.value, contract), instants_of(move.at, contract)
    there = [event for event in events if passes is None or passes(event)]
    keys = keys_of(sorted(plan.contract.dimensions.items()), contract)
    for event, key in zip(there, keys(there), strict=True):
        found = value(event)
        if found is not None:
            yield instants(event), key, event, found


def _clear(fold: State, plan: MetricPlan, since: int, until: int) -> list[tuple[Part, int]]:
    cleared: list[tuple[Part, int]] = []
    for part in plan.parts:
        cube = fold.cubes[part.cube]
        index = cube.places[part.slot]
        for tile in cube.tiles.leaves():
            if since <= tile.start and tile.end <= until:
                for cell in tile.own().values():
                    cell[index] = None
                cleared.append((part, tile.start))
    return cleared
