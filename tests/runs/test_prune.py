"""Prune: ended runs go for good, whole, with a record; what lives or is needed stays, and nothing else changes."""

import asyncio
import sqlite3
import tempfile
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aob
from aob.compose import App
from aob.core.errors import CallerError, Gone, Invalid, NotFound, Refused
from aob.core.event import Position
from aob.core.policy import Caller
from aob.core.value import canonical, digest_of
from aob.runs.removal import GRACE_MS, Sweep, swept
from tests.runs.home import BOB, RUNNER, Deed, chain, crashed, finished, flow, fn, ticket_of, until

WAIT = flow("wait", {"a": fn(), "w": {"kind": "wait", "config": {"message": "go"}}}, "a>w")
BEGIN = Position(1, ((0, 0),)).token()


@pytest.fixture
def deed() -> Deed:
    return Deed()


@pytest.fixture
async def app(tmp_path: Path, deed: Deed) -> AsyncIterator[App]:
    async with aob.open(tmp_path / "home", app=deed.handlers()) as app:
        await pushed(app)
        yield app
        deed.release()


async def pushed(app: App) -> None:
    for document in (chain("short", "echo", "echo"), chain("other", "echo"), chain("bad", "wrong"), WAIT):
        await app.push(document)


async def ended(app: App, workflow: str = "short", **options: Any) -> str:
    run = await app.start(workflow, {"n": 1}, **options)
    await finished(app, run.id)
    return run.id


def later(app: App) -> int:
    """An instant that has just passed: everything that has ended ended before it."""
    clock = app.views.core.journal.clock
    at_ms = clock.now()
    while clock.now() <= at_ms:
        pass
    return clock.now()


async def pruned(app: App, before_ms: int, **how: Any) -> list[str]:
    """Prunes to the end; the runs that went, as the records name them."""
    cursor, names = None, list[str]()
    while True:
        step = await app.views.prune(app.who, before_ms, cursor=cursor, **how)
        if step["record"]:
            stream = await app.views.core.journal.load(f"removal/{step['record']}")
            assert stream is not None
            names += stream.state.streams
        cursor = step["next"]
        if cursor is None:
            return names


async def read(app: App, ids: list[str]) -> dict[str, Any]:
    """All that is told of runs; how they are missing for those that are."""
    found: dict[str, Any] = {}
    for run_id in ids:
        try:
            told = await app.run(run_id)
            told.pop("position")
            found[run_id] = (told, await app.views.timeline(app.who, run_id))
        except NotFound as error:
            found[run_id] = error.code
    return found


async def feed(app: App, until_run: str) -> dict[tuple[str, int], str]:
    """Every event from the begin on, by run and seq, with its position, up to the end of a run."""
    seen: dict[tuple[str, int], str] = {}
    async with aclosing(app.views.follow(app.who, position=BEGIN)) as events:
        async for token, name, entry in events:
            seen[entry["run"], entry["seq"]] = token
            if name == "run_finished" and entry["run"] == until_run:
                return seen
    raise AssertionError("the feed has ended")


async def test_what_has_ended_goes_and_all_else_stays_as_it_was(app: App) -> None:
    gone = [await ended(app), await ended(app, "bad")]
    live = (await app.start("wait", {})).id
    await until(app, live, "wait_opened")
    before_ms = later(app)
    kept = [live, await ended(app)]
    told = await read(app, kept)
    assert await pruned(app, before_ms, reason="old") == gone
    assert await read(app, kept) == told
    with pytest.raises(Gone, match=f"{gone[0]} was pruned on .* by local, with all that had ended before") as caught:
        await app.run(gone[0])
    assert (caught.value.code, caught.value.fields["before"]) == ("run_pruned", before_ms)
    for verb in (app.views.timeline, app.views.why, app.views.cancel, app.views.release, app.views.patches):
        with pytest.raises(Gone):
            await verb(app.who, gone[1])
    assert {row["run_id"] for row in (await app.views.runs(app.who))["runs"]} == set(kept)
    await app.views.message(app.who, live, "go")
    assert (await finished(app, live))["status"] == "COMPLETED"


