"""A home that is opened after a crash: what completed stays done, what was cut off is told, what is due happens."""

from pathlib import Path

import pytest

import aob
from aob.compose import App
from aob.core.errors import Conflict
from aob.core.policy import LOCAL
from tests.runs.home import Deed, chain, crashed, finished, flow, fn, kinds, ticket_of, until


async def test_what_completed_is_never_done_again(app: App, tmp_path: Path, deed: Deed) -> None:
    await app.push(chain("one", "echo", "plain", "gated", "echo"))
    run = await app.start("one", 1)
    await deed.begins("c").wait()
    home = crashed(app, tmp_path / "copy")
    deed.calls.clear()
    deed.release()
    async with aob.open(home, app=deed.handlers()) as again:
        ended = await finished(again, run.id)
    await finished(app, run.id)
    assert ended["status"] == "COMPLETED"
    assert sorted(deed.calls) == [("echo", 1), ("echo", 1), ("gated", "c")]  # one `echo` in each of the two homes


async def test_every_run_of_many_ends_after_a_crash_in_the_middle(app: App, tmp_path: Path, deed: Deed) -> None:
    await app.push(chain("one", "echo", "gated", "echo"))
    verdicts = await app.views.start_many(app.who, [{"inputs": n} for n in range(60)])
    await deed.begins("b").wait()
    home = crashed(app, tmp_path / "copy")
    deed.release()
    async with aob.open(home, app=deed.handlers()) as again:
        ended = [await finished(again, verdict["run_id"]) for verdict in verdicts]
        listed = await again.views.runs(LOCAL, limit=100)
    assert [run["output"] for run in ended] == list(range(60))
    assert {row["status"] for row in listed["runs"]} == {"COMPLETED"}


async def test_an_answered_start_is_there_after_a_crash(app: App, tmp_path: Path, deed: Deed) -> None:
    await app.push(chain("one", "echo"))
    ids = [(await app.start("one", n, key=f"k{n}", mode=mode)).id for n, mode in enumerate(("full", "fast"))]
    home = crashed(app, tmp_path / "copy")
    async with aob.open(home, app=deed.handlers()) as again:
        for n, id in enumerate(ids):
            told = await again.start("one", n, key=f"k{n}")
            assert (told.id, told.created) == (id, False)
            with pytest.raises(Conflict):
                await again.start("one", "other", key=f"k{n}")


class TestAnEffectThatWasCutOff:
    async def test_is_put_to_a_person(self, app: App, tmp_path: Path, deed: Deed) -> None:
        await app.push(flow("o", {"a": fn("once"), "b": fn()}, "a>b"))
        run = await app.start("o")
        await deed.begins("a").wait()
        home = crashed(app, tmp_path / "copy")
        deed.release()
        async with aob.open(home, app=deed.handlers()) as again:
            ticket = await ticket_of(again, run.id, "uncertain")
            assert ticket["choices"] == ["done", "repeat", "fail"]
            assert (await again.run(run.id))["status"] == "WAITING"
            assert deed.calls.count(("once", "a")) == 1
            await again.answer(ticket["ticket_id"], "done", values={"output": {"sent": True}})
            ended = await finished(again, run.id)
        assert (ended["status"], ended["output"]) == ("COMPLETED", {"sent": True})
        assert deed.calls.count(("once", "a")) == 1

    async def test_is_repeated_when_the_person_says_so(self, app: App, tmp_path: Path, deed: Deed) -> None:
        await app.push(flow("o", {"a": fn("once")}))
        run = await app.start("o")
        await deed.begins("a").wait()
        home = crashed(app, tmp_path / "copy")
        deed.release()
        async with aob.open(home, app=deed.handlers()) as again:
            ticket = await ticket_of(again, run.id, "uncertain")
            await again.answer(ticket["ticket_id"], "repeat")
            assert (await finished(again, run.id))["output"] == "done"
        assert deed.calls.count(("once", "a")) == 2

    async def test_fails_when_the_person_says_so(self, app: App, tmp_path: Path, deed: Deed) -> None:
        await app.push(flow("o", {"a": fn("once")}))
        run = await app.start("o")
        await deed.begins("a").wait()
        home = crashed(app, tmp_path / "copy")
        async with aob.open(home, app=deed.handlers()) as again:
            ticket = await ticket_of(again, run.id, "uncertain")
            await again.answer(ticket["ticket_id"], "fail", "we looked: it did not")
            ended = await finished(again, run.id)
        assert (ended["status"], ended["error"]["code"]) == ("FAILED", "uncertain")

    async def test_is_repeated_when_the_node_says_so(self, app: App, tmp_path: Path, deed: Deed) -> None:
        await app.push(flow("o", {"a": fn("once", on_uncertain="repeat")}))
        run = await app.start("o")
        await deed.begins("a").wait()
        home = crashed(app, tmp_path / "copy")
        deed.release()
        async with aob.open(home, app=deed.handlers()) as again:
            assert (await finished(again, run.id))["output"] == "done"
            timeline = await again.views.timeline(LOCAL, run.id)
        assert kinds(timeline).count("uncertain") == 1
        assert deed.calls.count(("once", "a")) == 2

    @pytest.mark.parametrize("happened", [True, False])
    async def test_is_looked_after_by_who_verifies(self, tmp_path: Path, deed: Deed, happened: bool) -> None:
        class Looks:
            """The node's `verify`: was it done?"""

            @staticmethod
            @aob.node(effect="none")
            async def look(key: str) -> object:
                deed.calls.append(("look", key.rpartition("/")[2]))
                return {"happened": happened, "output": "seen"} if happened else {"happened": False}

        apps = [deed.handlers(), Looks]
        async with aob.open(tmp_path / "home", app=apps) as app:
            await app.push(flow("o", {"a": fn("once", on_uncertain="verify", verify="look")}))
            run = await app.start("o")
            await deed.begins("a").wait()
            home = crashed(app, tmp_path / "copy")
            deed.release()
        deed.calls.clear()
        async with aob.open(home, app=apps) as again:
            ended = await finished(again, run.id)
        assert ended["output"] == ("seen" if happened else "done")
        assert deed.calls == ([("look", "a")] if happened else [("look", "a"), ("once", "a")])

    async def test_that_is_keyed_is_tried_again_under_its_key(self, app: App, tmp_path: Path, deed: Deed) -> None:
        await app.push(chain("one", "gated"))
        run = await app.start("one", 1)
        await deed.begins("a").wait()
        home = crashed(app, tmp_path / "copy")
        deed.release()
        async with aob.open(home, app=deed.handlers()) as again:
            ended = await finished(again, run.id)
        assert (ended["status"], ended["nodes"]["a"]["attempt"]) == ("COMPLETED", 2)


