"""Events are joined with the state of an entity when they pass the gate; what was joined never changes later."""

import json
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.core.contract import check_set, compare, read_contracts, to_document
from aob.core.errors import Invalid
from aob.metrics.live import snapshots

TEXT = """
event: customer.rated
version: 1
owner: crm
fields: {customer: {type: string}, tier: {type: string}}
entities: [{entity: customer, key: data.customer, set: {tier: data.tier}}]
---
event: sold
version: 1
owner: shop
fields: {customer: {type: string}, amount: {type: number, unit: EUR}}
lookup:
  tier: {entity: customer, key: data.customer, field: tier, default: none}
---
metric: revenue
version: 1
type: sum
unit: EUR
owner: shop
moves: [{on: sold, value: data.amount}]
dimensions: {tier: enriched.tier}
windows: [all]
---
metric: gold
version: 1
type: count
owner: shop
moves: [{on: sold, when: "enriched.tier == 'gold'"}]
windows: [all]
"""


def rated(number: int, customer: str, tier: str) -> dict[str, Any]:
    data = {"customer": customer, "tier": tier}
    return {"id": f"r{number}", "source": "crm", "type": "customer.rated", "data": data}


def sold(number: int, customer: str, amount: float) -> dict[str, Any]:
    data = {"customer": customer, "amount": amount}
    return {"id": f"s{number}", "source": "shop", "type": "sold", "data": data}


async def by_tier(app: App) -> dict[str, float]:
    answer = await app.metric("revenue", by=("tier",))
    return {row["by"]["tier"]: row["value"] for row in answer["rows"]}


@pytest.mark.parametrize("snapshot", [False, True])
async def test_an_event_counts_under_what_was_known_when_it_came_also_after_a_restart(
    tmp_path: Path, snapshot: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with aob.open(tmp_path / "home") as app:
        await app.push_contracts({"shop.yaml": TEXT})
        await app.ingest([sold(1, "ann", 1.0)])
        await app.ingest([rated(1, "ann", "gold")])
        await app.ingest([sold(2, "ann", 10.0), sold(3, "bob", 100.0)])
        await app.ingest([rated(2, "ann", "silver")])
        await app.ingest([sold(4, "ann", 1_000.0)])
        told = {"none": 101.0, "gold": 10.0, "silver": 1_000.0}
        assert await by_tier(app) == told
        assert (await app.metric("gold"))["value"] == 1
        if not snapshot:
            monkeypatch.setattr(snapshots.Snapshots, "save", _nothing)
    monkeypatch.undo()
    async with aob.open(tmp_path / "home") as app:
        assert bool(app.metrics.live.recovered_events) is not snapshot
        assert await by_tier(app) == told
        later = await app.metrics.live.events.rows(0)
        assert sum(row.count for row in later) == 6


async def test_what_was_known_is_read_by_its_name_in_sql(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "home") as app:
        await app.push_contracts({"shop.yaml": TEXT})
        await app.ingest([rated(1, "ann", "gold")])
        await app.ingest([sold(1, "ann", 1.0)])
        asked = "SELECT enriched ->> '$.tier' AS tier FROM events WHERE type = 'sold'"
        assert (await app.metrics.query(app.who, {"sql": asked}))["rows"] == [["gold"]]


async def _nothing(self: Any) -> None:
    return None


@pytest.mark.parametrize(
    ("before", "after", "path", "said"),
    [
        ("entity: customer, key: data.customer, field", "entity: client, key: data.customer, field",
         "/1/lookup/tier/entity", "no event speaks of entities client"),
        ("field: tier", "field: teir", "/1/lookup/tier/field", "no event sets teir of customer"),
        ("entity: customer, key: data.customer, field", "entity: customer, key: data.client, field",
         "/1/lookup/tier/key", "data has no field client"),
    ],
)  # fmt: skip
async def test_a_join_with_what_is_not_there_is_refused_with_its_place(
    tmp_path: Path, before: str, after: str, path: str, said: str
) -> None:
    async with aob.open(tmp_path / "home") as app:
        with pytest.raises(Invalid) as refused:
            await app.push_contracts({"shop.yaml": TEXT.replace(before, after)})
    assert [(each.path, said in each.message) for each in refused.value.problems] == [(f"shop.yaml#{path}", True)]


def test_a_join_is_a_part_of_its_contract() -> None:
    one = read_contracts({"shop.yaml": TEXT})
    assert check_set(one) == []
    event = one.event("sold")
    assert event is not None
    again = read_contracts({"again.json": json.dumps(to_document(event))}).event("sold")
    assert again == event
    other = read_contracts({"shop.yaml": TEXT.replace("default: none", "default: nobody")}).event("sold")
    assert other is not None
    assert compare(event, other)
    lines = [line for line in TEXT.splitlines() if not line.startswith(("lookup:", "  tier: {entity"))]
    gone = read_contracts({"shop.yaml": "\n".join(lines)})
    without = gone.event("sold")
    assert without is not None
    assert any(change.breaking for change in compare(event, without))


KEYS = """
event: place
version: 1
owner: crm
fields: {key: {type: string}, name: {type: string}}
entities: [{entity: place, key: data.key, set: {name: data.name}}]
---
event: visit
version: 1
owner: crm
schema: {type: object, required: [at], properties: {at: {}}}
subject: data.at
lookup:
  name: {entity: place, key: data.at, field: name, default: none}
---
metric: visits
version: 1
type: count
owner: crm
moves: [{on: visit}]
dimensions: {name: enriched.name, who: subject}
windows: [all]
"""


async def test_a_key_is_the_text_that_the_language_makes_of_it(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "home") as app:
        await app.push_contracts({"shop.yaml": KEYS})
        named = {"true": "yes", "5": "five", "1.5": "more", "None": "nothing", "[1]": "list"}
        for number, (key, name) in enumerate(named.items()):
            data = {"key": key, "name": name}
            await app.ingest([{"id": f"p{number}", "source": "crm", "type": "place", "data": data}])
        for number, at in enumerate((True, 5, 1.5, None, [1], {})):
            await app.ingest([{"id": f"v{number}", "source": "crm", "type": "visit", "data": {"at": at}}])
        answer = await app.metric("visits", by=("name", "who"))
    rows = {(row["by"]["name"], row["by"]["who"]): row["value"] for row in answer["rows"]}
    assert rows == {("yes", "true"): 1, ("five", "5"): 1, ("more", "1.5"): 1, ("none", ""): 3}


@pytest.mark.parametrize("kind", ["array", "object"])
def test_a_key_that_has_no_text_is_refused(kind: str) -> None:
    sold_as = "fields: {customer: {type: string}, amount"
    text = TEXT.replace(sold_as, sold_as.replace("string", kind))
    assert [problem.path for problem in check_set(read_contracts({"shop.yaml": text}))] == [
        "event/sold@1#/lookup/tier/key"
    ]
