"""Numbers and workflows, each moving the other: events that runs emit, alerts that start runs that read numbers."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import aob
from aob.compose import App
from aob.core.policy import LOCAL
from tests.compose.shard_script import written
from tests.metrics.till import SHOP, Signal, recount, refunded, sold
from tests.runs.home import finished, flow
from tests.work.peers import peer

RATE = """
metric: refund_rate
version: 1
type: ratio
numerator: [{on: refunded}]
denominator: [{on: sold}]
windows: [all, 1h]
---
event: incident.opened
version: 1
fields:
  value: {type: number}
---
metric: incidents
version: 1
type: count
moves: [{on: incident.opened}]
windows: [all]
---
alert: refunds_high
metric: refund_rate
window: all
when: value > 0.3
clear: value < 0.2
start: {workflow: incident, inputs: {rate: value}, cooldown: 1h, open_runs: 1}
"""
INCIDENT = flow(
    "incident",
    {
        "look": {"kind": "metric", "config": {"metric": "refund_rate", "window": "all"}},
        "tell": {
            "kind": "emit", "input": {"value": "nodes.look.output.value"},
            "config": {"topic": "incidents", "type": "incident.opened", "data": {"value": "{value}"}},
        },
        "paused": {"kind": "wait", "config": {"message": "over"}},
        "again": {"kind": "metric", "config": {"metric": "refund_rate", "window": "all"}},
    },
    "look>tell", "tell>paused", "paused>again",
)  # fmt: skip


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with aob.open(tmp_path) as app:
        await app.push_contracts({"shop.yaml": SHOP})
        yield app


MANY = """
event: tick
fields: {to: string, n: number}
"""
ONE = """---
metric: m{n}
type: last
moves: [{{on: tick, value: data.n, when: "data.to == 'all' || data.to == '{n}'"}}]
windows: [all]
---
alert: a{n}
metric: m{n}
when: value > 1.0
"""


async def test_alerts_that_turn_at_once_all_reach_a_webhook_and_none_from_before_it(tmp_path: Path) -> None:
    async with peer() as ops:
        ops.answer("/first")
        ops.answer("/alerts")
        written(home := tmp_path / "home", f'[egress]\nprivate = ["127.0.0.1:{ops.port}"]\n')
        async with aob.open(home) as app:
            await app.push_contracts({"many.yaml": MANY + "".join(ONE.format(n=n) for n in range(20))})

            def tick(to: str, n: int) -> dict[str, Any]:
                return {"type": "tick", "id": f"{to}-{n}", "source": "test", "data": {"to": to, "n": n}}

            first = await app.metrics.create_webhook(LOCAL, f"{ops.url}/first", alerts=["*"])
            await app.ingest([tick("0", 5)])
            await ops.asked(1)
            await app.metrics.delete_webhook(LOCAL, first["id"])
            await app.metrics.create_webhook(LOCAL, f"{ops.url}/alerts", alerts=["*"])
            await app.ingest([tick("all", 7)])
            await ops.asked(20)
            await app.ingest([tick("all", 0)])
            await ops.asked(40)
    bodies = {asked.headers["webhook-id"]: msgspec.json.decode(asked.body)["data"] for asked in ops.requests[1:]}
    told = sorted((each["alert"], each["what"]) for each in bodies.values())
    fired = [(f"a{n}", "firing") for n in range(1, 20)]
    assert told == sorted(fired + [(f"a{n}", "ok") for n in range(20)])


async def test_rows_over_the_limit_are_the_largest_and_it_says_so_and_several_metrics_keep_each_value(app: App) -> None:
    named = """
