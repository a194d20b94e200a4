"""Makes the metrics layer of a home and enters its parts in order of dependency."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Final, cast

from aob.backends.duckdb_serving import DuckServing
from aob.backends.sqlite.runs import FileRuns
from aob.compose.metrics.feeds import Feeds, LocalRuns, RunReads, alert_notice, run_notice
from aob.compose.metrics.rooms import Metrics
from aob.compose.storage import Storage
from aob.core.answers import JsonObject, JsonValue
from aob.core.contract_model import ContractSet
from aob.core.errors import AobError
from aob.core.metric_query import MetricQuery
from aob.core.policy import Caller
from aob.core.run.record import commands as cmd
from aob.core.serving import DEAD_LETTERS, METRICS
from aob.fanout.webhooks import HookLaw, Secrets, Webhooks, feeds_of
from aob.gate import Commit, DeadLetterRows, GatedLog, Ingest, Memory
from aob.journal import Law
from aob.metrics.alerting import Alerting, AlertLaw, platform_alerts
from aob.metrics.contracts import Contracts, ContractsLaw, joined, unversioned
from aob.metrics.live import Answers, Changes, EntityReads, Live, PushLog, Streams, Watches
from aob.metrics.platform import Platform, mark_of, platform_contracts
from aob.metrics.registry import Protocol, Registry, Schemas
from aob.metrics.serving import Catalog, MetricRows, Querying
from aob.organisation import (
    Agents,
    Following,
    GroupedTopics,
    Groups,
    OrganisationLaw,
    Organisations,
    Records,
    Retaining,
    Taking,
    Topics,
    Whole,
)
from aob.organisation.decided import Decisions, Forking, Tracing
from aob.ports.cache import Cache
from aob.ports.dead_letters import LogWithLetters
from aob.ports.logger import Logger
from aob.ports.model import Models
from aob.ports.serving import Supply
from aob.ports.telemetry import Telemetry, Trace
from aob.runs import Core, Fact, told
from aob.views import Views
from aob.work.egress import CheckedClient


def make_laws() -> dict[type[Law], Law]:
    """The laws of the layer and of the organisation, for the journal that runs them."""
    return {law: law() for law in (ContractsLaw, AlertLaw, HookLaw, OrganisationLaw)}


log: Final = Logger("aob.compose")
STANDS_STILL_S: Final = 10.0
"""A prune waits for the platform's numbers, which lag briefly, unless they have not moved for this long."""
_COUNTED: Final = frozenset({"received", "accepted", "duplicate", "rejected"})
"""Sums since the first event replace these: the gate counts since its own start."""

ROWS_NAMED_MAX: Final = 20  # skipped rows that health names


class Starts:
    """Starts workflows for alerts, as a caller of the tenant whose name includes the alert."""

    def __init__(self, views: Views) -> None:
        self._views = views

    async def start_of(
        self, tenant: str, workflow: str, inputs: Mapping[str, JsonValue], *, tag: str, key: str, alert: str
    ) -> cmd.Start:
        """Start a run; the same key gives the same run."""
        who = Caller(tenant, f"alert:{alert}", frozenset({"run", "view"}))
        item = {"workflow": workflow, "inputs": dict(inputs), "tag": tag, "key": key, "labels": {"alert": alert}}
        return await self._views.start_command(who, item)


