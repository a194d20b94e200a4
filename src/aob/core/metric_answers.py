"""The answers of the API about events, metrics and contracts, as shapes. Data only. Answers are `TypedDict`s, as in
`aob.core.answers`. Times are ms since 1970 in UTC; positions are opaque tokens."""

from typing import Literal, NotRequired, TypedDict

from aob.core.answers import JsonObject, JsonValue, ReadFrom

Number = float | int | None


class EventVerdict(TypedDict):
    """The verdict on one event. `reasons` say why it was rejected, `deadletter` is its number there; `dedup` is
    `unknown` for an accepted event older than the deduplication memory."""

    verdict: Literal["accepted", "duplicate", "rejected"]
    reasons: NotRequired[list[JsonObject]]
    deadletter: NotRequired[int]
    dedup: NotRequired[Literal["unknown"]]


class Ingested(TypedDict):
    """The result of a call: received = accepted + duplicate + rejected. `position` is that of the last accepted event:
    a read with `min_position=` includes it."""

    received: int
    accepted: int
    duplicate: int
    rejected: int
    position: str
    verdicts: list[EventVerdict]


class WindowOf(TypedDict):
    """The span of event time of an answer: `[since, until)`."""

    name: str
    kind: str
    since: int | None
    until: int


class MetricRow(TypedDict):
    """The value for one combination of dimensions, or one step of a series (`at` is its start). `other` names the
    dimensions shown as `__other__`: their values over the budget are summed up here."""

    by: NotRequired[dict[str, str]]
    at: NotRequired[int]
    value: JsonValue
    complete: NotRequired[bool]
    restated: NotRequired[bool]
    overflow: NotRequired[bool]
    other: NotRequired[list[str]]


class MetricAnswer(TypedDict):
    """A number with everything needed to trust it.

    `value` is a number, null if there is none (an average of nothing), an object of quantiles, or a list of a top
    metric. `rows` exist if dimensions or a series were requested. `valid_until` is when it changes without an event.
    `watermark` is the event time up to which all sources have reported; `complete` says whether it has passed
    `window.until`. `freshness_ms` is the age of the newest event that moved it (null: none yet). `exact` is false for a
    sketch, whose `error` is then relative (two standard deviations). `path` says where it was read. `overflow`: the
    number exceeds 64 bits, so `value` is null. `unmoved` counts values that could not move the metric (0/0, an instant
    outside the calendar), since the first event. `missed` counts late events of subjects that are not in the number,
    `restating` says that a part is being recomputed from the log; with either it is not `exact`."""

    metric: str
    version: int
    type: str
    unit: str
    window: WindowOf
    value: JsonValue
    rows: NotRequired[list[MetricRow]]
    previous: NotRequired[JsonObject]
    position: str
    valid_until: int | None
    watermark: int | None
    freshness_ms: int | None
    complete: bool
    exact: bool
    error: NotRequired[float]
    restated: bool
    path: Literal["live", "scan"]
    cached: bool
    contract: str
    overflow: NotRequired[bool]
    overflowed: NotRequired[list[str]]
    truncated: NotRequired[bool]
    unmoved: NotRequired[int]
    missed: NotRequired[int]
    restating: NotRequired[bool]
    filling: NotRequired[float]


class MetricInfo(TypedDict):
    """A metric as the catalog lists it."""

    name: str
    version: int
    versions: list[int]
    type: str
    unit: str
    owner: str
    description: str
    dimensions: list[str]
    windows: list[JsonObject]
    moved_by: list[str]
    state: Literal["live", "filling"]
    unmoved: NotRequired[int]


class EntityView(TypedDict):
    """An entity as of a position or an instant; `history`, newest first, when asked for."""

    type: str
    id: str
    state: JsonObject
    exists: bool
    changed_at: int | None
    position: str
    as_of: NotRequired[int]
    history: NotRequired[list[JsonObject]]


class Unversioned(TypedDict):
    """An event type whose events without a version are judged by an older version than the newest, and their rate in
    the last minute. `aob contract default TYPE N` changes the default."""

    type: str
    default: int
    newest: int
    per_minute: float


class ContractsPushed(TypedDict):
    """The result of a push of contracts: names with versions that are new, and those that existed. `unversioned` are
    the types of these whose default is not their newest version."""

    revision: int
    new: list[str]
    same: list[str]
    warnings: list[JsonObject]
    filling: list[str]
    position: str
    unversioned: list[Unversioned]


class DeadLetterRow(TypedDict):
    """A refused event."""

    number: int
    at: int
    type: str
    source: str
    id: str
    state: str
    reasons: list[JsonObject]
    event: NotRequired[JsonValue]
    line: NotRequired[str]
    note: NotRequired[str]


