"""A shard's file with damage in it: one run is set aside, or the start is refused with the place, never a traceback."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.core.errors import Quarantined, Unavailable
from tests.runs.home import Deed, chain, crashed, finished, flow, until

WAIT = flow("wait", {"w": {"kind": "wait", "config": {"message": "m"}}})


async def lived(home: Path, deed: Deed, peace: bool) -> tuple[list[str], Path]:
    """A home with two waiting runs and one that ended, left in peace (all in segments) or by a crash."""
    async with aob.open(home / "live", app=deed.handlers()) as app:
        await app.push(WAIT)
        await app.push(chain("one", "echo"))
        runs = [(await app.start("wait")).id, (await app.start("wait")).id]
        for run_id in runs:
            await until(app, run_id, "wait_opened")
        done = (await app.start("one", {"n": 1})).id
        await finished(app, done)
        left = home / "live" if peace else crashed(app, home / "crashed")
    return [*runs, done], left


def edit(home: Path, statement: str, *values: Any, file: str = "shard-0.db") -> None:
    """Change a file behind everybody's back."""
    with closing(sqlite3.connect(home / file, isolation_level=None)) as db:
        assert db.execute(statement, values).rowcount


def flipped(data: bytes, at: int) -> bytes:
    """The bytes with one bit turned."""
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


def row_of(home: Path, run_id: str) -> tuple[int, bytes]:
    """The journal row in which a run begins."""
    with closing(sqlite3.connect(home / "shard-0.db")) as db:
        found = db.execute("select row, data from journal where instr(data, ?) order by row limit 1", (run_id,))
        row, data = found.fetchone()
        return int(row), bytes(data)


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
async def test_a_bad_segment_sets_one_run_aside(tmp_path: Path, place: float) -> None:
    deed = Deed()
    (bad, good, done), home = await lived(tmp_path, deed, peace=True)
    with closing(sqlite3.connect(home / "shard-0.db")) as db:
        (data,) = db.execute("select data from segment where stream = ?", (bad,)).fetchone()
    edit(home, "update segment set data = ? where stream = ?", flipped(data, int(place * len(data))), bad)
    async with aob.open(home, app=deed.handlers()) as app:
        assert "is not what was written" in (await app.views.why(app.who, bad))["sentence"]
        with pytest.raises(Quarantined, match="set aside"):
            await app.views.message(app.who, bad, "m", payload=1)
        await app.views.message(app.who, good, "m", payload=1)
        assert (await finished(app, good))["status"] == "COMPLETED"
        assert (await app.run(done))["output"] == {"n": 1}
    edit(home, "update segment set data = ? where stream = ?", data, bad)  # a copy is put back
    async with aob.open(home, app=deed.handlers()) as app:
        await app.views.message(app.who, bad, "m", payload=1)
        assert (await finished(app, bad))["output"] == 1


async def test_while_a_run_is_left_out_its_newest_events_stay_in_reach(tmp_path: Path) -> None:
    deed = Deed()
    (bad, good, _), home = await lived(tmp_path, deed, peace=True)
    async with aob.open(home, app=deed.handlers()) as app:
        await app.views.message(app.who, bad, "other", payload=1)  # in the journal alone
        left = crashed(app, tmp_path / "again")
    with closing(sqlite3.connect(left / "shard-0.db")) as db:
        (data,) = db.execute("select data from segment where stream = ?", (bad,)).fetchone()
    edit(left, "update segment set data = ? where stream = ?", flipped(data, 40), bad)
    async with aob.open(left, app=deed.handlers()) as app:
        await app.views.message(app.who, good, "m", payload=1)
    edit(left, "update segment set data = ? where stream = ?", data, bad)
    async with aob.open(left, app=deed.handlers()) as app:
        told = await app.views.timeline(app.who, bad)
        assert [entry["seq"] for entry in told] == list(range(len(told)))
        await app.views.message(app.who, bad, "m", payload=1)
        assert (await finished(app, bad))["output"] == 1


@pytest.mark.parametrize("place", [0.05, 0.3, 0.5, 0.7, 0.95])
async def test_a_bad_row_after_the_last_cut_is_refused_with_file_and_row(tmp_path: Path, place: float) -> None:
    deed = Deed()
    (run_id, _, _), home = await lived(tmp_path, deed, peace=False)
    row, data = row_of(home, run_id)
    edit(home, "update journal set data = ? where row = ?", flipped(data, int(place * len(data))), row)
    with pytest.raises(Unavailable, match=rf"shard-0\.db: journal row {row} ") as refused:
        async with aob.open(home, app=deed.handlers()):
            pass
    assert f"aob restore --accept-loss shard-0.db:{row}" in refused.value.hint


@pytest.mark.parametrize("column", ["epoch", "at_ms", "count"])
async def test_what_stands_beside_the_data_of_a_row_is_checked_too(tmp_path: Path, column: str) -> None:
    deed = Deed()
    (run_id, _, _), home = await lived(tmp_path, deed, peace=False)
    row, _ = row_of(home, run_id)
    edit(home, f"update journal set {column} = {column} + 1 where row = ?", row)
    with pytest.raises(Unavailable, match=f"row {row} "):
        async with aob.open(home, app=deed.handlers()):
            pass


@pytest.mark.parametrize("column", ["first_seq", "count", "row"])
async def test_what_stands_beside_the_data_of_a_segment_is_checked_too(tmp_path: Path, column: str) -> None:
    deed = Deed()
    (bad, good, _), home = await lived(tmp_path, deed, peace=True)
    edit(home, f"update segment set {column} = {column} + 1 where stream = ?", bad)
    async with aob.open(home, app=deed.handlers()) as app:
        assert "its history cannot be read" in (await app.views.why(app.who, bad))["sentence"]
        await app.views.message(app.who, good, "m", payload=1)
        assert (await finished(app, good))["status"] == "COMPLETED"


async def test_a_row_that_is_missing_is_refused(tmp_path: Path) -> None:
    deed = Deed()
    (run_id, _, _), home = await lived(tmp_path, deed, peace=False)
    row, _ = row_of(home, run_id)
    edit(home, "delete from journal where row = ?", row)
    with pytest.raises(Unavailable, match=f"row {row} .*missing"):
        async with aob.open(home, app=deed.handlers()):
            pass


async def test_a_cut_that_was_changed_is_not_believed(tmp_path: Path) -> None:
    deed = Deed()
    (run_id, _, _), home = await lived(tmp_path, deed, peace=False)
    edit(home, "update shard set cut = 9999, cut_again = 0")
    async with aob.open(home, app=deed.handlers()) as app:
        await app.views.message(app.who, run_id, "m", payload=1)
        assert (await finished(app, run_id))["output"] == 1