metric: a
type: sum
moves: [{on: pick, value: data.a}]
dimensions: [name]
windows: [all]
---
metric: b
type: sum
moves: [{on: pick, value: data.b}]
dimensions: [name]
windows: [all]
---
event: pick
fields: {name: string, a: number, b: number}
"""
    await app.push_contracts({"named.yaml": named})
    for number, name in enumerate("xyz", 1):
        data = {"name": name, "a": number, "b": 10 - number}
        await app.ingest({"type": "pick", "id": name, "source": "test", "data": data})
    cut, whole = await app.metric("a", by=("name",), limit=2), await app.metric("a", by=("name",), limit=3)
    assert ([row["value"] for row in cut["rows"]], cut["value"], cut["truncated"]) == ([2, 3], 6, True)
    assert (len(whole["rows"]), "truncated" in whole) == (3, False)
    asked = {"metrics": ["a", "b"], "dimensions": ["name"]}
    for order, rows in (([], [["x", 1, 9], ["y", 2, 8]]), (["-a"], [["z", 3, 7], ["y", 2, 8]])):
        table = await app.metrics.query(LOCAL, {**asked, "order": order, "limit": 2})
        assert (table["rows"], table["truncated"]) == (rows, True)
    assert (await app.metrics.query(LOCAL, {**asked, "limit": 3}))["truncated"] is False


async def test_a_wave_of_refunds_starts_a_workflow_that_reads_the_rate_and_sees_it_fall(app: App) -> None:
    await app.push(INCIDENT)
    await app.push_contracts({"rate.yaml": RATE})
    waiting = Signal()
    app.metrics.live.heard.append(waiting)
    await app.ingest([sold(n) for n in range(10)])
    await app.ingest([refunded(n) for n in range(4)])
    await app.ingest([refunded(4)])
    await waiting.until(lambda: app.metrics.live.numbers("default").accepted == 16)  # the incident's own event
    (run,) = (await app.views.runs(LOCAL, workflow="incident"))["runs"]
    (alert,) = [each for each in await app.metrics.alerts(LOCAL) if each["name"] == "refunds_high"]
    assert alert["state"] == "firing"
    assert (await app.metric("incidents", window="all"))["value"] == 1
    await app.ingest([sold(n) for n in range(10, 40)])
    await app.views.message(LOCAL, run["run_id"], "over")
    ended = await finished(app, run["run_id"])
    assert ended["status"] == "COMPLETED"
    assert ended["inputs"]["rate"] in (0.4, 0.5)
    assert ended["nodes"]["look"]["output"]["value"] in (0.4, 0.5)
    assert ended["nodes"]["again"]["output"]["value"] == 5 / 40
    assert len((await app.views.runs(LOCAL, workflow="incident"))["runs"]) == 1


def emitting(type: str, data: dict[str, Any]) -> dict[str, Any]:
    return flow("says", {"say": {"kind": "emit", "config": {"topic": "shop", "type": type, "data": data}}})


async def test_what_a_workflow_emits_moves_numbers_once(app: App) -> None:
    data = {"order_id": "o-1", "amount": 12.5, "region": "north", "customer": "c-1"}
    await app.push(emitting("sold", data))
    ended = [await finished(app, (await app.start("says")).id) for _ in range(3)]
    assert {run["status"] for run in ended} == {"COMPLETED"}
    assert (await app.metric("revenue", window="all"))["value"] == 37.5 == recount(app.home)["revenue"]
    log = await app.metrics.changelog(LOCAL, "sales", since_ms=0, until_ms=1 << 45)
    assert {change["event"]["event"] is not None for change in log["changes"] if "event" in change} == {True}


async def test_what_the_gate_refuses_fails_the_node_with_its_reasons(app: App) -> None:
    await app.push(emitting("sold", {"order_id": "o-1", "amount": -1.0, "region": "north", "customer": "c-1"}))
    ended = await finished(app, (await app.start("says")).id)
    assert (ended["status"], ended["error"]["code"]) == ("FAILED", "event_rejected")
    (reason,) = ended["error"]["detail"]["reasons"]
    assert reason["path"] == "/data/amount"
    assert reason["message"] in ended["error"]["message"]
    assert recount_or_none(app) == 0


def recount_or_none(app: App) -> int:
    return int(app.metrics._health()["gate"]["accepted"])


async def test_a_type_without_a_contract_is_appended_and_moves_nothing(app: App) -> None:
    await app.push(emitting("whatever", {"a": 1}))
    assert (await finished(app, (await app.start("says")).id))["status"] == "COMPLETED"
    assert recount_or_none(app) == 0