async def test_a_dry_run_says_what_would_go_and_changes_nothing(app: App) -> None:
    runs = [await ended(app) for _ in range(3)] + [await ended(app, "other")]
    before_ms, row = later(app), app.views.core.journal.row
    told = await read(app, runs)
    step = await app.views.prune(app.who, before_ms, dry_run=True)
    assert (step["kept"], step["runs"], step["workflows"]) == ({}, 4, {"short": 3, "other": 1})
    assert step["record"] is None
    assert step["bytes"] > 1_000
    assert step["oldest"] <= step["newest"] < before_ms
    assert step["events"] == sum(len(timeline) for _, timeline in told.values())
    assert await read(app, runs) == told
    assert app.views.core.journal.row == row, "nothing was written"
    done = await app.views.prune(app.who, before_ms)
    same = ("runs", "events", "bytes", "oldest", "newest", "workflows", "kept")
    assert [done[name] for name in same] == [step[name] for name in same]


async def test_it_goes_by_workflow_and_by_status(app: App) -> None:
    short, bad, other = await ended(app), await ended(app, "bad"), await ended(app, "other")
    before_ms = later(app)
    assert await pruned(app, before_ms, workflow="other") == [other]
    assert await pruned(app, before_ms, status="failed") == [bad]
    assert await pruned(app, before_ms) == [short]


async def test_a_run_whose_fork_lives_stays_until_the_fork_has_ended(app: App) -> None:
    source = (await app.start("wait", {})).id
    await app.views.message(app.who, source, "go")
    await finished(app, source)
    fork = (await app.views.fork(app.who, source, from_node="w"))["run_id"]
    step = await app.views.prune(app.who, later(app))
    assert (step["runs"], step["kept"]) == (0, {"needed": 1})
    await app.views.message(app.who, fork, "go")
    told = await finished(app, fork)
    assert await pruned(app, later(app), status="completed") == [source, fork]
    assert told["forked_from"] == source


async def test_a_key_of_a_run_that_was_pruned_starts_another_under_its_id(app: App, tmp_path: Path, deed: Deed) -> None:
    first = await ended(app, key="k")
    await pruned(app, later(app))
    again = await app.start("short", {"n": 2}, key="k")
    assert (again.id, again.created) == (first, True)
    told = await finished(app, first)
    assert told["inputs"] == {"n": 2}
    async with aob.open(crashed(app, tmp_path / "copy"), app=deed.handlers()) as other:
        assert (await other.run(first))["inputs"] == {"n": 2}
    assert await pruned(app, later(app)) == [first]
    with pytest.raises(Gone):
        await app.run(first)


async def test_what_a_run_of_an_earlier_one_s_id_does_is_its_own(app: App, deed: Deed, tmp_path: Path) -> None:
    emit = {"topic": "orders", "type": "sold", "data": {"n": "{n}"}}
    approval = {"role": "finance", "text": "well?"}
    nodes = {"e": {"kind": "emit", "config": emit}, "a": {"kind": "approval", "config": approval}}
    await app.push(flow("sell", nodes, "e>a"))
    done: list[tuple[str, str, str]] = []
    for n in (1, 1, 2):
        run = await app.start("sell", {"n": n}, key="k")
        ticket = (await ticket_of(app, run.id))["ticket_id"]
        await app.answer(ticket, "approve")
        told = await finished(app, run.id)
        assert told["status"] == "COMPLETED"
        done.append((run.id, told["nodes"]["e"]["output"]["id"], ticket))
        assert await pruned(app, later(app)) == [run.id]
    ids, events, tickets = (set(column) for column in zip(*done, strict=True))
    assert (len(ids), len(events), len(tickets)) == (1, 3, 3)
    run = await app.start("sell", {"n": 3}, key="k")
    ticket = (await ticket_of(app, run.id))["ticket_id"]
    async with aob.open(crashed(app, tmp_path / "copy"), app=deed.handlers()) as other:
        assert (await ticket_of(other, run.id))["ticket_id"] == ticket


