"""A dimension with more values than its budget: they count as others, that is counted itself, and an alert says so."""

import asyncio
from pathlib import Path

import aob

CONTRACTS = {
    "visits.yaml": """
event: seen
version: 1
owner: web
fields: {who: {type: string}}
---
metric: seen_by
version: 1
type: count
owner: web
budget: 5
dimensions: [who]
windows: [all]
moves: [{on: seen}]
"""
}


async def test_values_beyond_the_budget_count_as_others_and_are_alerted_once_also_over_a_restart(
    tmp_path: Path,
) -> None:
    async with aob.open(tmp_path / "home") as app:
        await app.push_contracts(CONTRACTS)
        feed = app.metrics.stream(app.who, types=frozenset({"none"}), alerts=frozenset({"*"}))
        told = asyncio.ensure_future(anext(feed))
        await app.ingest(
            {"id": f"e{n}", "source": "web", "type": "seen", "data": {"who": f"w{n % 9}"}} for n in range(90)
        )
        answer = await app.metric("seen_by", by=("who",))
        assert {row["by"]["who"]: row["value"] for row in answer["rows"]} == {
            "__other__": 40, **{f"w{n}": 10 for n in range(5)},
        }  # fmt: skip
        assert answer["overflowed"] == ["who"]
        async with asyncio.timeout(60):
            _, name, alert = await told
        assert (name, alert["alert"], alert["state"]) == ("alert", "aob_cardinality", "firing")
        counted = (await app.metric("aob_overflowed", window="all"))["value"]
        assert counted > 0
    async with aob.open(tmp_path / "home") as app:
        assert (await app.metric("aob_overflowed", window="all"))["value"] == counted
