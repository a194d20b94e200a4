"""The metrics layer of a home as one object: every verb that the server and an application ask for. Only hands on."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

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
from aob.fanout.webhooks import Webhooks
from aob.gate import Ingest
from aob.metrics.alerting import Alerting
from aob.metrics.contracts import Contracts
from aob.metrics.live import Answers, Changes, EntityReads, Live, PushLog, Streams
from aob.metrics.serving import Catalog, Querying


class Metrics:
    """Verbs of the metrics layer (see `aob.server.MetricVerbs`); each part has its own."""

    def __init__(
        self, live: Live, gate: Ingest, contracts: Contracts, answers: Answers, entities: EntityReads, changes: Changes,
        pushes: PushLog, streams: Streams, catalog: Catalog, querying: Querying, alerting: Alerting, webhooks: Webhooks,
        health: Callable[[], JsonObject],
    ) -> None:  # fmt: skip
        self.live, self.gate, self.answers, self.streams = live, gate, answers, streams
        self._contracts, self._entities, self._changes, self._pushes = contracts, entities, changes, pushes
        self._catalog, self._querying, self._alerting, self._webhooks = catalog, querying, alerting, webhooks
        self._health = health

    # -- the gate ---------------------------------------------------------------------------------------------------

    async def ingest(self, who: Caller, lines: bytes) -> bytes:
        """Pass events through the gate; answered once they are durable and folded."""
        return await self.gate.ingest(who, lines)

    async def deadletters(
        self, who: Caller, *, state: str = "open", type: str = "", reason: str = "", before: int = 0, limit: int = 50
    ) -> DeadLetterPage:
        """Dead letters, newest first."""
        return await self.gate.deadletters(who, state=state, type=type, reason=reason, before=before, limit=limit)

    async def deadletter_groups(
        self, who: Caller, *, state: str = "open", sample: bool = True
    ) -> list[DeadLetterGroup]:
        """Dead letters counted by type and reason."""
        return await self.gate.deadletter_groups(who, state=state, sample=sample)

    async def deadletter(self, who: Caller, number: int) -> DeadLetterRow:
        """One dead letter."""
        return await self.gate.deadletter(who, number)

    async def replay_deadletters(
        self, who: Caller, *, numbers: Sequence[int] = (), type: str = "", reason: str = "", event: JsonValue = None,
        dry_run: bool = False,
    ) -> Replayed:  # fmt: skip
        """Pass them through the gate again."""
        return await self.gate.replay_deadletters(
            who, numbers=numbers, type=type, reason=reason, event=event, dry_run=dry_run
        )

    async def discard_deadletters(self, who: Caller, numbers: Sequence[int], *, note: str = "") -> JsonObject:
        """Set them aside for good."""
        return await self.gate.discard_deadletters(who, numbers, note=note)

    # -- numbers ----------------------------------------------------------------------------------------------------

    async def metrics(self, who: Caller) -> list[MetricInfo]:
        """All metrics of the tenant."""
        return await self.answers.metrics(who)

    async def metric(self, who: Caller, query: MetricQuery) -> MetricAnswer:
        """One number."""
        return await self.answers.metric(who, query)

    async def batch(self, who: Caller, reads: Sequence[JsonObject]) -> JsonObject:
        """Many reads at one position."""
        return await self.answers.batch(who, list(reads), self._entities.of_batch)

    async def entity(
        self, who: Caller, type: str, id: str, *, as_of_ms: int | None = None, history: int = 0, min_position: str = ""
    ) -> EntityView:
        """The state of an entity."""
        return await self._entities.entity(who, type, id, as_of_ms=as_of_ms, history=history, min_position=min_position)

    async def entity_types(self, who: Caller) -> list[EntityType]:
        """The types of entities."""
        return await self._catalog.entity_types(who)

    async def entity_ids(
        self, who: Caller, type: str, *, after: str = "", limit: int = 100, min_position: str = ""
    ) -> EntityIds:
        """The entities of a type, a page."""
        return await self._entities.entity_ids(who, type, after=after, limit=limit, min_position=min_position)

    async def pushes(self, who: Caller, *, since_ms: int, until_ms: int, limit: int = 100) -> Pushes:
        """What was pushed, by whom, when."""
        return await self._pushes.pushes(who, since_ms=since_ms, until_ms=until_ms, limit=limit)

    async def changelog(
        self, who: Caller, metric: str, *, since_ms: int, until_ms: int, where: Mapping[str, str] | None = None,
        window: str = "", limit: int = 100,
    ) -> Changelog:  # fmt: skip
        """Why a number moved."""
        return await self._changes.changelog(
            who, metric, since_ms=since_ms, until_ms=until_ms, where=where, window=window, limit=limit
        )

    def stream(
        self, who: Caller, *, types: frozenset[str] | None = None, metrics: Sequence[MetricQuery] = (),
        alerts: frozenset[str] = frozenset(), subject: str = "", position: str | None = None, place: bool = False,
    ) -> AsyncIterator[tuple[str, str, JsonObject]]:  # fmt: skip
        """Accepted events, deltas and turns of alerts, as they happen."""
        return self.streams.stream(
            who, types=types, metrics=metrics, alerts=alerts, subject=subject, position=position, place=place
        )

    # -- contracts --------------------------------------------------------------------------------------------------

    async def push_contracts(
        self, who: Caller, files: Mapping[str, str], *, dry_run: bool = False, allow_breaking: bool = False
    ) -> ContractsPushed:
        """Take over contracts."""
        return await self._contracts.push_contracts(who, files, dry_run=dry_run, allow_breaking=allow_breaking)

    async def default_version(self, who: Caller, type: str, version: int) -> JsonObject:
        """Let a version judge the events of a type that name none."""
        return await self._contracts.default_version(who, type, version)

    async def contracts(self, who: Caller) -> list[JsonObject]:
        """Every contract in short."""
        return await self._contracts.contracts(who)

    async def contract(self, who: Caller, kind: str, name: str, *, version: int = 0) -> JsonObject:
        """One contract, whole."""
        return await self._contracts.contract(who, kind, name, version=version)

    async def diff_contract(self, who: Caller, kind: str, name: str, a: int, b: int) -> JsonObject:
        """What changed between two versions."""
        return await self._contracts.diff_contract(who, kind, name, a, b)

    async def lineage(self, who: Caller, *, metric: str = "", event: str = "") -> Lineage:
        """What moves what."""
        return await self._contracts.lineage(who, metric=metric, event=event)

    async def catalog(self, who: Caller) -> CatalogAnswer:
        """All that may be asked for."""
        return await self._catalog.catalog(who)

    async def search(self, who: Caller, words: str, *, kind: str = "", limit: int = 20) -> list[SearchHit]:
        """The catalog by words."""
        return await self._catalog.search(who, words, kind=kind, limit=limit)

    async def query(self, who: Caller, body: JsonObject) -> QueryAnswer:
        """By name first, or SQL."""
        return await self._querying.query(who, body)

    # -- alerts and objectives --------------------------------------------------------------------------------------

    async def alerts(self, who: Caller, *, state: str = "") -> list[AlertView]:
        """All alerts as they stand."""
        return await self._alerting.alerts(who, state=state)

    async def alert(self, who: Caller, name: str) -> JsonObject:
        """One alert."""
        return await self._alerting.alert(who, name)

    async def put_alert(self, who: Caller, name: str, document: JsonObject) -> JsonObject:
        """Make or change an alert."""
        return await self._alerting.put_alert(who, name, document)

    async def delete_alert(self, who: Caller, name: str) -> JsonObject:
        """It is judged no more."""
        return await self._alerting.delete_alert(who, name)

    async def silence_alert(self, who: Caller, name: str, *, until_ms: int, reason: str = "") -> JsonObject:
        """It tells nobody until then."""
        return await self._alerting.silence_alert(who, name, until_ms=until_ms, reason=reason)

    async def slos(self, who: Caller) -> list[SloView]:
        """All objectives."""
        return await self._alerting.slos(who)

    async def slo(self, who: Caller, name: str) -> SloView:
        """One objective."""
        return await self._alerting.slo(who, name)

    # -- webhooks ---------------------------------------------------------------------------------------------------

    async def webhooks(self, who: Caller) -> list[WebhookView]:
        """All subscriptions."""
        return await self._webhooks.webhooks(who)

    async def webhook(self, who: Caller, id: str) -> WebhookView:
        """One subscription."""
        return await self._webhooks.webhook(who, id)

    async def create_webhook(self, who: Caller, url: str, **wanted: Any) -> WebhookView:
        """Subscribe a URL. What it names and no contract does (yet) is told with the hook."""
        made = await self._webhooks.create_webhook(who, url, **wanted)
        unheard = self._contracts.unheard(who.tenant, wanted)
        return {**made, "warnings": unheard} if unheard else made

    async def update_webhook(
        self, who: Caller, id: str, *, paused: bool | None = None, rotate: bool = False, secret: str = ""
    ) -> WebhookView:
        """Pause, go on, or get a new secret."""
        return await self._webhooks.update_webhook(who, id, paused=paused, rotate=rotate, secret=secret)

    async def delete_webhook(self, who: Caller, id: str) -> JsonObject:
        """Nothing is sent any more."""
        return await self._webhooks.delete_webhook(who, id)

    async def deliveries(
        self, who: Caller, id: str, *, state: str = "", limit: int = 50, before: str = ""
    ) -> JsonObject:
        """Deliveries, newest first."""
        return await self._webhooks.deliveries(who, id, state=state, limit=limit, before=before)

    async def delivery(self, who: Caller, id: str, delivery: str) -> Delivery:
        """One delivery."""
        return await self._webhooks.delivery(who, id, delivery)

    async def redeliver(
        self, who: Caller, id: str, *, deliveries: Sequence[str] = (), since_ms: int | None = None
    ) -> JsonObject:
        """Send again."""
        return await self._webhooks.redeliver(who, id, deliveries=deliveries, since_ms=since_ms)

    async def metrics_health(self) -> JsonObject:
        """How the layer stands."""
        return self._health()
