"""Prune in a home with two shards: each owner removes its own, and the steps lead from one to the other."""

import re
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import aob
from aob.compose.files import inspected
from aob.compose.layout import layout_of, set_shards
from aob.core.answers import Pruned
from aob.core.errors import CallerError, Gone
from aob.core.policy import LOCAL
from aob.core.verbs.runs import PruneRuns
from aob.runs.removal import swept
from tests.compose import shard_home
from tests.compose.shard_home import ASK, COUNT, WAIT, chain, finished, shard_of, sharded, started


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


MINE = "mine, number "


def told(number: int) -> dict[str, str]:
    """Inputs: every second ones stand in the row, the others are a value beside it."""
    return {"text": f"{MINE}{number}." + "=" * 6_000 * (number % 2)}


def found_in(home: Path) -> dict[str, set[int]]:
    """Whose inputs the files of the shards hold, by what holds them."""
    found: dict[str, set[int]] = {}
    for path in home.glob("shard-*.db"):
        with sqlite3.connect(path) as file:
            for table in ("journal", "segment", "value"):
                for (data,) in file.execute(f"select data from {table}"):
                    numbers = re.findall(rb"%b([0-9]+)[.]" % MINE.encode(), data)
                    found.setdefault(f"{path.stem} {table}", set()).update(map(int, numbers))
    return {where: numbers for where, numbers in found.items() if numbers}


async def ended(verbs: Any, run_id: str) -> None:
    """It comes to its end."""
    await verbs.message(LOCAL, run_id, "go")
    assert (await verbs.wait(LOCAL, run_id, 20_000))["status"] == "COMPLETED"


async def pruned(owners: Any, count: int) -> None:
    """So many runs go; what nobody has read up to yet goes in a later step."""
    while count:
        count -= sum(step["runs"] for step in await steps(owners, owners.verbs._local.core.journal.clock.now()))
        assert count >= 0


async def test_what_moved_while_it_lived_goes_from_every_file_that_it_was_in(tmp_path: Path) -> None:
    async with aob.open(tmp_path, app=shard_home) as app:
        await app.push(WAIT)
        stays, *runs = [(await app.start("wait", told(number))).id for number in range(13)]
    for shards, end in ((3, runs[:3]), (2, runs[3:])):
        await set_shards(tmp_path, shards, lambda *_: None)
        async with sharded(tmp_path, shards) as owners:
            for run_id in end:
                await ended(owners.verbs, run_id)
    held = found_in(tmp_path)
    assert held["shard-0 journal"] | held["shard-0 value"] == set(range(13))
    assert {"shard-1 segment", "shard-1 value"} < held.keys()
    async with sharded(tmp_path, 2) as owners:
        verbs, clock = owners.verbs, owners.verbs._local.core.journal.clock
        dry = await steps(owners, clock.now(), dry_run=True)
        assert sum(step["runs"] + sum(step["kept"].values()) for step in dry) == len(runs)
        await pruned(owners, len(runs))
        for run_id in runs:
            with pytest.raises(Gone, match="was pruned on"):
                await verbs.run(LOCAL, run_id)
        while await swept(owners.sweeps, clock.now() + 1_000):
            pass
        assert set().union(*found_in(tmp_path).values()) == {0}, "rows and values of what was pruned are nowhere"
        await ended(verbs, stays)
        assert (await verbs.run(LOCAL, stays))["inputs"] == told(0)
    for shard in (0, 1):
        with sqlite3.connect(tmp_path / f"shard-{shard}.db") as file:
            assert file.execute("select count(*) from head where kind = 'removal'").fetchone()[0]
    assert all(seen.well for seen in inspected(tmp_path, deep=True))