class DeadLetterPage(TypedDict):
    """Dead letters, newest first, with all that is written up to `as_of`.

    `next` is the number to pass as `before` for the next page; `read` says where they were read, where the settings
    name a replica."""

    deadletters: list[DeadLetterRow]
    next: int | None
    as_of: str
    read: NotRequired[ReadFrom]


class DeadLetterGroup(TypedDict):
    """How many dead letters have one type and one reason, with one of them as a sample."""

    type: str
    reason: str
    count: int
    sample: NotRequired[DeadLetterRow]


class Replayed(TypedDict):
    """The result of a replay of dead letters, or the expected result of a dry run."""

    dry_run: bool
    matched: int
    accepted: int
    duplicate: int
    rejected: int
    position: str | None
    verdicts: list[JsonObject]


class QueryAnswer(TypedDict):
    """Rows of a query: names of columns, rows in their order. `truncated`: the limit of rows was reached."""

    columns: list[str]
    types: list[str]
    rows: list[list[JsonValue]]
    truncated: bool
    position: str
    took_ms: float
    sql: NotRequired[str]


class CatalogAnswer(TypedDict):
    """All names that may be queried, with summaries of their contracts."""

    events: list[JsonObject]
    metrics: list[MetricInfo]
    entities: list[JsonObject]
    dimensions: list[JsonObject]
    alerts: list[JsonObject]
    views: list[JsonObject]
    revision: int


class SearchHit(TypedDict):
    """A catalog entry found by a search; a better match has a higher score."""

    kind: str
    name: str
    title: str
    snippet: str
    score: float
    link: str


class Lineage(TypedDict):
    """The graph of dependencies: nodes `{id, kind, name}` and edges `{from, to, kind, expression}`."""

    nodes: list[JsonObject]
    edges: list[JsonObject]
    text: NotRequired[str]


class ChangeRow(TypedDict):
    """One change of a number: an `event`, a `restatement`, a `contract` change or a `backfill`."""

    kind: str
    at: int
    position: str
    change: NotRequired[JsonValue]
    event: NotRequired[JsonObject]
    detail: NotRequired[str]


class Changelog(TypedDict):
    """Why a number moved between two instants, for one window and one filter: totals by cause, and the newest changes.
    The changes of `parts` (by event type; `time` is the effect of a moving window) add up to `change`."""

    metric: str
    window: str
    since: int
    until: int
    before: JsonValue
    after: JsonValue
    change: JsonValue
    moved_by: list[JsonObject]
    parts: list[JsonObject]
    changes: list[ChangeRow]
    truncated: bool


class Push(TypedDict):
    """A pushed version: a contract (`event metric alert slo`), a `workflow`, the new target of a workflow's `tag`, or
    the new `default` of an event type; by whom, and when (ms)."""

    kind: str
    name: str
    version: str
    tag: NotRequired[str]
    by: str
    at: int


class Pushes(TypedDict):
    """The pushes between two instants, newest first."""

    since: int
    until: int
    pushes: list[Push]
    truncated: bool


class EntityType(TypedDict):
    """An entity type in contracts: its attributes, its events, its view in SQL."""

    name: str
    attributes: list[JsonObject]
    said_by: list[str]
    view: str


class EntityIds(TypedDict):
    """A page of the entities of a type, by id. `next` is `after` of the next page; null at the end."""

    type: str
    ids: list[str]
    next: str | None
    position: str


class AlertView(TypedDict):
    """An alert of a metric (of one value of its dimensions): its state, its start, and the value that decided it."""

    name: str
    version: int
    metric: str
    by: dict[str, str]
    state: Literal["ok", "pending", "firing", "no_data", "silenced"]
    since: int
    value: JsonValue
    when: str
    severity: str
    silenced_until: NotRequired[int | None]
    runs: NotRequired[list[str]]
    history: NotRequired[list[JsonObject]]


class SloView(TypedDict):
    """An objective: the good share over its window, the remaining budget, and the burn rate."""

    name: str
    metric: str
    objective: str
    target: float
    window_ms: int
    good: int
    total: int
    ratio: float | None
    budget_left: float | None
    burn: dict[str, float | None]
    state: Literal["ok", "burning", "exhausted", "unknown"]


class WebhookView(TypedDict):
    """A subscription. Its secret is shown once, in the answer that made it."""

    id: str
    url: str
    events: list[str]
    metrics: list[str]
    runs: list[str]
    alerts: list[str]
    state: Literal["active", "paused", "open"]
    description: NotRequired[str]
    secret: NotRequired[str]
    warnings: NotRequired[list[str]]
    delivered: int
    failed: int
    waiting: int
    waits_for: NotRequired[str]
    created_at: int


class Delivery(TypedDict):
    """One message to a target: its content, its attempts, its result."""

    id: str
    webhook: str
    type: str
    state: Literal["waiting", "delivered", "failed"]
    attempts: list[JsonObject]
    created_at: int
    next_at: NotRequired[int | None]
    waits_for: NotRequired[str]
    payload: NotRequired[JsonValue]
