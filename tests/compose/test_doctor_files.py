"""`aob doctor` opens everything it speaks of: databases, the files against each other, blobs, heads and timers."""

import sqlite3
from pathlib import Path

import pytest

import aob
from aob.compose import check_deep
from aob.compose.files import inspected, inspecting
from aob.core.errors import Conflict
from tests.compose.test_damaged_shard import edit
from tests.runs.home import Deed, chain, crashed, finished, flow, fn, until


async def left(folder: Path) -> tuple[Path, str]:
    """A home with a blob, a run that waits and one with a timer, as a crash leaves it."""
    deed = Deed()
    async with aob.open(folder / "home", app=deed.handlers()) as app:
        await app.push(chain("one", "sized"))
        await app.push(flow("nap", {"t": {"kind": "timer", "config": {"for": "1h"}}}))
        await finished(app, (await app.start("one", {"n": 90_000})).id)
        run = await app.start("nap")
        await until(app, run.id, "timer_set")
        return crashed(app, folder / "left"), run.id


def bad(home: Path, *, deep: bool = False) -> dict[str, str]:
    return {seen.what: seen.says for seen in inspected(home, deep=deep) if not seen.well}


async def test_a_home_that_is_well_is_said_to_be(tmp_path: Path) -> None:
    home, _ = await left(tmp_path)
    assert not bad(home)
    assert not bad(home, deep=True)
    assert all(seen.well for seen in await check_deep(home))


async def test_what_is_wrong_is_found_with_what_mends_it(tmp_path: Path) -> None:
    home, _ = await left(tmp_path)
    (home / "shard-0.db-wal").rename(tmp_path / "wal")
    assert set(bad(home)) == {"shard-0.db"}
    (tmp_path / "wal").rename(home / "shard-0.db-wal")
    (blob,) = home.glob("blobs/*/??/*")
    blob.write_bytes(b"other")
    assert "damaged" in bad(home)["blobs"]
    (home / "link.secret").write_bytes(b"short")
    assert "has 5 bytes" in bad(home)["link.secret"]
    (home / "gate.db").write_bytes(b"\x01" * 9_000)
    assert "database" in bad(home)["gate.db"]


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("update head set status = 'COMPLETED' where kind = 'run' and ended_ms = 0", "its head says COMPLETED"),
        ("update timer set due_ms = due_ms + 1", "its timers"),
        ("delete from timer", "its timers"),
    ],
)
async def test_heads_and_timers_are_held_against_the_events(tmp_path: Path, statement: str, says: str) -> None:
    home, run_id = await left(tmp_path)
    edit(home, statement)
    (seen,) = await check_deep(home)
    assert not seen.well
    assert run_id in seen.says
    assert says in seen.says


async def test_a_blob_that_a_live_run_needs_is_missed(tmp_path: Path) -> None:
    deed = Deed()
    async with aob.open(tmp_path / "home", app=deed.handlers()) as app:
        await app.push(flow("w", {"a": fn("sized"), "w": {"kind": "wait", "config": {"message": "go"}}}, "a>w"))
        run = await app.start("w", {"n": 90_000})
        await until(app, run.id, "wait_opened")
        home = crashed(app, tmp_path / "left")
    assert all(seen.well for seen in await check_deep(home))
    (blob,) = home.glob("blobs/*/??/*")
    blob.unlink()
    (lacking,) = [seen for seen in await check_deep(home) if not seen.well]
    assert (lacking.what, f"{blob.parent.name}{blob.name} of {run.id}" in lacking.says) == ("blobs of live runs", True)


async def test_a_home_that_runs_is_not_read_back(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "home", app=Deed().handlers()):
        with pytest.raises(Conflict):
            await check_deep(tmp_path / "home")


@pytest.mark.parametrize(
    ("said", "name", "mend"),
    [
        ("disk I/O error", "SQLITE_IOERR_SHMSIZE", "free some space"),
        ("database or disk is full", "SQLITE_FULL", "free some space"),
        ("database is locked", "SQLITE_BUSY", "end the process"),
        ("disk I/O error", "SQLITE_IOERR_READ", "see to the disk"),
    ],
)
async def test_a_file_that_cannot_be_looked_at_now_is_not_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, name: str, mend: str
) -> None:
    home, _ = await left(tmp_path)
    error = sqlite3.OperationalError(said)
    error.sqlite_errorname = name

    def away(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(inspecting.sqlite3, "connect", away)
    mends = {seen.what: seen.mend for seen in inspected(home) if seen.what.endswith(".db") and not seen.well}
    assert "shard-0.db" in mends
    assert all(each.startswith(mend) and "accept-loss" not in each for each in mends.values()), mends
