"""kill -9 in the middle of a prune: a run is there whole or not at all, and the next prune goes on."""

import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

import aob
from aob.compose.files import inspected
from aob.core.errors import Gone
from aob.runs.removal import prune
from tests.crash.prune_life import STEP_RUNS, main, prune_all
from tests.runs.home import Deed, chain, finished
from tests.servers.forks import FORKS

RUNS = 10
LIFE_S = 60
POINTS = [
    ("remove.before", 1), ("remove.after", 2), ("commit.before", 2), ("commit.at_the_disk", 2), ("commit.after", 2),
    ("release.before", 3), ("last_cut.before", 1),
]  # fmt: skip


async def told(home: Path, ids: list[str]) -> dict[str, Any]:
    """Every run that is there, whole."""
    found = {}
    async with aob.open(home, app=Deed().handlers()) as app:
        for run_id in ids:
            try:
                run = await app.run(run_id)
            except Gone:
                continue
            run.pop("position")
            found[run_id] = (run, await app.views.timeline(app.who, run_id))
        listed = (await app.views.runs(app.who))["runs"]
        assert {row["run_id"] for row in listed} == found.keys()
    return found


async def made(home: Path) -> list[str]:
    async with aob.open(home, app=Deed().handlers()) as app:
        await app.push(chain("short", "echo", "echo"))
        ids = [(await app.start("short", {"n": n})).id for n in range(RUNS)]
        for run_id in ids:
            await finished(app, run_id)
    return ids


def in_the_log(home: Path) -> set[str]:
    with closing(sqlite3.connect(home / "shard-0.db")) as file:
        rows = file.execute("select count, data from journal").fetchall()
        for count, data in rows:
            parts = msgspec.json.decode(data)
            assert sum(len(part[2]) if part[0] else part[1] for part in parts) == count, "an event lost its place"
        return {name for (name,) in file.execute("select distinct stream from event_log") if name.startswith("run_")}


@pytest.mark.parametrize(("point", "count"), POINTS)
async def test_a_prune_that_is_killed_leaves_no_half_and_the_next_one_ends_it(
    tmp_path: Path, point: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prune, "STEP_RUNS", STEP_RUNS)
    home = tmp_path / "home"
    ids = await made(home)
    whole = await told(home, ids)
    child = FORKS.Process(target=main, args=(str(home), point, count))
    child.start()
    child.join(LIFE_S)
    assert child.exitcode == -signal.SIGKILL, f"nothing came to {point}"
    left = await told(home, ids)
    assert left == {run_id: run for run_id, run in whole.items() if run_id in left}
    assert in_the_log(home) == left.keys(), "an event of a run that went is still there, or one of another is lost"
    assert await prune_all(home) == len(left)
    assert await told(home, ids) == {}
    assert in_the_log(home) == set()
    assert all(seen.well for seen in inspected(home, deep=True))
