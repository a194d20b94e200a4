"""A run that has a million passes to do by itself leaves its home to others: it opens, answers, closes, cancels."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.core.run import bodies
from aob.core.run.bodies import EVENTS_MAX
from aob.journal import Committed
from tests.runs.home import Deed, chain, crashed, finished, flow, fn

pytestmark = pytest.mark.every_store

OFF = fn(disabled=True)
MILLION = 1_000_000


def passes(limit: int, **config: Any) -> dict[str, Any]:
    return {"kind": "loop", "config": {"max": limit, **config}, "body": {"nodes": {"x": OFF}, "edges": {}}}


ENDLESS = flow("endless", {"l": passes(MILLION)})
NESTED = flow("nested", {"l": {**passes(MILLION), "body": {"nodes": {"k": passes(MILLION)}, "edges": {}}}})


@contextmanager
def heard(app: App, hear: Callable[[Committed], None]) -> Iterator[None]:
    """Hears of each commit, once all others have."""
    journal = app.views.core.journal
    others = journal.on_commit

    def on_commit(commit: Committed) -> None:
        others(commit)
        hear(commit)

    journal.on_commit = on_commit
    yield
    journal.on_commit = others


async def under_way(app: App, run_id: str, closed: int) -> None:
    """Waits until a loop of a run has done so many passes, commit by commit."""
    come = asyncio.Event()

    def hear(commit: Committed) -> None:
        run = app.views.core.journal.streams[run_id].state
        if any(body.closed >= closed for body in run.bodies.values()):
            come.set()

    with heard(app, hear):
        async with asyncio.timeout(20):
            await come.wait()


@pytest.mark.parametrize("document", [ENDLESS, NESTED], ids=["a loop", "a loop in a loop"])
async def test_others_go_on_beside_it_and_it_can_be_cancelled(app: App, document: dict[str, Any]) -> None:
    await app.push(document)
    await app.push(chain("other", "echo", "echo"))
    run = await app.start(document["workflow"])
    commits: list[Committed] = []
    with heard(app, commits.append):
        await under_way(app, run.id, 200)
        assert (await finished(app, (await app.start("other")).id))["status"] == "COMPLETED"
        assert (await app.run(run.id))["status"] == "RUNNING"
        await app.views.cancel(app.who, run.id, reason="enough")
        assert (await finished(app, run.id))["status"] == "CANCELLED"
    told = [told for commit in commits for told in commit.told if told.stream.name == run.id]
    assert max(len(each.events) for each in told) <= EVENTS_MAX + 12
    of_a_commit = [sum(told.stream.name == run.id for told in commit.told) for commit in commits]
    assert max(of_a_commit) <= 2  # one that goes on, and the cancel


async def test_its_home_closes_and_opens_again_in_the_middle_of_it(tmp_path: Path) -> None:
    deed = Deed()
    async with aob.open(tmp_path / "home", app=deed.handlers()) as app:
        await app.push(ENDLESS)
        run = await app.start("endless")
        await under_way(app, run.id, 200)
    async with aob.open(tmp_path / "home", app=deed.handlers()) as app:
        before = app.views.core.journal.streams[run.id].state.bodies["l"].closed
        assert 200 <= before < MILLION
        await under_way(app, run.id, before + 200)
        await app.views.cancel(app.who, run.id, reason="enough")
        assert (await app.run(run.id))["status"] == "CANCELLED"


async def test_its_process_is_killed_in_the_middle_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "EVENTS_MAX", 16)
    deed = Deed()
    async with aob.open(tmp_path / "home", app=deed.handlers()) as app:
        await app.push(flow("some", {"l": passes(400, collect=True)}))
        run = await app.start("some")
        await under_way(app, run.id, 50)
        left = crashed(app, tmp_path / "left")
    async with aob.open(left, app=deed.handlers()) as app:
        told = await finished(app, run.id)
        assert (told["status"], told["output"]["count"]) == ("COMPLETED", 400)
        visits = [entry["visit"] for entry in await app.views.timeline(app.who, run.id) if entry["type"] == "completed"]
        assert len(set(visits)) == len(visits)


async def test_messages_that_come_between_its_passes_are_each_taken_once_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "EVENTS_MAX", 6)
    deed, many = Deed(), 24
    wait = {"kind": "wait", "config": {"message": "m"}}
    body = {"nodes": {"k": passes(7), "w": wait}, "edges": {"kw": {"from": "k", "to": "w"}}}
    loop = {"kind": "loop", "config": {"max": many, "collect": True}, "body": body}

    async def send(app: App, run_id: str, numbers: range) -> None:
        for n in numbers:
            await app.views.message(app.who, run_id, "m", payload=n, id=f"m{n}")

    async with aob.open(tmp_path / "home", app=deed.handlers()) as app:
        await app.push(flow("some", {"l": loop}))
        run = await app.start("some")
        await send(app, run.id, range(many // 2))
        left = crashed(app, tmp_path / "left")
    async with aob.open(left, app=deed.handlers()) as app:
        await send(app, run.id, range(many // 2 - 3, many))
        assert (await finished(app, run.id))["output"]["items"] == list(range(many))


async def test_it_is_replayed_to_its_end(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "EVENTS_MAX", 8)
    nodes = {"a": fn("double", input={"n": "1"}), "l": passes(60, collect=True), "z": fn()}
    await app.push(flow("some", nodes, "a>l", "l>z"))
    run = await finished(app, (await app.start("some")).id)
    report = await app.views.replay(app.who, run["run_id"], from_node="a")
    assert (report["status"], report["same"], report["unknown"]) == ("COMPLETED", True, [])
    told = await app.views.fork(app.who, run["run_id"], from_node="l")
    assert (await finished(app, told["run_id"]))["output"] == run["output"]
