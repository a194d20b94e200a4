"""Every route of events, metrics, contracts, alerts and webhooks on a home at work, through the client of the SDK."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

import aob
from aob.client import AsyncClient
from aob.compose import App
from aob.core.errors import AobError, Conflict, Invalid, NotFound
from aob.core.metric.fold import Restatement
from aob.core.policy import LOCAL
from aob.metrics.live.restating import Restating
from aob.server import create_app, serving
from tests.metrics.till import Signal

SHOP = """
event: order.created
version: 1
owner: shop
fields:
  order_id: {type: string}
  amount: {type: number, minimum: 0, unit: EUR}
  region: {type: string}
rules: [{name: not_huge, rule: "data.amount < 1000000.0", message: "an order is below a million"}]
entities: [{entity: order, key: data.order_id, set: {amount: data.amount, region: data.region}}]
---
metric: revenue
version: 1
type: sum
unit: EUR
moves: [{on: order.created, value: data.amount}]
dimensions: [region]
windows: [1h, all]
---
metric: orders
version: 1
type: count
moves: [{on: order.created}]
dimensions: [region]
windows: [1h, all]
---
alert: revenue_high
metric: revenue
window: all
when: value > 100.0
"""

BACK = """
event: order.refunded
version: 1
fields: {order_id: {type: string}, amount: {type: number}, region: {type: string}}
---
metric: largest
version: 1
type: max
on_retract: refold
moves: [{on: order.created, value: data.amount}, {on: order.refunded, value: data.amount, retract: true}]
windows: [all]
"""

pytestmark = pytest.mark.timeout(60)


def order(id: str, amount: Any = 10.0, region: str = "north") -> dict[str, Any]:
    data = {"order_id": id, "amount": amount, "region": region}
    return {"type": "order.created", "source": "shop", "id": id, "data": data}


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[App]:
    async with aob.open(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
async def client(home: App) -> AsyncIterator[AsyncClient]:
    key = (await home.views.create_key(LOCAL, "tester", ("admin",)))["secret"]
    async with serving(create_app(home.views, home.metrics)) as url, AsyncClient(url, key) as opened:
        await opened.push_contracts({"shop.yaml": SHOP})
        yield opened


async def test_what_is_sent_is_counted_and_can_be_read_at_once(client: AsyncClient) -> None:
    sent = await client.ingest([order("a"), order("a"), order("b", 5.0, "south"), order("c", "much"), order("d", 2e6)])
    assert [verdict["verdict"] for verdict in sent["verdicts"]] == [
        "accepted", "duplicate", "accepted", "rejected", "rejected",
    ]  # fmt: skip
    assert (sent["received"], sent["accepted"], sent["duplicate"], sent["rejected"]) == (5, 2, 1, 2)
    told = await client.metric("revenue", by=["region"], min_position=sent["position"])
    assert (told["value"], told["unit"], told["exact"]) == (15.0, "EUR", True)
    assert {row["by"]["region"]: row["value"] for row in told["rows"]} == {"north": 10.0, "south": 5.0}
    assert (await client.metric("revenue", window="all", where={"region": "south"}))["value"] == 5.0
    assert {row["name"] for row in await client.metrics()} >= {"revenue", "orders"}
    many = await client.batch([{"metric": "orders"}, {"entity": "order", "id": "a"}, {"metric": "none"}])
    assert many["answers"][0]["value"] == 2
    assert many["answers"][1]["state"] == {"amount": 10.0, "region": "north"}
    assert many["answers"][2]["error"]["status"] == 404
    assert (await client.entity("order", "b"))["exists"] is True
    why = await client.changelog("revenue")
    assert len([row for row in why["changes"] if row["kind"] == "event"]) == 2


async def test_a_number_that_stands_is_not_told_again(client: AsyncClient, home: App) -> None:
    sent = await client.ingest([order("a")])
    path, query = f"{client.url}/v1/metrics/orders", {"window": "all", "min_position": sent["position"]}
    async with httpx.AsyncClient(headers=client._http.headers) as http:
        first = await http.get(path, params=query)
        again = await http.get(path, params=query, headers={"if-none-match": first.headers["etag"]})
        assert (first.status_code, again.status_code) == (200, 304)
        await client.ingest([order("b")])
        moved = await http.get(path, params=query, headers={"if-none-match": first.headers["etag"]})
        assert (moved.status_code, moved.json()["value"]) == (200, 2)


async def test_a_number_that_is_told_anew_is_told_again(
    client: AsyncClient, home: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.push_contracts({"back.yaml": BACK})
    path = f"{client.url}/v1/metrics/largest"
    with monkeypatch.context() as patch:
        patch.setattr(Restating, "soon", lambda self, tenant: None)
        at = {"time": datetime.now(UTC).isoformat()}  # one for all: a value is taken back from the minute it came in
        await client.ingest([order("a", 5.0) | at, order("b", 9.0) | at])
        sent = await client.ingest([{**order("c", 9.0), "type": "order.refunded"} | at])
        async with httpx.AsyncClient(headers=client._http.headers) as http:
            first = await http.get(path)
            tag = {"if-none-match": first.headers["etag"]}
            assert (await http.get(path, headers=tag)).status_code == 304
    assert (first.json()["value"], first.json()["restating"]) == (9.0, True)
    home.metrics.live.restating.soon("default")
    async with httpx.AsyncClient(headers=client._http.headers) as http:
        moved = await http.get(path, params={"min_position": sent["position"]}, headers=tag)
    assert (moved.status_code, moved.json()["value"]) == (200, 5.0)
    assert moved.json()["position"] == first.json()["position"], "no event came"


async def test_a_read_amid_a_restatement_is_not_given_what_the_cache_has(
    client: AsyncClient, home: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.push_contracts({"back.yaml": BACK})
    reads = list[asyncio.Task[Any]]()
    with monkeypatch.context() as patch:
        patch.setattr(Restating, "soon", lambda self, tenant: None)
        at = {"time": datetime.now(UTC).isoformat()}
        await client.ingest([order("a", 5.0) | at, order("b", 9.0) | at])
        await client.ingest([{**order("c", 9.0), "type": "order.refunded"} | at])
        assert (await home.metric("largest"))["value"] == 9.0
    apply = Restatement.apply

    def seen(self: Restatement, most: int) -> bool:
        more = apply(self, most)
        reads.append(asyncio.ensure_future(home.metric("largest")))
        return more

    monkeypatch.setattr(Restatement, "apply", seen)
    await home.metrics.live.restating.settled("default", "largest")
    assert [(await read)["value"] for read in reads] == [5.0]


async def test_a_number_of_the_platform_is_told_again_when_it_moves(client: AsyncClient, home: App) -> None:
    path, query = f"{client.url}/v1/metrics/runs_started", {"window": "all"}
    async with httpx.AsyncClient(headers=client._http.headers) as http:
        first = await http.get(path, params=query)
        tag = {"if-none-match": first.headers["etag"]}
        moves = Signal()
        home.metrics.live.moved.append(moves)
        await home.push({"workflow": "ask", "nodes": {"a": {"kind": "approval"}}})
        await home.start("ask")
        while (await home.metric("runs_started", window="all"))["value"] == first.json()["value"]:
            await moves.next()
        moved = await http.get(path, params=query, headers=tag)
    assert (first.json()["value"], moved.status_code, moved.json()["value"]) == (0, 200, 1)
    assert moved.json()["position"] == first.json()["position"], "no event came"


async def test_a_single_refused_event_is_mended_from_its_dead_letter(client: AsyncClient) -> None:
    with pytest.raises(Invalid) as caught:
        await client._call("POST", "/v1/events", body=order("a", -1))
    assert caught.value.code == "event_rejected"
    assert caught.value.problems[0].path == "/data/amount"
    number = caught.value.fields["deadletter"]
    assert [row["number"] for row in (await client.deadletters())["deadletters"]] == [number]
    (group,) = await client.deadletter_groups()
    assert (group["type"], group["count"]) == ("order.created", 1)
    assert (await client.deadletter(number))["event"]["data"]["amount"] == -1
    assert (await client.replay_deadletters(numbers=[number], dry_run=True))["rejected"] == 1
    assert (await client.replay_deadletters(numbers=[number], event=order("a", 7.0)))["accepted"] == 1
    assert (await client.metric("revenue", window="all"))["value"] == 7.0
    assert (await client.deadletters())["deadletters"] == []
    await client.ingest([order("x", -1)])
    (row,) = (await client.deadletters())["deadletters"]
    assert (await client.discard_deadletters([row["number"]]))["discarded"] == 1


async def test_events_and_deltas_are_streamed_and_resumed(client: AsyncClient) -> None:
    stream = client.stream(types=["order.created"], metrics=["revenue"], window="all")
    waiting, count, seen = asyncio.ensure_future(anext(stream)), 0, []
    while not waiting.done():
        await client.ingest([order(f"o{count}", 1.0)])
        count += 1
    seen.append(await waiting)
    while {event.name for event in seen} != {"event", "metric"}:
        seen.append(await anext(stream))
    await client.ingest([order("last", 1.0)])
    position = next(event.position for event in seen if event.name == "event")
    resumed = client.stream(types=["order.created"], position=position)
    while "last" not in str((await anext(resumed)).data):
        pass


async def test_contracts_the_catalog_and_questions(client: AsyncClient) -> None:
    assert (await client.push_contracts({"shop.yaml": SHOP}))["new"] == []
    changed = SHOP.replace("unit: EUR\nmoves", "unit: USD\nmoves")
    verdict = await client.check_contracts({"shop.yaml": changed})
    assert verdict["valid"] is False
    with pytest.raises((Invalid, Conflict)):
        await client.push_contracts({"shop.yaml": changed})
    assert {(row["kind"], row["name"]) for row in await client.contracts()} >= {
        ("event", "order.created"), ("metric", "revenue"),
    }  # fmt: skip
    assert (await client.contract("metric", "revenue"))["contract"]["type"] == "sum"
    assert (await client.diff_contract("metric", "revenue", 1, 1))["changes"] == []
    assert (await client.lineage(metric="revenue"))["edges"]
    assert {row["name"] for row in (await client.catalog())["metrics"]} >= {"revenue"}
    assert "revenue" in {hit["name"] for hit in await client.search("revenue")}
    sent = await client.ingest([order("a"), order("b", 5.0, "south")])
    rows = await client.query({"metrics": ["revenue"], "dimensions": ["region"], "window": "all"})
    assert sorted(row[-1] for row in rows["rows"]) == [5.0, 10.0]
    body = {"sql": "select count(*) as n from events", "min_position": sent["position"]}
    assert (await client.query(body))["rows"] == [[2]]
    entities = await client.query({"entity": "order", "fields": ["amount"], "order": ["-amount"]})
    assert entities["rows"] == [["a", 10.0], ["b", 5.0]]
    with pytest.raises(AobError) as refused:
        await client.query({"sql": "select * from read_csv('/etc/passwd')"})
    assert refused.value.status < 500


async def test_alerts_objectives_and_webhooks(client: AsyncClient) -> None:
    await client.ingest([order("a", 500.0)])
    while "revenue_high" not in {row["name"] for row in await client.alerts(state="firing")}:
        pass  # it is judged in the turn after the fold
    until = int(time.time() * 1_000) + 60_000
    assert (await client.silence_alert("revenue_high", until=until, reason="test")) is not None
    while "revenue_high" not in {row["name"] for row in await client.alerts(state="silenced")}:
        pass
    await client.put_alert("orders_low", {"metric": "orders", "when": "value < 1.0", "window": "all"})
    assert (await client.alert("orders_low"))["contract"]
    await client.delete_alert("orders_low")
    assert isinstance(await client.slos(), list)
    with pytest.raises(NotFound):
        await client.slo("none")
    made = await client.create_webhook("https://example.org/hook", events=["order.created"])
    assert made["secret"].startswith("whsec_")
    assert [hook["id"] for hook in await client.webhooks()] == [made["id"]]
    assert (await client.update_webhook(made["id"], paused=True))["state"] == "paused"
    assert "deliveries" in await client.deliveries(made["id"])
    with pytest.raises(NotFound):
        await client.delivery(made["id"], "none")
    assert "queued" in await client.redeliver(made["id"], since=0)
    await client.delete_webhook(made["id"])
    with pytest.raises(NotFound):
        await client.webhook(made["id"])


async def test_health_says_how_the_gate_is(client: AsyncClient) -> None:
    await client.ingest([order("a")])
    told: Any = await client.health()
    assert told["status"] == "ok"
    assert told["metrics"]