async def test_what_reports_after_its_run_was_pruned_leaves_nothing(tmp_path: Path, deed: Deed) -> None:
    begun, go, over = threading.Event(), threading.Event(), threading.Event()

    @aob.node
    def slow(ctx: Any) -> str:
        begun.set()
        go.wait(20)
        ctx.log("late")
        over.set()
        return "x" * 100_000

    handlers = deed.handlers()
    handlers.slow = slow
    async with aob.open(tmp_path / "home", app=handlers) as app:
        await app.push(chain("slow", "slow", "echo"))
        run = await app.start("slow", {}, key="k")
        await asyncio.to_thread(begun.wait, 20)
        await app.views.cancel(app.who, run.id)
        await finished(app, run.id)
        assert await pruned(app, later(app)) == [run.id]
        go.set()
        await asyncio.to_thread(over.wait, 20)
        again = await app.start("slow", {}, key="k")
        assert (await finished(app, again.id))["status"] == "COMPLETED"
        facts = await app.views.timeline(app.who, again.id)
        assert [fact["seq"] for fact in facts] == list(range(len(facts)))
        assert len([line async for line in app.views.logs(app.who, again.id)]) == 1


async def test_feeds_go_on_over_the_gap_and_positions_stay_what_they_were(app: App, tmp_path: Path, deed: Deed) -> None:
    kept = [await ended(app, "other")]
    gone = [await ended(app) for _ in range(3)]
    kept.append(await ended(app, "other"))
    before = {fact["seq"]: fact["position"] for fact in await app.views.timeline(app.who, kept[1])}
    await pruned(app, later(app), workflow="short")
    last = await ended(app, "other")
    seen = await feed(app, last)
    assert not set(gone) & {run for run, _ in seen}
    assert {run for run, _ in seen} == {*kept, last}
    async with aob.open(crashed(app, tmp_path / "copy"), app=deed.handlers()) as other:
        assert await feed(other, last) == seen, "from the store as from memory"
        assert {fact["seq"]: fact["position"] for fact in await other.views.timeline(other.who, kept[1])} == before
        async with aclosing(other.views.follow(other.who, position=before[0])) as events:
            _, _, entry = await anext(events)
        assert entry["position"] == before[1], "a token of before leads to the event after it"


async def test_what_shared_a_commit_with_a_pruned_run_keeps_its_place(app: App, tmp_path: Path, deed: Deed) -> None:
    items = [{"workflow": name, "inputs": {"n": 1}} for name in ("short", "other", "short", "other")]
    ids = [verdict["run_id"] for verdict in await app.views.start_many(app.who, items)]
    for run_id in ids:
        await finished(app, run_id)
    kept = ids[1::2]
    places = {
        (run_id, fact["seq"]): fact["position"] for run_id in kept for fact in await app.views.timeline(app.who, run_id)
    }
    assert len({Position.parse(places[run_id, 0]).rows[0][0] for run_id in kept}) == 1, "they began in one commit"
    assert set(await pruned(app, later(app), workflow="short")) == set(ids[::2])
    last = await ended(app, "other")
    async with aob.open(crashed(app, tmp_path / "copy"), app=deed.handlers()) as other:
        for home in (app, other):
            seen = await feed(home, last)
            assert {place: token for place, token in seen.items() if place in places} == places


async def test_numbers_of_runs_stay_what_they_were(tmp_path: Path, deed: Deed) -> None:
    told: list[Any] = []
    for again in range(2):
        async with aob.open(tmp_path / "home", app=deed.handlers()) as app:
            if not again:
                await pushed(app)
                for _ in range(3):
                    await ended(app)
                assert app.wiring is not None
                await app.wiring.platform.caught_up(app.views.core.journal.durable_row, 20)
                told.append((await app.metric("runs_finished", window="all"))["value"])
                assert len(await pruned(app, later(app))) == 3
            told.append((await app.metric("runs_finished", window="all"))["value"])
    assert told == [3, 3, 3]


