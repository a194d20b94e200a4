"""The same script on a home of one shard and on others, with a process each or all in one: counts, sums, lists,
webhooks and alerts are equal."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.compose.shard_script import home, performed

pytestmark = pytest.mark.timeout(120)


SQLITE = {"processes": "one"}
MEMORY = {"store": "memory:", "log": "memory:", "blobs": "memory:"}


async def figures(folder: Path, shards: int, **given: Any) -> dict[str, Any]:
    async with home(folder, shards, **given) as desk:
        return await performed(desk)


async def test_a_home_of_three_shards_tells_what_a_home_of_one_tells(tmp_path: Path) -> None:
    one, three = await asyncio.gather(figures(tmp_path / "one", 1), figures(tmp_path / "three", 3))
    assert one.keys() == three.keys()
    assert {name: (one[name], three[name]) for name in one if one[name] != three[name]} == {}


@pytest.mark.parametrize(("given", "shards"), [(SQLITE, 3), (MEMORY, 16)], ids=["sqlite-3", "memory-16"])
async def test_so_does_one_process_that_holds_all_of_its_shards(
    tmp_path: Path, given: dict[str, Any], shards: int
) -> None:
    one = await figures(tmp_path / "one", 1)
    several = await figures(tmp_path / "several", shards, **given)
    assert one.keys() == several.keys()
    assert {name: (one[name], several[name]) for name in one if one[name] != several[name]} == {}
