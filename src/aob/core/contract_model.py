"""The declarations of contracts, read and checked: event types, metrics, alerts and objectives. Data only. Names in
expressions (CEL): `data.FIELD`, `enriched.NAME`, `id`, `source`, `subject`, `time` (a timestamp); in derived metrics
the names of metrics; in alerts and objectives `value`."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal, TypeVar

import msgspec

from aob.core.answers import JsonValue

T = TypeVar("T")
BUDGET: Final = 1_000  # values of one dimension in one tenant before further ones become `__other__`
OTHER: Final = "__other__"
"""The display name of further values; a real value of this name is distinct, because the rest is stored as `REST`."""
REST: Final = "\0other"
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
HORIZON_MS: Final = 24 * 3_600_000  # how far back subjects are updated immediately, at least
LATENESS_MS: Final = 10_000  # how much later than its neighbours an event may arrive and still be in time

MetricType = Literal[
    "count", "sum", "min", "max", "average", "ratio", "derived", "distinct", "percentile", "top", "last", "funnel",
    "sessions", "join",
]  # fmt: skip
INVERTIBLE: Final = frozenset({"count", "sum", "average", "ratio"})
WindowKind = Literal["tumbling", "hopping", "sliding", "to_date", "all"]
Unit = Literal["second", "minute", "hour", "day", "week", "month", "year"]


class Rule(msgspec.Struct, frozen=True):
    """A semantic rule: `rule` (CEL) must be true, else the event is refused with `message` under `name`."""

    name: str
    rule: str
    message: str = ""


class EntityMove(msgspec.Struct, frozen=True):
    """The effect of an event on an entity: its type, the CEL of its key, the CEL of each attribute that it sets, and a
    CEL that, when true, removes it."""

    entity: str
    key: str
    set: Mapping[str, str] = {}
    removes: str = ""
    when: str = ""


class Lookup(msgspec.Struct, frozen=True):
    """A value joined to an event at the gate: `field` of the entity with this key (CEL over the event), as known at
    that time; `default` if there is none. It is stored under `enriched` and never changes later."""

    entity: str
    key: str
    field: str
    default: str = "unknown"


class EventContract(msgspec.Struct, frozen=True):
    """One version of an event type. `schema` is the JSON Schema (2020-12) of `data`; `pii` maps a field of `data` to
    its class; `enrich` names enrichments, `lookup` what is joined from entities; `lateness_ms` is how late an event of
    this type may be and still in time; `moves` lists the only metrics that it may move (None: any)."""

    type: str
    version: int
    schema: Mapping[str, JsonValue]
    owner: str = ""
    description: str = ""
    subject: str = ""
    rules: tuple[Rule, ...] = ()
    enrich: tuple[str, ...] = ()
    lookup: Mapping[str, Lookup] = {}
    entities: tuple[EntityMove, ...] = ()
    pii: Mapping[str, str] = {}
    units: Mapping[str, str] = {}
    lateness_ms: int = LATENESS_MS
    examples: tuple[Mapping[str, JsonValue], ...] = ()
    moves: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """The name in lists."""
        return self.type

    @property
    def properties(self) -> Mapping[str, JsonValue]:
        """The schemas of the fields of `data`, by name."""
        properties = self.schema.get("properties")
        return properties if isinstance(properties, Mapping) else {}


class Move(msgspec.Struct, frozen=True):
    """How an event type moves a metric. `value` is CEL of a number (or of any value to count, rank or keep); empty
    means 1. `when` is CEL of a boolean; `retract` subtracts the value; `at` is CEL of the timestamp at which it counts
    (default: the event's own time). `part` is its side of a ratio, `step` its step of a funnel (from 0) or side of a
    join (0 left, 1 right). `version` limits it to one version of the event type (0: all). `weight` is CEL of the number
    that a `top` adds up for its value (default 1)."""

    on: str
    value: str = ""
    when: str = ""
    retract: bool = False
    at: str = ""
    part: Literal["", "numerator", "denominator"] = ""
    step: int = 0
    version: int = 0
    weight: str = ""


class Window(msgspec.Struct, frozen=True):
    """The time span of a metric. `tumbling`: the current `size` units of the calendar of `zone`. `hopping`: the last
    whole hop of `size_ms`, moved every `every_ms`. `sliding`: the last `size_ms` up to now. `to_date`: from the start
    of the calendar unit of `zone` to now. `all`: from the first event on (cumulative)."""

    name: str
    kind: WindowKind
    size_ms: int = 0
    every_ms: int = 0
    size: int = 1
    unit: Unit | Literal[""] = ""
    zone: str = "UTC"


class Given(msgspec.Struct, frozen=True):
    """A test of a metric: given these events (as they are sent; times may be left out), `at` this time, the answer for
    `query` (window, by, where) has this `value`, or these `rows` (the value by the joined values of the dimensions)."""

    given: tuple[Mapping[str, JsonValue], ...]
    value: JsonValue = None
    rows: Mapping[str, JsonValue] | None = None
    window: str = ""
    by: tuple[str, ...] = ()
    where: Mapping[str, str] = {}
    at: str = ""
    name: str = ""


class Slo(msgspec.Struct, frozen=True):
    """An objective: what share (`target`, 0 to 1) of `good` instants or events over `window_ms` is promised.
    `freshness`: an event moves the metric within `limit_ms`. `quality`: events of the metric's types are accepted.
    `availability`: reads of it are answered. `value`: `good` (CEL over `value`) holds."""

    name: str
    metric: str
    objective: Literal["freshness", "quality", "availability", "value"]
    target: float
    window_ms: int
    limit_ms: int = 0
    good: str = ""
    description: str = ""
    owner: str = ""


class MetricContract(msgspec.Struct, frozen=True):
    """One version of a metric. `dimensions` maps a name to its CEL; `value` is the CEL of a derived metric; `key` the
    CEL of the subject that funnels, sessions and joins follow, `within_ms` their window or gap, `horizon_ms` how far
    back subjects are updated immediately (0: see `reach_ms`); `steps` the names of a funnel's steps; `quantiles` those
    of a percentile (the first is its value), `k` the length of a top list; `exact` keeps a counted multiset instead of
    a sketch; `on_retract: refold` rebuilds a touched tile from the log."""

    name: str
    version: int
    type: MetricType
    unit: str = ""
    owner: str = ""
    description: str = ""
    moves: tuple[Move, ...] = ()
    dimensions: Mapping[str, str] = {}
    windows: Mapping[str, Window] = {}
    value: str = ""
    key: str = ""
    within_ms: int = 0
    horizon_ms: int = 0
    steps: tuple[str, ...] = ()
    quantiles: tuple[float, ...] = ()
    k: int = 10
    budget: int = BUDGET
    exact: bool = False
    on_retract: Literal["", "refold"] = ""
    slo: Slo | None = None
    tests: tuple[Given, ...] = ()

    @property
    def reach_ms(self) -> int:
        """How far back subjects are updated immediately; later events are recomputed from the log."""
        return self.horizon_ms or max(HORIZON_MS, 2 * self.within_ms)

    def weight_of(self, move: Move) -> str:
        """The CEL of what a move adds to the sum of its value, if values are ranked by sums; empty if they are
        counted."""
        return (move.weight or "1.0") if any(each.weight for each in self.moves) else ""

    @property
    def types(self) -> frozenset[str]:
        """The event types that move it; none for a derived one, which has those of its operands."""
        return frozenset(move.on for move in self.moves)

    @property
    def operands(self) -> frozenset[str]:
        """The names in the expression of a derived metric: its metrics, and possibly functions."""
        return frozenset(_WORD.findall(self.value)) if self.type == "derived" else frozenset()


class AlertContract(msgspec.Struct, frozen=True):
    """A rule over one metric. `when` and `clear` are CEL over `value` (default of clear: not `when`); it must hold
    `for_ms` before the alert fires and `clear_for_ms` before it ends. `by` makes an alert for each value of a
    dimension. `start` names a workflow (and tag) that a firing starts with `inputs` (CEL by name over `value metric
    alert by at position`); at least `cooldown_ms` between two starts, and at most `open_runs_max` open runs. With `slo`
    its value is the burn rate of that objective of the metric, relative to its thresholds (above 1 it burns), instead
    of the metric's own."""

    name: str
    version: int
    metric: str
    when: str
    clear: str = ""
    window: str = ""
    where: Mapping[str, str] = {}
    by: tuple[str, ...] = ()
    for_ms: int = 0
    clear_for_ms: int = 0
    severity: Literal["info", "warning", "critical"] = "warning"
    start: str = ""
    tag: str = "main"
    inputs: Mapping[str, str] = {}
    cooldown_ms: int = 60_000
    open_runs_max: int = 1
    owner: str = ""
    description: str = ""
    slo: str = ""


Contract = EventContract | MetricContract | AlertContract | Slo


class ContractSet(msgspec.Struct, frozen=True):
    """All contracts of a tenant, in all versions. The newest version of a name answers; an event names its version, or
    is read by the default of its type (the newest if none is set)."""

    events: Mapping[str, Mapping[int, EventContract]] = {}
    metrics: Mapping[str, Mapping[int, MetricContract]] = {}
    alerts: Mapping[str, Mapping[int, AlertContract]] = {}
    slos: Mapping[str, Slo] = {}
    defaults: Mapping[str, int] = {}

    def default_of(self, type: str) -> int:
        """The version that judges an event of a type that names none."""
        versions = self.events[type]
        default = self.defaults.get(type, 0)
        return default if default in versions else max(versions)

    def event(self, type: str, version: int = 0) -> EventContract | None:
        """A version of an event type; 0 is the newest."""
        return _pick(self.events.get(type), version)

    def metric(self, name: str, version: int = 0) -> MetricContract | None:
        """A version of a metric; 0 is the newest. A derived one without dimensions or windows has those common to all
        its metrics."""
        found = _pick(self.metrics.get(name), version)
        return None if found is None else self._inheriting(found, frozenset())

    def made_of(self, metrics: Iterable[str]) -> dict[str, MetricContract]:
        """The newest versions of these metrics and of all their operands, by name."""
        found: dict[str, MetricContract] = {}
        asked = list(metrics)
        while asked:
            contract = self.metric(asked.pop())
            if contract is not None and contract.name not in found:
                found[contract.name] = contract
                asked += contract.operands
        return found

    def _inheriting(self, metric: MetricContract, seen: frozenset[str]) -> MetricContract:
        if metric.type != "derived" or (metric.dimensions and metric.windows):
            return metric
        seen |= {metric.name}
        names = [name for name in dict.fromkeys(_WORD.findall(metric.value)) if name in self.metrics.keys() - seen]
        parts = [self._inheriting(self.metrics[name][max(self.metrics[name])], seen) for name in names]
        first = parts[0] if parts else metric
        dimensions = {
            name: text for name, text in first.dimensions.items() if all(name in each.dimensions for each in parts)
        }
        windows = {
            name: window for name, window in first.windows.items()
            if all(each.windows.get(name) == window for each in parts)
        }  # fmt: skip
        return msgspec.structs.replace(
            metric, dimensions=metric.dimensions or dimensions,
            windows=metric.windows or windows or {"all": Window("all", "all")},
        )  # fmt: skip

    def alert(self, name: str, version: int = 0) -> AlertContract | None:
        """A version of an alert; 0 is the newest."""
        return _pick(self.alerts.get(name), version)

    def newest_events(self) -> Iterator[EventContract]:
        return (versions[max(versions)] for _, versions in sorted(self.events.items()))

    def newest_metrics(self) -> Iterator[MetricContract]:
        """The newest version of each metric, by name, with what it inherits."""
        return (self._inheriting(versions[max(versions)], frozenset()) for _, versions in sorted(self.metrics.items()))

    def newest_alerts(self) -> Iterator[AlertContract]:
        return (versions[max(versions)] for _, versions in sorted(self.alerts.items()))

    def types_of(self, metric: str) -> frozenset[str]:
        """Every event type that moves a metric, including those of its operands."""
        return frozenset().union(*(contract.types for contract in self.made_of((metric,)).values()))


def as_before(contract: T) -> T:
    """A derived metric without windows, as earlier releases read it: with `all`, which stored ones keep."""
    if isinstance(contract, MetricContract) and contract.type == "derived" and not contract.windows:
        return msgspec.structs.replace(contract, windows={"all": Window("all", "all")})
    return contract


def _pick(versions: Mapping[int, T] | None, version: int) -> T | None:
    if not versions:
        return None
    return versions.get(version) if version else versions[max(versions)]
