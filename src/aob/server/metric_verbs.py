"""What the server asks of the metrics layer: one verb a route, as `aob.server.verbs` does for runs.

Every verb raises errors of the AobError tree only. `who` is always an authenticated caller, and all that a verb tells
or changes belongs to the tenant of that caller.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from aob.core.answers import JsonObject, JsonValue
from aob.core.metric_answers import (
    AlertView,
    CatalogAnswer,
    Changelog,
    ContractsPushed,
    DeadLetterGroup,
    DeadLetterPage,
    DeadLetterRow,
    Delivery,
    EntityIds,
    EntityType,
    EntityView,
    Lineage,
    MetricAnswer,
    MetricInfo,
    Pushes,
    QueryAnswer,
    Replayed,
    SearchHit,
    SloView,
    WebhookView,
)
from aob.core.metric_query import MetricQuery
from aob.core.policy import Caller


class GateVerbs(Protocol):
    """Verbs of ingest and of dead letters."""

    async def ingest(self, who: Caller, lines: bytes) -> bytes:
        """Pass events, one JSON object a line, through the gate; answered once they are durable and folded.

        The answer is an encoded `Ingested` (encoded here: it is made thousands of times a second). Role `run`.
        Raises Busy with a time to wait when more is waiting than can be written soon.
        """

    async def deadletters(
        self, who: Caller, *, state: str = "open", type: str = "", reason: str = "", before: int = 0, limit: int = 50
    ) -> DeadLetterPage:
        """Dead letters, newest first."""

    async def deadletter_groups(
        self, who: Caller, *, state: str = "open", sample: bool = True
    ) -> list[DeadLetterGroup]:
        """Dead letters counted by type and reason."""

    async def deadletter(self, who: Caller, number: int) -> DeadLetterRow:
        """One dead letter, with the event as it came."""

    async def replay_deadletters(
        self,
        who: Caller,
        *,
        numbers: Sequence[int] = (),
        type: str = "",
        reason: str = "",
        event: JsonValue = None,
        dry_run: bool = False,
    ) -> Replayed:
        """Pass them through the gate again: by number, or all open ones of a type or reason. `event` is the mended form
        of a single one. They keep their event time; one that was accepted meanwhile is a duplicate. Role `run`."""

    async def discard_deadletters(self, who: Caller, numbers: Sequence[int], *, note: str = "") -> JsonObject:
        """Set them aside for good: `{discarded: n}`. They stay readable. Role `run`."""


class ReadVerbs(Protocol):
    """Verbs of metrics and entities."""

    async def metrics(self, who: Caller) -> list[MetricInfo]:
        """All metrics of the tenant, the platform's own included."""

    async def metric(self, who: Caller, query: MetricQuery) -> MetricAnswer:
        """One number, live or by a scan."""

    async def batch(self, who: Caller, reads: Sequence[JsonObject]) -> JsonObject:
        """Many reads at one position: `{position, answers: [MetricAnswer | EntityView | {"error": problem}]}`. A read
        is the fields of a `MetricQuery`, or `{entity, id}`."""

    async def entity(
        self, who: Caller, type: str, id: str, *, as_of_ms: int | None = None, history: int = 0,
        min_position: str = "",
    ) -> EntityView:  # fmt: skip
        """The state of an entity, now or as of an event time."""

    async def entity_types(self, who: Caller) -> list[EntityType]:
        """The types of entities that contracts speak of."""

    async def entity_ids(
        self, who: Caller, type: str, *, after: str = "", limit: int = 100, min_position: str = ""
    ) -> EntityIds:
        """A page of the entities of a type, by id, after an id. Raises NotFound `entity_not_found`."""

    async def pushes(self, who: Caller, *, since_ms: int, until_ms: int, limit: int = 100) -> Pushes:
        """What was pushed between two instants, the newest first: contracts, workflows, defaults; by whom, when."""

    async def changelog(
        self, who: Caller, metric: str, *, since_ms: int, until_ms: int, where: Mapping[str, str] | None = None,
        window: str = "", limit: int = 100,
    ) -> Changelog:  # fmt: skip
        """Why a number moved."""

    def stream(
        self,
        who: Caller,
        *,
        types: frozenset[str] | None = None,
        metrics: Sequence[MetricQuery] = (),
        alerts: frozenset[str] = frozenset(),
        subject: str = "",
        position: str | None = None,
        place: bool = False,
    ) -> AsyncIterator[tuple[str, str, JsonObject]]:
        """Accepted events (of these types, of this subject; none when only metrics or alerts are asked for), the deltas
        of metrics and the turns of these alerts (`*`: of all), as they happen: (position, `event` | `metric` | `alert`,
        data). From a position on no event is missed: they are read from the log; a metric is told as it is now. With
        `place` an item without a name comes first and says where the feed begins."""


