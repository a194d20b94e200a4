"""Webhooks hear of the runs of all shards: none is skipped when an owner dies, or when the home is opened again."""

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aob.core.policy import LOCAL
from tests.compose.shard_home import COUNT, finished, kill, sharded
from tests.compose.shard_script import written
from tests.work.peers import Peer, peer

pytestmark = pytest.mark.timeout(90)


def told(ops: Peer) -> dict[str, Counter[str]]:
    """By run what was told of it, each message once."""
    seen: dict[str, Counter[str]] = {}
    for id, body in {asked.headers["webhook-id"]: asked.body for asked in ops.requests}.items():
        message: dict[str, Any] = msgspec.json.decode(body)
        assert id
        seen.setdefault(message["data"]["run_id"], Counter())[message["type"]] += 1
    return seen


async def test_none_is_skipped_when_an_owner_dies_or_the_home_is_opened_again(tmp_path: Path) -> None:
    home, ids = tmp_path / "home", set[str]()
    async with peer() as ops:
        ops.answer("/runs")
        written(home, f'[egress]\nprivate = ["127.0.0.1:{ops.port}"]\n')
        for part in (1, 2):
            async with sharded(home, 2, COUNT) as owners:
                verbs = owners.verbs
                if part == 1:
                    await owners.running.metrics.create_webhook(LOCAL, f"{ops.url}/runs", runs=["*"])
                begin = (await verbs.health())["position"]
                items = [{"workflow": "count", "inputs": {"n": n}} for n in range(80)]
                ids |= {each["run_id"] for each in await verbs.start_many(LOCAL, items)}
                kill(owners.owned[0].pid)
                await finished(verbs.follow(LOCAL, position=begin, types=frozenset({"run_finished"})), 80)
                await ops.asked(160 * part if part == 2 else 100)  # the first time some are left for the next life
        assert told(ops) == {run_id: Counter({"run.running": 1, "run.completed": 1}) for run_id in ids}
