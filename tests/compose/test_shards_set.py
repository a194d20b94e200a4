"""Another number of shards: runs go on where their partition is, and what ended where it was written stays in sight."""

from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.compose.files import inspected
from aob.compose.layout import Layout, layout_of, set_shards
from aob.compose.layout.moving import planned
from aob.compose.layout.setting import shards_told
from aob.core.errors import Conflict, Invalid, NotFound
from aob.core.event import Position
from aob.core.policy import LOCAL
from aob.journal.partition import place_of, row_elsewhere
from aob.work.pool import Running, mark
from tests.compose import shard_home
from tests.compose.shard_home import ASK, COUNT, WAIT, chain, sharded, started
from tests.compose.test_shard_numbers import counted

RUNS = 12


def quietly(*_: int) -> None:
    """Nobody watches."""


async def filled(home: Path) -> tuple[list[str], list[str]]:
    """A home of one shard: runs that have ended, under keys, and runs that wait."""
    async with aob.open(home, app=shard_home) as app:
        for document in (COUNT, WAIT, ASK):
            await app.push(document)
        ended = [(await app.start("count", {"n": 1}, key=f"k{number}")) for number in range(RUNS)]
        for run in ended:
            assert (await run.done())["status"] == "COMPLETED"
        waiting = [(await app.start("wait", {})).id for _ in range(RUNS)]
        for _ in range(RUNS):
            await app.start("ask", {})
    return [run.id for run in ended], waiting


async def go(verbs: Any, runs: list[str]) -> None:
    """They come to their end."""
    for run_id in runs:
        await verbs.message(LOCAL, run_id, "go")
    for run_id in runs:
        assert (await verbs.wait(LOCAL, run_id, 20_000))["status"] == "COMPLETED"


async def all_there(verbs: Any, ended: list[str], waiting: list[str]) -> None:
    """What has ended, on any shard, what waits, and each of them once."""
    for run_id in ended:
        assert (await verbs.run(LOCAL, run_id))["status"] == "COMPLETED"
    for run_id in waiting:
        assert (await verbs.run(LOCAL, run_id))["status"] == "WAITING"
    listed = [row["run_id"] for row in (await verbs.runs(LOCAL, limit=200))["runs"]]
    assert len(listed) == len(set(listed)) == len(ended) + len(waiting) + RUNS
    assert len(await verbs.tickets(LOCAL)) == RUNS
    assert not (await verbs.start(LOCAL, "count", {"n": 1}, key="k3"))["created"]
    with pytest.raises(Conflict):
        await verbs.start(LOCAL, "count", {"n": 2}, key="k3")


async def test_from_one_shard_to_three_to_two_to_one(tmp_path: Path) -> None:
    ended, waiting = await filled(tmp_path)
    told = await set_shards(tmp_path, 3, quietly)
    assert [(each["file"], each["partitions"]) for each in told["shards"]] == [
        ("shard-0.db", 22), ("shard-1.db", 21), ("shard-2.db", 21)
    ]  # fmt: skip
    assert told["moved"]["partitions"] == 42
    async with sharded(tmp_path, 3) as owners:
        await all_there(owners.verbs, ended, waiting)
        await go(owners.verbs, waiting[:4])
    told = await set_shards(tmp_path, 2, quietly)
    assert [each["partitions"] for each in told["shards"]] == [32, 32, 0]
    async with sharded(tmp_path, 2) as owners:
        await all_there(owners.verbs, [*ended, *waiting[:4]], waiting[4:])
        await go(owners.verbs, waiting[4:8])
    await set_shards(tmp_path, 1, quietly)
    async with aob.open(tmp_path, app=shard_home) as app:
        await all_there(app.views, [*ended, *waiting[:8]], waiting[8:])
        await go(app.views, waiting[8:])
    assert all(seen.well for seen in inspected(tmp_path, deep=True))
    assert shards_told(tmp_path)["partitions"] == 64


async def test_a_run_that_moved_is_followed_from_any_position(tmp_path: Path) -> None:
    _, waiting = await filled(tmp_path)
    async with aob.open(tmp_path, app=shard_home) as app:
        before = {run_id: await app.views.timeline(LOCAL, run_id) for run_id in waiting}
    await set_shards(tmp_path, 3, quietly)
    async with sharded(tmp_path, 3) as owners:
        await go(owners.verbs, waiting)
        assert {layout_of(tmp_path).shard_of(run_id) for run_id in waiting} == {0, 1, 2}
        for run_id in waiting:
            whole = await followed(owners.verbs, run_id, None)
            seqs = [entry["seq"] for _, entry in whole]
            assert seqs == list(range(len(whole)))
            after = [token for token, _ in whole]
            # Positions of before the move mean what they meant; those of now too, wherever an event was written.
            for entry in before[run_id]:
                left = await followed(owners.verbs, run_id, entry["position"])
                assert [each["seq"] for _, each in left] == seqs[entry["seq"] + 1 :]
            for number, token in enumerate(after[:-1]):
                left = await followed(owners.verbs, run_id, token)
                assert [each["seq"] for _, each in left] == seqs[number + 1 :]
            entries = await owners.verbs.timeline(LOCAL, run_id)
            assert [entry["position"] for entry in entries] == after