async def test_a_prune_that_was_cut_off_between_two_files_is_ended_by_the_next(tmp_path: Path) -> None:
    async with aob.open(tmp_path, app=shard_home) as app:
        await app.push(WAIT)
        runs = [(await app.start("wait", told(number))).id for number in range(12)]
    await set_shards(tmp_path, 2, lambda *_: None)
    moved = next(run_id for run_id in runs if layout_of(tmp_path).shard_of(run_id) == 1)
    async with sharded(tmp_path, 2) as owners:
        verbs, clock, (first, second) = owners.verbs, owners.verbs._local.core.journal.clock, owners.verbs._shards
        await ended(verbs, moved)
        asked: dict[str, Any] = {}
        while not asked:
            args = PruneRuns(clock.now())
            asked = await second.call("parts", LOCAL, args)
        for _ in range(2):
            assert await first.call("erase", LOCAL, args, asked) == {moved: ""}
        assert (await verbs.run(LOCAL, moved))["inputs"] == told(runs.index(moved)), "it is whole where it ended"
        unsaid = await second.call("pruned", LOCAL, args, {})
        assert (unsaid["runs"], unsaid["kept"]) == (0, {"unsettled": 1})
        await pruned(owners, 1)
        with pytest.raises(Gone, match="was pruned on"):
            await verbs.run(LOCAL, moved)
    with sqlite3.connect(tmp_path / "shard-0.db") as file:
        assert file.execute("select count(*) from head where kind = 'removal'").fetchone() == (1,)


async def test_a_run_stays_while_a_fork_of_it_lives_in_another_file(tmp_path: Path) -> None:
    document = {**chain("then", "count"), "edges": {"e": {"from": "n0", "to": "w"}}}
    document["nodes"] = {**document["nodes"], **WAIT["nodes"]}
    async with sharded(tmp_path, 2, document) as owners:
        run_id = await started(owners.verbs, "then", 1, {"n": 1})
        await ended(owners.verbs, run_id)
    await set_shards(tmp_path, 1, lambda *_: None)
    async with aob.open(tmp_path, app=shard_home) as app:
        fork = (await app.views.fork(LOCAL, run_id, "w"))["run_id"]
        clock = app.views._local.core.journal.clock  # type: ignore[attr-defined]
        views = SimpleNamespace(verbs=app.views)
        for dry_run in (True, False):
            (step,) = [each for each in await steps(views, clock.now(), dry_run=dry_run) if each["kept"]]
            assert step["kept"] == {"needed": 1}
        await ended(app.views, fork)
        await pruned(views, 2)
        with pytest.raises(Gone, match="was pruned on"):
            await app.views.run(LOCAL, run_id)


async def test_a_key_of_a_run_that_an_earlier_owner_pruned_starts_another_at_its_owner(tmp_path: Path) -> None:
    asked: dict[str, str] = {}

    async def approved(verbs: Any, run_id: str) -> None:
        (ticket,) = await verbs.tickets(LOCAL, run_id=run_id)
        assert asked.get(run_id) != ticket["ticket_id"], "a link to the question of before decides nothing now"
        asked[run_id] = ticket["ticket_id"]
        await verbs.answer(LOCAL, ticket["ticket_id"], "approve")
        assert (await verbs.wait(LOCAL, run_id, 20_000))["status"] == "COMPLETED"

    async with sharded(tmp_path, 2, ASK) as owners:
        runs = [(await owners.verbs.start(LOCAL, "ask", {}, key=f"k{n}"))["run_id"] for n in range(6)]
        assert {shard_of(each, 2) for each in runs} == {0, 1}
        for run_id in runs:
            await approved(owners.verbs, run_id)
    await set_shards(tmp_path, 1, lambda *_: None)
    async with sharded(tmp_path, 1) as owners:
        clock = owners.verbs._local.core.journal.clock
        ended_ms = clock.now()
        while clock.now() == ended_ms:
            pass
        assert sum(step["runs"] for step in await steps(owners, clock.now())) == len(runs)
        for number, run_id in enumerate(runs):
            told = await owners.verbs.start(LOCAL, "ask", {"n": 1}, key=f"k{number}")
            assert (told["run_id"], told["created"]) == (run_id, True)
            await approved(owners.verbs, run_id)
            assert not (await owners.verbs.start(LOCAL, "ask", {"n": 1}, key=f"k{number}"))["created"]
