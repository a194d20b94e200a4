"""Computes the value of a metric from its cells, merged over a span and over dimensions."""

from collections.abc import Callable, Mapping, Sequence
from math import inf, isfinite
from typing import Any

import msgspec

from aob.core.ingest.shape import INT_MAX, INT_MIN
from aob.core.metric.cell import BITS, ONE, Cell, Entry, Slot, merged_column, plain, quotient
from aob.core.metric.cube import Cube, CubeId
from aob.core.metric.fold.plan import SUBJECTS, MetricPlan, Part
from aob.core.metric.quantiles import Extremes, Quantiles
from aob.core.metric.subject import answer_of
from aob.core.metric.texts import Distinct, Top
from aob.core.metric.tile import ENDLESS_MS, Key

Value = Any  # a metric's value: a number, None, an object (quantiles, a funnel) or a list (top)
Row = dict[str, Value]


class Reading(msgspec.Struct):
    """An answer. `rows` are set when dimensions or steps were requested: `{by?, at?, value, complete?, restated?,
    overflow?}`. `overflow`: the value exceeds an integer of 64 bits or a double. `since_ms` None: from the first event.
    `valid_until_ms`: when it changes without an event. `newest_at_ms`: the time of the newest event that changed it (in
    any window). `error` is that of a sketch when not `exact`."""

    metric: str
    window: str
    kind: str
    since_ms: int | None
    until_ms: int
    value: Value
    rows: list[Row] | None = None
    previous: Row | None = None
    valid_until_ms: int | None = None
    watermark_ms: int | None = None
    newest_at_ms: int | None = None
    complete: bool = False
    exact: bool = True
    error: float = 0.0
    restated: bool = False
    overflow: bool = False
    unmoved: int = 0
    missed: int = 0
    restating: bool = False
    overflowed: list[str] = []
    truncated: bool = False


class Told(msgspec.Struct):
    """The values of a span by combination of the requested dimensions, and its flags. `over`: the combinations whose
    value no number can hold; `overflow` says so of the total."""

    values: dict[Key, Value]
    total: Value = None
    exact: bool = True
    error: float = 0.0
    restated: bool = False
    first: int | None = None
    overflow: bool = False
    over: set[Key] = msgspec.field(default_factory=set)


def tell(
    plan: MetricPlan, cubes: Mapping[CubeId, Cube], since: int | None, until: int, by: tuple[str, ...],
    where: Mapping[str, str],
) -> Told:  # fmt: skip
    """The value of a metric that is not derived over `[since, until)` (since None: all). Raises NeedsScan."""
    told = Told({})
    parts_of: dict[CubeId, list[Part]] = {}
    for part in plan.parts:
        parts_of.setdefault(part.cube, []).append(part)
    groups: dict[Key, dict[CubeId, list[Cell]]] = {}
    everything: dict[CubeId, list[Cell]] = {}
    for id in parts_of:
        cube = cubes[id]
        start, end = (-ENDLESS_MS, ENDLESS_MS) if since is None and until >= ENDLESS_MS else (since, until)
        tiles = cube.tiles.cover(-ENDLESS_MS if start is None else start, end)
        for tile in tiles:
            if tile.late:
                told.restated = True
            if told.first is None or tile.start < told.first:
                first = tile.first()
                told.first = first if told.first is None else min(told.first, first)
        if not by and not where:
            everything[id] = [tile.total(cube.slots) for tile in tiles]
            continue
        pick = _picker(id.names, by, where)
        for tile in tiles:
            for key, cell in tile.cells(cube.slots).items():
                group = pick(key)
                if group is not None:
                    groups.setdefault(group, {}).setdefault(id, []).append(cell)
        everything[id] = [cell for found in groups.values() for cell in found.get(id, ())]
    told.total = _value(plan, cubes, everything, told)
    if by:
        for group, cells in groups.items():
            if _there(plan, cubes, cells):
                alone = Told({})
                told.values[group] = _value(plan, cubes, cells, alone)
                told.exact, told.error = told.exact and alone.exact, max(told.error, alone.error)
                if alone.overflow:
                    told.over.add(group)
    return told


def _picker(names: tuple[str, ...], by: tuple[str, ...], where: Mapping[str, str]) -> Callable[[Key], Key | None]:
    """Maps the combination of a cell to its group; None to exclude it."""
    wanted = [(names.index(name), value) for name, value in where.items()]
    places = [names.index(name) for name in by]

    def pick(key: Key) -> Key | None:
        for place, value in wanted:
            if key[place] != value:
                return None
        return tuple([key[place] for place in places])

    return pick


