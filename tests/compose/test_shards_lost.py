"""A file that is given up after partitions moved: each has one owner, no run is there twice, none is stuck."""

import shutil
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.compose.files import accept_loss, inspected
from aob.compose.layout import layout_of, set_shards
from aob.core.policy import LOCAL
from tests.compose import shard_home
from tests.compose.shard_home import WAIT, sharded

RUNS = 16


def quietly(*_: int) -> None:
    """Nobody watches."""


def put_back(kept: Path, home: Path, name: str) -> None:
    """The file as it was when the home was copied; gone when it was not there yet."""
    for end in ("", "-wal", "-shm"):
        (home / (name + end)).unlink(missing_ok=True)
        if (kept / (name + end)).exists():
            shutil.copy(kept / (name + end), home / (name + end))


async def started(verbs: Any, keys: range) -> dict[str, bool]:
    """The runs under these keys, and whether each is new."""
    told = [await verbs.start(LOCAL, "wait", {}, key=f"k{key}") for key in keys]
    return {each["run_id"]: each["created"] for each in told}


async def listed(verbs: Any) -> dict[str, str]:
    """The status of every run, each listed once."""
    rows = (await verbs.runs(LOCAL, limit=200))["runs"]
    found = {row["run_id"]: row["status"] for row in rows}
    assert len(found) == len(rows), "a run is listed twice"
    return found


async def go(verbs: Any, runs: list[str]) -> None:
    """They come to their end."""
    for run_id in runs:
        await verbs.message(LOCAL, run_id, "go")
        assert (await verbs.wait(LOCAL, run_id, 20))["status"] == "COMPLETED"


@pytest.mark.parametrize(
    ("moves", "kept_after", "lost"),
    [
        pytest.param((2,), 0, "shard-1.db", id="the owner's file, which is there no more"),
        pytest.param((2,), 0, "shard-0.db", id="a file as it was before partitions left it"),
        pytest.param((3, 2), 1, "shard-1.db", id="the owner's file as it was before it took partitions"),
        pytest.param((3, 2, 3), 1, "shard-1.db", id="a file as it was before partitions came and went"),
    ],
)
async def test_each_partition_has_one_owner_after_an_accepted_loss(
    tmp_path: Path, moves: tuple[int, ...], kept_after: int, lost: str
) -> None:
    home, kept = tmp_path / "home", tmp_path / "kept"
    async with aob.open(home, app=shard_home) as app:
        await app.push(WAIT)
        first = await started(app.views, range(RUNS))
    for number, shards in enumerate(moves):
        if number == kept_after:
            shutil.copytree(home, kept)
        await set_shards(home, shards, quietly)
    put_back(kept, home, lost)
    accept_loss(home, lost)
    async with sharded(home, moves[-1]) as owners:
        assert not layout_of(home).moving
        assert all(held.extent.released for chain in layout_of(home).chains for held in chain[:-1])
        left = await listed(owners.verbs)
        again = await started(owners.verbs, range(RUNS))
        assert {run_id for run_id, new in again.items() if not new} == set(left) <= set(first)
        await started(owners.verbs, range(RUNS, 3 * RUNS))
        every = await listed(owners.verbs)
        assert len(every) == 3 * RUNS
        await go(owners.verbs, sorted(every)[::5])
    await set_shards(home, 1, quietly)
    async with aob.open(home, app=shard_home) as app:
        assert (await listed(app.views)).keys() == every.keys()
        assert not any((await started(app.views, range(3 * RUNS))).values()), "a start was made twice"
        await go(app.views, [run_id for run_id, status in (await listed(app.views)).items() if status == "WAITING"])
    assert all(seen.well for seen in inspected(home, deep=True))
