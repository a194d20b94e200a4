"""Every verb of events, metrics, contracts, alerts and webhooks, by both clients, over a real server."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from aob.client import AsyncClient, Client
from aob.client.async_nouns import events as async_events
from aob.core.errors import Busy, Conflict, Invalid, NotFound, Unavailable
from aob.core.metric_query import MetricQuery
from tests.server.fake import SECRET
from tests.server.fake_metrics import NOW_MS, FakeMetrics

Ask = Callable[..., Awaitable[Any]]


def order(id: str, amount: Any = 10, **more: Any) -> dict[str, Any]:
    return {"type": "order.created", "source": "shop", "id": id, "data": {"amount": amount, "region": "north"}, **more}


@pytest.fixture(params=["async", "sync"])
async def ask(request: pytest.FixtureRequest, url: str) -> Any:
    """Calls a verb of either client by its name."""
    if request.param == "async":
        async with AsyncClient(url, SECRET) as aob:
            yield lambda verb, *args, **named: getattr(aob, verb)(*args, **named)
        return
    with Client(url, SECRET) as blocking:
        yield lambda verb, *args, **named: asyncio.to_thread(getattr(blocking, verb), *args, **named)


async def test_one_name_and_one_event_need_no_list(ask: Ask, metrics: FakeMetrics) -> None:
    assert (await ask("ingest", order("a")))["accepted"] == 1
    told = await ask("metric", "revenue", by="region")
    assert told["rows"] == [{"by": {"region": "north"}, "value": 10}]


async def test_a_mended_event_is_of_one_dead_letter(ask: Ask) -> None:
    for meant in ({"numbers": [1, 2]}, {"type": "order.created"}, {"numbers": [1], "reason": "type"}):
        with pytest.raises(Invalid, match="mends one dead letter"):
            await ask("replay_deadletters", event=order("a"), **meant)


async def test_the_verbs_of_events_and_metrics(ask: Ask, metrics: FakeMetrics) -> None:
    sent = await ask("ingest", [order("a"), order("a"), order("b", 5), order("c", "much")])
    assert [verdict["verdict"] for verdict in sent["verdicts"]] == ["accepted", "duplicate", "accepted", "rejected"]
    assert sent["received"] == sent["accepted"] + sent["duplicate"] + sent["rejected"] == 4
    assert {row["name"] for row in await ask("metrics")} == {"revenue", "orders"}
    told = await ask("metric", "revenue", window="1h", by=["region"], where={"region": "north"}, compare="previous",
                     min_position=sent["position"])  # fmt: skip
    assert (told["value"], told["rows"]) == (15, [{"by": {"region": "north"}, "value": 15}])
    since = datetime(2026, 1, 1, tzinfo=UTC)
    span = await ask("metric", "revenue", since=since, until="2026-01-02T00:00:00Z", step="1h", as_of=NOW_MS + 1,
                     known_at=NOW_MS + 2, version=3, limit=4)  # fmt: skip
    assert metrics.calls[-1][1] == MetricQuery(
        "revenue", since_ms=NOW_MS, until_ms=NOW_MS + 86_400_000, step="1h", as_of_ms=NOW_MS + 1,
        known_at_ms=NOW_MS + 2, version=3, limit=4,
    )  # fmt: skip
    assert (span["window"]["since"], span["path"]) == (int(since.timestamp() * 1_000), "scan")
    both = await ask("batch", [{"metric": "orders"}, {"entity": "order", "id": "a"}, {"metric": "none"}])
    assert [answer.get("value", answer.get("exists")) for answer in both["answers"]] == [2, True, None]
    assert both["answers"][2]["error"]["code"] == "metric_not_found"
    state = await ask("entity", "order", "b", as_of=NOW_MS, history=3)
    assert (state["state"]["amount"], len(state["history"]), state["as_of"]) == (5, 1, NOW_MS)
    why = await ask("changelog", "orders", since=0, until=NOW_MS, where={"region": "north"}, limit=1)
    assert (why["since"], why["until"], len(why["changes"])) == (0, NOW_MS, 1)
    with pytest.raises(NotFound, match="no metric"):
        await ask("metric", "none")


async def test_the_verbs_of_dead_letters(ask: Ask) -> None:
    await ask("ingest", [order("a", None), order("b", None), order("c", None)])
    page = await ask("deadletters", type="order.created", limit=2)
    assert [row["number"] for row in page["deadletters"]] == [3, 2]
    rest = await ask("deadletters", before=page["next"])
    assert [row["number"] for row in rest["deadletters"]] == [1]
    (group,) = await ask("deadletter_groups", sample=False)
    assert (group["type"], group["reason"], group["count"]) == ("order.created", "type", 3)
    assert (await ask("deadletter", 1))["event"]["id"] == "a"
    dry = await ask("replay_deadletters", type="order.created", reason="type", dry_run=True)
    assert (dry["dry_run"], dry["matched"], dry["rejected"]) == (True, 3, 3)
    mended = await ask("replay_deadletters", numbers=[1], event=order("a", 7))
    assert mended["accepted"] == 1
    assert (await ask("discard_deadletters", [2, 3], note="test"))["discarded"] == 2
    assert (await ask("deadletter", 2))["note"] == "test"
    assert [row["state"] for row in (await ask("deadletters", state=""))["deadletters"]].count("discarded") == 2
    with pytest.raises(Conflict):
        await ask("replay_deadletters", numbers=[1])


async def test_the_verbs_of_contracts_and_of_the_catalog(ask: Ask) -> None:
    files = {"m.yaml": "metric: revenue\nversion: 1\ntype: sum\n"}
    assert (await ask("check_contracts", files))["new"] == ["metric/revenue"]
    assert (await ask("check_contracts", {"m.yaml": "- 1"}))["problems"][0]["path"] == "m.yaml#/"
    assert (await ask("push_contracts", files, dry_run=True))["new"] == ["metric/revenue"]
    assert (await ask("push_contracts", files))["new"] == ["metric/revenue"]
    assert (await ask("push_contracts", files))["same"] == ["metric/revenue"]
    with pytest.raises(Conflict) as caught:
        await ask("push_contracts", {"m.yaml": "metric: revenue\ntype: count\n"})
    assert caught.value.code == "breaking_change"
    await ask("push_contracts", {"m.yaml": "metric: revenue\ntype: count\n"}, allow_breaking=True)
    assert [row["name"] for row in await ask("contracts")] == ["revenue"]
    assert (await ask("contract", "metric", "revenue", version=1))["contract"]["type"] == "count"
    assert (await ask("diff_contract", "metric", "revenue", 1, 1))["breaking"] is False
    assert (await ask("lineage", metric="revenue"))["edges"][0]["from"] == "e"
    assert [row["name"] for row in (await ask("catalog"))["metrics"]] == ["revenue", "orders"]
    assert [hit["name"] for hit in await ask("search", "rev", kind="metric", limit=3)] == ["revenue"]
    assert (await ask("query", {"metrics": ["orders"], "since": "2026-01-01T00:00:00Z"}))["rows"] == [[0]]
    assert (await ask("query", {"sql": "select count(*) from events"}))["columns"] == ["n"]
    with pytest.raises(Invalid) as refused:
        await ask("query", {"sql": "drop table events"})
    assert refused.value.code == "query_refused"


async def test_the_verbs_of_alerts_and_objectives(ask: Ask) -> None:
    assert [row["name"] for row in await ask("alerts")] == ["revenue_high"]
    await ask("put_alert", "orders_low", {"metric": "orders", "when": "value < 1"})
    assert (await ask("alert", "orders_low"))["contract"]["when"] == "value < 1"
    assert (await ask("silence_alert", "orders_low", until=NOW_MS, reason="known"))["state"] == "silenced"
    assert [row["name"] for row in await ask("alerts", state="silenced")] == ["orders_low"]
    assert (await ask("silence_alert", "orders_low", until=0))["state"] == "ok"
    assert (await ask("silence_alert", "orders_low", for_="2h"))["silenced_until"] > NOW_MS
    await ask("delete_alert", "orders_low")
    with pytest.raises(NotFound):
        await ask("alert", "orders_low")
    assert [row["name"] for row in await ask("slos")] == ["revenue_fresh"]
    assert (await ask("slo", "revenue_fresh"))["state"] == "ok"


async def test_the_verbs_of_webhooks(ask: Ask) -> None:
    made = await ask("create_webhook", "https://example.org/hook", events=["order.created"], metrics=["*"],
                     runs=["FAILED"], alerts=["*"], description="mine")  # fmt: skip
    assert made["secret"].startswith("whsec_")
    (listed,) = await ask("webhooks")
    assert "secret" not in listed
    assert (await ask("webhook", made["id"]))["events"] == ["order.created"]
    assert (await ask("update_webhook", made["id"], paused=True))["state"] == "paused"
    assert "secret" in await ask("update_webhook", made["id"], rotate=True)
    page = await ask("deliveries", made["id"], state="failed")
    assert [row["id"] for row in page["deliveries"]] == ["msg_1"]
    assert (await ask("delivery", made["id"], "msg_1"))["attempts"][0]["status"] == 500
    assert (await ask("redeliver", made["id"], deliveries=["msg_1"]))["queued"] == 1
    assert (await ask("redeliver", made["id"], since=0))["queued"] == 0
    await ask("delete_webhook", made["id"])
    assert await ask("webhooks") == []


async def test_events_and_deltas_are_followed_and_resumed(url: str) -> None:
    async with AsyncClient(url, SECRET) as aob:
        await aob.ingest([order("a"), {"type": "page.viewed", "source": "shop", "id": "p"}])
        stream = aob.stream(types=["order.created"], metrics=["revenue"], by=["region"])
        waiting, count = asyncio.ensure_future(anext(stream)), 0
        while not waiting.done():
            await aob.ingest([order(f"b{count}", 1)])
            count += 1
        first, second = await waiting, await anext(stream)
        assert (first.name, second.name) == ("event", "metric")
        assert second.data["value"] >= 11
        await aob.ingest([order("last")])
        rest = aob.stream(types=["order.created"], position=first.position)
        seen = int(first.data["id"].removeprefix("b"))
        told = [(await anext(rest)).data["id"] for _ in range(count - seen)]
        assert told == [*(f"b{n}" for n in range(seen + 1, count)), "last"]


def test_the_blocking_client_follows_too(url: str) -> None:
    assert inspect.isgenerator(Client(url, SECRET).stream())


class Flaky(httpx.AsyncBaseTransport):
    """Loses the answer of every other request after it was served."""

    def __init__(self) -> None:
        self.inner = httpx.AsyncHTTPTransport()
        self.count = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self.inner.handle_async_request(request)
        self.count += 1
        if self.count % 2:
            await answer.aread()
            raise httpx.ReadError("lost")
        return answer

    async def aclose(self) -> None:
        await self.inner.aclose()


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(async_events, "WAIT_FIRST_S", 0.0)


@pytest.mark.usefixtures("_at_once")
async def test_an_event_counts_once_when_its_answer_is_lost(url: str, metrics: FakeMetrics) -> None:
    events = [{"type": "page.viewed", "data": {"n": n}} for n in range(2_500)]
    async with AsyncClient(url, SECRET, transport=Flaky()) as aob:
        sent = await aob.ingest(events, source="web")
    assert (sent["received"], sent["duplicate"]) == (2_500, 2_500)  # each told again, none counted again
    (tenant,) = metrics.tenants.values()
    assert len(tenant.events) == 2_500
    assert [event["sequence"] for event in tenant.events] == list(range(1, 2_501))
    assert len({event["producer"] for event in tenant.events}) == 1
    assert {event["source"] for event in tenant.events} == {"web"}


async def test_requests_under_way_at_once_have_producers_of_their_own(url: str, metrics: FakeMetrics) -> None:
    async with AsyncClient(url, SECRET) as aob:
        await asyncio.gather(*(aob.ingest([{"type": "x"}] * 10) for _ in range(5)))
        await aob.ingest([{"type": "x"}, {"type": "x", "id": "mine"}])
    (tenant,) = metrics.tenants.values()
    by_producer: dict[str, list[int]] = {}
    for event in tenant.events:
        if event["id"] == "mine":
            assert "producer" not in event
            continue
        by_producer.setdefault(event["producer"], []).append(event["sequence"])
    assert 1 < len(by_producer) <= 5
    assert all(numbers == sorted(numbers) for numbers in by_producer.values())


@pytest.mark.usefixtures("_at_once")
async def test_a_full_server_is_asked_again_and_then_given_up(url: str, metrics: FakeMetrics) -> None:
    metrics.busy = True
    async with AsyncClient(url, SECRET) as aob:
        with pytest.raises(Busy) as caught:
            await aob.ingest([order("a")])
        assert caught.value.retry_after_s == 0.01
        metrics.busy = False
        assert (await aob.ingest([]))["received"] == 0
        assert (await aob.ingest([order("a")]))["accepted"] == 1


@pytest.mark.usefixtures("_at_once")
async def test_no_server_is_given_up_too() -> None:
    async with AsyncClient("http://127.0.0.1:1", SECRET) as aob:
        with pytest.raises(Unavailable):
            await aob.ingest([order("a")])
