"""The same script on a home of one shard and on one of three: counts, sums, lists, webhooks and alerts are equal."""

import asyncio
from pathlib import Path
from typing import Any, Final

import pytest

from tests.compose.shard_script import home, performed

pytestmark = pytest.mark.timeout(120)

_ENDS: Final = "alerts hear of the ends of runs of shard 0, so that fewer runs are started"
DIFFERS: Final = {
    "runs told": "webhooks hear of runs of shard 0",
    "started by an alert": _ENDS,
    "runs": _ENDS,
    "feed": _ENDS,
    "runs_started": _ENDS,
    "runs_finished": _ENDS,
    "nodes_finished": _ENDS,
    "numbers told": _ENDS,
}
"""What is not yet the same, and why. Each of them must differ: what is mended leaves this list."""
BY_CHANCE: Final = {name for name, why in DIFFERS.items() if why == _ENDS}
"""Of those, what is the same when all that counts happens to lie on shard 0."""


async def figures(folder: Path, shards: int) -> dict[str, Any]:
    async with home(folder, shards) as desk:
        return await performed(desk)


async def test_a_home_of_three_shards_tells_what_a_home_of_one_tells(tmp_path: Path) -> None:
    one, three = await asyncio.gather(figures(tmp_path / "one", 1), figures(tmp_path / "three", 3))
    assert one.keys() == three.keys()
    differ = {name: (one[name], three[name]) for name in one if one[name] != three[name]}
    assert differ.keys() | BY_CHANCE == DIFFERS.keys(), differ