async def test_back_off_goes_on_where_it_was(app: App, tmp_path: Path, deed: Deed) -> None:
    deed.failures["a"] = 1
    await app.push(flow("r", {"a": fn("flaky", retry={"attempts": 2, "first": "100ms", "jitter": 0})}))
    run = await app.start("r")
    await until(app, run.id, "attempt_failed")
    home = crashed(app, tmp_path / "copy")
    async with aob.open(home, app=deed.handlers()) as again:
        ended = await finished(again, run.id)
    assert (ended["output"], ended["nodes"]["a"]["attempt"]) == (2, 2)


async def test_maps_and_loops_go_on_where_they_were(app: App, tmp_path: Path, deed: Deed) -> None:
    body = {"nodes": {"x": fn("echo"), "y": fn("gated")}, "edges": {"e": {"from": "x", "to": "y"}}}
    each = {"kind": "map", "config": {"items": "inputs", "window": 3}, "body": body}
    await app.push(flow("m", {"each": each, "end": fn("plain")}, "each>end"))
    run = await app.start("m", list(range(8)))
    for index in range(3):
        await deed.begins(f"each[{index}]/y").wait()
    home = crashed(app, tmp_path / "copy")
    deed.calls.clear()
    deed.release()
    async with aob.open(home, app=deed.handlers()) as again:
        ended = await finished(again, run.id)
    assert ended["output"] == {"count": 8, "failed": 0, "failed_items": [], "items": list(range(8))}


async def test_what_a_cancel_ended_stays_ended(app: App, tmp_path: Path, deed: Deed) -> None:
    await app.push(chain("one", "gated", "echo"))
    run = await app.start("one", 1)
    await deed.begins("a").wait()
    await app.views.cancel(app.who, run.id)
    home = crashed(app, tmp_path / "copy")
    deed.calls.clear()
    deed.release()
    async with aob.open(home, app=deed.handlers()) as again:
        assert (await again.run(run.id))["status"] == "CANCELLED"
        await finished(again, (await again.start("one", 2)).id)
    assert deed.calls == [("gated", "a"), ("echo", 2)]


async def test_a_home_may_be_opened_again_and_again(tmp_path: Path, deed: Deed) -> None:
    """Each time a little is done; nothing is lost and nothing is done twice on the way."""
    runs: list[str] = []
    for round in range(5):
        async with aob.open(tmp_path, app=deed.handlers()) as app:
            if not round:
                await app.push(
                    flow("w", {"a": fn(), "w": {"kind": "wait", "config": {"message": "m"}}, "b": fn()}, "a>w", "w>b")
                )
            runs.append((await app.start("w", round)).id)
            for id in runs[:-1]:
                if (await app.run(id))["status"] == "WAITING":
                    await app.views.message(LOCAL, id, "m", payload=round)
            for id in runs[:-1]:
                assert (await finished(app, id))["status"] == "COMPLETED"
            await until(app, runs[-1], "wait_opened")
    assert len(deed.calls) == 5 + 4


async def test_a_clean_end_leaves_nothing_to_read_back(tmp_path: Path, deed: Deed) -> None:
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        await app.push(chain("one", "echo"))
        for n in range(20):
            await finished(app, (await app.start("one", n)).id)
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        journal = app.views.core.journal
        assert journal.cut_row == journal.durable_row > 20
        assert len([name for name in journal.streams if name.startswith("run_")]) == 0