def _there(plan: MetricPlan, cubes: Mapping[CubeId, Cube], cells: Mapping[CubeId, Sequence[Cell]]) -> bool:
    """Whether events changed this group, even when all of them were retracted."""
    return any(_entry(cubes, cells, part.cube, part.count) for part in plan.parts)


def _entry(cubes: Mapping[CubeId, Cube], cells: Mapping[CubeId, Sequence[Cell]], id: CubeId, slot: Slot) -> Entry:
    there = cells.get(id, ())
    index = cubes[id].places[slot]
    if slot.added:
        return sum([cell[index] for cell in there])
    return merged_column(slot, [cell[index] for cell in there])


def _value(plan: MetricPlan, cubes: Mapping[CubeId, Cube], cells: Mapping[CubeId, Sequence[Cell]], told: Told) -> Value:
    """The value of cells; None, with `overflow` set, where no number can hold it. Zero has no sign: which of 0.0 and
    -0.0 arrived first must not show."""
    value = _sum_up(plan, cubes, cells, told)
    if value.__class__ is float:
        if isfinite(value):
            return value + 0.0
        told.overflow = True
        return None
    if value.__class__ is dict:
        for name, each in value.items():
            if each.__class__ is float:
                value[name] = each + 0.0 if isfinite(each) else None
                told.overflow = told.overflow or not isfinite(each)
    return value


def _sum_up(
    plan: MetricPlan, cubes: Mapping[CubeId, Cube], cells: Mapping[CubeId, Sequence[Cell]], told: Told
) -> Value:
    kind = plan.contract.type
    entries = [(part, _entry(cubes, cells, part.cube, part.slot)) for part in plan.parts]
    if kind in SUBJECTS:
        return answer_of(plan.contract, [plain(entry) for _, entry in entries] if any(e for _, e in entries) else ())
    if kind == "count":
        return sum(part.sign * entry for part, entry in entries)
    if kind == "sum":
        found = sum(part.sign * _scaled(part, entry) for part, entry in entries)
        if not plan.whole:
            return plain(found)
        whole = found >> BITS
        return whole if INT_MIN <= whole <= INT_MAX else inf
    if kind == "average":
        sums = sum(part.sign * _scaled(part, entry) for part, entry in entries if part.role != "count")
        count = sum(part.sign * entry for part, entry in entries if part.role == "count")
        return quotient(sums, count * ONE) if count > 0 else None  # more was retracted than has arrived
    if kind == "ratio":
        above = sum(part.sign * _scaled(part, entry) for part, entry in entries if part.role == "numerator")
        below = sum(part.sign * _scaled(part, entry) for part, entry in entries if part.role == "denominator")
        return quotient(above, below) if below else None
    there = [entry for _, entry in entries if entry is not None]
    if kind == "last":
        return max(there, key=lambda entry: entry[:2])[2] if there else None
    if plan.parts and plan.parts[0].slot.kind in ("low", "high"):
        return (min if kind == "min" else max)(there, default=None)
    return _sketched(plan, there, told)


def _sketched(plan: MetricPlan, there: Sequence[Entry], told: Told) -> Value:
    kind = plan.contract.type
    quantiles = plan.contract.quantiles or (0.5,)
    sketch = merged_column(plan.parts[0].slot, there) if plan.parts else None
    if sketch is not None and not sketch.exact:
        told.exact, told.error = False, max(told.error, sketch.error)
    if kind in ("min", "max"):
        return None if not isinstance(sketch, Extremes) else sketch.low if kind == "min" else sketch.high
    if kind == "distinct":
        return sketch.value() if isinstance(sketch, Distinct) else 0
    if kind == "top":
        found = sketch.value(plan.contract.k) if isinstance(sketch, Top) else []
        if plan.parts and plan.parts[0].slot.by:
            sums = [(item, plain(amount)) for item, amount in found]
            told.overflow = told.overflow or not all(isfinite(amount) for _, amount in sums)
            return [{"item": item, "sum": amount if isfinite(amount) else None} for item, amount in sums]
        return [{"item": item, "count": count} for item, count in found]
    values = sketch.values(quantiles) if isinstance(sketch, Quantiles) else [None] * len(quantiles)
    if len(quantiles) == 1:
        return values[0]
    return {quantile_name(quantile): value for quantile, value in zip(quantiles, values, strict=True)}


def quantile_name(quantile: float) -> str:
    """`p95` for 0.95, `p99.9` for 0.999."""
    return f"p{quantile * 100:.6g}"


def number_of(value: Value) -> float | None:
    """A metric's value as one number, for derived metrics: the first quantile of several."""
    if isinstance(value, Mapping):
        value = next(iter(value.values()), None)
    return float(value) if isinstance(value, int | float) else None


def _scaled(part: Part, entry: int) -> int:
    return entry << BITS if part.slot.kind == "count" else entry
