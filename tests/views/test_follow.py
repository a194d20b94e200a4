"""Following: every event once, in order, from any place, across restarts and whether memory still has it or not."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.core.errors import CallerError, Unavailable
from aob.core.event import Position
from aob.runs import feed as feed_room
from tests.runs.home import Deed, chain, finished, kinds

Seen = list[tuple[str, str, int]]
"""Position, run and `seq` of events."""


async def read(app: App, count: int, position: str | None = None, **options: Any) -> Seen:
    """So many events after a place."""
    seen: Seen = []
    async with asyncio.timeout(20), aclosing(app.views.follow(app.who, position=position, **options)) as feed:
        async for token, _, entry in feed:
            seen.append((token, entry["run"], entry["seq"]))
            if len(seen) == count:
                break
    return seen


async def some_runs(app: App, count: int) -> list[str]:
    """Runs of six events each, started together, so that rows hold several of them."""
    await app.push(chain("one", "echo", "echo", "echo", "echo"))
    verdicts = await app.views.start_many(app.who, [{"inputs": n} for n in range(count)])
    for verdict in verdicts:
        await finished(app, verdict["run_id"])
    return [verdict["run_id"] for verdict in verdicts]


async def test_a_run_is_told_from_its_start_to_its_end(app: App) -> None:
    (id,) = await some_runs(app, 1)
    async with asyncio.timeout(60):
        told = [(name, entry) async for _, name, entry in app.views.follow(app.who, run_id=id)]
    timeline = await app.views.timeline(app.who, id)
    assert [entry for _, entry in told] == timeline
    assert [name for name, _ in told] == kinds(timeline)


async def test_a_run_that_goes_on_is_told_as_it_goes(app: App, deed: Deed) -> None:
    await app.push(chain("one", "echo", "gated", "echo"))
    run = await app.start("one")
    names = []
    async with asyncio.timeout(60):
        async for _, name, entry in app.views.follow(app.who, run_id=run.id):
            names.append(name)
            if entry.get("visit") == "a":
                deed.gate("b").set()
    assert names[0] == "run_started"
    assert names[-1] == "run_finished"
    assert len(names) == 5


@pytest.mark.parametrize("ring", [20_000, 3])
class TestFromAnyPlace:
    """`ring` is what memory holds; with little of it most is read from the journal."""

    async def test_of_all_runs_nothing_is_missed_and_nothing_comes_twice(
        self, app: App, monkeypatch: pytest.MonkeyPatch, ring: int
    ) -> None:
        monkeypatch.setattr(feed_room, "RING_EVENTS", ring)
        begin = app.views.position()
        ids = await some_runs(app, 12)
        whole = await read(app, 12 * 6, begin)
        assert len({token for token, _, _ in whole}) == len(whole)
        assert sorted((run, seq) for _, run, seq in whole) == sorted((id, seq) for id in ids for seq in range(6))
        for at, (token, _, _) in enumerate(whole[:-1]):
            assert await read(app, min(5, len(whole) - at - 1), token) == whole[at + 1 : at + 6]

    async def test_of_one_run(self, app: App, monkeypatch: pytest.MonkeyPatch, ring: int) -> None:
        monkeypatch.setattr(feed_room, "RING_EVENTS", ring)
        id = (await some_runs(app, 5))[2]
        whole = [(token, entry["seq"]) async for token, _, entry in app.views.follow(app.who, run_id=id)]
        for at, (token, _) in enumerate(whole):
            rest = [(t, entry["seq"]) async for t, _, entry in app.views.follow(app.who, run_id=id, position=token)]
            assert rest == whole[at + 1 :]


@pytest.mark.parametrize("graceful", [True, False])
async def test_from_any_place_after_a_restart(tmp_path: Path, deed: Deed, graceful: bool) -> None:
    from tests.runs.home import crashed

    async with aob.open(tmp_path / "home", app=deed.handlers()) as app:
        begin = app.views.position()
        await some_runs(app, 4)
        whole = await read(app, 24, begin)
        home = app.home if graceful else crashed(app, tmp_path / "copy")
    async with aob.open(home, app=deed.handlers()) as app:
        for at in (0, 5, 11, 22):
            assert await read(app, 23 - at, whole[at][0]) == whole[at + 1 :]
        new = asyncio.ensure_future(read(app, 1, whole[-1][0]))
        run = await app.start("one", 1)
        assert (await new)[0][1] == run.id


async def test_followers_while_runs_go_on_see_each_event_once(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_room, "RING_EVENTS", 10)
    begin = app.views.position()

    async def hop(size: int) -> Seen:
        """A reader that leaves after a few events and comes back with its last position."""
        seen: Seen = []
        while len(seen) < 180:
            seen += await read(app, min(size, 180 - len(seen)), seen[-1][0] if seen else begin)
        return seen

    readers = [asyncio.ensure_future(hop(size)) for size in (1, 7, 50)]
    await some_runs(app, 30)
    first, *others = await asyncio.gather(*readers)
    assert all(other == first for other in others)
    assert len(set(first)) == 180


async def test_types_choose_and_positions_go_on(app: App) -> None:
    begin = app.views.position()
    await some_runs(app, 3)
    ends = await read(app, 3, begin, types=frozenset({"run_finished"}))
    assert [seq for _, _, seq in ends] == [5, 5, 5]


async def test_without_a_position_all_runs_are_told_from_now_on(app: App) -> None:
    await some_runs(app, 2)
    async with aclosing(app.views.follow(app.who)) as feed:
        first = asyncio.ensure_future(anext(feed))
        await asyncio.sleep(0)  # the reader takes its place
        run = await app.start("one", 9)
        _, name, entry = await first
    assert (name, entry["run"]) == ("run_started", run.id)


@pytest.mark.parametrize("rows", [(-1, 0), (0, -1), (2**62, 0), (0, 2**63)])
async def test_a_place_that_cannot_be_is_refused(app: App, rows: tuple[int, int]) -> None:
    token = Position(1, (rows,)).token()
    with pytest.raises(CallerError) as caught:
        await anext(app.views.follow(app.who, position=token))
    assert caught.value.code == "bad_position"


@pytest.mark.parametrize(
    "token", ["", "x", "!!", "kgGR", "a" * 10_000, Position(2, ((1, 1),)).token(), Position(1, ()).token()]
)
async def test_a_token_that_is_not_ours_is_refused(app: App, token: str) -> None:
    with pytest.raises(CallerError):
        await anext(app.views.follow(app.who, position=token))


async def test_a_commit_whose_answer_was_lost_is_told_to_all_who_follow_and_wait(app: App, deed: Deed) -> None:
    await app.push(chain("one", "gated", "echo"))
    run = await app.start("one")
    await deed.begins("a").wait()
    core, lost = app.views.core, list[int]()
    commit = core.store.commit

    async def silent(batch: Any) -> Any:
        row = await commit(batch)
        if batch.count and not lost:
            lost.append(batch.row)
            raise Unavailable("no answer came", code="store_failed")
        return row

    ended = asyncio.create_task(run.done())
    every = asyncio.create_task(read(app, 3))
    mine = asyncio.create_task(read_to_the_end(app, run.id))
    await asyncio.sleep(0)
    core.store.commit = silent  # type: ignore[method-assign]
    deed.gate("a").set()
    async with asyncio.timeout(20):
        assert (await ended)["status"] == "COMPLETED"
        timeline = [entry["seq"] for entry in await app.views.timeline(app.who, run.id)]
        assert await mine == timeline
        assert [seq for _, _, seq in await every] == timeline[1:]
    assert lost


async def test_what_is_committed_while_the_store_is_read_is_told_to_who_reads(tmp_path: Path, deed: Deed) -> None:
    async with aob.open(tmp_path / "home", app=deed.handlers()) as app:
        await some_runs(app, 1)
    async with aob.open(tmp_path / "home", app=deed.handlers()) as app:
        core, asked, answer = app.views.core, asyncio.Event(), asyncio.Event()
        core.feed.recovered()  # nothing is at hand in memory: the next read is one of the store
        journal, row = core.store.journal, core.journal.durable_row

        async def slow(*args: Any) -> Any:
            found = await journal(*args)
            asked.set()
            await answer.wait()
            return found

        core.store.journal = slow  # type: ignore[method-assign]

        async def rows() -> list[int]:
            async with asyncio.timeout(20), aclosing(core.feed.commits(row)) as feed:
                return [commit.row for commit in await anext(feed)]

        events, commits = asyncio.create_task(read(app, 1)), asyncio.create_task(rows())
        await asked.wait()
        run = await app.start("one", 1)
        answer.set()
        assert [(run_id, seq) for _, run_id, seq in await events] == [(run.id, 0)]
        assert (await commits)[0] == row + 1


async def read_to_the_end(app: App, run_id: str) -> list[int]:
    return [entry["seq"] async for _, _, entry in app.views.follow(app.who, run_id=run_id)]


async def test_a_commit_costs_a_reader_of_a_run_what_it_holds_of_that_run(
    app: App, deed: Deed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await app.push(chain("one", "gated", "echo"))
    await app.push(chain("other", "echo", "echo", "echo"))
    run = await app.start("one")
    handed, add = list[str](), feed_room.News.add

    def counted(news: feed_room.News, facts: list[Any]) -> None:
        handed.extend(fact.stream for fact in facts)
        add(news, facts)

    monkeypatch.setattr(feed_room.News, "add", counted)
    reading = asyncio.create_task(read_to_the_end(app, run.id))
    await deed.begins("a").wait()
    for verdict in await app.views.start_many(app.who, [{"workflow": "other"} for _ in range(50)]):
        await app.views.core.ended(app.who, verdict["run_id"])
    assert not handed
    deed.gate("a").set()
    assert await reading == [entry["seq"] for entry in await app.views.timeline(app.who, run.id)]
    assert handed == [run.id] * 3
    assert not app.views.core.feed._news


async def test_a_reader_of_a_run_that_is_too_slow_reads_its_history_again(
    app: App, deed: Deed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_room, "NEWS_MAX", 2)
    await app.push(chain("long", "gated", *["echo"] * 4))
    run = await app.start("long")
    await deed.begins("a").wait()
    async with aclosing(app.views.follow(app.who, run_id=run.id)) as feed:
        seqs = [(await anext(feed))[2]["seq"]]
        deed.gate("a").set()
        await run.done()
        seqs += [entry["seq"] async for _, _, entry in feed]
    assert seqs == [entry["seq"] for entry in await app.views.timeline(app.who, run.id)]