class ContractVerbs(Protocol):
    """Verbs of contracts and of the catalog."""

    async def push_contracts(
        self, who: Caller, files: Mapping[str, str], *, dry_run: bool = False, allow_breaking: bool = False
    ) -> ContractsPushed:
        """Take over contracts (text by file name). A version that is there already must be the same. Raises Invalid
        with every problem (path is `FILE#/pointer`), Conflict `breaking_change` unless allowed. Role `admin`."""

    async def default_version(self, who: Caller, type: str, version: int) -> JsonObject:
        """Let a version judge the events of a type that name none: `{type, default, was, newest}`. A push never does.
        Raises NotFound `contract_not_found`. The role of a push."""
        ...

    async def contracts(self, who: Caller) -> list[JsonObject]:
        """Every contract: `{kind, name, version, versions, owner, description, hash}`."""

    async def contract(self, who: Caller, kind: str, name: str, *, version: int = 0) -> JsonObject:
        """One contract, whole: `{kind, name, version, contract, source, schema?}`."""

    async def diff_contract(self, who: Caller, kind: str, name: str, a: int, b: int) -> JsonObject:
        """`{changes: [{path, change, breaking, sentence}], breaking}` between two versions."""

    async def lineage(self, who: Caller, *, metric: str = "", event: str = "") -> Lineage:
        """What moves what: all of it, or what touches one name."""

    async def catalog(self, who: Caller) -> CatalogAnswer:
        """All that may be asked for."""

    async def search(self, who: Caller, words: str, *, kind: str = "", limit: int = 20) -> list[SearchHit]:
        """The catalog by words."""

    async def query(self, who: Caller, body: JsonObject) -> QueryAnswer:
        """By name first: `{metrics, dimensions?, where?, window?, since?, until?, step?, order?, limit?}` or
        `{entity, fields?, where?, limit?}`; or `{sql, parameters?, min_position?}` over the tenant's views."""


class AlertVerbs(Protocol):
    """Verbs of alerts and objectives."""

    async def alerts(self, who: Caller, *, state: str = "") -> list[AlertView]:
        """All alerts as they stand."""

    async def alert(self, who: Caller, name: str) -> JsonObject:
        """One alert: its contract, its `AlertView`s with history, newest first."""

    async def put_alert(self, who: Caller, name: str, document: JsonObject) -> JsonObject:
        """Make or change an alert (the fields of its contract). Role `admin`."""

    async def delete_alert(self, who: Caller, name: str) -> JsonObject:
        """It is judged no more; its history stays. Role `admin`."""

    async def silence_alert(self, who: Caller, name: str, *, until_ms: int, reason: str = "") -> JsonObject:
        """It tells nobody and starts nothing until then (0: speaks again). Role `approve`."""

    async def slos(self, who: Caller) -> list[SloView]:
        """All objectives."""

    async def slo(self, who: Caller, name: str) -> SloView:
        """One objective."""


class WebhookVerbs(Protocol):
    """Verbs of webhooks."""

    async def webhooks(self, who: Caller) -> list[WebhookView]:
        """All subscriptions, without secrets."""

    async def webhook(self, who: Caller, id: str) -> WebhookView:
        """One subscription."""

    async def create_webhook(
        self, who: Caller, url: str, *, events: Sequence[str] = (), metrics: Sequence[str] = (),
        runs: Sequence[str] = (), alerts: Sequence[str] = (), description: str = "", secret: str = "",
    ) -> WebhookView:  # fmt: skip
        """Subscribe a URL to accepted events by type, metrics by name, runs by state, alerts by name (`*`: all). Its
        secret is in this answer and nowhere else; `{secret:NAME}` is one of the home. Role `admin`."""

    async def update_webhook(
        self, who: Caller, id: str, *, paused: bool | None = None, rotate: bool = False, secret: str = ""
    ) -> WebhookView:
        """Pause, go on (which closes an open circuit), or get a new secret: one that is made, or this one. Role
        `admin`."""

    async def delete_webhook(self, who: Caller, id: str) -> JsonObject:
        """Nothing is sent any more. Role `admin`."""

    async def deliveries(
        self, who: Caller, id: str, *, state: str = "", limit: int = 50, before: str = ""
    ) -> JsonObject:
        """`{deliveries: [Delivery], next}`, newest first."""

    async def delivery(self, who: Caller, id: str, delivery: str) -> Delivery:
        """One delivery with its payload."""

    async def redeliver(
        self, who: Caller, id: str, *, deliveries: Sequence[str] = (), since_ms: int | None = None
    ) -> JsonObject:
        """Send again: some deliveries, or all that failed since an instant: `{queued: n}`. Role `admin`."""


class MetricVerbs(GateVerbs, ReadVerbs, ContractVerbs, AlertVerbs, WebhookVerbs, Protocol):
    """All that the server asks of the metrics layer."""

    async def metrics_health(self) -> JsonObject:
        """Counts of the gate, row counts, lag, watermarks, dedup horizon, serving; per tenant only sums."""
