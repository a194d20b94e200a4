"""The catalog tells all that may be asked for, and a search finds it by words; each tenant sees its own."""

import pytest

from aob.core.answers import JsonObject
from aob.core.contract_model import (
    AlertContract,
    ContractSet,
    EntityMove,
    EventContract,
    MetricContract,
    Move,
    Slo,
    Window,
)
from aob.core.errors import NotFound, Refused
from aob.core.metric_query import MetricQuery
from aob.core.policy import Caller
from aob.core.serving import View, views_of
from aob.metrics.serving import Catalog, MetricRows

SHOP = ContractSet(
    events={
        "order.created": {
            1: EventContract(
                "order.created", 1,
                {
                    "properties": {
                        "order_id": {"type": "string"},
                        "amount": {"type": "number", "description": "what was paid"},
                        "email": {"type": "string"},
                    },
                    "required": ["order_id", "amount"],
                },
                owner="shop", description="An order was placed.", pii={"email": "contact"}, units={"amount": "EUR"},
                entities=(EntityMove("order", "data.order_id", {"amount": "data.amount"}),),
            )
        }
    },
    metrics={
        "revenue": {
            1: MetricContract(
                "revenue", 1, "sum", unit="EUR", owner="finance", description="Money taken.",
                moves=(Move("order.created", "data.amount"),), dimensions={"region": "data.region"},
                windows={"1h": Window("1h", "sliding", 3_600_000), "today": Window("today", "tumbling", unit="day")},
            )
        },
        "aov": {1: MetricContract("aov", 1, "derived", value="revenue / 2.0")},
    },
    alerts={"refunds_high": {1: AlertContract("refunds_high", 1, "revenue", "value > 5.0", start="order_incident")}},
    slos={"fresh": Slo("fresh", "revenue", "freshness", 0.99, 3_600_000, description="Numbers are fresh")},
)  # fmt: skip
SETS = {"shop": SHOP, "empty": ContractSet()}
ANN = Caller("shop", "ann", frozenset({"view"}))
BOB = Caller("empty", "bob", frozenset({"view"}))


class Tables:
    """The part of `Serving` that tells views."""

    async def views(self, tenant: str) -> list[View]:
        return list(views_of(SETS[tenant]).values())


@pytest.fixture
def catalog() -> Catalog:
    return Catalog(Tables(), SETS.__getitem__, lambda tenant: 3, lambda tenant: frozenset({"aov"}))  # type: ignore[arg-type]  # a part


async def test_the_catalog_tells_events_with_their_fields(catalog: Catalog) -> None:
    (event,) = (await catalog.catalog(ANN))["events"]
    assert event["name"] == "order.created"
    assert event["view"] == "order_created"
    assert event["moves"] == ["revenue"]
    assert event["fields"] == [
        {"name": "order_id", "type": "string"},
        {"name": "amount", "type": "number", "description": "what was paid", "unit": "EUR"},
        {"name": "email", "type": "string", "optional": True, "pii": "contact"},
    ]


async def test_the_catalog_tells_metrics_dimensions_entities_alerts_and_views(catalog: Catalog) -> None:
    told = await catalog.catalog(ANN)
    aov, revenue = told["metrics"]
    assert (aov["state"], aov["moved_by"]) == ("filling", ["order.created"])
    assert revenue["windows"][1] == {"name": "today", "kind": "tumbling", "size": 1, "unit": "day", "zone": "UTC"}
    assert told["dimensions"] == [{"name": "region", "metrics": ["aov", "revenue"]}], "a derived one has them too"
    assert told["entities"][0]["said_by"] == ["order.created"]
    assert told["alerts"][0]["start"] == "order_incident"
    assert {"events", "order_created", "entities_order", "deadletters", "metrics"} <= {v["name"] for v in told["views"]}
    assert told["revision"] == 3


async def test_a_tenant_without_contracts_sees_nothing_of_others(catalog: Catalog) -> None:
    told = await catalog.catalog(BOB)
    assert told["events"] == told["metrics"] == told["entities"] == told["alerts"] == []
    assert await catalog.search(BOB, "revenue order_incident") == []


@pytest.mark.parametrize(
    ("words", "kind", "name", "link"),
    [
        ("revenue", "metric", "revenue", "/v1/metrics/revenue"),
        ("order placed", "event", "order.created", "/v1/contracts/event/order.created"),
        ("refunds high", "alert", "refunds_high", "/v1/alerts/refunds_high"),
        ("numbers fresh", "slo", "fresh", "/v1/slo/fresh"),
        ("region", "dimension", "region", "/v1/catalog"),
        ("entities_order", "view", "entities_order", "/v1/query"),
    ],
)
async def test_a_search_finds_each_kind_of_thing(catalog: Catalog, words: str, kind: str, name: str, link: str) -> None:
    first, *_ = await catalog.search(ANN, words)
    assert (first["kind"], first["name"], first["link"]) == (kind, name, link)
    only = await catalog.search(ANN, words, kind=kind, limit=1)
    assert [hit["name"] for hit in only] == [name]


async def test_who_may_not_look_is_refused(catalog: Catalog) -> None:
    with pytest.raises(Refused):
        await catalog.catalog(Caller("shop", "eve", frozenset()))
    with pytest.raises(Refused):
        await catalog.search(Caller("shop", "eve", frozenset()), "x")


class Numbers:
    """A reader of one metric that has a value; the other cannot be read."""

    async def read_metric(self, tenant: str, query: MetricQuery) -> JsonObject:
        if query.metric != "revenue":
            raise NotFound("no", code="metric_not_found")
        answer: JsonObject = {
            "metric": "revenue", "version": 1, "unit": "EUR", "window": {"name": "1h", "until": 5}, "value": 3.5,
        }  # fmt: skip
        return {**answer, "rows": [{"by": {"region": "eu"}, "value": {"p50": 1}}]} if query.by else answer


async def test_the_view_of_metrics_holds_the_whole_and_each_part() -> None:
    rows = await MetricRows(Numbers(), SETS.__getitem__)("shop")
    assert [(row["dimensions"], row["value"], row["detail"]) for row in rows] == [
        ({}, 3.5, None),
        ({"region": "eu"}, None, {"p50": 1}),
    ]
