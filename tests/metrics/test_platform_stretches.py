"""What owners fold of their journals, stretch by stretch, comes to what one fold of all facts says, whoever dies."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest

import aob
from aob.core.metric import Fold
from aob.core.metric_query import MetricQuery
from aob.core.policy import LOCAL
from aob.core.run.record.event import RunFinished
from aob.journal import Committed, Stream
from aob.journal.batch import Told
from aob.journal.law import Changes
from aob.journal.partition import PartitionLaw, PartitionMoved, PartitionTaken
from aob.metrics.platform import Slice, platform_contracts, stretches
from aob.metrics.platform import slices as module
from aob.metrics.platform.run_events import Remembered, Telling, _page_of
from aob.metrics.platform.slices import Runs, Tellings
from tests.runs.home import Deed, chain, finished, flow, fn

CONTRACTS = platform_contracts()
TOLD = {
    "runs_started": ("workflow",), "runs_finished": ("workflow", "status"), "nodes_finished": ("workflow", "outcome"),
    "attempts_failed": ("workflow",), "approvals_opened": ("role",), "run_success_rate": ("workflow",),
    "hop_latency": ("workflow",), "run_duration": ("workflow",), "approval_wait": ("role",),
}  # fmt: skip


@pytest.fixture(scope="module")
def commits(tmp_path_factory: pytest.TempPathFactory) -> list[Committed]:
    """Commits of runs of two tenants that end, wait, fail and are asked about."""
    import asyncio

    return asyncio.run(_commits(tmp_path_factory.mktemp("commits")))


async def _commits(folder: Path) -> list[Committed]:
    deed = Deed()
    async with aob.open(folder / "home", app=deed.handlers()) as app:
        await app.push(chain("good", "echo", "echo", "echo"))
        await app.push(flow("bad", {"a": fn("wrong")}))
        await app.push(flow("ask", {"a": {"kind": "approval", "config": {"text": "well?"}}}))
        for number in range(12):
            run = await app.start("bad" if number % 4 == 0 else "good", 1)
            await app.start("ask")
            await finished(app, run.id)
        for ticket in (await app.views.tickets(LOCAL))[::2]:
            await app.answer(ticket["ticket_id"], "approve")
        found, durable = list[Committed](), app.views.core.journal.durable_row
        async with aclosing(app.views.core.feed.commits(0)) as commits:
            while not found or found[-1].row < durable:
                found += await anext(commits)
        return found


def told(folds: dict[str, Fold], now_ms: int) -> dict[Any, Any]:
    return {
        (tenant, metric): {tuple(row["by"].values()): row["value"] for row in reading.rows or ()}
        for tenant, fold in folds.items() for metric, by in TOLD.items()
        for reading in [fold.read(MetricQuery(metric, "1d", by=by), now_ms)]
    }  # fmt: skip


class Shards:
    """Journals of several owners, who tell of them in pieces of any size."""

    def __init__(self, commits: list[Committed], shards: int, dice: random.Random) -> None:
        self.dice = dice
        self.commits = [[part_of(commit, shard, shards) for commit in commits] for shard in range(shards)]

    def follow(self, shard: int) -> Any:
        async def follow(after: int) -> AsyncIterator[Sequence[Committed]]:
            left = [commit for commit in self.commits[shard] if commit.row > after]
            while left:
                count = self.dice.randrange(1, 9)
                yield left[:count]
                left = left[count:]

        return follow


def part_of(commit: Committed, shard: int, shards: int) -> Committed:
    """What a shard decided of a commit."""
    mine = [told for told in commit.told if hash(told.stream.name) % shards == shard]
    return Committed(commit.row, commit.at_ms, mine)


@pytest.mark.parametrize("seed", range(6))
async def test_stretches_of_any_size_from_owners_that_die_come_to_the_fold_of_all(
    commits: list[Committed], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0)
    dice = random.Random(seed)
    shards = 1 + seed % 3
    owned = Shards(commits, shards, dice)
    merged: dict[str, Fold] = {}
    for shard in range(shards):
        after, tellings = 0, Tellings(CONTRACTS)
        while True:
            over = True
            runs = msgspec.convert(msgspec.json.decode(msgspec.json.encode(tellings.remembered())), Runs)
            async with aclosing(stretches(owned.follow(shard), CONTRACTS, after, runs)) as found:
                async for each in found:
                    stretch = msgspec.json.decode(msgspec.json.encode(each), type=Slice)
                    for tenant, (pages, _) in stretch.folds.items():
                        fold = merged.setdefault(tenant, Fold(CONTRACTS))
                        fold.merge(Fold.load(CONTRACTS, pages))
                    tellings.remember(stretch.runs)
                    after = stretch.row
                    if dice.random() < 0.3:  # its owner dies, and another one begins where it was asked to
                        over = False
                        break
            if over:
                break
    now_ms = commits[-1].at_ms
    whole = dict[str, Fold]()
    for tenant, groups in Tellings(CONTRACTS).read(commits).items():
        whole[tenant] = Fold(CONTRACTS)
        whole[tenant].add_many(groups)
    assert told(merged, now_ms) == told(whole, now_ms)


async def test_a_stretch_says_which_metrics_it_moves_and_what_is_remembered_no_more(
    commits: list[Committed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0)

    async def follow(after: int) -> AsyncIterator[Sequence[Committed]]:
        for commit in commits:
            yield [commit]

    async with aclosing(stretches(follow, CONTRACTS, 0, {})) as some:
        found = [stretch async for stretch in some]
    assert [stretch.row for stretch in found] == [commit.row for commit in commits]
    moved = set[str]().union(*(stretch.folds["default"][1] for stretch in found if stretch.folds))
    assert {"runs_started", "runs_finished", "run_success_rate"} <= moved
    every = [(told.stream.name, event) for commit in commits for told in commit.told for event in told.events]
    begun, ended = (
        {name for name, event in every if type(event).__name__ == kind} for kind in ("RunStarted", "RunFinished")
    )
    remembered = {run: facts for stretch in found for run, facts in stretch.runs.get("default", {}).items()}
    assert {run for run, facts in remembered.items() if facts is not None} == begun - ended
    assert {run for run, facts in remembered.items() if facts is None} >= ended


async def test_of_a_run_that_begins_and_ends_within_a_stretch_nobody_is_told(commits: list[Committed]) -> None:
    async def follow(after: int) -> AsyncIterator[Sequence[Committed]]:
        yield commits

    async with aclosing(stretches(follow, CONTRACTS, 0, {})) as found:
        stretch = await anext(found)
    assert stretch.row == commits[-1].row
    assert {"runs_started", "runs_finished", "run_success_rate"} <= stretch.folds["default"][1]
    assert stretch.runs["default"]
    assert None not in stretch.runs["default"].values()


def test_a_loaded_run_that_ends_before_the_next_pages_leaves_its_page() -> None:
    before, after = Telling(), Telling()
    before.remember("run_a", Remembered("good", 1))
    pages = dict(before.pages())
    for number in after.load(pages[""] or b""):
        after.load(pages[f":{number}"] or b"")
    after.tell("run_a", RunFinished("COMPLETED", 0, msgspec.Raw(b"1")), 2)
    assert {name: page for name, page in after.pages() if name} == {f":{_page_of('run_a')}": None}


def test_of_runs_that_left_with_their_partition_nothing_is_remembered_where_they_were() -> None:
    def commit(row: int, record: Any) -> list[Committed]:
        stream = Stream(f"partition/{record.partition}.{record.epoch}", PartitionLaw(), record)
        return [Committed(row, row, [Told(stream, 0, 0, [record], Changes())])]

    here, there = Tellings(CONTRACTS), Tellings(CONTRACTS)
    known = {"run_1": Remembered("w", 1), "run_2": Remembered("w", 2)}
    here.remember({"acme": known})
    assert not here.read(commit(7, PartitionMoved(3, 1, 1, 7, ["run_1"])))
    assert here.remembered() == {"acme": {"run_2": known["run_2"]}}
    brought = msgspec.to_builtins({"acme": {"run_1": known["run_1"]}})
    assert not there.read(commit(4, PartitionTaken(3, 1, 0, 7, ["run_1"], brought)))
    assert there.remembered() == {"acme": {"run_1": known["run_1"]}}


def test_what_else_a_commit_holds_in_which_a_partition_moves_is_counted(commits: list[Committed]) -> None:
    """While a home runs, the record of a move shares its commit with what other partitions decided."""
    mixed = list[Committed]()
    for commit in commits:
        record = PartitionMoved(3, 1, 1, commit.at_ms, ["run_of_another_partition"])
        move = Told(Stream(f"partition/3.{commit.row}", PartitionLaw(), record), 0, 0, [record], Changes())
        more = commit.row % 3 == 0
        mixed.append(Committed(commit.row, commit.at_ms, [move, *commit.told] if more else commit.told))
    folds = dict[str, Fold](), dict[str, Fold]()
    for some, folded in zip((commits, mixed), folds, strict=True):
        for tenant, groups in Tellings(CONTRACTS).read(some).items():
            folded.setdefault(tenant, Fold(CONTRACTS)).add_many(groups)
    now_ms = commits[-1].at_ms
    assert told(folds[0], now_ms) == told(folds[1], now_ms)
