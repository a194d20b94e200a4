"""A home that is opened again: its numbers are what they were, by whichever way back."""

import asyncio
import random
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import aclosing, closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.backends.sqlite.event_log import SqliteEventLog
from aob.compose import App
from aob.compose.storage import files
from aob.core.errors import Unavailable
from aob.metrics.live import snapshots
from tests.metrics.till import SHOP, Signal, counted_anew, counts, filled, numbers, recount, refunded, sold


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with aob.open(tmp_path / "home") as app:
        await app.push_contracts({"shop.yaml": SHOP})
        yield app


def crashed(app: App, copy: Path) -> Path:
    """The files of a home as a kill would leave them now."""
    shutil.copytree(app.home, copy, ignore=shutil.ignore_patterns("*-shm", "aob.lock", "home.lock"))
    return copy


def some(seed: int, count: int = 60) -> list[dict[str, Any]]:
    """Sales and refunds, some of them twice, some wrong, in any order."""
    dice = random.Random(seed)
    found = []
    for _ in range(count):
        number = dice.randrange(1_000)
        kind = dice.choice((sold, sold, sold, refunded))
        event = kind(number, float(number % 9), dice.choice(("north", "south")))
        if dice.random() < 0.1:
            event = {**event, "data": {**event["data"], "amount": "much"}}
        found.append(event)
    return found


async def told(app: App) -> dict[str, Any]:
    """All that must be the same after a restart."""
    await counted_anew(app)
    by = await app.metric("sales", window="all", by=("region",))
    largest = await app.metric("largest", window="all")
    order = await app.metrics.entity(app.who, "order", "o-1", history=10)
    return {
        **await numbers(app), **counts(app), "by": by["rows"], "largest": largest["value"],
        "order": (order["state"], order["history"]),
    }  # fmt: skip


async def followed(app: App) -> None:
    """Whoever follows goes on from each position that was told, and is told what is behind it, and that once."""
    begin = app.metrics.live.positions.written({})
    accepted = counts(app)["accepted"]
    streams = app.metrics.streams
    for gone in (0.0, 0.5, 1.0):  # of what is in memory; the log has it
        for _ in range(int(len(streams._ring) * gone)):
            streams._rings[streams._ring.popleft().partition].popleft()
        told, at = list[str](), begin
        while len(told) < accepted:  # a reader that leaves after each few, and comes again
            async with aclosing(streams.stream(app.who, types=frozenset(("*",)), position=at)) as feed:
                async for place, _, event in feed:
                    at = place
                    told.append(event["id"])
                    if len(told) % 7 == 0 or len(told) == accepted:
                        break
        assert len(set(told)) == len(told) == accepted
    async with aclosing(streams.stream(app.who, types=frozenset(("*",)), position=at)) as feed:
        more = asyncio.ensure_future(anext(feed))
        await app.ingest([{**sold(3_000), "subject": "o-3000"}])
        assert (await more)[2]["id"] == "sold-3000"


@pytest.mark.parametrize("snapshot", [True, False])
async def test_a_log_of_several_partitions_has_the_numbers_of_one_also_after_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: bool
) -> None:
    found: list[dict[str, Any]] = []
    for partitions in (1, 3):
        monkeypatch.setattr(files, "SqliteEventLog", partial(SqliteEventLog, partitions=partitions))
        async with aob.open(tmp_path / f"home-{partitions}") as app:
            await app.push_contracts({"shop.yaml": SHOP})
            for seed in range(3):
                events = [{**each, "subject": each["data"]["order_id"]} for each in some(seed)]
                position = (await app.ingest(events))["position"]
            now = await app.metric("sales", window="all", min_position=position)
            told = [{**await numbers(app), **counts(app)}, now["value"]]
            if snapshot:
                await app.metrics.live.keeping.save()
            await app.ingest([{**sold(2_000), "subject": "o-2000"}])
            await followed(app)
            after = [{**await numbers(app), **counts(app)}]
            copy = crashed(app, tmp_path / f"copy-{partitions}")
            assert len([row for row in app.metrics.live.at if row]) == partitions, "all of them were written"
        async with aob.open(copy) as again:
            assert [{**await numbers(again), **counts(again)}] == after
            assert (await again.ingest(events))["accepted"] == 0, "what has come is remembered"
            found.append({"told": told, "after": after})
    assert found[0] == found[1]


