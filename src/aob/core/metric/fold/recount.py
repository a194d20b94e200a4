"""Tiles counted anew from events, for metrics whose sketches cannot take back: what was retracted is left out.

A retraction takes one equal value out of the tile that it falls into; one that finds none changes nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from aob.core.accepted_event import Event
from aob.core.metric.cube import Tile
from aob.core.metric.cube.slot import put
from aob.core.metric.cube.tile import Key
from aob.core.metric.fold.column import text_of
from aob.core.metric.fold.plan import MetricPlan
from aob.core.metric.fold.state import Span, State
from aob.core.metric.fold.teller import Valued

Found = tuple[int | None, Valued]
"""The part of the metric that a value adds to (None: it takes back), and the value."""


def touched(fold: State, type: str, version: int, events: Sequence[Event]) -> Iterator[tuple[str, Span]]:
    """The spans of tiles to be counted anew, by metric: where values are taken back, and where others come later."""
    for name in fold.plan.refolded:
        plan = fold.plan.metrics[name]
        for teller in fold.plan.tellers.get(name, {}).get((type, version), ()):
            for at_ms, _, _, _ in teller.tell(events):
                tiles = [fold.cubes[part.cube].tiles.open(at_ms) for part in plan.parts]
                if teller.part is None:
                    for part, tile in zip(plan.parts, tiles, strict=True):
                        tile.taken = True
                        fold.cubes[part.cube].touch(tile)
                if any(tile.taken for tile in tiles):
                    yield name, (min(tile.start for tile in tiles), max(tile.end for tile in tiles))


def found_in(fold: State, metric: str, type: str, version: int, events: Sequence[Event]) -> Iterator[Found]:
    """What events of one version of a type give to a metric that is counted anew."""
    for teller in fold.plan.tellers.get(metric, {}).get((type, version), ()):
        for valued in teller.tell(events):
            yield teller.part, valued


def widened(fold: State, metric: str, span: Span) -> Span:
    """The span of the tiles that hold it now: they are larger once what is old was rolled up."""
    for part in fold.plan.metrics[metric].parts:
        tiles = fold.cubes[part.cube].tiles
        first, last = tiles.open(span[0]), tiles.open(span[1] - 1)
        span = min(first.start, span[0]), max(last.end, span[1])
    return span


def rebuild(fold: State, metric: str, since: int, until: int, found: Iterable[Found]) -> None:
    """Build the slots of a metric in a span from what was found there alone."""
    plan = fold.plan.metrics[metric]
    added: list[tuple[int, Valued]] = []
    gone: Counter[tuple[int, Key, str]] = Counter()
    cleared = list(_clear(fold, plan, since, until))
    for part, valued in found:
        if part is not None:
            added.append((part, valued))
            continue
        at_ms, key, _, value = valued
        tile = fold.cubes[plan.parts[0].cube].tiles.open(at_ms)
        gone[tile.start, key, text_of(value)] += 1
    for index, (at_ms, key, event, value) in sorted(added, key=lambda pair: (pair[1][0], pair[1][2].offset)):
        part_of = plan.parts[index]
        cube = fold.cubes[part_of.cube]
        tile = cube.tiles.open(at_ms)
        mark = tile.start, key, text_of(value)
        if gone[mark] > 0:
            gone[mark] -= 1
            continue
        put(cube.cell(tile, key), cube.places[part_of.slot], part_of.slot, [event], [value], [at_ms])
        cube.touch(tile, late=True)
    for index, tile in cleared:
        fold.cubes[plan.parts[index].cube].touch(tile, late=True)


def _clear(fold: State, plan: MetricPlan, since: int, until: int) -> Iterator[tuple[int, Tile]]:
    for number, part in enumerate(plan.parts):
        cube = fold.cubes[part.cube]
        index = cube.places[part.slot]
        for tile in cube.tiles.within(since, until):
            for cell in tile.own().values():
                cell[index] = None
            yield number, tile
