"""Prune in a home with two shards: each owner removes its own, and the steps lead from one to the other."""

import sqlite3
from pathlib import Path

import pytest

from aob.core.answers import Pruned
from aob.core.errors import CallerError, Gone
from aob.core.policy import LOCAL
from aob.runs.removal import swept
from tests.compose.shard_home import COUNT, WAIT, chain, finished, shard_of, sharded, started


async def test_each_owner_prunes_its_own_runs(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2, COUNT, WAIT) as owners:
        verbs = owners.verbs
        live = [await started(verbs, "wait", shard) for shard in (0, 1)]
        feed = verbs.follow(LOCAL, position=(await verbs.health())["position"], types=frozenset({"run_finished"}))
        items = [{"workflow": "count", "inputs": {"n": n}, "key": f"k{n}"} for n in range(20)]
        ids = [verdict["run_id"] for verdict in await verbs.start_many(LOCAL, items)]
        assert {shard_of(each, 2) for each in ids} == {0, 1}
        await finished(feed, len(ids))
        clock = owners.verbs._local.core.journal.clock
        before_ms = clock.now()
        with pytest.raises(CallerError, match="no cursor"):
            await verbs.prune(LOCAL, before_ms, cursor="7:")
        dry, gone = await steps(owners, before_ms, dry_run=True), await steps(owners, before_ms)
        assert sum(step["runs"] for step in dry) == sum(step["runs"] for step in gone)
        assert sum(step["runs"] + sum(step["kept"].values()) for step in gone) == len(ids)
        await steps(owners, clock.now())
        listed = (await verbs.runs(LOCAL))["runs"]
        assert {row["run_id"] for row in listed} >= set(live)
        left = {row["run_id"] for row in listed} - set(live)
        for run_id in set(ids) - left:
            with pytest.raises(Gone, match="was pruned on"):
                await verbs.run(LOCAL, run_id)
        assert len(left) <= 2, "only what ended in the very ms of the first step may still be there"
    for shard in (0, 1):
        with sqlite3.connect(tmp_path / f"shard-{shard}.db") as file:
            ((records,),) = file.execute("select count(*) from head where kind = 'removal'").fetchall()
            assert records, f"shard {shard} has a record of its own"


async def steps(owners: object, before_ms: int, **how: bool) -> list[Pruned]:
    found: list[Pruned] = []
    cursor = None
    while True:
        step: Pruned = await owners.verbs.prune(LOCAL, before_ms, cursor=cursor, **how)  # type: ignore[attr-defined]
        found.append(step)
        cursor = step["next"]
        if cursor is None:
            return found


async def test_a_value_stays_as_long_as_a_run_of_any_shard_refers_to_it(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2, chain("wide", "wide")) as owners:
        verbs, clock = owners.verbs, owners.verbs._local.core.journal.clock
        feed = verbs.follow(LOCAL, position=(await verbs.health())["position"], types=frozenset({"run_finished"}))
        runs = [await started(verbs, "wide", shard, {"n": 90_000}) for shard in (0, 1)]
        ended = {run for run, _ in await finished(feed, 2)}
        assert ended >= set(runs)
        for run_id in runs:
            assert (await verbs.run(LOCAL, run_id))["output"] == "x" * 90_000
        blobs = {path for path in (tmp_path / "blobs").glob("*/??/*") if not path.name.startswith(".")}
        assert len(blobs) == 1
        await owners.verbs._shards[1].call("prune", LOCAL, clock.now() + 0)
        assert await swept(owners.sweeps, clock.now() + 1_000) == 0
        assert (await verbs.run(LOCAL, runs[0]))["output"] == "x" * 90_000
        await steps(owners, clock.now())
        assert await swept(owners.sweeps, clock.now() + 1_000) == 1
        assert not [path for path in blobs if path.exists()]


async def test_what_a_run_of_another_shard_had_a_moment_ago_waits_for_it(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2, chain("wide", "wide")) as owners:
        verbs, clock = owners.verbs, owners.verbs._local.core.journal.clock
        feed = verbs.follow(LOCAL, position=(await verbs.health())["position"], types=frozenset({"run_finished"}))
        runs = {await started(verbs, "wide", shard, {"n": 90_000}) for shard in (0, 1)}
        while runs:
            async for _, _, told in feed:
                runs.discard(told["run"])
                break
        await feed.aclose()
        assert (await verbs._shards[1].call("prune", LOCAL, clock.now()))["runs"]
        between = clock.now() + 1
        while clock.now() <= between:
            pass
        assert (await verbs._shards[0].call("prune", LOCAL, clock.now()))["runs"]
        assert await swept(owners.sweeps, between) == 0, "the run of shard 0 may still be read"
        assert len(list((tmp_path / "blobs").glob("*/??/[0-9a-f]*"))) == 1
        assert await swept(owners.sweeps, clock.now() + 1_000) == 1