class TestNumbersAfterARestart:
    async def test_are_what_they_were_without_a_snapshot(self, app: App, tmp_path: Path) -> None:
        for seed in range(4):
            await app.ingest([sold(1), *some(seed)])
        before = await told(app)
        async with aob.open(crashed(app, tmp_path / "copy")) as again:
            assert again.metrics.live.keeping.saved_row == 0
            assert again.metrics.live.recovered_events == before["accepted"] > 100
            assert await told(again) == before
            assert {name: before[name] for name in ("sales", "revenue", "buyers", "mean")} == recount(again.home)

    async def test_are_what_they_were_with_a_snapshot_in_the_middle(self, app: App, tmp_path: Path) -> None:
        for seed in range(4):
            await app.ingest([sold(1), *some(seed)])
            if seed == 1:
                await app.metrics.live.keeping.save()
        before = await told(app)
        async with aob.open(crashed(app, tmp_path / "copy")) as again:
            assert 0 < again.metrics.live.recovered_events < before["accepted"]
            assert await told(again) == before

    async def test_are_what_they_were_after_a_clean_end_and_nothing_is_read_again(self, tmp_path: Path) -> None:
        async with aob.open(tmp_path) as app:
            await app.push_contracts({"shop.yaml": SHOP})
            await app.ingest(some(1))
            before = await told(app)
        async with aob.open(tmp_path) as again:
            assert again.metrics.live.recovered_events == 0
            assert await told(again) == before

    async def test_go_on_from_there(self, tmp_path: Path) -> None:
        """Life after life, each of which sends what the last one sent and something new."""
        for life in range(4):
            async with aob.open(tmp_path) as app:
                await app.push_contracts({"shop.yaml": SHOP})
                for seed in range(life + 1):
                    await app.ingest(some(seed))
                assert await numbers(app) == recount(tmp_path)
                told_now = counts(app)
                assert told_now["received"] == sum(told_now[n] for n in ("accepted", "duplicate", "rejected"))
                assert told_now["received"] == 60 * sum(range(1, life + 2))

    async def test_of_a_snapshot_that_cannot_be_read_are_made_from_the_log(self, tmp_path: Path) -> None:
        async with aob.open(tmp_path) as app:
            await app.push_contracts({"shop.yaml": SHOP})
            await app.ingest(some(1))
            before = await told(app)
        spoil(tmp_path)
        async with aob.open(tmp_path) as again:
            assert await told(again) == before

    @pytest.mark.parametrize("page", ["own/", "platform/", "entities/", "counts", "~runs", "slo/", "dedup/"])
    async def test_of_a_page_that_is_broken_are_made_from_the_log(self, tmp_path: Path, page: str) -> None:
        async with aob.open(tmp_path) as app:
            await app.push_contracts({"shop.yaml": SHOP + OBJECTIVE})
            await app.ingest(some(1))
            before = await told(app)
            received = (await app.metric("events_received", window="all"))["value"]
            await app.start((await app.push(FLOW))["workflow"])
            await started(app, 1)
        with closing(sqlite3.connect(tmp_path / "metrics.db")) as db:
            broken = db.execute(
                "update page set data = x'c1c1ff' where substr(name, 1, ?) = ?", (len(page), page)
            ).rowcount
            db.commit()
        assert broken
        async with aob.open(tmp_path) as again:
            assert await told(again) == before
            assert (await again.metric("events_received", window="all"))["value"] == received
            await started(again, 1)
            assert (await again.ingest(some(1)))["accepted"] == 0


def spoil(home: Path) -> None:
    """Makes the snapshots of a home unreadable."""
    for file in home.glob("metrics.db*"):
        file.write_bytes(b"this is no database" * 100)


async def started(app: App, count: int) -> None:
    """Waits until the platform has counted so many runs."""
    live, moved = app.metrics.live, Signal()
    live.moved.append(moved)
    while (found := (await app.metric("runs_started", window="all"))["value"]) != count:
        assert found < count
        await moved.next()


OBJECTIVE = """
---
slo: sales_fresh
metric: sales
objective: freshness
limit: 5s
target: 0.9
window: 1h
"""
FLOW = {"workflow": "nothing", "nodes": {"a": {"kind": "wait", "config": {"message": "never"}}}, "edges": {}}