async def test_one_prunes_ones_own_with_the_role_for_it_and_nothing_of_the_future(app: App) -> None:
    mine = await ended(app)
    before_ms = later(app)
    with pytest.raises(Refused, match="admin"):
        await app.views.prune(RUNNER, before_ms)
    assert (await app.views.prune(BOB, before_ms))["runs"] == 0
    with pytest.raises(Invalid, match="has not come yet"):
        await app.views.prune(app.who, before_ms + 3_600_000)
    with pytest.raises(Invalid, match="no state in which a run has ended"):
        await app.views.prune(app.who, before_ms, status="RUNNING")
    with pytest.raises(CallerError, match="no cursor"):
        await app.views.prune(app.who, before_ms, cursor="x")
    assert await pruned(app, before_ms) == [mine]
    with pytest.raises(NotFound) as caught:  # that it was there is nobody else's business
        await app.views.run(Caller("other", "bob", frozenset({"admin"})), mine)
    assert caught.value.code == "not_found"


async def test_who_has_not_read_the_end_of_a_run_keeps_it(app: App) -> None:
    run = await ended(app)
    before_ms, behind = later(app), [1]

    async def follower(tenant: str) -> int | None:
        return behind[0]

    app.views.core.followed.append(follower)
    assert (await app.views.prune(app.who, before_ms))["kept"] == {"behind": 1}
    behind[0] = app.views.core.journal.durable_row
    assert await pruned(app, before_ms) == [run]