class Wiring:
    """The parts of one home's metrics layer during assembly."""

    def __init__(
        self, home: Path, storage: Storage, core: Core, views: Views, http: CheckedClient, cache: Cache | None,
        telemetry: Telemetry, laws: Mapping[type[Law], Law], wall_ms: Callable[[], int],
        shards: int, added: Sequence[int], secrets: Secrets, topics: GroupedTopics, models: Models,
    ) -> None:  # fmt: skip
        self._topics, self._models = topics, models
        now_ms = core.time_ms
        self.storage, self.core, self.views, self.http = storage, core, views, http
        self.telemetry, self.now_ms, self.laws = telemetry, now_ms, laws
        self.log: LogWithLetters = storage.event_log(core.journal.partitions)
        self.contracts = Contracts(core.journal, core.values, _shipped())
        self.contracts.positions = core.feed.positions
        self.contracts.unversioned = lambda tenant, types: unversioned(self.log, tenant, types, now_ms())
        memory_of = Memory(self.contracts.own, self._runs if storage.folder else None, self._entity)
        self.gate = Ingest(
            self.log, memory_of, now_ms, time.monotonic, self._written, telemetry, core.feed.positions.life,
            storage.letter_lists(),
        )  # fmt: skip
        self.live = Live(self.log, storage.pages("metrics"), self.contracts, self.gate, now_ms)
        self.live.positions, self.live.opening = self.gate.positions, core.journal.opening
        self.answers = Answers(self.live, cache)
        self.watches = Watches(self.answers.read_now, now_ms, self._flushed)
        self._to_tell: deque[Trace] = deque(maxlen=1_000)
        self.streams = Streams(self.live, self.watches)
        self.platform = Platform(self.live, core.feed.commits, now_ms, shards)
        tables = [
            Supply(DEAD_LETTERS, DeadLetterRows(self.log.letters)),
            Supply(METRICS, MetricRows(self.answers, self.contracts.of)),
        ]
        copies = storage.folder / "serving" if storage.folder else None
        self.serving = DuckServing(self.log, self.contracts.of, copies, supplies=tables)
        self.alerting = Alerting(
            core.journal, self.answers, self.contracts.of, Starts(views), now_ms=now_ms,
            on_alert=self.streams.alerted, on_told=self._told,
        )  # fmt: skip
        self.delivered = storage.pages("webhooks")
        self.feeds = Feeds(self.log, self.live, self.alerting.told)
        self.webhooks = Webhooks(
            core.journal, cast(HookLaw, laws[HookLaw]), self.delivered, self.feeds, http,
            secrets=secrets, now_ms=now_ms, wall_ms=wall_ms, dice=random.SystemRandom().random,
            vet=http.vet, shards=(shards, added),
        )  # fmt: skip

    def _runs(self, tenant: str) -> FileRuns:
        assert self.storage.folder is not None, "ids that leave memory have a folder"
        return FileRuns(self.storage.folder / "dedup" / sha256(tenant.encode()).hexdigest()[:32])

    def _entity(self, tenant: str, type: str, id: str) -> JsonObject:
        """An entity after the commits so far; None if no contract defines it."""
        entities = self.live.numbers(tenant).entities
        return entities.state(type, id).state if type in entities.types else {}

    def _types(self, tenant: str) -> Collection[str]:
        """The types of event that the gate of a tenant knows."""
        return self.contracts.own(tenant).events

    async def enter(self, stack: AsyncExitStack) -> Metrics:
        """Recover, then start all parts."""
        live, streams, platform = self.live, self.streams, self.platform
        stack.callback(asyncio.create_task(self._follow_runs(), name="aob-metrics-runs").cancel)
        stack.push_async_callback(self.log.close)
        stack.push_async_callback(live.keeping.pages.close)
        stack.push_async_callback(self.delivered.close)
        await self.log.take()
        await self.contracts.recover()
        await self.delivered.begin()
        self.storage.owned((await live.keeping.pages.begin()).epoch)
        await platform.recover()
        live.keeping.loads.append(self.alerting.objectives.load)
        live.heard += [platform.heard, streams.heard, self._count]
        live.moved.append(self.watches.moved)
        live.keeping.beside.append(platform.pages)
        await stack.enter_async_context(live)
        live.heard.append(self._heard)
        live.moved.append(self._moved)
        live.keeping.beside.append(self.alerting.objectives.pages)
        self.answers.on_read = self._read
        stack.callback(self.watches.close)
        stack.push_async_callback(self.serving.close)
        await stack.enter_async_context(self.alerting)
        for tenant in {*live.tenants, *self.contracts.tenants()}:
            self.alerting.changed(tenant)
        self.contracts.changed.append(self._contracts_changed)
        await stack.enter_async_context(self.webhooks)
        await stack.enter_async_context(platform)
        await stack.enter_async_context(self.gate)
        journal = self.core.journal
        self.core.followed.append(lambda tenant: self.read_through(tenant, 0, journal.durable_row))
        self.core.stepped += [self.watches.stepped, self.alerting.stepped, self.webhooks.stepped]
        self.core.timed = partial(self.telemetry.stage, "dispatch")
        self.core.journal.timed = partial(self.telemetry.stage, "commit")
        querying = Querying(self.serving, self.answers, live.positions.rows, live.position)
        catalog = Catalog(
            self.serving, self.contracts.of, lambda tenant: len(self.contracts.revisions(tenant)),
            lambda tenant: frozenset(live.numbers(tenant).filling), lambda tenant: live.numbers(tenant).unmoved(),
        )  # fmt: skip
        entities = EntityReads(live, self.serving)
        self.answers.read_entity, self.webhooks.unheard = entities.of_batch, self.contracts.unheard
        return self._rooms(stack, catalog, querying, entities)

    def _rooms(self, stack: AsyncExitStack, catalog: Catalog, querying: Querying, entities: EntityReads) -> Metrics:
        """The verbs, over parts that have begun; retention begins."""
        journal = self.core.journal
        organisations = Organisations(journal, lambda: self.core.newest_rules())
        registry = Registry(self.contracts, lambda: self.core.newest_rules())
        gated = GatedLog(self._topics, self.gate, waits=False)
        taking = Taking(organisations, registry.check)
        self.retaining = Retaining(organisations, self._topics, self.now_ms)
        stack.callback(asyncio.create_task(self.retaining.run(), name="aob-retention").cancel)
        records = Records(organisations, self._topics, gated, self.core.feed.positions.life, self.now_ms, taking)
        groups = Groups(records)
        decisions = Decisions(records, self.core.values.fetch)
        topics = Topics(organisations, self.retaining, groups, registry.subject_of)

        async def requested(tenant: str, agent: str, asked: JsonObject) -> JsonObject:
            return {**await topics.requested(tenant, agent, asked)}

        self.gated_log = GatedLog(self._topics, self.gate, taking, requested)
        return Metrics(
            self.live, self.gate, self.answers, self.streams, self.figures, self.contracts, entities,
            Protocol(registry), Schemas(registry), Changes(self.answers),
            PushLog(self.contracts, self.core.pushes), catalog, querying, self.alerting, self.webhooks,
            topics, records, groups,
            Agents(organisations, self._types),
            Whole(organisations, self._types, partial(told, self.core), self.core.feed.place, self._topics),
            Following(organisations, partial(told, self.core), self.core.feed),
            decisions, Forking(decisions, self._models), Tracing(records),
        )  # fmt: skip

    # -- publishing ------------------------------------------------------------------------------------------------

    def _written(self, groups: Sequence[Commit]) -> None:
        begun = time.perf_counter()
        self.live.written(groups)
        took_s = time.perf_counter() - begun
        self.telemetry.stage("fold", took_s, sum([len(group.events) for group in groups]))
        if self.telemetry.tracing:
            end_ns = time.time_ns()
            for group in groups:
                for trace in group.traces:
                    self.telemetry.record("fold", trace, end_ns - int(took_s * 1e9), end_ns, **{"aob.row": group.row})
                self._to_tell.extend(group.traces)

    def _flushed(self, took_s: float, told: int) -> None:
        """Count the time until numbers are published to subscribers, the last stage of an event."""
        self.telemetry.stage("fan_out", took_s, told)
        end_ns = time.time_ns()
        while self._to_tell:
            self.telemetry.record("delta", self._to_tell.popleft(), end_ns - int(took_s * 1e9), end_ns)

    def _heard(self, groups: Sequence[Commit]) -> None:
        tenant, moved = groups[0].tenant, groups[0].moved
        for group in groups:
            self.webhooks.offer_events(tenant, group.events, group.lines, group.partition)
        if moved:
            self._moved(tenant, moved)
        self.serving.poke(tenant)

    def _count(self, groups: Sequence[Commit]) -> None:
        """Count for objectives how old events were when they moved a number, and how many were refused."""
        objectives, tenant, moved = self.alerting.objectives, groups[0].tenant, groups[0].moved
        for metric in objectives.wanted(tenant, "freshness") & moved:
            types = self.contracts.of(tenant).types_of(metric)
            for group in groups:
                ages = [max(0, group.at_ms - event.at_ms) for event in group.events if event.type in types]
                objectives.fresh(tenant, metric, ages, group.at_ms)
        for metric in objectives.wanted(tenant, "quality"):
            types = self.contracts.of(tenant).types_of(metric)
            for group in groups:
                good = sum(event.type in types for event in group.events)
                total = good + sum(kind in types for kind in group.refused)
                if total and not group.again:  # rows do not record refusals
                    objectives.count(tenant, metric, "quality", good=good, total=total, at_ms=group.at_ms)

    def _read(self, tenant: str, metric: str, good: bool) -> None:
        objectives = self.alerting.objectives
        if metric in objectives.wanted(tenant, "availability"):
            objectives.count(tenant, metric, "availability", good=int(good), total=1, at_ms=self.now_ms())

    def _moved(self, tenant: str, moved: frozenset[str]) -> None:
        self.alerting.judge(tenant, moved, self.now_ms())
        if self.webhooks.wants(tenant, "metric"):
            for metric in moved:
                self.webhooks.offer_metric(tenant, metric, partial(self._number, tenant, metric))

    def _number(self, tenant: str, metric: str) -> JsonObject:
        return self.answers.read_now(tenant, MetricQuery(metric))

    def _told(self, tenant: str, position: int, turn: JsonObject) -> None:
        if self.webhooks.wants(tenant, "alert"):
            self.webhooks.offer_notice(tenant, alert_notice(position, turn))

    async def _contracts_changed(self, tenant: str, before: ContractSet, after: ContractSet) -> list[str]:
        self.alerting.changed(tenant)
        return []

    async def _follow_runs(self) -> None:
        """Follow the feed of shard 0's runs for subscribers, from now on: one that fell behind reads by itself."""
        end = self.core.journal.durable_row
        self.runs_are_there(0, LocalRuns(self.core), end)
        async for facts, row in self.core.feed.milestones(end):
            self.milestones(0, facts, row)

    def runs_are_there(self, shard: int, runs: RunReads, end: int) -> None:
        """Register the runs of a shard as readable; `milestones` receives all after this row."""
        feed = feeds_of("run", shard + 1)[-1]
        self.feeds.runs[feed] = runs
        self.webhooks.feed_is_there(feed, end)

    def add_shard(self, shard: int) -> None:
        """The home has one more shard: its numbers and its runs are read from their beginning."""
        self.platform.add_shard()
        self.webhooks.add_shard(shard)

    def milestones(self, shard: int, facts: Sequence[Fact], row: int) -> None:
        """Handle milestones of a shard's runs, complete up to this row."""
        feed = feeds_of("run", shard + 1)[-1]
        for fact in facts:
            try:
                if self.webhooks.wants(fact.tenant, "run"):
                    told = run_notice(fact, feed)
                    if told is not None:
                        self.webhooks.offer_notice(fact.tenant, told)
            except Exception:  # an error of one must not keep the others from receiving it
                log.exception("milestone_not_told", run=fact.stream, row=fact.row)
        self.webhooks.read_through(feed, row)

    async def read_through(self, tenant: str, shard: int, durable_row: int) -> int:
        """The journal row of a shard up to which all its followers have durably read what concerns a tenant."""
        await self.platform.caught_up(durable_row, STANDS_STILL_S, shard)
        with suppress(AobError):  # then the snapshot before it says so
            await self.live.keeping.save()
        delivered = self.webhooks.passed(tenant, feeds_of("run", shard + 1)[-1])
        counted = self.live.keeping.kept_marks.get(mark_of(shard), 0)
        return counted if delivered is None else min(counted, delivered)

    # -- status -----------------------------------------------------------------------------------------------------

    def unmoved(self) -> dict[str, int]:
        """By metric, the values that could not move it, over all tenants."""
        found: dict[str, int] = {}
        for numbers in self.live.tenants.values():
            for name, count in numbers.unmoved().items():
                found[name] = found.get(name, 0) + count
        return found

    def figures(self) -> JsonObject:
        """Sums over all tenants. The status is `ok`, or says why numbers are incomplete."""
        live = self.live
        tenants = list(live.tenants.values())
        now_ms = self.now_ms()
        accepted = sum(numbers.accepted for numbers in tenants)
        duplicate = sum(numbers.duplicate for numbers in tenants)
        rejected = sum(numbers.rejected for numbers in tenants)
        marks = [at for numbers in tenants if (at := numbers.fold.sources.watermark(now_ms)) is not None]
        sizes = [numbers.fold.size() for numbers in tenants]
        aside = sorted(row for numbers in tenants for row in numbers.aside)
        stuck = sum(bool(numbers.stuck) for numbers in tenants)
        failing = self.gate.failing or self.gate.refusing
        how = failing.code if failing else "fill_failed" if stuck else "rows_set_aside" if aside else "ok"
        detail = failing.detail if failing else _of_aside(aside, self.storage) if how == "rows_set_aside" else ""
        return {
            "status": how, **({"detail": detail} if detail else {}),
            "gate": {
                "received": accepted + duplicate + rejected, "accepted": accepted, "duplicate": duplicate,
                "rejected": rejected,
                **{name: value for name, value in self.gate.health().items() if name not in _COUNTED},
            },
            "fold": {
                "row": sum(live.at), "behind": sum(live.at) - live.keeping.saved_row,
                "cells": sum(size["cells"] for size in sizes),
                "bytes": sum(size["bytes"] for size in sizes), "entities": sum(len(each.entities) for each in tenants),
                "watched": len(self.watches), "filling": sum(len(each.filling) for each in tenants),
                "watermark": min(marks, default=None), "unmoved": sum(self.unmoved().values()), "aside": len(aside),
                "stuck": stuck, "restating": sum(numbers.fold.restating for numbers in tenants),
            },
            "serving": self.serving.figures(), "webhooks": self.webhooks.health(), "tenants": len(tenants),
        }  # fmt: skip


@cache
def _shipped() -> ContractSet:
    """What every tenant of every home has, compiled once."""
    return joined(platform_contracts(), platform_alerts())


def _of_aside(rows: Sequence[int], storage: Storage) -> str:
    """The rows of the log that are not counted, and the verb that acknowledges them."""
    named = ", ".join(map(str, rows[:ROWS_NAMED_MAX])) + (" …" if len(rows) > ROWS_NAMED_MAX else "")
    file = storage.log_file
    several = f"rows {named} of {file or 'the event log in the database'} cannot be read and are"
    if len(rows) == 1:
        several = several.replace("rows", "row", 1).removesuffix("are") + "is"
    if not file:
        return f"{several} not counted; restore the database to a time before (docs/how-to/postgres.md)"
    return f"{several} not counted; restore {file}, or stop and aob restore --accept-loss {file}:{rows[0]}"
