"""kill -9 at every step of a partition's move: it has one owner at the next start, nothing is lost, nothing twice."""

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.compose.files import inspected
from aob.compose.home import home_made
from aob.compose.layout import layout_of, set_shards
from tests.crash.move_life import main
from tests.runs.home import Deed, chain, flow
from tests.servers.forks import FORKS

LIFE_S = 60
SHARDS = 3
STEPS = [
    (f"{step}.{moment}", count)
    for step, count in (("moved", 1), ("taken", 2), ("release", 30))
    for moment in ("before", "written", "after")
]
WAIT = flow("waits", {"w": {"kind": "wait", "config": {"message": "go"}}})
ASK = flow("asks", {"a": {"kind": "approval", "config": {"role": "finance", "text": "well?"}}})
NAP = flow("naps", {"n": {"kind": "timer", "config": {"for": "1h"}}})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made") / "home"


async def filled(home: Path) -> None:
    """A home of one shard in which runs have ended, wait, ask and sleep."""
    if home_made(home):
        return
    async with aob.open(home, app=Deed().handlers()) as app:
        for document in (chain("short", "echo", "echo"), WAIT, ASK, NAP):
            await app.push(document)
        for number in range(12):
            await (await app.start("short", {"n": number}, key=f"k{number}")).done()
            for name in ("waits", "asks", "naps"):
                await app.start(name, {"text": "x" * 5_000}, key=f"k{number}")


async def told(home: Path) -> dict[str, Any]:
    """Every run, whole, and every open ticket; each is there once."""
    async with aob.open(home, app=Deed().handlers()) as app:
        rows = (await app.views.runs(app.who, limit=200))["runs"]
        ids = [row["run_id"] for row in rows]
        assert len(ids) == len(set(ids)), "a run is listed twice"
        found: dict[str, Any] = {}
        for run_id in ids:
            run = await app.run(run_id)
            run.pop("position")
            entries = await app.views.timeline(app.who, run_id)
            found[run_id] = run, [{**entry, "position": ""} for entry in entries]
        tickets = await app.views.tickets(app.who)
        assert len(tickets) == len({ticket["ticket_id"] for ticket in tickets})
        found["tickets"] = sorted(ticket["ticket_id"] for ticket in tickets)
    return found


@pytest.mark.parametrize(("point", "count"), [*STEPS, ("opened", 3)])
async def test_a_move_that_is_killed_leaves_each_partition_one_owner_and_is_finished_at_the_next_start(
    made: Path, tmp_path: Path, point: str, count: int
) -> None:
    await filled(made)
    home = shutil.copytree(made, tmp_path / "home")
    whole = await told(home)
    child = FORKS.Process(target=main, args=(str(home), SHARDS, point, count))
    child.start()
    child.join(LIFE_S)
    assert child.exitcode == -signal.SIGKILL, f"nothing came to {point}"
    torn = layout_of(home)
    assert len(torn.owners) == torn.partitions
    told_now = await set_shards(home, SHARDS, lambda *_: None)
    layout = layout_of(home)
    assert not layout.moving
    assert [len([p for p in layout.owners if p == shard]) for shard in range(SHARDS)] == [22, 21, 21]
    assert told_now["moved"]["partitions"] <= 42
    await set_shards(home, 1, lambda *_: None)
    assert await told(home) == whole
    assert all(seen.well for seen in inspected(home, deep=True))


async def test_what_lives_goes_on_after_a_kill_and_its_move_and_a_repeat_is_one(made: Path, tmp_path: Path) -> None:
    await filled(made)
    home = shutil.copytree(made, tmp_path / "home")
    child = FORKS.Process(target=main, args=(str(home), 2, "taken.before", 9))
    child.start()
    child.join(LIFE_S)
    assert child.exitcode == -signal.SIGKILL
    assert layout_of(home).moving
    await set_shards(home, 1, lambda *_: None)  # what was on its way goes on to where it was going, and back
    assert not layout_of(home).moving
    async with aob.open(home, app=Deed().handlers()) as app:
        for number in range(12):
            for name in ("short", "waits", "asks", "naps"):
                inputs = {"n": number} if name == "short" else {"text": "x" * 5_000}
                assert not (await app.start(name, inputs, key=f"k{number}")).created, name
        waiting = (await app.views.runs(app.who, workflow="waits", limit=50))["runs"]
        for row in waiting:
            await app.views.message(app.who, row["run_id"], "go")
        for row in waiting:
            assert (await app.views.wait(app.who, row["run_id"], 20))["status"] == "COMPLETED"
        for ticket in await app.views.tickets(app.who):
            await app.answer(ticket["ticket_id"], "approve")
