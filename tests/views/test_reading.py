"""Verbs that read: a run, lists and pages, timelines, logs, blobs, health."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest

import aob
from aob.compose import App
from aob.core.errors import CallerError, NotFound, Refused, Unavailable
from aob.core.policy import Caller
from aob.core.rules import RULES
from tests.runs.home import Deed, chain, finished, flow, fn, kinds, until

NOBODY = Caller("default", "nobody", frozenset())


class TestARun:
    async def test_shows_everything_about_it(self, app: App) -> None:
        await app.push(chain("one", "echo", "echo"))
        run = await finished(app, (await app.start("one", {"n": 1}, labels={"team": "a"}, priority="high")).id)
        assert (run["workflow"], run["tag"], run["version"], run["by"]) == ("one", "main", "v1.0", "local")
        assert (run["labels"], run["mode"], run["tenant"]) == ({"team": "a"}, "full", "default")
        assert run["started_at"] <= run["ended_at"]
        assert set(run["graph"]["nodes"]) == {"a", "b"}
        assert run["nodes"]["a"]["kind"] == "function"

    @pytest.mark.parametrize(
        "id", ["", "run_", "run_none", "x", "../run_x", "run_" + "x" * 100, "run_\x00", "workflow/default/one"]
    )
    async def test_that_is_not_there_is_not_found(self, app: App, id: str) -> None:
        await app.push(chain("one", "echo"))
        for verb in (app.views.run, app.views.timeline, app.views.why, app.views.patches):
            with pytest.raises(NotFound):
                await verb(app.who, id)

    async def test_shows_a_node_whose_handler_works_as_running(self, app: App, deed: Deed) -> None:
        await app.push(chain("one", "gated", "plain"))
        run = await app.start("one", 1)
        await deed.begins("a").wait()
        assert (await run.show())["nodes"]["a"] == {"state": "running", "attempt": 1, "kind": "function"}
        assert (await app.views.why(app.who, run.id))["sentence"].startswith("a is running")
        deed.release()
        assert (await finished(app, run.id))["nodes"]["a"]["state"] == "completed"

    async def test_is_at_least_as_fresh_as_asked(self, app: App) -> None:
        await app.push(chain("one", "echo"))
        run = await finished(app, (await app.start("one")).id)
        assert (await app.views.run(app.who, run["run_id"], min_position=run["position"]))["status"] == "COMPLETED"
        from aob.core.event import Position

        ahead = Position(1, ((10_000, 0),)).token()
        with pytest.raises(Unavailable) as caught:
            await app.views.run(app.who, run["run_id"], min_position=ahead)
        assert caught.value.code == "not_yet"

    async def test_is_the_same_after_a_restart(self, tmp_path: Path, deed: Deed) -> None:
        async with aob.open(tmp_path, app=deed.handlers()) as app:
            await app.push(chain("one", "echo", "echo"))
            before = await finished(app, (await app.start("one", {"n": 1})).id)
            told = await app.views.timeline(app.who, before["run_id"])
        async with aob.open(tmp_path, app=deed.handlers()) as app:
            after = await app.run(before["run_id"])
            assert {k: v for k, v in after.items() if k != "position"} == {
                k: v for k, v in before.items() if k != "position"
            }
            assert await app.views.timeline(app.who, before["run_id"]) == told

    async def test_is_shown_without_the_handlers_that_it_had(self, tmp_path: Path, deed: Deed) -> None:
        async with aob.open(tmp_path, app=deed.handlers()) as app:
            await app.push(chain("one", "echo"))
            run = await app.start("one", {"n": 1})
            await finished(app, run.id)
        async with aob.open(tmp_path) as app:
            assert (await app.run(run.id))["output"] == {"n": 1}

    async def test_is_told_only_once_it_is_durable(self, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
        """A reader that comes while a commit is under way waits for it: what it sees can never be taken back."""
        await app.push(chain("one", "gated"))
        store, written, may_write = app.views.core.store, asyncio.Event(), asyncio.Event()
        commit = store.commit

        async def slow(batch: Any) -> Any:
            written.set()
            await may_write.wait()
            return await commit(batch)

        monkeypatch.setattr(store, "commit", slow)
        starting = asyncio.ensure_future(app.start("one", 1, run_id="run_slow"))
        await written.wait()
        reading = asyncio.ensure_future(app.run("run_slow"))
        asking = asyncio.ensure_future(app.views.why(app.who, "run_slow"))
        done, _ = await asyncio.wait({starting, reading, asking}, timeout=0.05)
        assert not done
        may_write.set()
        assert (await reading)["status"] == "RUNNING"
        await asyncio.gather(starting, asking)


async def test_a_list_is_paged_newest_first_and_filtered(app: App) -> None:
    await app.push(chain("one", "echo"))
    await app.push(chain("two", "wrong"))
    ids = []
    for n in range(7):
        run = await app.start("two" if n == 3 else "one", n, labels={"n": str(n)}, key=f"k{n}" if n % 2 else None)
        ids.append(run.id)
        await finished(app, run.id)
    pages, cursor = [], None
    while True:
        page = await app.views.runs(app.who, limit=3, cursor=cursor)
        pages.append([row["run_id"] for row in page["runs"]])
        cursor = page["next"]
        if cursor is None:
            break
    assert [id for page in pages for id in page] == ids[::-1]
    assert [len(page) for page in pages] == [3, 3, 1]
    failed = await app.views.runs(app.who, status="failed")
    assert [(row["run_id"], row["reason"]) for row in failed["runs"]] == [(ids[3], "this can never work")]
    assert [row["run_id"] for row in (await app.views.runs(app.who, workflow="two"))["runs"]] == [ids[3]]
    assert [row["run_id"] for row in (await app.views.runs(app.who, labels={"n": "5"}))["runs"]] == [ids[5]]
    assert (await app.views.runs(app.who, labels={"n": "9"}))["runs"] == []


@pytest.mark.parametrize("cursor", ["", "x", "run_abc", "1.x", "-1.run_a", "1.run_a/b", "9" * 40 + ".run_a"])
async def test_a_cursor_that_is_not_ours_is_refused(app: App, cursor: str) -> None:
    with pytest.raises(CallerError) as caught:
        await app.views.runs(app.who, cursor=cursor)
    assert caught.value.code == "bad_cursor"


@pytest.mark.parametrize("limit", [0, -1, 501])
async def test_a_page_has_bounds(app: App, limit: int) -> None:
    with pytest.raises(CallerError):
        await app.views.runs(app.who, limit=limit)


async def test_a_timeline_is_dense_and_in_order(app: App) -> None:
    await app.push(chain("one", "echo", "flaky"))
    run = await finished(app, (await app.start("one", 1)).id)
    timeline = await app.views.timeline(app.who, run["run_id"])
    assert [entry["seq"] for entry in timeline] == list(range(len(timeline)))
    assert kinds(timeline) == ["run_started", "node_completed", "node_completed", "run_finished"]
    assert all(entry["run"] == run["run_id"] and entry["at"] and entry["position"] for entry in timeline)


class TestLogs:
    async def test_are_read_by_run_and_node(self, app: App) -> None:
        await app.push(chain("one", "talk", "talk"))
        run = await finished(app, (await app.start("one")).id)
        lines = [msgspec.json.decode(line) async for line in app.views.logs(app.who, run["run_id"])]
        assert [(line["visit"], line["message"], line["n"]) for line in lines] == [
            ("a", "hello", 1), ("a", "bye", 2), ("b", "hello", 1), ("b", "bye", 2),
        ]  # fmt: skip
        only = [line async for line in app.views.logs(app.who, run["run_id"], node="b")]
        assert len(only) == 2

    @pytest.mark.parametrize("last", ["talk", "echo"])
    async def test_are_followed_to_the_end_of_the_run(self, app: App, deed: Deed, last: str) -> None:
        await app.push(chain("one", "talk", "gated", last))
        run = await app.start("one")

        async def lines() -> list[str]:
            return [line async for line in app.views.logs(app.who, run.id, follow=True)]

        following = asyncio.ensure_future(lines())
        await deed.begins("b").wait()
        deed.gate("b").set()
        async with asyncio.timeout(60):
            assert len(await following) == (4 if last == "talk" else 2)

    async def test_of_a_run_that_is_over_end_at_once(self, app: App) -> None:
        await app.push(chain("one", "talk"))
        run = await finished(app, (await app.start("one")).id)
        async with asyncio.timeout(60):
            assert len([line async for line in app.views.logs(app.who, run["run_id"], follow=True)]) == 2


class TestABlob:
    @pytest.mark.parametrize(
        "hash",
        ["", "x", "../../etc/passwd", "ab" * 31, "AB" * 32, "sha256:" + "g" * 64, "0" * 64 + "\n", " " + "0" * 64],
    )
    async def test_is_named_by_a_hash_and_by_nothing_else(self, app: App, hash: str) -> None:
        with pytest.raises(CallerError):
            await app.views.blob(app.who, hash)

    async def test_that_is_damaged_is_not_given_out(self, app: App) -> None:
        await app.push(flow("big", {"a": fn("sized", input={"n": "inputs"})}))
        run = await finished(app, (await app.start("big", 90_000)).id)
        hash = run["nodes"]["a"]["hash"]
        (path,) = [p for p in (app.home / "blobs").rglob("*") if p.is_file()]
        path.write_bytes(b"something else")
        app.views.core.values._kept.clear()
        with pytest.raises(Unavailable) as caught:
            await app.views.blob(app.who, hash)
        assert caught.value.code == "blob_corrupt"


async def test_health_says_what_works(app: App) -> None:
    health = await app.views.health()
    assert (health["status"], health["store"]) == ("ok", {"status": "ok"})


async def test_who_has_no_role_reads_nothing(app: App) -> None:
    await app.push(chain("one", "echo"))
    id = (await app.start("one")).id
    verbs = app.views
    reads = [
        verbs.run(NOBODY, id), verbs.runs(NOBODY), verbs.timeline(NOBODY, id), verbs.why(NOBODY, id),
        verbs.patches(NOBODY, id), verbs.tickets(NOBODY), verbs.ticket(NOBODY, "x"), verbs.patch(NOBODY, "x"),
        verbs.workflows(NOBODY), verbs.workflow(NOBODY, "one"), verbs.diff(NOBODY, "one", "main", "main"),
        verbs.blob(NOBODY, "0" * 64), verbs.replay(NOBODY, id, from_node="a"), anext(verbs.follow(NOBODY)),
        anext(verbs.logs(NOBODY, id)), verbs.fork(NOBODY, id, from_node="a"), verbs.cancel(NOBODY, id),
        verbs.approve_patch(NOBODY, "x"), verbs.rollback(NOBODY, "x"), verbs.propose(NOBODY, id, {}),
        verbs.message(NOBODY, id, "m"), verbs.start(NOBODY, "one"), verbs.start_many(NOBODY, []),
        verbs.push(NOBODY, {}), verbs.patch_tag(NOBODY, "one", "main", []), verbs.list_keys(NOBODY),
    ]  # fmt: skip
    for read in reads:
        with pytest.raises(Refused):
            await read


async def test_a_run_that_cannot_be_read_does_not_keep_the_home_from_starting(
    tmp_path: Path, deed: Deed, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        await app.push(flow("w", {"w": {"kind": "wait", "config": {"message": "m"}}}))
        await app.push(chain("one", "echo"))
        run = await app.start("w")
        await until(app, run.id, "wait_opened")
    from aob.core.errors import Invalid
    from aob.runs import graphs

    compile_workflow = graphs.compile_workflow

    def older(document: dict[str, Any], handlers: Any = None, rules: int = RULES) -> Any:
        if document["workflow"] == "w":
            raise Invalid("w is not a correct workflow: no such kind")
        return compile_workflow(document, handlers, rules)

    with monkeypatch.context() as patched:
        patched.setattr(graphs, "compile_workflow", older)
        async with aob.open(tmp_path, app=deed.handlers()) as app:
            assert "its graph cannot be read" in (await app.views.why(app.who, run.id))["sentence"]
            assert (await app.run(run.id))["graph"] == {}
            with pytest.raises(CallerError):
                await app.views.fork(app.who, run.id, from_node="w")
            assert (await finished(app, (await app.start("one", 1)).id))["status"] == "COMPLETED"
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        await app.views.message(app.who, run.id, "m", payload=1)
        assert (await finished(app, run.id))["output"] == 1


async def test_followers_of_logs_that_leave_leave_nothing(app: App, deed: Deed) -> None:
    await app.push(chain("one", "talk", "gated"))
    run = await app.start("one")
    async with aclosing(app.views.logs(app.who, run.id, follow=True)) as lines:
        await anext(lines)
