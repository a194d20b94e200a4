"""Compiles contracts into a plan: cubes with slots, the feeds that change them, the parts of each metric. One cell
serves all metrics of an event type with the same dimensions. Immutable."""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Final, Literal

import msgspec

from aob.core.accepted_event import Event
from aob.core.contract_model import LATENESS_MS, ContractSet, EventContract, MetricContract, Move
from aob.core.expression import Expression, compile_expression
from aob.core.metric.cell import Slot
from aob.core.metric.cube import Cube, CubeId, Dimensions
from aob.core.metric.fold.column import Teller, values_of
from aob.core.metric.fold.feed import Feed, SubjectFeed
from aob.core.metric.subject import SubjectFold, width_of
from aob.core.metric.tile import KEPT_MS, Grid
from aob.core.value import canonical, digest_of

IDLE_MS: Final = 30_000  # a source whose newest event is older than this does not hold back the watermark
SOURCES_MAX: Final = 10_000  # sources that are tracked; above, the idlest half is dropped
_source: Final = attrgetter("source")
_told: Final = attrgetter("source", "type", "at_ms")
_at: Final = attrgetter("at_ms")
_decode = msgspec.msgpack.Decoder(dict[str, tuple[int, int]]).decode
SUBJECTS: Final = frozenset(("funnel", "sessions", "join"))
ADDING: Final = frozenset(("sum", "average", "ratio"))
_SKETCH: Final[Mapping[str, Literal["distinct", "quantiles", "top"]]] = {
    "distinct": "distinct", "percentile": "quantiles", "top": "top",
}  # fmt: skip
Span = tuple[int, int]


