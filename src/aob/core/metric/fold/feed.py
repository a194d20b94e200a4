"""Folds accepted events of one contract into a cube: the hot path of folding. Groups events by second and dimensions
first, so that each cell is looked up once and sums are computed in C."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec

from aob.core.accepted_event import Event
from aob.core.contract_model import EventContract, MetricContract, Move
from aob.core.expression.library import Value
from aob.core.metric.cell import NUMERIC, Cell, Slot, put, total
from aob.core.metric.cube import Cube, CubeId
from aob.core.metric.fold.column import FAULT, NOWHERE, Column, guarded, holds, instants_of, keys_of, text_of, values_of
from aob.core.metric.history import BOTH, Touch
from aob.core.metric.tile import SECOND_MS, Key

_at: Final = attrgetter("at_ms")
NO_NUMBERS: Final[Mapping[str, Sequence[float]]] = {}
Groups = Iterable[tuple[int, "dict[Key, list[Event]]"]]


class Many(NamedTuple):
    """Events of one type and second that differ only in numbers: a sample, their count, the numbers by expression."""

    sample: Event
    times: int
    numbers: Mapping[str, Sequence[float]]


class Lane(NamedTuple):
    """How one expression's values are folded: `tally` is the slot that counts them, `slots` those that take them,
    `metrics` those that they change. Without a column every event counts."""

    text: str
    tally: int
    column: Column | None
    sure: bool
    slots: tuple[tuple[int, Slot], ...]
    metrics: frozenset[str]
    weights: Mapping[str, Column] = {}
    """By expression, the weights of values that are ranked by sums."""


class Branch(NamedTuple):
    """How events for which a condition holds are folded, and the metrics that they change."""

    text: str
    holds: Callable[[Event], bool] | None
    lanes: tuple[Lane, ...]
    metrics: frozenset[str]


class Feed:
    """Folds one version of an event type into one cube."""

    __slots__ = ("_ats", "_branches", "_keys", "_own_time", "id")

    def __init__(
        self, id: CubeId, slots: Sequence[Slot], movers: Mapping[Slot, frozenset[str]], contract: EventContract
    ) -> None:
        """`movers`: by the slot that counts its values, the metrics that they change."""
        self.id = id
        self._own_time = not id.at
        self._ats = instants_of(id.at, contract)
        self._keys = keys_of(id.dimensions, contract)
        by_when: dict[str, list[tuple[int, Slot]]] = {}
        for index, slot in enumerate(slots):
            by_when.setdefault(slot.when, []).append((index, slot))
        self._branches = tuple(
            Branch(when, holds(when, contract) if when else None, _lanes(found, contract, movers), moved)
            for when, found in by_when.items()
            if (moved := frozenset(name for slot, names in movers.items() if slot.when == when for name in names))
        )

    def add(self, cube: Cube, events: Sequence[Event]) -> set[str]:
        """Fold events and return the changed metrics."""
        moved = set[str]()
        if not self._own_time:
            events = self._placed(cube, events)
            if not events:
                return moved
        if len(self._branches) == 1 and self._branches[0].holds is None:
            only = self._branches[0]
            cube.see("", max(map(_at, events)))
            for second, groups in self._grouped(events):
                tile = cube.tiles.open(second * SECOND_MS)
                cells = tile.own()
                for key, group in groups.items():
                    cell = cells.get(key)
                    _fold(cube, only.lanes, cell if cell is not None else cube.cell(tile, key), group, self._ats)
                cube.touch(tile)
            return set(only.metrics)
        for second, groups in self._grouped(events):
            tile = cube.tiles.open(second * SECOND_MS)
            for key, group in groups.items():
                self._branch_out(cube, key, group, tile.own().get(key), second, moved)
        return moved

    def add_many(self, cube: Cube, many: Many) -> set[str]:
        """Fold events that differ only in some numbers: conditions and dimensions of the sample apply to all."""
        moved, sample = set[str](), (many.sample,)
        at_ms = self._ats(many.sample)
        tile = cube.tiles.open(at_ms)
        cell, events = None, [many.sample] * many.times
        for branch in self._branches:
            if branch.holds is None or branch.holds(many.sample):
                cell = cell if cell is not None else cube.cell(tile, next(iter(self._keys(sample))))
                _fold(cube, branch.lanes, cell, events, self._ats, many.numbers)
                cube.see(branch.text, at_ms)
                moved |= branch.metrics
        if moved:
            cube.touch(tile)
        return moved

    def instants(self, events: Sequence[Event]) -> list[int]:
        """The times at which events count, of those that do."""
        return [at_ms for at_ms in map(self._ats, events) if at_ms != NOWHERE]

    @property
    def metrics(self) -> frozenset[str]:
        return frozenset(name for branch in self._branches for name in branch.metrics)

    def _placed(self, cube: Cube, events: Sequence[Event]) -> Sequence[Event]:
        """The events that count at an instant of the calendar; the others are counted as lost."""
        ats = list(map(self._ats, events))
        if NOWHERE not in ats:
            return events
        lost = [event for event, at_ms in zip(events, ats, strict=True) if at_ms == NOWHERE]
        for branch in self._branches:
            count = len(lost) if branch.holds is None else sum(map(branch.holds, lost))
            if count:
                cube.lose(branch.metrics, count)
        return [event for event, at_ms in zip(events, ats, strict=True) if at_ms != NOWHERE]

    def _branch_out(
        self, cube: Cube, key: Key, group: list[Event], cell: Cell | None, second: int, moved: set[str]
    ) -> None:
        for branch in self._branches:
            there = group if branch.holds is None else [event for event in group if branch.holds(event)]
            if not there:
                continue
            if cell is None:
                cell = cube.cell(cube.tiles.open(second * SECOND_MS), key)
            _fold(cube, branch.lanes, cell, there, self._ats)
            cube.see(branch.text, max(map(_at, there)))
            cube.touch(cube.tiles.open(second * SECOND_MS))
            moved |= branch.metrics

    def _grouped(self, events: Sequence[Event]) -> Groups:
        ats = list(map(self._ats, events))
        first = min(ats) // SECOND_MS
        if first == max(ats) // SECOND_MS:
            groups = defaultdict[Key, list[Event]](list)
            for key, event in zip(self._keys(events), events, strict=True):
                groups[key].append(event)
            return ((first, groups),)
        by_second: dict[int, defaultdict[Key, list[Event]]] = {}
        last, groups = -1, defaultdict(list)
        for at_ms, key, event in zip(ats, self._keys(events), events, strict=True):
            second = at_ms // SECOND_MS
            if second != last:
                found = by_second.get(second)
                groups = by_second[second] = defaultdict(list) if found is None else found
                last = second
            groups[key].append(event)
        return by_second.items()


def _fold(
    cube: Cube, lanes: tuple[Lane, ...], cell: Cell, events: list[Event], ats: Callable[[Event], int],
    numbers: Mapping[str, Sequence[float]] = NO_NUMBERS,
) -> None:  # fmt: skip
    for text, tally, column, sure, slots, metrics, weights in lanes:
        if column is None:
            cell[tally] += len(events)
            continue
        there = events
        values = list(numbers[text] if text in numbers else column(events))
        if not sure:
            pairs = [(event, value) for event, value in zip(events, values, strict=True)
                     if value is not None and value is not FAULT]  # fmt: skip
            if len(pairs) < len(values) and FAULT in values:
                cube.lose(metrics, values.count(FAULT))
            if not pairs:
                continue
            there, values = [event for event, _ in pairs], [value for _, value in pairs]
        cell[tally] += len(there)
        for index, slot in slots:
            if slot.kind == "sum":
                cell[index] += total(values)
            elif slot.by:
                put(cell, index, slot, there, _weighed(cube, metrics, weights[slot.by](there), values), ())
            else:
                put(cell, index, slot, there, values, list(map(ats, there)) if slot.kind == "last" else ())


def _weighed(cube: Cube, metrics: frozenset[str], weights: Iterable[Value], values: list[Value]) -> list[Value]:
    """Values with their weights; those without a weight are not used, and invalid weights are counted as lost."""
    pairs = list(zip(values, weights, strict=True))
    lost = sum(weight is FAULT for _, weight in pairs)
    if lost:
        cube.lose(metrics, lost)
    return [pair for pair in pairs if pair[1] is not None and pair[1] is not FAULT]


def _lanes(
    slots: Sequence[tuple[int, Slot]], contract: EventContract, movers: Mapping[Slot, frozenset[str]]
) -> tuple[Lane, ...]:
    """The slots of one condition by the values they take; numbers apart from other values."""
    lanes: list[Lane] = []
    for count, counted in slots:
        if counted.kind != "count":
            continue
        numeric = counted.exact
        takers = tuple(
            (index, slot) for index, slot in slots
            if slot.kind != "count" and slot.value == counted.value and (slot.kind in NUMERIC) == numeric
        )  # fmt: skip
        moved = movers.get(counted, frozenset())
        if counted.value:
            values = values_of(counted.value, contract, numeric)
            weights = {slot.by: values_of(slot.by, contract, True).column for _, slot in takers if slot.by}
            lanes.append(Lane(counted.value, count, values.column, values.sure, takers, moved, weights))
        else:
            lanes.append(Lane("", count, None, True, (), moved))
    return tuple(lanes)


class _Move(NamedTuple):
    step: int
    sign: int
    holds: Callable[[Event], bool] | None
    ats: Callable[[Event], int]


class SubjectFeed:
    """All moves of a metric for one version of an event type; an event's touches of a subject are combined."""

    __slots__ = ("_join", "_key", "_keys", "_moves", "_with_data", "id", "metric")

    def __init__(self, contract: MetricContract, moves: Sequence[Move], id: CubeId, event: EventContract) -> None:
        self.metric, self.id = contract.name, id
        self._moves = tuple(
            _Move(each.step, -1 if each.retract else 1, holds(each.when, event) if each.when else None,
                  instants_of(each.at, event))
            for each in moves
        )  # fmt: skip
        self._key = guarded(contract.key, event)
        self._keys = keys_of(id.dimensions, event)
        self._join = contract.type == "join"
        self._with_data = self._join and bool(contract.value)

    def touches(self, events: Sequence[Event], lose: Callable[[int], None]) -> Iterator[tuple[Event, Touch]]:
        """The touches of events; events without a key have none, and those outside the calendar are counted as lost."""
        if len(self._moves) == 1:  # the usual case
            (only,) = self._moves
            if only.holds is not None:
                events = [event for event in events if only.holds(event)]
        for event, dims in zip(events, self._keys(events), strict=True):
            told: dict[tuple[int, int], list[int]] = {}
            for step, sign, passes, ats in self._moves:
                if passes is None or passes(event):
                    told.setdefault((ats(event), sign), []).append(step)
            key = text_of(self._key(event)) if told else ""
            if not key:
                continue
            data = msgspec.to_builtins(event.data) if self._with_data else None
            for (at_ms, sign), steps in told.items():
                if at_ms == NOWHERE:
                    lose(1)
                    continue
                step, *also = sorted(steps)
                if self._join and also:
                    step, also = BOTH if set(steps) == {0, 1} else step, []
                more = tuple(each for each in dict.fromkeys(also) if each != step) if also else ()
                yield event, Touch(key, at_ms, event.at_ms, step, dims, sign, data, more)
