"""A process that holds every shard of a home: it starts no other, shares what is per process, and is opened again."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.compose.shards.local import HeldShard
from aob.core.errors import Conflict
from aob.core.policy import LOCAL
from tests.compose.shard_home import COUNT, GATES, HANDLERS, WAIT, Gate, chain, shard_of, sharded, started

SHARDS = 4


async def test_every_shard_performs_its_runs_in_this_process(tmp_path: Path) -> None:
    async with sharded(tmp_path, SHARDS, chain("says", "says"), processes="one") as owners:
        assert owners.owned == []
        assert all(isinstance(shard, HeldShard) for shard in owners.others)
        for shard in range(SHARDS):
            run_id = await started(owners.verbs, "says", shard, shards=SHARDS)
            told = await owners.verbs.wait(LOCAL, run_id, within_ms=30_000)
            assert (told["status"], told["output"]) == ("COMPLETED", os.getpid())


async def test_what_is_per_process_exists_once(tmp_path: Path) -> None:
    async with sharded(tmp_path, SHARDS, processes="one") as owners:
        every = [owners.running, *(shard.running for shard in owners.others if isinstance(shard, HeldShard))]
        cores = [each.views.core for each in every]
        assert len({id(each.shared) for each in every}) == 1
        assert set(owners.running.shared.cores) == set(cores)
        assert len({id(core.blobs) for core in cores}) == 1
        assert len({id(core.journal) for core in cores}) == SHARDS
        shares = {id(crew._shares) for core in cores for crew in core.pool._crews.values()}
        assert len(shares) == 3, "loop, threads and processes have one limit each"


async def test_no_more_jobs_run_at_once_than_the_process_may_have(tmp_path: Path) -> None:
    gate = GATES["held"] = Gate()
    async with sharded(tmp_path, SHARDS, chain("held", "held"), processes="one", concurrency=2) as owners:
        runs = [await started(owners.verbs, "held", n % SHARDS, {"gate": "held"}, SHARDS) for n in range(2 * SHARDS)]
        shares = owners.running.shared.limits.shares["loop"]
        async with asyncio.timeout(20):
            for _ in range(shares.limit):
                await gate.begun.get()
        assert shares.total <= shares.most < len(runs)
        gate.opened.set()
        told = [await owners.verbs.wait(LOCAL, run_id, within_ms=30_000) for run_id in runs]
        assert {each["status"] for each in told} == {"COMPLETED"}, "a place freed in one shard serves another"
        assert shares.total == 0


async def test_it_is_opened_again_and_waiting_runs_go_on(tmp_path: Path) -> None:
    waiting = list[str]()
    async with sharded(tmp_path, SHARDS, WAIT, processes="one") as owners:
        for shard in range(SHARDS):
            waiting.append(await started(owners.verbs, "wait", shard, shards=SHARDS))
    async with sharded(tmp_path, SHARDS, processes="one") as owners:
        for run_id in waiting:
            await owners.verbs.message(LOCAL, run_id, "go")
            assert (await owners.verbs.wait(LOCAL, run_id, within_ms=30_000))["status"] == "COMPLETED"


@pytest.mark.parametrize("first", ["one", "shard"])
async def test_a_home_changes_between_one_process_and_several(tmp_path: Path, first: str) -> None:
    other = {"one": "shard", "shard": "one"}[first]
    async with sharded(tmp_path, 2, WAIT, processes=first) as owners:
        run_id = await started(owners.verbs, "wait", 1)
    async with sharded(tmp_path, 2, processes=other) as owners:
        assert len(owners.owned) == (other == "shard")
        await owners.verbs.message(LOCAL, run_id, "go")
        assert (await owners.verbs.wait(LOCAL, run_id, within_ms=30_000))["status"] == "COMPLETED"


async def test_its_shards_are_changed_while_it_runs(tmp_path: Path) -> None:
    async with sharded(tmp_path, 1, WAIT, COUNT, processes="one") as owners:
        waiting = [await owners.verbs.start(LOCAL, "wait", {}, key=f"k{n}") for n in range(8)]
        for shards in (3, 2, 4):
            left = 1
            async with asyncio.timeout(60):
                while left:
                    told = await owners.moves.set_shards(LOCAL, shards)
                    left = told["left"]
            assert sum(isinstance(shard, HeldShard) for shard in owners.others) == shards - 1
            assert owners.owned == []
        for each in waiting:
            await owners.verbs.message(LOCAL, each["run_id"], "go")
            told = await owners.verbs.wait(LOCAL, each["run_id"], within_ms=30_000)
            assert told["status"] == "COMPLETED"


@pytest.mark.parametrize("given", [{"processes": "one"}, {"store": "memory:", "log": "memory:", "blobs": "memory:"}])
async def test_an_application_opens_a_home_of_several_shards(tmp_path: Path, given: dict[str, Any]) -> None:
    async with aob.open(tmp_path, app=HANDLERS, shards=SHARDS, **given) as app:
        await app.push(COUNT)
        runs = [await app.start("count", {"n": n}, key=f"k{n}") for n in range(2 * SHARDS)]
        assert len({shard_of(run.id, SHARDS) for run in runs}) > 1
        for n, run in enumerate(runs):
            told = await run.done()
            assert (told["status"], told["output"]) == ("COMPLETED", n + 3)


async def test_one_process_of_files_must_be_asked_for(tmp_path: Path) -> None:
    with pytest.raises(Conflict) as refused:
        async with aob.open(tmp_path, shards=2):
            pass
    assert refused.value.code == "many_shards"
    assert 'processes="one"' in refused.value.hint
