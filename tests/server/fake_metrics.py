"""A metrics layer in memory, for tests of what speaks to one: it counts what it is sent and tells it again.

Events of type `order.created` move `revenue` (sum of `data.amount` by `region`) and `orders` (their count).
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec

from aob.core.errors import AobError, Busy, Conflict, Invalid, NotFound, Problem
from aob.core.metric_query import MetricQuery
from aob.core.policy import Caller
from aob.core.problem import problem_of
from tests.server.fake import token

Json = dict[str, Any]
NOW_MS = 1_767_225_600_000
WINDOWS = [{"name": "1h", "kind": "sliding"}, {"name": "all", "kind": "all"}]
METRICS = {"revenue": ("sum", "EUR"), "orders": ("count", "")}
ALERT = {"metric": "revenue", "when": "value > 100", "severity": "warning"}


class Tenant:
    """What one tenant has."""

    def __init__(self) -> None:
        self.events: list[Json] = []
        self.told: list[tuple[str, str, Json]] = []
        self.seen: set[tuple[str, str]] = set()
        self.counts: Counter[str] = Counter()
        self.dead: dict[int, Json] = {}
        self.files: dict[str, Json] = {}
        self.alerts: dict[str, Json] = {"revenue_high": {**ALERT, "silenced_until": None}}
        self.hooks: dict[str, Json] = {}


class FakeMetrics:
    """Every verb of the metrics layer."""

    def __init__(self) -> None:
        self.tenants: dict[str, Tenant] = {}
        self.moved = asyncio.Event()
        self.busy = False
        self.broken = False
        self.calls: list[tuple[str, Any]] = []

    def of(self, who: Caller) -> Tenant:
        return self.tenants.setdefault(who.tenant, Tenant())

    # -- gate

    async def ingest(self, who: Caller, lines: bytes) -> bytes:
        if self.busy:
            raise Busy("more is waiting than can be written soon", retry_after_s=0.01)
        verdicts = [self._gate(who, line) for line in lines.split(b"\n") if line.strip()]
        counts = Counter(verdict["verdict"] for verdict in verdicts)
        mine = self.of(who)
        mine.counts += counts
        self.calls.append(("ingest", len(lines)))
        self._wake()
        told = {name: counts[name] for name in ("accepted", "duplicate", "rejected")}
        return msgspec.json.encode(
            {"received": len(verdicts), **told, "position": self.position(who), "verdicts": verdicts}
        )

    def _gate(self, who: Caller, line: bytes) -> Json:
        mine = self.of(who)
        try:
            event = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeError) as error:
            return self._refuse(who, line, {}, {"stage": "decode", "pointer": "", "message": str(error)})
        if not isinstance(event, dict) or not all(isinstance(event.get(n), str) for n in ("id", "source", "type")):
            reason = {"stage": "schema", "pointer": "", "message": "an event has an id, a source and a type"}
            return self._refuse(who, line, event if isinstance(event, dict) else {}, reason)
        data = event.get("data")
        if event["type"] == "order.created" and not (isinstance(data, dict) and _number(data.get("amount"))):
            reason = {"stage": "schema", "pointer": "/data/amount", "message": "is no number", "rule": "type"}
            return self._refuse(who, line, event, reason)
        if (event["source"], event["id"]) in mine.seen:
            return {"verdict": "duplicate"}
        mine.seen.add((event["source"], event["id"]))
        mine.events.append(event)
        at = token(len(mine.told) + 1)
        mine.told.append((at, "event", {**event, "position": at}))
        return {"verdict": "accepted"}

    def _refuse(self, who: Caller, line: bytes, event: Json, reason: Json) -> Json:
        dead = self.of(who).dead
        number = len(dead) + 1
        dead[number] = {
            "number": number, "at": NOW_MS, "type": str(event.get("type", "")), "source": str(event.get("source", "")),
            "id": str(event.get("id", "")), "state": "open", "reasons": [reason], "event": event or None,
            "line": line.decode("utf-8", "replace"),
        }  # fmt: skip
        return {"verdict": "rejected", "reasons": [reason], "deadletter": number}

    def _wake(self) -> None:
        self.moved.set()
        self.moved = asyncio.Event()

    def position(self, who: Caller) -> str:
        return token(len(self.of(who).told))

    async def deadletters(
        self, who: Caller, *, state: str = "open", type: str = "", reason: str = "", before: int = 0, limit: int = 50
    ) -> Json:
        rows = [
            row for row in reversed(self._dead(who, state=state, type=type, reason=reason))
            if not before or row["number"] < before
        ]  # fmt: skip
        more = rows[limit - 1]["number"] if len(rows) > limit else None
        return {"deadletters": rows[:limit], "next": more, "as_of": "kg"}

    def _dead(self, who: Caller, *, state: str = "open", type: str = "", reason: str = "") -> list[Json]:
        return [
            row for row in self.of(who).dead.values()
            if state in ("", row["state"]) and type in ("", row["type"])
            and reason in ("", row["reasons"][0].get("rule", row["reasons"][0]["stage"]))
        ]  # fmt: skip

    async def deadletter_groups(self, who: Caller, *, state: str = "open", sample: bool = True) -> list[Json]:
        groups: dict[tuple[str, str], list[Json]] = {}
        for row in self._dead(who, state=state):
            reason = row["reasons"][0].get("rule", row["reasons"][0]["stage"])
            groups.setdefault((row["type"], reason), []).append(row)
        return [
            {"type": type, "reason": reason, "count": len(rows), **({"sample": rows[0]} if sample else {})}
            for (type, reason), rows in groups.items()
        ]

    async def deadletter(self, who: Caller, number: int) -> Json:
        if number not in self.of(who).dead:
            raise NotFound(f"there is no dead letter {number}", code="deadletter_not_found")
        return self.of(who).dead[number]

    async def replay_deadletters(
        self, who: Caller, *, numbers: Sequence[int] = (), type: str = "", reason: str = "", event: Any = None,
        dry_run: bool = False,
    ) -> Json:  # fmt: skip
        rows = [await self.deadletter(who, number) for number in numbers] or self._dead(who, type=type, reason=reason)
        verdicts: list[Json] = []
        for row in rows:
            if row["state"] != "open":
                raise Conflict(f"dead letter {row['number']} is {row['state']}", code="deadletter_settled")
            before = len(self.of(who).dead)
            verdict = self._gate(who, msgspec.json.encode(row["event"] if event is None else event))
            for number in range(before + 1, len(self.of(who).dead) + 1):
                del self.of(who).dead[number]
            verdicts.append({**verdict, "number": row["number"]})
            if not dry_run and verdict["verdict"] != "rejected":
                row["state"] = "replayed"
        counts = Counter(verdict["verdict"] for verdict in verdicts)
        self._wake()
        return {
            "dry_run": dry_run, "matched": len(rows), "position": None if dry_run else self.position(who),
            "verdicts": verdicts, **{name: counts[name] for name in ("accepted", "duplicate", "rejected")},
        }  # fmt: skip

    async def discard_deadletters(self, who: Caller, numbers: Sequence[int], *, note: str = "") -> Json:
        for number in numbers:
            (await self.deadletter(who, number)).update(state="discarded", note=note)
        return {"discarded": len(numbers)}

    # -- reads

    async def metrics(self, who: Caller) -> list[Json]:
        return [
            {
                "name": name, "version": 1, "versions": [1], "type": type, "unit": unit, "owner": "shop",
                "description": f"The {name} of the shop.", "dimensions": ["region"], "windows": WINDOWS,
                "moved_by": ["order.created"], "state": "live",
            }
            for name, (type, unit) in METRICS.items()
        ]  # fmt: skip

    def _value(self, name: str, events: Sequence[Json]) -> float:
        return sum(event["data"]["amount"] for event in events) if name == "revenue" else len(events)

    async def metric(self, who: Caller, query: MetricQuery) -> Json:
        if query.metric not in METRICS:
            raise NotFound(f"there is no metric {query.metric}", code="metric_not_found", hint="GET /v1/metrics")
        if query.window not in ("", "1h", "all"):
            raise Invalid("this window is none", [Problem("?window", f"{query.window!r} is no window")])
        if unknown := (set(query.by) | set(query.where)) - {"region"}:
            raise Invalid("this dimension is none", [Problem("?by", f"{sorted(unknown)} are no dimensions")])
        self.calls.append(("metric", query))
        type, unit = METRICS[query.metric]
        events = [
            event for event in self.of(who).events
            if event["type"] == "order.created"
            and all(str(event["data"].get(name, "")) == value for name, value in query.where.items())
        ]  # fmt: skip
        answer: Json = {
            "metric": query.metric, "version": 1, "type": type, "unit": unit,
            "window": {"name": query.window or "1h", "kind": "sliding", "since": query.since_ms, "until": NOW_MS},
            "value": self._value(query.metric, events), "position": self.position(who),
            "valid_until": NOW_MS + 1_000, "watermark": NOW_MS, "freshness_ms": 5, "complete": True, "exact": True,
            "restated": False, "path": "scan" if query.known_at_ms else "live", "cached": False,
            "contract": f"{query.metric}@1",
        }  # fmt: skip
        if query.by:
            regions = sorted({str(event["data"].get("region", "")) for event in events})
            answer["rows"] = [
                {"by": {"region": region}, "value": self._value(query.metric, [
                    event for event in events if str(event["data"].get("region", "")) == region
                ])}
                for region in regions
            ]  # fmt: skip
        if query.compare:
            answer["previous"] = {"value": 0}
        return answer

    async def batch(self, who: Caller, reads: Sequence[Json]) -> Json:
        answers: list[Any] = []
        for read in reads:
            try:
                if "entity" in read:
                    answers.append(await self.entity(who, str(read["entity"]), str(read.get("id", ""))))
                else:
                    answers.append(await self.metric(who, msgspec.convert(read, MetricQuery)))
            except (AobError, msgspec.ValidationError) as error:
                known = error if isinstance(error, AobError) else Invalid(str(error))
                answers.append({"error": problem_of(known)})
        return {"position": self.position(who), "answers": answers}

    async def entity(
        self, who: Caller, type: str, id: str, *, as_of_ms: int | None = None, history: int = 0,
        min_position: str = "",
    ) -> Json:  # fmt: skip
        if type != "order":
            raise NotFound(f"there are no entities of type {type}", code="entity_not_found")
        found = [event for event in self.of(who).events if event["id"] == id]
        told: Json = {
            "type": type, "id": id, "state": found[-1]["data"] if found else {}, "exists": bool(found),
            "changed_at": NOW_MS if found else None, "position": self.position(who),
        }  # fmt: skip
        if as_of_ms is not None:
            told["as_of"] = as_of_ms
        if history:
            told["history"] = [{"at": NOW_MS, "change": event["data"]} for event in found][:history]
        return told

    async def entity_types(self, who: Caller) -> list[Json]:
        return [{"name": "order", "attributes": [], "said_by": ["order.created"], "view": "entities_order"}]

    async def entity_ids(
        self, who: Caller, type: str, *, after: str = "", limit: int = 100, min_position: str = ""
    ) -> Json:
        ids = sorted({event["id"] for event in self.of(who).events if event["id"] > after})
        more = ids[limit - 1] if len(ids) > limit else None
        return {"type": type, "ids": ids[:limit], "next": more, "position": self.position(who)}

    async def pushes(self, who: Caller, *, since_ms: int, until_ms: int, limit: int = 100) -> Json:
        return {"since": since_ms, "until": until_ms, "pushes": [], "truncated": False}

    async def changelog(
        self, who: Caller, metric: str, *, since_ms: int, until_ms: int, where: Mapping[str, str] | None = None,
        window: str = "", limit: int = 100,
    ) -> Json:  # fmt: skip
        await self.metric(who, MetricQuery(metric))
        events = self.of(who).events
        return {
            "metric": metric, "window": window or "all", "since": since_ms, "until": until_ms, "before": 0,
            "after": self._value("orders", events), "change": len(events), "parts": [],
            "moved_by": [{"type": "order.created", "count": len(events), "change": len(events)}], "truncated": False,
            "changes": [
                {"kind": "event", "at": NOW_MS, "position": self.position(who), "change": 1, "event": event}
                for event in events[:limit]
            ],
        }  # fmt: skip

    async def stream(
        self, who: Caller, *, types: frozenset[str] | None = None, metrics: Sequence[MetricQuery] = (),
        alerts: frozenset[str] = frozenset(), subject: str = "", position: str | None = None, place: bool = False,
    ) -> AsyncIterator[tuple[str, str, Json]]:  # fmt: skip
        told = self.of(who).told
        for query in metrics:
            await self.metric(who, query)
        places = [token(0), *(at for at, _, _ in told)]
        if position is not None and position not in places:
            raise Conflict("this position is of another feed", code="position_expired", hint="begin anew")
        at = len(told) if position is None else places.index(position)
        wants_events = bool(types) or not metrics
        if place:
            yield places[at], "", {}
        while True:
            moved = self.moved
            while at < len(told):
                place, name, data = told[at]
                at += 1
                if wants_events and (not types or data["type"] in types) and subject in ("", data.get("subject")):
                    yield place, name, data
                for query in metrics:
                    yield place, "metric", await self.metric(who, query)
            await moved.wait()

    # -- contracts

    async def check_contracts(self, who: Caller, files: Mapping[str, str]) -> Json:
        try:
            seen = await self.push_contracts(who, files, dry_run=True, allow_breaking=True)
        except Invalid as error:
            return {"valid": False, "problems": error.problems}
        return {"valid": True, "problems": [], "new": seen["new"], "warnings": seen["warnings"]}

    async def push_contracts(
        self, who: Caller, files: Mapping[str, str], *, dry_run: bool = False, allow_breaking: bool = False
    ) -> Json:
        found: dict[str, Json] = {}
        problems = []
        for name, text in files.items():
            try:
                document = msgspec.yaml.decode(text)
            except (msgspec.DecodeError, UnicodeError) as error:
                problems.append(Problem(f"{name}#", str(error)))
                continue
            kind = next((kind for kind in ("event", "metric", "alert", "slo") if isinstance(document, dict)
                         and isinstance(document.get(kind), str)), "")  # fmt: skip
            if not kind:
                problems.append(Problem(f"{name}#/", "says neither event nor metric nor alert nor slo"))
                continue
            found[f"{kind}/{document[kind]}"] = {"source": text, "contract": document}
        if problems:
            raise Invalid("the contracts have problems", problems)
        mine = self.of(who).files
        changed = [name for name, row in found.items() if name in mine and mine[name] != row]
        if changed and not allow_breaking:
            raise Conflict(f"{changed[0]} breaks its readers", code="breaking_change", hint="make a new version")
        fresh = sorted(set(found) - set(mine))
        if not dry_run:
            mine.update(found)
        return {"revision": len(mine), "new": fresh, "same": sorted(set(found) - set(fresh)), "warnings": [],
                "filling": [], "position": self.position(who), "unversioned": []}  # fmt: skip

    async def default_version(self, who: Caller, type: str, version: int) -> Json:
        if f"event/{type}" not in self.of(who).files:
            raise NotFound(f"there is no event {type}", code="contract_not_found")
        return {"type": type, "default": version, "was": 1, "newest": 1}

    async def contracts(self, who: Caller) -> list[Json]:
        return [
            {"kind": kind, "name": name, "version": 1, "versions": [1], "owner": "", "description": "", "hash": "a"}
            for kind, name in (each.split("/", 1) for each in self.of(who).files)
        ]

    async def contract(self, who: Caller, kind: str, name: str, *, version: int = 0) -> Json:
        row = self.of(who).files.get(f"{kind}/{name}")
        if row is None or version > 1:
            raise NotFound(f"there is no {kind} {name}", code="contract_not_found")
        return {"kind": kind, "name": name, "version": 1, **row}

    async def diff_contract(self, who: Caller, kind: str, name: str, a: int, b: int) -> Json:
        await self.contract(who, kind, name, version=a)
        await self.contract(who, kind, name, version=b)
        return {"changes": [], "breaking": False}

    async def lineage(self, who: Caller, *, metric: str = "", event: str = "") -> Json:
        if metric and metric not in METRICS:
            raise NotFound(f"there is no metric {metric}", code="metric_not_found")
        nodes = [{"id": "e", "kind": "event", "name": "order.created"}]
        nodes += [{"id": name, "kind": "metric", "name": name} for name in METRICS if metric in ("", name)]
        return {"nodes": nodes, "edges": [{"from": "e", "to": node["id"], "kind": "moves"} for node in nodes[1:]]}

    async def catalog(self, who: Caller) -> Json:
        return {
            "events": [{"name": "order.created"}], "metrics": await self.metrics(who), "entities": [{"name": "order"}],
            "dimensions": [{"name": "region"}], "alerts": [], "views": [], "revision": 1,
        }  # fmt: skip

    async def search(self, who: Caller, words: str, *, kind: str = "", limit: int = 20) -> list[Json]:
        return [
            {"kind": "metric", "name": name, "title": name, "snippet": "", "score": 1.0, "link": f"/v1/metrics/{name}"}
            for name in METRICS if words in name and kind in ("", "metric")
        ][:limit]  # fmt: skip

    async def query(self, who: Caller, body: Json) -> Json:
        self.calls.append(("query", body))
        if "metrics" in body:
            columns = body["metrics"]
            rows = [[(await self.metric(who, MetricQuery(name)))["value"] for name in columns]]
        elif "entity" in body:
            columns, rows = ["id"], [[event["id"]] for event in self.of(who).events]
        elif "drop" in body["sql"].lower():
            raise Invalid("only SELECT is answered", [Problem("/sql", "drops")], code="query_refused")
        else:
            columns, rows = ["n"], [[len(self.of(who).events)]]
        return {"columns": columns, "types": ["BIGINT"] * len(columns), "rows": rows, "truncated": False,
                "position": self.position(who), "took_ms": 0.1}  # fmt: skip

    # -- alerts

    def _alert(self, who: Caller, name: str) -> Json:
        if name not in self.of(who).alerts:
            raise NotFound(f"there is no alert {name}", code="alert_not_found")
        row = self.of(who).alerts[name]
        state = "silenced" if row.get("silenced_until") else "ok"
        return {
            "name": name, "version": 1, "metric": row.get("metric", ""), "by": {}, "state": state, "since": NOW_MS,
            "value": 0, "when": row.get("when", ""), "severity": row.get("severity", "warning"),
            "silenced_until": row.get("silenced_until"),
        }  # fmt: skip

    async def alerts(self, who: Caller, *, state: str = "") -> list[Json]:
        found = [self._alert(who, name) for name in self.of(who).alerts]
        return [row for row in found if state in ("", row["state"])]

    async def alert(self, who: Caller, name: str) -> Json:
        seen = self._alert(who, name)
        return {"name": name, "contract": self.of(who).alerts[name], "alerts": [seen]}

    async def put_alert(self, who: Caller, name: str, document: Json) -> Json:
        if not isinstance(document.get("metric"), str):
            raise Invalid("this alert cannot be judged", [Problem("/metric", "is missing")])
        self.of(who).alerts[name] = {**document}
        return await self.alert(who, name)

    async def delete_alert(self, who: Caller, name: str) -> Json:
        self._alert(who, name)
        del self.of(who).alerts[name]
        return {"name": name}

    async def silence_alert(self, who: Caller, name: str, *, until_ms: int, reason: str = "") -> Json:
        self._alert(who, name)
        self.of(who).alerts[name]["silenced_until"] = until_ms or None
        return self._alert(who, name)

    async def slos(self, who: Caller) -> list[Json]:
        return [await self.slo(who, "revenue_fresh")]

    async def slo(self, who: Caller, name: str) -> Json:
        if name != "revenue_fresh":
            raise NotFound(f"there is no objective {name}", code="slo_not_found")
        return {
            "name": name, "metric": "revenue", "objective": "freshness", "target": 0.99, "window_ms": 3_600_000,
            "good": 99, "total": 100, "ratio": 0.99, "budget_left": 1.0, "burn": {"1h": 1.0}, "state": "ok",
        }  # fmt: skip

    # -- webhooks

    def _hook(self, who: Caller, id: str) -> Json:
        if id not in self.of(who).hooks:
            raise NotFound(f"there is no webhook {id}", code="webhook_not_found")
        return self.of(who).hooks[id]

    async def webhooks(self, who: Caller) -> list[Json]:
        return [_unsecret(hook) for hook in self.of(who).hooks.values()]

    async def webhook(self, who: Caller, id: str) -> Json:
        return _unsecret(self._hook(who, id))

    async def create_webhook(
        self, who: Caller, url: str, *, events: Sequence[str] = (), metrics: Sequence[str] = (),
        runs: Sequence[str] = (), alerts: Sequence[str] = (), description: str = "", secret: str = "",
    ) -> Json:  # fmt: skip
        id = f"hook_{len(self.of(who).hooks)}"
        self.of(who).hooks[id] = {
            "id": id, "url": url, "events": list(events), "metrics": list(metrics), "runs": list(runs),
            "alerts": list(alerts), "description": description, "state": "active",
            "delivered": 0, "failed": 0, "waiting": 0, "created_at": NOW_MS, "secret": secret or "whsec_c2VjcmV0",
        }  # fmt: skip
        return self.of(who).hooks[id]

    async def update_webhook(
        self, who: Caller, id: str, *, paused: bool | None = None, rotate: bool = False, secret: str = ""
    ) -> Json:
        hook = self._hook(who, id)
        if paused is not None:
            hook["state"] = "paused" if paused else "active"
        hook["secret"] = secret or hook["secret"]
        return hook if rotate or secret else _unsecret(hook)

    async def delete_webhook(self, who: Caller, id: str) -> Json:
        self._hook(who, id)
        del self.of(who).hooks[id]
        return {"id": id}

    async def deliveries(self, who: Caller, id: str, *, state: str = "", limit: int = 50, before: str = "") -> Json:
        one = await self.delivery(who, id, "msg_1")
        return {"deliveries": [one] if state in ("", one["state"]) else [], "next": None}

    async def delivery(self, who: Caller, id: str, delivery: str) -> Json:
        self._hook(who, id)
        if delivery != "msg_1":
            raise NotFound(f"there is no delivery {delivery}", code="delivery_not_found")
        return {"id": delivery, "webhook": id, "type": "order.created", "state": "failed", "created_at": NOW_MS,
                "attempts": [{"at": NOW_MS, "status": 500}]}  # fmt: skip

    async def redeliver(
        self, who: Caller, id: str, *, deliveries: Sequence[str] = (), since_ms: int | None = None
    ) -> Json:
        self._hook(who, id)
        return {"queued": len(deliveries)}

    async def metrics_health(self) -> Json:
        if self.broken:
            raise Conflict("the log is away", code="log_away")
        received = sum(sum(tenant.counts.values()) for tenant in self.tenants.values())
        return {"status": "ok", "received": received}


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unsecret(hook: Json) -> Json:
    return {name: value for name, value in hook.items() if name != "secret"}
