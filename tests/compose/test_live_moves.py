"""Another number of shards while the home runs: real owner processes, people who go on, and every count once."""

import asyncio
import sys
from argparse import Namespace
from asyncio.subprocess import PIPE
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest

import aob
from aob.cli.commands.home import shards
from aob.cli.screen import Screen
from aob.compose.files import inspected
from aob.compose.layout import layout_of
from aob.compose.shards import Owners
from aob.core.policy import LOCAL
from tests.compose import shard_home
from tests.compose.shard_home import COUNT, WAIT, sharded
from tests.compose.test_shard_numbers import counted
from tests.compose.test_shards_set import RUNS, all_there, filled, followed, go
from tests.compose.test_shards_up import upped


async def moved_to(owners: Owners, shards: int) -> int:
    """How many partitions moved, until so many shards own them."""
    count = 0
    for _ in range(60):
        told = await owners.moves.set_shards(LOCAL, shards)
        count += len(told["moved"])
        if not told["left"]:
            return count
    raise AssertionError(f"{told['left']} partitions stayed: {told['stayed']}")


async def test_a_running_home_grows_to_three_shards_shrinks_to_two_and_grows_again(tmp_path: Path) -> None:
    ended, waiting = await filled(tmp_path)
    async with sharded(tmp_path, 1) as owners:
        verbs = owners.verbs
        watched = asyncio.create_task(everything(verbs, 2 * RUNS))
        one = asyncio.create_task(followed(verbs, waiting[0], None))
        waits = asyncio.create_task(verbs.wait(LOCAL, waiting[1], 60_000))
        await asyncio.sleep(0)
        assert await moved_to(owners, 3) == 42
        await all_there(verbs, ended, waiting)
        await go(verbs, waiting[:6])
        assert len(owners.owned) == 2
        assert await moved_to(owners, 2) == 21
        assert [shard.number for shard in owners.owned] == [1], "the process of the last shard has ended"
        await all_there(verbs, [*ended, *waiting[:6]], waiting[6:])
        await go(verbs, waiting[6:9])
        assert await moved_to(owners, 3) == 21
        assert len(owners.owned) == 2
        await go(verbs, waiting[9:])
        assert [entry["seq"] for _, entry in await one] == list(range(len(await one)))
        assert (await waits)["status"] == "COMPLETED"
        runs = [(await verbs.start(LOCAL, "count", {"n": 1}))["run_id"] for _ in range(RUNS)]
        for run_id in runs:
            assert (await verbs.wait(LOCAL, run_id, 20_000))["status"] == "COMPLETED"
        ends = await watched
        assert sorted(ends) == sorted([*waiting, *runs])
        want = {"runs_started": {"count": 2 * RUNS, "wait": RUNS, "ask": RUNS},
                "runs_finished": {"count": 2 * RUNS, "wait": RUNS},
                "nodes_finished": {"count": 6 * RUNS, "wait": RUNS}}  # fmt: skip
        assert await counted(owners, 3 * RUNS, 4 * RUNS) == want
    assert sorted(set(layout_of(tmp_path).owners)) == [0, 1, 2]
    async with sharded(tmp_path, 3) as owners:
        assert await counted(owners, 3 * RUNS, 4 * RUNS) == want
    assert all(seen.well for seen in inspected(tmp_path, deep=True))


async def everything(verbs: Any, count: int) -> list[str]:
    """The runs whose ends the feed of all runs tells."""
    found = list[str]()
    async with asyncio.timeout(120), aclosing(verbs.follow(LOCAL, types=frozenset({"run_finished"}))) as feed:
        async for _, _, data in feed:
            found.append(data["run"])
            if len(found) == count:
                return found
    return found


async def test_runs_that_work_go_on_while_their_partitions_move_and_each_node_works_once(tmp_path: Path) -> None:
    async with aob.open(tmp_path, app=shard_home) as app:
        await app.push(COUNT)
    async with sharded(tmp_path, 1) as owners:
        moving = asyncio.create_task(moved_to(owners, 2))
        keys, number = dict[str, str](), 0
        while not moving.done():
            key = f"k{number}"
            told = await owners.verbs.start(LOCAL, "count", {"n": 1}, key=key)
            keys[key], number = told["run_id"], number + 1
            again = await owners.verbs.start(LOCAL, "count", {"n": 1}, key=f"k{number // 2}")
            assert keys.setdefault(f"k{number // 2}", again["run_id"]) == again["run_id"]
        assert await moving == 32
        for run_id in keys.values():
            told = await owners.verbs.wait(LOCAL, run_id, 20_000)
            assert told["status"] == "COMPLETED"
            assert all(node["attempt"] == 1 for node in told["nodes"].values())
        assert await counted(owners, len(keys), len(keys)) == {
            "runs_started": {"count": len(keys)}, "runs_finished": {"count": len(keys)},
            "nodes_finished": {"count": 3 * len(keys)},
        }  # fmt: skip


@pytest.mark.parametrize("left", [0, 2])
async def test_the_command_exits_with_1_when_a_partition_stayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    async def live(*_: Any) -> dict[str, Any]:
        stayed = [{"partition": 7, "code": "partition_busy", "why": "work has not ended"}] * bool(left)
        return {"moved": {"partitions": 3, "runs": 1}, "stayed": stayed, "left": left, "partitions": 64, "shards": []}

    monkeypatch.setattr(shards, "_live", live)
    async with aob.open(tmp_path):
        words = Namespace(home=str(tmp_path), what="set", count=[2], json=False)
        assert await shards.shards(words, Screen(sys.stdout, sys.stderr), {}) == bool(left)
    assert ("partition 7 stayed: work has not ended" in capsys.readouterr().out) == bool(left)


async def test_the_command_asks_the_home_that_runs(tmp_path: Path) -> None:
    async with aob.open(tmp_path, app=shard_home) as app:
        await app.push(WAIT)
        run_id = (await app.start("wait", {})).id
    async with upped(tmp_path) as (_, client), asyncio.timeout(80):
        begun = (await client.health())["position"]
        feed = client.follow(position=begun, types=["run_finished"])
        first = asyncio.ensure_future(anext(feed))
        await asyncio.sleep(0)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "aob.cli", "shards", "set", "2", "--json", "--home", str(tmp_path), stdout=PIPE
        )
        told = msgspec.json.decode((await process.communicate())[0])
        assert process.returncode == 0
        assert told["moved"] == {"partitions": 32, "runs": int(layout_of(tmp_path).shard_of(run_id))}
        assert [each["partitions"] for each in (await client.list_shards())["shards"]] == [32, 32]
        await client.message(run_id, "go")
        assert (await client.wait(run_id))["status"] == "COMPLETED"
        assert (await first).data["run"] == run_id, "who followed all runs follows those of the new shard too"
        while (moved := (await client.start("wait", {}))["run_id"]) and not layout_of(tmp_path).shard_of(moved):
            await client.message(moved, "go")
            assert (await anext(feed)).data["run"] == moved
        await client.message(moved, "go")
        assert (await anext(feed)).data["run"] == moved
