"""The shapes of answers that wrap a list under a name, as every list of this API. Data only."""

from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import Problem
from aob.core.metric_answers import (
    AlertView,
    DeadLetterGroup,
    Delivery,
    EntityType,
    MetricInfo,
    SearchHit,
    SloView,
    WebhookView,
)

Word = Annotated[str, msgspec.Meta(max_length=200)]
Fresh = Annotated[str, msgspec.Meta(description="A position; the answer is at least as fresh, or it waits.")]


class MetricList(TypedDict):
    """All metrics."""

    metrics: list[MetricInfo]


class AcceptedEvent(TypedDict):
    """An accepted event in a stream: `event` is as sent, `enriched` what the gate added."""

    id: str
    source: str
    type: str
    subject: str
    time: str
    version: int
    offset: int
    event: JsonObject
    enriched: NotRequired[JsonObject]


class AlertNotice(TypedDict):
    """A change of an alert in a stream: it fires, ends, or has no value. A repeated notice has the same `id`."""

    id: str
    alert: str
    version: int
    by: dict[str, str]
    state: Literal["firing", "ok", "no_data"]
    since: int
    at: int
    value: JsonValue
    position: str
    metric: NotRequired[str]
    when: NotRequired[str]
    severity: NotRequired[str]
    owner: NotRequired[str]
    description: NotRequired[str]


class EntityTypes(TypedDict):
    """The types of entities."""

    types: list[EntityType]


class BatchAnswer(TypedDict):
    """Answers in the order of the reads: a metric's, an entity's, or `{"error": problem}`; all as of `position`."""

    position: str
    answers: list[JsonObject]


class DeadLetterGroups(TypedDict):
    """Dead letters counted by type and reason."""

    groups: list[DeadLetterGroup]


class Discarded(TypedDict):
    """How many dead letters were discarded."""

    discarded: int


class ContractList(TypedDict):
    """Every contract in short: `kind name version versions owner description hash`."""

    contracts: list[JsonObject]


class ContractView(TypedDict):
    """A whole contract, with its source text and, for an event, the JSON Schema of its data and the default version."""

    kind: str
    name: str
    version: int
    default: NotRequired[int]
    contract: JsonObject
    source: NotRequired[str]
    schema: NotRequired[JsonObject]


class DefaultVersion(TypedDict):
    """The version that judges the events of a type that name none, what it was, and the newest."""

    type: str
    default: int
    was: int
    newest: int


class ContractDiff(TypedDict):
    """What changed between two versions: `path change breaking sentence` each; whether any of it breaks a reader."""

    changes: list[JsonObject]
    breaking: bool


class ContractsChecked(TypedDict):
    """The result of checking contracts; `new` names those that a push would add."""

    valid: bool
    problems: list[Problem]
    new: NotRequired[list[str]]
    warnings: NotRequired[list[JsonObject]]


class SearchHits(TypedDict):
    """What was found, best first."""

    hits: list[SearchHit]


class AlertList(TypedDict):
    """The current state of alerts."""

    alerts: list[AlertView]


class SloList(TypedDict):
    """The current state of objectives."""

    slos: list[SloView]


class WebhookList(TypedDict):
    """Subscriptions, without secrets."""

    webhooks: list[WebhookView]


class DeliveryPage(TypedDict):
    """Deliveries, newest first. `next` is what to pass as `before` for the next page."""

    deliveries: list[Delivery]
    next: str | None


class Queued(TypedDict):
    """How many deliveries will be sent again."""

    queued: int


class Repinned(TypedDict):
    """The build that a run is pinned to, and that before; empty: none."""

    run_id: str
    build: str
    was: str


class WorkerView(TypedDict):
    """A worker: its build, whether its stream is open (`attached`), lost (`away`) or `draining`, what it offers, and
    how many jobs it has and has done since it attached."""

    worker: str
    build: str
    state: str
    handlers: list[str]
    labels: dict[str, str]
    slots: int
    running: int
    done: int
    key: str
    attached_s: float


class BuildView(TypedDict):
    """A build: the workers that have it, the handlers that they offer, and how many live runs are pinned to it."""

    build: str
    workers: int
    handlers: list[str]
    runs: int


class WorkerList(TypedDict):
    """Workers by name."""

    workers: list[WorkerView]


class BuildList(TypedDict):
    """Builds by name."""

    builds: list[BuildView]


class HandlerRow(TypedDict):
    """A handler: whether the home's own process has it, how many workers do, and who paused it, when and why."""

    handler: str
    effect: str
    version: str
    here: bool
    workers: int
    paused: bool
    by: NotRequired[str]
    since: NotRequired[int]
    reason: NotRequired[str]


class HandlerChange(TypedDict):
    """A handler was paused or resumed."""

    handler: str
    paused: bool
    by: str
    at: int
    reason: str


class HandlerList(TypedDict):
    """Handlers by name, and the last changes of what is paused, newest first."""

    handlers: list[HandlerRow]
    changes: list[HandlerChange]


class HandlerPaused(TypedDict):
    """Whether a handler is paused now, and whether that is new."""

    handler: str
    paused: bool
    changed: bool


class ShardRow(TypedDict):
    """One shard: its file, how many partitions it owns, their epochs by number, and its journal rows."""

    shard: int
    file: str
    partitions: int
    epochs: dict[str, int]
    rows: int


class Shards(TypedDict):
    """The shards of a home, its number of partitions, and whether one of them is being moved."""

    partitions: int
    moving: bool
    shards: list[ShardRow]


class PartitionMove(TypedDict):
    """A partition that moved, with its live runs."""

    partition: int
    source: int
    target: int
    runs: int


class PartitionStay(TypedDict):
    """A partition that stayed for now, and why."""

    partition: int
    code: str
    why: str


class ShardsStep(Shards):
    """The shards after some partitions moved. `left` are still to be moved, those that `stayed` among them."""

    moved: list[PartitionMove]
    stayed: list[PartitionStay]
    left: int


class SettingChange(TypedDict):
    """A setting that a push changes: its value before (null: each process had its own) and after."""

    key: str
    before: JsonValue
    after: JsonValue


class SettingsPush(TypedDict):
    """Who pushed a version of the shared settings, when, and what it changed."""

    version: int
    by: str
    at: int
    changes: list[SettingChange]


class SharedSettings(TypedDict):
    """The settings that all processes of a home share, by section (version 0: none), and the pushes that are kept,
    newest first."""

    version: int
    by: str
    at: int
    settings: dict[str, dict[str, JsonValue]]
    history: list[SettingsPush]


class SettingsPushed(TypedDict):
    """What a push changed, or would change, and the version of the shared settings."""

    version: int
    changes: list[SettingChange]
    dry_run: bool