class Sources:
    """The sources of a tenant: by name the newest event time, and how late its events may be."""

    def __init__(self, lateness_ms: Mapping[str, int]) -> None:
        self._lateness_ms = lateness_ms
        self._newest: dict[str, tuple[int, int]] = {}
        self.changed = False

    def see(self, events: Sequence[Event]) -> list[Event]:
        """Record events and return the late ones."""
        marks, late = self._newest, list[Event]()
        if marks and min(map(_at, events)) < max(newest for newest, _ in marks.values()):
            for event in events:
                known = marks.get(event.source)
                if known is not None and event.at_ms < known[0] - self._lateness_ms.get(event.type, LATENESS_MS):
                    late.append(event)
        self.changed = True
        names = set(map(_source, events))
        if len(names) == 1:
            lateness = max(self._lateness_ms.get(type, LATENESS_MS) for type in {event.type for event in events})
            self._put(names.pop(), max(map(_at, events)), lateness)
        else:
            for name, type, at_ms in map(_told, events):
                known = marks.get(name)
                if known is None or at_ms > known[0]:
                    self._put(name, at_ms, self._lateness_ms.get(type, LATENESS_MS))
        if len(self._newest) > SOURCES_MAX:
            kept = sorted(self._newest.items(), key=lambda pair: -pair[1][0])[: SOURCES_MAX // 2]
            self._newest = dict(kept)
        return late

    def watermark(self, now_ms: int) -> int | None:
        """The event time that all sources that are not idle have reached; 30 s ago if all are idle; None without
        any."""
        if not self._newest:
            return None
        busy = [newest - late for newest, late in self._newest.values() if newest + IDLE_MS > now_ms]
        return min(busy, default=now_ms - IDLE_MS)

    def passes_at(self, until: int) -> int:
        """When the watermark passes an instant if no event arrives."""
        holding = [newest + IDLE_MS for newest, late in self._newest.values() if newest - late < until]
        return max([*holding, until + IDLE_MS])

    def merge(self, other: "Sources") -> None:
        """Merge the newest times of another one."""
        for name, (at_ms, lateness_ms) in other._newest.items():
            self._put(name, at_ms, lateness_ms)
            self.changed = True

    def dump(self) -> bytes:
        self.changed = False
        return msgspec.msgpack.encode(self._newest)

    def load(self, data: bytes) -> None:
        self._newest = _decode(data)

    def _put(self, name: str, at_ms: int, lateness_ms: int) -> None:
        newest, late = self._newest.get(name, (0, 0))
        self._newest[name] = (max(newest, at_ms), max(late, lateness_ms))


class Part(msgspec.Struct, frozen=True):
    """A slot of a cube in a metric. `count` is the slot that says whether there are values (itself, for subjects)."""

    cube: CubeId
    slot: Slot
    count: Slot
    role: Literal["", "count", "numerator", "denominator"] = ""
    sign: int = 1


class MetricPlan(msgspec.Struct, frozen=True):
    """How a metric is computed. `whole`: its sums are of integers. `expression` and `operands`: of a derived one.
    `refolds`: moves with retractions that cells cannot subtract, so that tiles are recounted."""

    contract: MetricContract
    parts: tuple[Part, ...]
    names: tuple[str, ...]
    whole: bool = False
    operands: tuple[str, ...] = ()
    expression: Expression | None = None
    refolds: tuple[Move, ...] = ()


class Plan(msgspec.Struct, frozen=True):
    """The whole plan. `feeds` by event type and version; `cubes` with their slots, in a fixed order."""

    metrics: Mapping[str, MetricPlan]
    cubes: Mapping[CubeId, tuple[Slot, ...]]
    feeds: Mapping[str, Mapping[int, tuple[Feed, ...]]]
    subjects: Mapping[str, Mapping[int, tuple[SubjectFeed, ...]]]
    types: Mapping[str, frozenset[str]]
    zones: frozenset[str]
    derived: Mapping[str, frozenset[str]]
    refolded: tuple[str, ...]
    tellers: Mapping[str, Mapping[tuple[str, int], tuple[Teller, ...]]]
    """Of metrics that are recounted, by event type and version."""


def plan_of(contracts: ContractSet, metrics: frozenset[str] | None) -> Plan:
    """The plan for these metrics (None: all) and their operands."""
    wanted = contracts.made_of(contracts.metrics if metrics is None else metrics)
    plans = {name: _metric(contracts, contract) for name, contract in sorted(wanted.items())}
    slots: dict[CubeId, set[Slot]] = {}
    movers: dict[CubeId, dict[Slot, set[str]]] = {}
    for name, plan in plans.items():
        for part in plan.parts:
            slots.setdefault(part.cube, set()).update((part.slot, part.count))
            movers.setdefault(part.cube, {}).setdefault(part.count, set()).add(name)
    cubes = {id: tuple(sorted(found, key=canonical)) for id, found in slots.items()}
    feeds: dict[str, dict[int, tuple[Feed, ...]]] = {}
    for type, versions in contracts.events.items():
        for version, event in versions.items():
            found = tuple(
                Feed(id, cubes[id], {slot: frozenset(names) for slot, names in movers[id].items()}, event)
                for id in cubes if id.feed == type and id.version in (0, version)
            )  # fmt: skip
            if found:
                feeds.setdefault(type, {})[version] = found
    derived: dict[str, set[str]] = {}
    for name, plan in plans.items():
        for operand in plan.operands:
            derived.setdefault(operand, set()).add(name)
    return Plan(
        metrics=plans,
        cubes=cubes,
        feeds=feeds,
        subjects=_subjects(contracts, plans),
        types={name: contracts.types_of(name) for name in plans},
        zones=frozenset(w.zone for plan in plans.values() for w in plan.contract.windows.values() if w.unit),
        derived={name: frozenset(found) for name, found in derived.items()},
        refolded=tuple(name for name, plan in plans.items() if plan.refolds),
        tellers={name: _tellers(contracts, plan) for name, plan in plans.items() if plan.refolds},
    )


def cube_name(id: CubeId, slots: Sequence[Slot]) -> str:
    """A short name that stays the same while the cube means the same."""
    return digest_of(canonical([id, list(slots)])).hex()[:16]


def _metric(contracts: ContractSet, contract: MetricContract) -> MetricPlan:
    dimensions = tuple(sorted(contract.dimensions.items()))
    names = tuple(name for name, _ in dimensions)
    if contract.type == "derived":
        operands = tuple(sorted(contract.operands & contracts.metrics.keys()))
        expression = compile_expression(contract.value, nodes=frozenset(), names=frozenset(operands), strict=False)
        return MetricPlan(contract, (), names, operands=operands, expression=expression)
    if contract.type in SUBJECTS:
        id = CubeId("~" + contract.name, 0, "", dimensions, contract.budget)
        sums = [Slot("sum", str(index)) for index in range(width_of(contract))]
        return MetricPlan(contract, tuple(Part(id, slot, slot) for slot in sums), names)
    parts: list[Part] = []
    refolds: list[Move] = []
    for move in contract.moves:
        if move.retract and contract.on_retract == "refold" and contract.type not in ADDING | {"count"}:
            refolds.append(move)
            continue
        id = CubeId(move.on, move.version, move.at, dimensions, contract.budget)
        parts += _parts(contract, move, id)
    whole = contract.type in ("sum", "count") and all(
        not move.value or values_of(move.value, event, True).whole
        for move in contract.moves
        for event in _events(contracts, move)
    )
    return MetricPlan(contract, tuple(parts), names, whole=whole, refolds=tuple(refolds))


def _parts(contract: MetricContract, move: Move, id: CubeId) -> list[Part]:
    sign, value, when = -1 if move.retract else 1, move.value, move.when
    plain = Slot("count", "", when)
    if contract.type == "count" or (not value and contract.type in ADDING):
        parts = [Part(id, plain, plain, move.part, sign)]
        return [*parts, Part(id, plain, plain, "count", sign)] if contract.type == "average" else parts
    numeric = contract.type in ADDING or contract.type in ("min", "max", "percentile")
    count = Slot("count", value, when, exact=numeric)
    only = contract.name if contract.on_retract else ""
    if contract.type in ADDING:
        parts = [Part(id, Slot("sum", value, when), count, move.part, sign)]
        return [*parts, Part(id, count, count, "count", sign)] if contract.type == "average" else parts
    if contract.type in ("min", "max"):
        if contract.exact or (not contract.on_retract and any(each.retract for each in contract.moves)):
            return [Part(id, Slot("extremes", value, when, sign, contract.exact), count)]
        return [Part(id, Slot("low" if contract.type == "min" else "high", value, when, of=only), count)]
    if contract.type == "last":
        return [] if move.retract else [Part(id, Slot("last", value, when, of=only), count)]
    weight = contract.weight_of(move)
    return [Part(id, Slot(_SKETCH[contract.type], value, when, sign, contract.exact, only, weight), count)]


def _tellers(contracts: ContractSet, plan: MetricPlan) -> dict[tuple[str, int], tuple[Teller, ...]]:
    found: dict[tuple[str, int], tuple[Teller, ...]] = {}
    for move in plan.contract.moves:
        part = None if move in plan.refolds else _part_of(plan, move)
        if part is None and move not in plan.refolds:
            continue
        for event in _events(contracts, move):
            place = move.on, event.version
            found[place] = (*found.get(place, ()), Teller(plan.contract, move, event, part))
    return found


def _part_of(plan: MetricPlan, move: Move) -> int | None:
    """The index of the part that a move adds to."""
    wanted = (move.on, move.version, move.at, move.value, move.when)
    for index, part in enumerate(plan.parts):
        id, slot = part.cube, part.slot
        if (id.feed, id.version, id.at, slot.value, slot.when) == wanted:
            return index
    return None


def _events(contracts: ContractSet, move: Move) -> list[EventContract]:
    versions = contracts.events.get(move.on, {})
    return [event for version, event in versions.items() if move.version in (0, version)]


def _subjects(contracts: ContractSet, plans: Mapping[str, MetricPlan]) -> dict[str, dict[int, tuple[SubjectFeed, ...]]]:
    found: dict[str, dict[int, tuple[SubjectFeed, ...]]] = {}
    for plan in plans.values():
        if plan.contract.type not in SUBJECTS:
            continue
        for type in sorted(plan.contract.types):
            for version, event in contracts.events.get(type, {}).items():
                moves = [each for each in plan.contract.moves if each.on == type and each.version in (0, version)]
                if moves:
                    versions = found.setdefault(type, {})
                    feed = SubjectFeed(plan.contract, moves, plan.parts[0].cube, event)
                    versions[version] = (*versions.get(version, ()), feed)
    return found


class State:
    """The state of a tenant's metrics. `wanted`: spans to recount, by metric, each with the stamp of its last touch.
    `endless`: subjects are tracked however late and many they are."""

    def __init__(
        self, contracts: ContractSet, plan: Plan, kept_ms: Sequence[int] = KEPT_MS, endless: bool = False
    ) -> None:
        self.contracts, self.plan = contracts, plan
        self.kept_ms = tuple(kept_ms)
        self.dimensions = Dimensions()
        grid = Grid(self.plan.zones)
        self.cubes = {id: Cube(id, slots, self.dimensions, grid) for id, slots in self.plan.cubes.items()}
        self.subjects = {
            name: SubjectFold(plan.contract, endless=endless)
            for name, plan in self.plan.metrics.items()
            if plan.contract.type in SUBJECTS
        }
        self.sources = Sources(
            {name: max(v.lateness_ms for v in versions.values()) for name, versions in contracts.events.items()}
        )
        self.wanted: dict[str, dict[Span, int]] = {}
        self.stamp = 0
        self.faults: dict[str, str] = {}  # by metric, the last unexpected error; the owner of the fold reports it