async def test_many_go_in_steps_and_other_requests_go_on_between(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aob.runs.removal.prune.STEP_RUNS", 4)
    runs = [await ended(app, "other") for _ in range(10)]
    before_ms = later(app)
    first = await app.views.prune(app.who, before_ms)
    assert (first["runs"], bool(first["next"])) == (4, True)
    more = await ended(app, "other")
    assert await pruned(app, before_ms) == runs[4:]
    assert (await app.run(more))["status"] == "COMPLETED"


async def test_the_space_of_rows_and_segments_is_given_back(app: App, tmp_path: Path) -> None:
    wide = flow("wide", {"a": fn("sized", input={"n": "inputs.n"})})
    await app.push(wide)
    for _ in range(40):
        run = await app.start("wide", {"n": 3_000})
        await finished(app, run.id)

    def held() -> int:
        with sqlite3.connect(f"file:{tmp_path}/home/shard-0.db?mode=ro", uri=True) as file:
            (journal,) = file.execute("select coalesce(sum(length(data)), 0) from journal").fetchone()
            (segments,) = file.execute("select coalesce(sum(length(data)), 0) from segment").fetchone()
        return int(journal + segments)

    before = held()
    step = await app.views.prune(app.who, later(app))
    assert before > 120_000
    assert before - held() > 0.9 * step["bytes"]


async def test_what_handlers_logged_goes_with_the_run(app: App, tmp_path: Path) -> None:
    await app.push(chain("talks", "talk"))
    gone = await ended(app, "talks")
    before_ms = later(app)
    stays = await ended(app, "talks")
    assert {path.name for path in (tmp_path / "home" / "logs").rglob("run_*")} >= {gone, stays}
    assert await pruned(app, before_ms) == [gone]
    assert gone not in {path.name for path in (tmp_path / "home" / "logs").rglob("run_*")}
    assert [line async for line in app.views.logs(app.who, stays)]


async def test_a_segment_or_a_row_that_cannot_be_read_keeps_its_run_and_no_other(app: App, tmp_path: Path) -> None:
    runs = [await ended(app, "other") for _ in range(3)]
    before_ms = later(app)
    await app.views.prune(app.who, before_ms, dry_run=True)  # the segments are written now
    with sqlite3.connect(tmp_path / "home" / "shard-0.db") as file:
        assert file.execute("update pointer set places = x'5b' where stream = ?", (runs[0],)).rowcount
        (row,) = file.execute(
            "select min(row) from event_log where stream = ?", (runs[1],)
        ).fetchone()  # fmt: skip
        file.execute("update journal set crc = 7 where row = ?", (row,))
    step = await app.views.prune(app.who, before_ms)
    assert (step["runs"], step["kept"]) == (1, {"unreadable": 2})
    assert (await read(app, runs[2:]))[runs[2]] == "run_pruned"


async def test_a_record_says_what_who_when_and_why(app: App, tmp_path: Path) -> None:
    runs = [await ended(app), await ended(app)]
    before_ms = later(app)
    step = await app.views.prune(app.who, before_ms, reason="the law says a year", workflow="short")
    with sqlite3.connect(f"file:{tmp_path}/home/shard-0.db?mode=ro", uri=True) as file:
        ((event,),) = file.execute(
            "select event from event_log where stream = ?", (f"removal/{step['record']}",)
        ).fetchall()
    told = msgspec.json.decode(event)
    assert told[1:3] == ["default", "local"]
    assert told[4] >= before_ms
    assert told[5:10] == [before_ms, "the law says a year", "short", "", runs]


async def swept_now(app: App) -> int:
    """A pass over all leftovers, as if their time had come."""
    return await swept([Sweep(app.views.core)], app.views.core.ambient.now_ms() + 1)


def blobs_of(app: App) -> set[str]:
    return {path.parent.name + path.name for path in (app.home / "blobs").glob("*/??/*") if len(path.name) == 62}


async def sized(app: App, n: int) -> str:
    run = await app.start("wide", {"n": n})
    return str((await finished(app, run.id))["run_id"])


async def test_larger_values_go_a_while_later_unless_something_still_refers_to_them(app: App, tmp_path: Path) -> None:
    await app.push(flow("wide", {"a": fn("sized", input={"n": "inputs.n"})}))
    for n in (5_000, 90_000):  # in a row of the store, and in a file
        old = await sized(app, n)
        digest = digest_of(canonical("x" * n))
        assert await app.views.blob(app.who, digest.hex())
        before_ms = later(app)
        step = await app.views.prune(app.who, before_ms, dry_run=True)
        assert step["values"] >= 1
        assert step["values_bytes"] >= n
        twin = await sized(app, n)
        assert await pruned(app, before_ms) == [old]
        assert (await app.run(twin))["output"] == "x" * n
        assert await swept([Sweep(app.views.core)], app.views.core.ambient.now_ms() - GRACE_MS) == 0
        assert await app.views.core.store.leftovers(1 << 62), "it waits for its time"
        assert await swept_now(app) == 0
        assert not await app.views.core.store.leftovers(1 << 62), "what is referred to is done with"
        assert (await app.run(twin))["output"] == "x" * n
        assert await pruned(app, later(app)) == [twin]
        assert await swept_now(app) == 1
        assert not await app.views.core.store.leftovers(1 << 62)
        app.views.core.values.forget("default", digest)
        with pytest.raises(NotFound):
            await app.views.blob(app.who, digest.hex())
        again = await sized(app, n)
        assert (await app.run(again))["output"] == "x" * n
        assert await pruned(app, later(app)) == [again]
        assert await swept_now(app) == 1, "its own record keeps no value"
    assert not blobs_of(app)


async def test_the_document_of_a_workflow_and_the_pages_of_a_map_stay_while_they_are_needed(app: App) -> None:
    each = {"kind": "map", "config": {"items": "inputs.items"},
            "body": {"nodes": {"do": fn("echo", input={"value": "item"})}, "edges": {}}}  # fmt: skip
    await app.push(flow("each", {"m": each}))

    async def mapped(last: int) -> str:
        run = await app.start("each", {"items": [*range(1_100), last]})
        assert (await finished(app, run.id))["status"] == "COMPLETED"
        return run.id

    one, before_ms = await mapped(1), later(app)
    two = await mapped(2)  # its first page is that of the first run
    told = await read(app, [two])
    assert await pruned(app, before_ms) == [one]
    assert await swept_now(app) > 0, "the second page of the first run, and its list"
    app.views.core.values._kept.clear()
    assert await read(app, [two]) == told
    assert (await app.run(await mapped(3)))["status"] == "COMPLETED", "its document is still there"
    assert await pruned(app, later(app))
    assert await swept_now(app) > 3
    left = app.views.core.store._file._reader.execute("select count(*) from value").fetchone()[0]  # type: ignore[attr-defined]
    documents = len(await app.views.workflows(app.who))
    assert left <= documents + 1, "all that is left are documents"


@pytest.mark.parametrize("n", [5_000, 90_000])
async def test_what_is_put_while_a_sweep_looks_is_kept(app: App, monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    await app.push(flow("wide", {"a": fn("sized", input={"n": "inputs.n"})}))
    old = await sized(app, n)
    assert await pruned(app, later(app)) == [old]
    sweep, made = Sweep(app.views.core), list[str]()
    plain = sweep.referred

    async def meanwhile(tenant: str, hashes: Any, before_ms: int) -> Any:
        found = await plain(tenant, hashes, before_ms)
        made.append(await sized(app, n))
        return found

    monkeypatch.setattr(sweep, "referred", meanwhile)
    assert await swept([sweep], app.views.core.ambient.now_ms() + 1) == 0
    app.views.core.values._kept.clear()
    assert (await app.run(made[0]))["output"] == "x" * n


MOVES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["short", "other", "bad", "wait"]), st.sampled_from(["", "k1", "k2"])),
        st.tuples(st.just("go"), st.integers(0, 9)),
        st.tuples(st.just("prune"), st.sampled_from(["", "short", "bad"])),
        st.tuples(st.just("fork"), st.integers(0, 9)),
        st.tuples(st.just("crash"), st.just(0)),
        st.tuples(st.just("stop"), st.just(0)),
    ),
    min_size=4,
    max_size=14,
)  # fmt: skip


