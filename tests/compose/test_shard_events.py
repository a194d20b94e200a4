"""Workflows of every shard move the home's numbers and read them: the gate and the folds are in the main process."""

from pathlib import Path
from typing import Any

from aob.core.metric_query import MetricQuery
from aob.core.policy import LOCAL
from tests.compose.shard_home import sharded, started

CONTRACTS = {
    "lamps.yaml": """
event: lamp.lit
version: 1
owner: house
fields: {watt: {type: number, minimum: 0}}
---
metric: lamps
version: 1
type: count
owner: house
moves: [{on: lamp.lit}]
windows: [all]
"""
}


def light(watt: int) -> dict[str, Any]:
    """Lights a lamp, then reads how many there are."""
    return {
        "workflow": "light",
        "nodes": {
            "lit": {"kind": "emit", "config": {"topic": "house", "type": "lamp.lit", "data": {"watt": watt}}},
            "lamps": {"kind": "metric", "config": {"metric": "lamps", "window": "all"}},
        },
        "edges": {"e": {"from": "lit", "to": "lamps"}},
    }


async def test_events_of_every_shard_pass_the_one_gate_and_move_the_one_number(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2, light(40)) as owners:
        metrics = owners.running.metrics
        await metrics.push_contracts(LOCAL, CONTRACTS)
        ids = [await started(owners.verbs, "light", shard) for shard in (0, 1) * 5]
        read = [await owners.verbs.run(LOCAL, each) for each in ids if (await ended(owners.verbs, each))]
        assert {run["status"] for run in read} == {"COMPLETED"}
        values = [run["nodes"]["lamps"]["output"]["value"] for run in read]
        total = (await metrics.metric(LOCAL, MetricQuery("lamps", window="all")))["value"]
        assert total >= len(ids), "a run that was started on the way to the shard that is meant counts, too"
        assert all(1 <= value <= total for value in values)


async def ended(verbs: Any, run_id: str) -> bool:
    """Once a run has ended."""
    return [None async for _ in verbs.follow(LOCAL, run_id=run_id)] != []


async def test_what_the_gate_refuses_fails_the_node_on_any_shard_with_the_reasons(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2, light(-1)) as owners:
        await owners.running.metrics.push_contracts(LOCAL, CONTRACTS)
        verdicts = await owners.verbs.start_many(LOCAL, [{"workflow": "light", "inputs": {}}] * 8)
        for verdict in verdicts:
            await ended(owners.verbs, verdict["run_id"])
            run = await owners.verbs.run(LOCAL, verdict["run_id"])
            assert run["status"] == "FAILED"
            assert run["error"]["code"] == "event_rejected", run["error"]
