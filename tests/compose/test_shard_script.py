"""The same script on a home of one shard and on one of three: counts, sums, lists, webhooks and alerts are equal."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.compose.shard_script import home, performed

pytestmark = pytest.mark.timeout(120)


async def figures(folder: Path, shards: int) -> dict[str, Any]:
    async with home(folder, shards) as desk:
        return await performed(desk)


async def test_a_home_of_three_shards_tells_what_a_home_of_one_tells(tmp_path: Path) -> None:
    one, three = await asyncio.gather(figures(tmp_path / "one", 1), figures(tmp_path / "three", 3))
    assert one.keys() == three.keys()
    assert {name: (one[name], three[name]) for name in one if one[name] != three[name]} == {}
