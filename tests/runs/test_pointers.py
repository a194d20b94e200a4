"""Runs that end within few rows are written once: pointers into the journal hold them, whatever their rows meet."""

import asyncio
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.compose.files import accept_loss
from aob.core.errors import AobError
from aob.core.value import digest_of
from aob.journal import batch
from tests.conformance.views import rows
from tests.runs.home import Deed, chain, crashed, finished
from tests.runs.test_prune import later, pruned, read

DOCUMENTS = (chain("short", "echo", "echo"), chain("other", "echo"), chain("bad", "wrong"))


async def together(app: App, dice: random.Random, count: int) -> list[str]:
    """Runs of several workflows that share rows, at their end."""
    items = [{"workflow": dice.choice(("short", "other", "bad")), "inputs": {"n": dice.random()}} for _ in range(count)]
    ids = [told["run_id"] for told in await app.views.start_many(app.who, items)]
    await asyncio.gather(*[finished(app, run_id) for run_id in ids])
    return ids


def tables(home: Path) -> tuple[set[str], set[str]]:
    """The runs that lie in segments, and those that pointers hold."""
    with closing(sqlite3.connect(home / "shard-0.db")) as db:
        return tuple({name for (name,) in db.execute(f"select stream from {table} where stream like 'run_%'")}
                     for table in ("segment", "pointer"))  # type: ignore[return-value]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("peace", [True, False])
async def test_what_shares_rows_with_what_was_removed_is_told_as_before(tmp_path: Path, seed: int, peace: bool) -> None:
    dice, deed, home = random.Random(seed), Deed(), tmp_path / "home"
    async with aob.open(home, app=deed.handlers()) as app:
        for document in DOCUMENTS:
            await app.push(document)
        runs = await together(app, dice, 12)
        runs += await together(app, dice, 3)
        told = await read(app, runs)
        before_ms = later(app)
        kept = await together(app, dice, 4)
        told |= await read(app, kept)
        if not peace:
            home = crashed(app, tmp_path / "crashed")
    async with aob.open(home, app=deed.handlers()) as app:
        assert await read(app, runs + kept) == told
        gone = set(await pruned(app, before_ms, workflow=dice.choice(("short", "other"))))
        left = [run_id for run_id in runs + kept if run_id not in gone]
        assert await read(app, left) == {run_id: told[run_id] for run_id in left}
    assert tables(home) == (set(), set(left))
    async with aob.open(home, app=deed.handlers()) as app:
        assert await read(app, left) == {run_id: told[run_id] for run_id in left}
        assert set(await pruned(app, later(app))) == set(left)
    assert tables(home) == (set(), set())


async def test_a_run_of_many_rows_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "POINTERS_MAX", 2)
    deed = Deed()
    async with aob.open(tmp_path / "home", app=deed.handlers()) as app:
        for document in DOCUMENTS:
            await app.push(document)
        long, short = [(await app.start(name, {"n": 1})).id for name in ("short", "other")]
        told = [await finished(app, run_id) for run_id in (long, short)]
    assert tables(tmp_path / "home") == ({long}, {short})
    async with aob.open(tmp_path / "home", app=deed.handlers()) as app:
        assert [(await app.run(run_id))["nodes"] for run_id in (long, short)] == [each["nodes"] for each in told]


async def test_no_record_of_a_run_holds_the_hash_of_a_small_output_and_it_is_told_all_the_same(tmp_path: Path) -> None:
    deed = Deed()
    async with aob.open(tmp_path / "home", app=deed.handlers()) as app:
        await app.push(DOCUMENTS[0])
        run_id = (await app.start("short", {"n": 1})).id
        told = await finished(app, run_id)
        events = [each for each in await rows(app.views.core.store, "event_log") if each["stream"] == run_id]
        completed = [each["event"] for each in events if each["tag"] == 33]
        assert len(completed) == 2
        assert all(event.startswith('[33,"') and '",1,{"n":1},[' in event for event in completed)
        assert {node["hash"] for node in told["nodes"].values()} == {digest_of(b'{"n":1}').hex()}


async def damaged(home: Path, run_id: str, deed: Deed) -> Any:
    """What is told of a run, or the code of the error."""
    async with aob.open(home, app=deed.handlers()) as app:
        try:
            return (await read(app, [run_id]))[run_id]
        except AobError as error:
            return error.code


def edited(home: Path, table: str, column: str, run_id: str, value: Any = None) -> Any:
    """A field of the first row of a table that holds a run, as it was; a value takes its place."""
    key = {"pointer": "stream = ?", "journal": "instr(data, ?) > 0"}[table]
    with closing(sqlite3.connect(home / "shard-0.db", isolation_level=None)) as db:
        (was,) = db.execute(f"select {column} from {table} where {key} order by row", (run_id,)).fetchone()
        if value is not None:
            db.execute(f"update {table} set {column} = ? where {column} = ?", (value, was))
        return was


@pytest.mark.parametrize(("table", "column"), [("pointer", "places"), ("journal", "data"), ("pointer", "crc")])
async def test_a_flipped_bit_of_pointers_or_of_what_they_point_to_is_never_a_lie(
    tmp_path: Path, table: str, column: str
) -> None:
    dice, deed, home = random.Random(table + column), Deed(), tmp_path / "home"
    async with aob.open(home, app=deed.handlers()) as app:
        await app.push(DOCUMENTS[0])
        run_id = (await app.start("short", {"n": 1})).id
        await finished(app, run_id)
        told = (await read(app, [run_id]))[run_id]
    was = edited(home, table, column, run_id)
    for _ in range(6):
        at = dice.randrange(len(was)) if isinstance(was, bytes) else 0
        bad = was ^ 4 if isinstance(was, int) else was[:at] + bytes([was[at] ^ 4]) + was[at + 1 :]
        edited(home, table, column, run_id, bad)
        found = await damaged(home, run_id, deed)
        assert found == "segment_corrupt" or (column == "data" and found == told), "elsewhere in the row"
        with closing(sqlite3.connect(home / "shard-0.db", isolation_level=None)) as db:
            db.execute(f"update {table} set {column} = ? where {column} = ?", (was, bad))
    assert await damaged(home, run_id, deed) == told


async def test_what_ended_in_a_row_that_was_accepted_as_lost_says_so_and_nothing_else_is_hindered(
    tmp_path: Path,
) -> None:
    deed, home = Deed(), tmp_path / "home"
    async with aob.open(home, app=deed.handlers()) as app:
        for document in DOCUMENTS:
            await app.push(document)
        lost = (await app.start("short", {"n": 1}, key="short")).id
        await finished(app, lost)  # before the other begins: else they may end in one row
        kept = (await app.start("other", {"n": 1}, key="other")).id
        told = await finished(app, kept)
    with closing(sqlite3.connect(home / "shard-0.db")) as db:
        (row,) = db.execute("select max(row) from event_log where stream = ?", (lost,)).fetchone()
    accept_loss(home, f"shard-0.db:{row}")
    assert await damaged(home, lost, deed) == "segment_corrupt"
    async with aob.open(home, app=deed.handlers()) as app:
        assert (await app.run(kept))["nodes"] == told["nodes"]
        with pytest.raises(AobError):
            await app.start("short", {"n": 1}, key="short")
        assert (await app.start("other", {"n": 1}, key="other")).id == kept
        assert await pruned(app, later(app)) == [kept]
