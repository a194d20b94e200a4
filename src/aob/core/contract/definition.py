"""The structs of contract files, for every key, and the JSON Schema made of them, published as
`spec/contract.schema.json`. Durations and windows stay as written."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from aob.core.contract_model import BUDGET, MetricType, Unit
from aob.core.document.shape import Duration, Tree, Value, published

SCHEMA_ID: Final = "urn:aob:schema:contract"
EVENT_PATTERN: Final = r"^[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$"
METRIC_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_]*$"
NAME_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_-]*$"
NAME_MAX: Final = 128
BUDGET_MAX: Final = 100_000
K_MAX: Final = 1_000

Cel = str | int | float | bool  # A CEL expression; numbers, true and false are literals.
Version = Annotated[int, Meta(ge=1)]
EventName = Annotated[str, Meta(pattern=EVENT_PATTERN, max_length=NAME_MAX)]
MetricName = Annotated[str, Meta(pattern=METRIC_PATTERN, max_length=NAME_MAX)]
Name = Annotated[str, Meta(pattern=NAME_PATTERN, max_length=NAME_MAX)]
Names = str | list[str]


class RuleDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule of an event: `rule` is CEL that must be true."""

    name: Name
    rule: Cel
    message: str = ""


class EntityDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an event sets of an entity; `key`, each of `set`, `removes` and `when` are CEL."""

    entity: MetricName
    key: str
    set: dict[str, Cel] = {}
    removes: Cel = ""
    when: Cel = ""


class LookupDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A field of an entity, joined to each event at the gate: `key` is CEL, `default` the value if unknown."""

    entity: Name
    key: Cel
    field: str
    default: str = "unknown"


class EventDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version of an event type. `fields` by name, or `schema`, a JSON Schema of `data` (draft 2020-12). A field is
    a type (`string`) or a JSON Schema with optional `optional`, `unit`, `pii` (its class) and `fields` (of an object).
    `moves` lists the only metrics that may use the event; if omitted, any metric may."""

    event: EventName
    version: Version = 1
    owner: str = ""
    description: str = ""
    subject: str = ""
    fields: dict[str, str | Tree] | None = None
    schema: Tree | None = None
    rules: list[RuleDefinition] = []
    enrich: list[str] = []
    lookup: dict[Name, LookupDefinition] = {}
    entities: list[EntityDefinition] = []
    moves: list[str] | None = None
    pii: dict[str, str] = {}
    units: dict[str, str] = {}
    lateness: Duration | None = None
    examples: list[Tree] = []


class MoveDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an event changes a metric. `step` is the name or number of a funnel's step, or of a join's side; `weight` is
    what a `top` sums for each value, by default 1."""

    on: str
    value: Cel = ""
    weight: Cel = ""
    when: Cel = ""
    retract: bool = False
    at: str = ""
    part: Literal["", "numerator", "denominator"] = ""
    step: int | str = 0
    version: Annotated[int, Meta(ge=0)] = 0


class WindowDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A window: one of `sliding`, `tumbling`, `hopping` with `every`, `to_date`."""

    name: str = ""
    sliding: Duration | None = None
    tumbling: str | None = None
    size: Annotated[int, Meta(ge=1)] = 1
    hopping: Duration | None = None
    every: Duration | None = None
    to_date: Unit | None = None
    zone: str = "UTC"


class SloDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An objective. Within a metric its name and metric are derived from that."""

    objective: Literal["freshness", "quality", "availability", "value"]
    target: Annotated[float, Meta(gt=0, lt=1)]
    slo: Name = ""
    metric: str = ""
    window: Duration = "30d"
    limit: Duration | None = None
    good: Cel = ""
    description: str = ""
    owner: str = ""


class GivenDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A test of a metric. `expect` is a value, or `{value | rows, window, by, where, at}`."""

    given: list[Tree]
    expect: Value
    name: str = ""
    at: str = ""


class MetricDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version of a metric. `numerator` and `denominator` are the moves of a ratio; `dimensions` a list of fields of
    `data`, or CEL by name; `within` the window of a funnel or join, or the gap of sessions; `horizon` how far back
    touches are folded on arrival (default: twice `within`, at least a day)."""

    metric: MetricName
    type: MetricType
    version: Version = 1
    unit: str = ""
    owner: str = ""
    description: str = ""
    moves: list[MoveDefinition] = []
    numerator: list[MoveDefinition] = []
    denominator: list[MoveDefinition] = []
    dimensions: list[str] | dict[str, Cel] = []
    windows: list[Duration | WindowDefinition] = []
    value: Cel = ""
    key: str = ""
    within: Duration | None = None
    horizon: Duration | None = None
    steps: list[MetricName] = []
    quantiles: list[Annotated[float, Meta(gt=0, lt=1)]] = []
    k: Annotated[int, Meta(ge=1, le=K_MAX)] = 10
    budget: Annotated[int, Meta(ge=1, le=BUDGET_MAX)] = BUDGET
    exact: bool = False
    on_retract: Literal["", "refold"] = ""
    slo: SloDefinition | None = None
    tests: list[GivenDefinition] = []


class StartDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The workflow that an alert starts; `inputs` are CEL over `value metric alert by at position`."""

    workflow: str
    tag: str = "main"
    inputs: dict[str, Cel] = {}
    cooldown: Duration = "1m"
    open_runs: Annotated[int, Meta(ge=1)] = 1


class AlertDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule over one metric, or over the burn rate of its objective `slo`; `when` and `clear` are CEL over `value`."""

    alert: Name
    metric: str
    when: Cel = ""
    slo: str = ""
    version: Version = 1
    clear: Cel = ""
    window: str = ""
    where: dict[str, str] = {}
    by: Names = []
    for_: Duration = msgspec.field(name="for", default=0)
    clear_for: Duration = 0
    severity: Literal["info", "warning", "critical"] = "warning"
    start: str | StartDefinition = ""
    owner: str = ""
    description: str = ""


def contract_schema() -> Tree:
    """The schema of one document of a contract file (draft 2020-12): a contract, or a list of them."""
    contracts = (EventDefinition, MetricDefinition, AlertDefinition)
    _, parts = msgspec.json.schema_components([*contracts, SloDefinition], ref_template="#/$defs/{name}")
    event = parts["EventDefinition"]
    event["oneOf"] = [{"required": ["fields"]}, {"required": ["schema"]}]
    event["required"] = [each for each in event["required"] if each != "event"]
    event["properties"]["type"] = {**event["properties"]["event"], "description": "The same as `event`."}
    event["anyOf"] = [{"required": ["event"]}, {"required": ["type"]}]
    slo = {"allOf": [{"$ref": "#/$defs/SloDefinition"}, {"required": ["slo", "metric"]}]}
    one: Tree = {"type": "object", "anyOf": [*({"$ref": f"#/$defs/{struct.__name__}"} for struct in contracts), slo]}
    either: Tree = {"anyOf": [{"$ref": "#/$defs/Contract"}, {"type": "array", "items": {"$ref": "#/$defs/Contract"}}]}
    return published(SCHEMA_ID, "AOB contracts", either, {**parts, "Contract": one})