class TestASnapshot:
    @pytest.mark.parametrize("rounds", [2, 6])
    async def test_taken_a_page_at_a_time_while_events_are_folded_is_of_one_instant(
        self, app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rounds: int
    ) -> None:
        live = app.metrics.live
        monkeypatch.setattr(snapshots, "STRETCH_S", -1.0)
        monkeypatch.setattr(snapshots, "ROUNDS_MAX", rounds)
        workflow, seeds = (await app.push(FLOW))["workflow"], iter(range(1_000))

        async def others() -> None:
            seed = next(seeds)
            if seed < 40:
                await app.ingest(some(seed, 20))
                await app.start(workflow)
                await asyncio.sleep(0)

        monkeypatch.setattr(live.keeping, "_others", others)
        await app.ingest(some(1_000))
        await live.keeping.save()
        assert live.keeping.saved_row > 2
        await app.ingest(some(1_001))
        before = await told(app)
        begun = min(next(seeds), 40)
        await started(app, begun)
        async with aob.open(crashed(app, tmp_path / "copy")) as again:
            assert 0 < again.metrics.live.recovered_events < before["accepted"]
            assert await told(again) == before
            await started(again, begun)

    async def test_that_fails_is_made_good_by_the_next_one(
        self, app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        live = app.metrics.live
        await app.ingest(some(0))
        await live.keeping.save()
        await app.ingest(some(1))
        with monkeypatch.context() as patch:
            patch.setattr(live.keeping.pages, "save", full_disk)
            with pytest.raises(Unavailable):
                await live.keeping.save()
        await app.ingest([sold("one more")])
        await live.keeping.save()
        before = await told(app)
        async with aob.open(crashed(app, tmp_path / "copy")) as again:
            assert again.metrics.live.recovered_events == 0
            assert await told(again) == before

    async def test_that_fails_leaves_no_page_of_what_is_no_more(
        self, app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between the two a metric is filled anew: pages of its old shape would be read as its own."""
        live = app.metrics.live
        await app.ingest(some(0))
        await live.keeping.save()
        await app.metrics.push_contracts(app.who, {"more.yaml": MORE}, allow_breaking=True)
        await filled(app)
        await counted_anew(app)
        with monkeypatch.context() as patch:
            patch.setattr(live.keeping.pages, "save", full_disk)
            with pytest.raises(Unavailable):
                await live.keeping.save()
        await live.keeping.save()
        with closing(sqlite3.connect(app.home / "metrics.db")) as db:
            kept = {name for (name,) in db.execute("select name from page where tenant = 'default'")}
        assert {name for name in kept if name.startswith("own/")} == {
            name for name, _ in live.numbers("default").pages(full=True) if name.startswith("own/")
        }

    async def test_taken_while_an_append_fails_remembers_nothing_of_it(
        self, app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        live = app.metrics.live
        await app.ingest(some(0))
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def failing(groups: Any, letters: Any) -> Any:
            begun.set()
            await go_on.wait()
            raise Unavailable("the disk is full", code="disk_full")

        with monkeypatch.context() as patch:
            patch.setattr(live.events, "commit", failing)
            sent = asyncio.create_task(app.ingest([sold("lost", 5.0)]))
            await begun.wait()
            saved = asyncio.create_task(live.keeping.save())
            await asyncio.wait([saved], timeout=0.01)  # its pages are made now; it waits for the append
            go_on.set()
            with pytest.raises(Unavailable):
                await sent
            with pytest.raises(Unavailable):
                await saved
        await live.keeping.save()
        home = crashed(app, tmp_path / "copy")
        for each in (app, None):
            if each is None:
                async with aob.open(home) as again:
                    assert (await again.ingest([sold("lost", 5.0)]))["accepted"] == 1
                    assert await numbers(again) == recount(home)
            else:
                assert (await app.ingest([sold("lost", 5.0)]))["accepted"] == 1


async def full_disk(*args: Any, **more: Any) -> None:
    raise Unavailable("the disk is full", code="disk_full")


MORE = """
metric: sales
version: 2
type: count
moves: [{on: sold, when: "data.amount > 2.0"}]
dimensions: [region, customer]
windows: [1h, 1m, all]
---
metric: refunds
version: 1
type: sum
unit: EUR
moves: [{on: refunded, value: data.amount}]
windows: [all]
"""


def recounted(home: Path) -> tuple[int, float]:
    """The metrics of `MORE` by SQL."""
    with closing(sqlite3.connect(home / "gate.db")) as db:
        sales, refunds = db.execute(
            """select count(*) filter (where type = 'sold' and data ->> 'amount' > 2.0),
                      sum(data ->> 'amount') filter (where type = 'refunded') from events"""
        ).fetchone()
    return sales, refunds


class TestAChangedMetric:
    async def test_is_filled_from_the_log_while_events_come(self, app: App) -> None:
        for seed in range(5):
            await app.ingest(some(seed))
        stop = asyncio.Event()

        async def pour() -> None:
            seed = 100
            while not stop.is_set():
                await app.ingest(some(seed, 20))
                seed += 1

        pouring = asyncio.create_task(pour())
        pushed = await app.metrics.push_contracts(app.who, {"more.yaml": MORE}, allow_breaking=True)
        assert pushed["filling"] == ["refunds", "sales"]
        await filled(app)
        stop.set()
        await pouring
        told_now = [(await app.metric(name, window="all"))["value"] for name in ("sales", "refunds")]
        assert tuple(told_now) == recounted(app.home)
        assert (await app.metric("revenue", window="all"))["value"] == recount(app.home)["revenue"]
        older = await app.metric("sales", window="all", version=1)
        assert (older["path"], older["value"]) == ("scan", recount(app.home)["sales"])

    async def test_is_told_as_being_filled_and_the_others_go_on(self, app: App) -> None:
        await app.ingest(some(0))
        push = asyncio.create_task(app.metrics.push_contracts(app.who, {"more.yaml": MORE}, allow_breaking=True))
        assert set((await push)["filling"]) == {"refunds", "sales"}
        states = {each["name"]: each["state"] for each in await app.metrics.metrics(app.who)}
        assert (states["sales"], states["revenue"]) == ("filling", "live")
        with pytest.raises(aob.core.errors.NotFound) as refused:
            await app.metric("refunds", window="all")
        assert refused.value.code == "metric_filling"
        assert (await app.metric("revenue", window="all"))["value"] == recount(app.home)["revenue"]
        await filled(app)
        assert (await app.metric("refunds", window="all"))["value"] == recounted(app.home)[1]

    async def test_is_filled_at_the_next_start_when_the_home_is_cut_off_meanwhile(
        self, app: App, tmp_path: Path
    ) -> None:
        for seed in range(3):
            await app.ingest(some(seed))
        await app.metrics.live.keeping.save()
        runs = await app.metric("events_received", window="all")
        await app.metrics.push_contracts(app.who, {"more.yaml": MORE}, allow_breaking=True)
        before = counts(app)
        home = crashed(app, tmp_path / "copy")
        async with aob.open(home) as again:
            told_now = [(await again.metric(name, window="all"))["value"] for name in ("sales", "refunds")]
            assert tuple(told_now) == recounted(home)
            assert counts(again) == before
            assert (await again.metric("events_received", window="all"))["value"] == runs["value"]
            again_sent = await again.ingest(some(0))
            assert again_sent["accepted"] == 0
        async with aob.open(home) as third:
            assert third.metrics.live.recovered_events == 0
            assert ((await third.metric("sales", window="all"))["value"]) == recounted(home)[0]

    async def test_that_changes_while_it_is_filled_is_filled_as_it_is_now(
        self, app: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await app.ingest(some(0))
        go_on, rows = asyncio.Event(), app.metrics.live.events.rows

        async def slow(*args: Any) -> Any:
            await go_on.wait()
            return await rows(*args)

        monkeypatch.setattr(app.metrics.live.events, "rows", slow)
        await app.metrics.push_contracts(app.who, {"more.yaml": MORE}, allow_breaking=True)
        third = MORE.split("---")[0].replace("version: 2", "version: 3").replace("2.0", "4.0")
        pushed = await app.metrics.push_contracts(app.who, {"third.yaml": third}, allow_breaking=True)
        assert pushed["filling"] == ["refunds", "sales"]
        go_on.set()
        await filled(app)
        with closing(sqlite3.connect(app.home / "gate.db")) as db:
            (expected,) = db.execute(
                "select count(*) from events where type = 'sold' and data ->> 'amount' > 4.0"
            ).fetchone()
        assert (await app.metric("sales", window="all"))["value"] == expected
        assert (await app.metric("refunds", window="all"))["value"] == recounted(app.home)[1]

    async def test_whose_words_alone_change_is_not_filled_again(self, app: App) -> None:
        await app.ingest(some(0))
        before = await numbers(app)
        words = SHOP.split("---")[2].replace("version: 1", "version: 2\ndescription: What was sold.", 1)
        pushed = await app.metrics.push_contracts(app.who, {"words.yaml": words})
        await filled(app)
        assert (pushed["new"], await numbers(app)) == (["metric sales@2"], before)


async def test_what_was_taken_back_is_counted_anew_also_after_a_crash(app: App, tmp_path: Path) -> None:
    await app.ingest([sold(1, 5.0), sold(2, 9.0, time="2026-01-01T00:00:00Z"), sold(3, 7.0)])
    await app.ingest([refunded(2, 9.0, time="2026-01-01T00:00:00Z")])
    home = crashed(app, tmp_path / "copy")
    for each in (app, home):
        if isinstance(each, Path):
            async with aob.open(each) as again:
                await counted_anew(again)
                answer = await again.metric("largest", window="all")
        else:
            await counted_anew(each)
            answer = await each.metric("largest", window="all")
        assert (answer["value"], answer["restated"]) == (7.0, True)


async def test_what_objectives_have_counted_is_counted_once_over_a_restart(app: App, tmp_path: Path) -> None:
    await app.push_contracts({"objective.yaml": OBJECTIVE.removeprefix("\n---\n")})
    await app.ingest([sold(n) for n in range(8)])
    await app.metrics.live.keeping.save()
    await app.ingest([sold("old", time="2026-01-01T00:00:00Z"), sold("new")])
    before = await app.metrics.slo(app.who, "sales_fresh")
    assert (before["good"], before["total"]) == (9, 10)
    async with aob.open(crashed(app, tmp_path / "copy")) as again:
        after = await again.metrics.slo(again.who, "sales_fresh")
        assert (after["good"], after["total"]) == (9, 10)