async def test_ended_runs_of_a_file_without_partitions_are_forked_and_replayed(tmp_path: Path) -> None:
    note = {"n": 5_000}  # a value beside the rows, which only the file of the run has
    async with sharded(tmp_path, 2, chain("wides", "wide", "gauge"), WAIT) as owners:
        run_id = await started(owners.verbs, "wides", 1, note)
        assert (await owners.verbs.wait(LOCAL, run_id, 20_000))["status"] == "COMPLETED"
    await set_shards(tmp_path, 1, quietly)
    async with aob.open(tmp_path, app=shard_home) as app:
        told = await app.views.replay(LOCAL, run_id, "n0")
        assert {visit["visit"]: visit["how"] for visit in told["visits"]} == {"n0": "recorded", "n1": "recorded"}
        fork = await app.views.fork(LOCAL, run_id, "n1")
        assert fork["copied"] == ["n0"]
        ended = await app.views.wait(LOCAL, fork["run_id"], 20_000)
        assert (ended["status"], ended["output"]) == ("COMPLETED", 5_000)
        assert ended["inputs"] == note


async def followed(verbs: Any, run_id: str, position: str | None) -> list[tuple[str, dict[str, Any]]]:
    """What is told of a run that has ended, behind a position."""
    async with aclosing(verbs.follow(LOCAL, run_id=run_id, position=position)) as feed:
        return [(token, entry) async for token, _, entry in feed]


async def test_what_moved_is_counted_once_and_under_its_workflow(tmp_path: Path) -> None:
    _, waiting = await filled(tmp_path)
    await set_shards(tmp_path, 3, quietly)
    want = {"runs_started": {"count": RUNS, "wait": RUNS, "ask": RUNS}, "runs_finished": {"count": RUNS, "wait": RUNS},
            "nodes_finished": {"count": 3 * RUNS, "wait": RUNS}}  # fmt: skip
    async with sharded(tmp_path, 3) as owners:
        await go(owners.verbs, waiting)
        assert await counted(owners, 2 * RUNS, 3 * RUNS) == want
    await set_shards(tmp_path, 2, quietly)
    async with sharded(tmp_path, 2) as owners:
        assert await counted(owners, 2 * RUNS, 3 * RUNS) == want


def test_what_a_killed_process_was_at_work_with_goes_along(tmp_path: Path) -> None:
    for name, marks in (("one", 3), ("two", 2)):
        with Running(tmp_path / name) as killed:
            killed.anew()
            for number in range(marks):
                killed.begin(killed.take(), f"run_{name}/visit", number + 1)
    for _ in range(2):
        Running.carry(tmp_path / "one", tmp_path / "two")
    with Running(tmp_path / "two") as found:
        assert found.crashed
        assert found.before == {
            *(mark("run_one/visit", n) for n in (1, 2, 3)),
            *(mark("run_two/visit", n) for n in (1, 2)),
        }
    Running.carry(tmp_path / "none", tmp_path / "two")


async def test_a_home_that_runs_is_left_alone_and_no_home_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await set_shards(tmp_path, 2, quietly)
    async with aob.open(tmp_path):
        with pytest.raises(Conflict) as refused:
            await set_shards(tmp_path, 2, quietly)
        assert refused.value.code == "home_in_use"
    for wrong in (0, 65, -1):
        with pytest.raises(Invalid):
            await set_shards(tmp_path, wrong, quietly)
    assert layout_of(tmp_path) == Layout.of(1)


def test_as_few_partitions_move_as_can_and_each_shard_gets_its_part() -> None:
    for before in range(1, 9):
        for after in range(1, 9):
            layout = Layout.of(before)
            owners = list(layout.owners)
            for partition, target in planned(layout, after):
                assert owners[partition] != target
                owners[partition] = target
            counts = [owners.count(shard) for shard in range(after)]
            assert sum(counts) == 64
            assert max(counts) - min(counts) <= 1
            assert not planned(Layout(64, before, after, layout.chains, owners), after)


def test_a_row_that_was_written_elsewhere_says_where() -> None:
    assert place_of(17, 3) == (3, 17)
    assert place_of(row_elsewhere(0, 17), 3) == (0, 17)
    assert row_elsewhere(5, row_elsewhere(0, 17)) == row_elsewhere(0, 17)
    assert Position.split(Position.joined([(3, 1)]), 2)[1:] == [Position.joined([Position.BEGIN])]