class Model:
    """What a home should have: runs by id, which of them live, went, and are forks of which."""

    def __init__(self) -> None:
        self.workflow: dict[str, str] = {}
        self.live: list[str] = []
        self.gone: set[str] = set()
        self.fork: dict[str, str] = {}
        self.told: dict[str, Any] = {}

    def ended(self, workflow: str = "") -> list[str]:
        return [run for run, name in self.workflow.items()
                if run not in self.live and run not in self.gone and workflow in ("", name)]  # fmt: skip

    async def check(self, app: App) -> None:
        """Everything is told as it was told before; what went is told to have gone."""
        found = await read(app, list(self.workflow))
        assert {run for run, told in found.items() if told == "run_pruned"} == self.gone
        for run in self.ended():
            assert found[run] == self.told.setdefault(run, found[run])
        listed = {row["run_id"] for row in (await app.views.runs(app.who))["runs"]}
        assert listed == self.workflow.keys() - self.gone

    async def move(self, app: App, what: str, with_: Any) -> None:
        match what:
            case "go" if self.live:
                run = self.live.pop(with_ % len(self.live))
                await app.views.message(app.who, run, "go")
                await finished(app, run)
            case "fork" if found := self.ended("wait"):
                source = found[with_ % len(found)]
                run = (await app.views.fork(app.who, source, from_node="w"))["run_id"]
                self.workflow[run], self.fork[run] = "wait", source
                self.live.append(run)
                await until(app, run, "wait_opened")
            case "prune":
                needed = {self.fork[run] for run in self.live if run in self.fork}
                expected = set(self.ended(with_)) - needed
                assert set(await pruned(app, later(app), workflow=with_ or None)) == expected
                self.gone |= expected
            case "short" | "other" | "bad" | "wait":
                started = await app.start(what, {"n": 1}, key=with_ or None)
                known = started.id in self.workflow and started.id not in self.gone
                assert started.created is not known
                if known:
                    return
                self.workflow[started.id] = what
                self.gone.discard(started.id)
                self.told.pop(started.id, None)
                self.fork.pop(started.id, None)
                if what == "wait":
                    self.live.append(started.id)
                    await until(app, started.id, "wait_opened")
                else:
                    await finished(app, started.id)


async def lived(root: Path, moves: list[tuple[str, Any]]) -> None:
    model, rest, home = Model(), list(moves), root / "0"
    while True:
        deed = Deed()
        async with aob.open(home, app=deed.handlers()) as app:
            await pushed(app)
            await model.check(app)
            while rest:
                what, with_ = rest.pop(0)
                if what == "crash":
                    await model.check(app)
                    home = crashed(app, root / str(len(rest) + 1))
                if what in ("crash", "stop"):
                    break
                await model.move(app, what, with_)
                await model.check(app)
            else:
                return


@given(MOVES)
@settings(max_examples=6, deadline=None)
def test_whatever_is_pruned_when_all_else_is_told_as_before(moves: list[tuple[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(lived(Path(folder), moves))
