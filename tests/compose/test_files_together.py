"""The files of a home know one another: what is missing, older or another's is refused with the line that helps."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

import aob
from aob.compose.files import accept_loss, backup, copying, restore
from aob.compose.home import generation_of, home_id, home_made
from aob.core.errors import AobError, CallerError, Conflict, Invalid, NotFound, Unavailable
from tests.compose.test_damaged_shard import edit, flipped, lived, row_of
from tests.compose.test_recorded_homes import RECORDED, unpacked
from tests.metrics.till import SHOP, sold
from tests.runs.home import Deed, chain, finished

BESIDE = ("", "-wal", "-shm")


async def life(home: Path, first: int, count: int = 3) -> dict[str, Any]:
    """A start, runs and sales, a stop: what is told of them."""
    deed = Deed()
    async with aob.open(home, app=deed.handlers()) as app:
        await app.push_contracts({"shop.yaml": SHOP})
        await app.push(chain("one", "echo"))
        told = await app.ingest([sold(number) for number in range(first, first + count)])
        assert told["accepted"] == count
        run = await app.start("one", {"n": first}, key=f"key-{first}")
        await finished(app, run.id)
        return {"sales": (await app.metric("sales", window="all"))["value"], "run": run.id}


def moved(home: Path, name: str, to: Path) -> None:
    """A file, with what SQLite keeps beside it, goes elsewhere."""
    to.mkdir(exist_ok=True)
    for end in BESIDE:
        if (home / f"{name}{end}").exists():
            (home / f"{name}{end}").rename(to / f"{name}{end}")


def put(home: Path, name: str, of: Path) -> None:
    """A file of another folder takes the place of ours."""
    for end in BESIDE:
        (home / f"{name}{end}").unlink(missing_ok=True)
        if (of / f"{name}{end}").exists():
            shutil.copy(of / f"{name}{end}", home / f"{name}{end}")


async def refused(home: Path) -> AobError:
    """Why the home does not open."""
    with pytest.raises(AobError) as error:
        async with aob.open(home):
            pass
    return error.value


@pytest.mark.parametrize("name", ["shard-0.db", "gate.db"])
async def test_a_file_that_is_missing_is_refused_and_can_be_put_back_or_given_up(tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    await life(home, 0)
    moved(home, name, tmp_path / "away")
    error = await refused(home)
    assert (error.code, error.fields["file"]) == ("file_missing", name)
    assert error.hint == f"restore it, or aob restore --accept-loss {name}"
    assert (await refused(home)).code == "file_missing", "a look makes nothing"
    put(home, name, tmp_path / "away")
    assert (await life(home, 10))["sales"] == 6
    moved(home, name, tmp_path / "away-again")
    accept_loss(home, name)
    told = await life(home, 20)
    assert told["sales"] == (3 if name == "gate.db" else 9)
    assert generation_of(home) == 2
    assert (await life(home, 30))["sales"] == told["sales"] + 3, "and it goes on"


@pytest.mark.parametrize("without_marks", [False, True])
@pytest.mark.parametrize("name", ["shard-0.db", "gate.db"])
async def test_an_older_file_is_refused_by_the_marks_or_by_its_peers(
    tmp_path: Path, name: str, without_marks: bool
) -> None:
    home = tmp_path / "home"
    await life(home, 0)
    shutil.copytree(home, tmp_path / "old")
    await life(home, 10)
    put(home, name, tmp_path / "old")
    if without_marks:
        (home / "marks").unlink()
    error = await refused(home)
    assert (error.code, error.fields["file"]) == ("file_older", name)
    accept_loss(home, name)
    assert (await life(home, 20))["sales"] == (6 if name == "gate.db" else 9)


async def test_gate_put_back_beside_a_newer_snapshot_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    await life(home, 0, 50)
    moved(home, "gate.db", tmp_path / "away")
    for name in ("marks", "shard-0.db", "webhooks.db"):  # nobody is left who knows but the snapshot
        moved(home, name, tmp_path / "gone")
    (home / "metrics.db").rename(tmp_path / "metrics.db")
    await life(home, 90, 1)
    put(home, "gate.db", tmp_path / "away")
    assert (await refused(home)).code == "file_foreign"


async def test_a_file_of_another_home_is_refused(tmp_path: Path) -> None:
    await life(tmp_path / "a", 0)
    await life(tmp_path / "b", 0)
    put(tmp_path / "a", "gate.db", tmp_path / "b")
    (tmp_path / "a" / "marks").unlink()
    error = await refused(tmp_path / "a")
    assert (error.code, error.fields["file"]) == ("file_foreign", "gate.db")


FILES = ("shard-0.db", "gate.db", "metrics.db")


@pytest.mark.parametrize("name", FILES)
async def test_a_file_of_another_home_is_named_and_no_good_one(tmp_path: Path, name: str) -> None:
    home = tmp_path / "a"
    for each in (home, tmp_path / "b"):
        await life(each, 0)
        await life(each, 10)
    put(home, name, tmp_path / "b")
    error = await refused(home)
    assert (error.code, error.fields["file"]) == ("file_foreign", name)
    accept_loss(home, name)
    sales = (await life(home, 20))["sales"]
    assert sales == (3 if name == "gate.db" else 9)
    assert (await life(home, 30))["sales"] == sales + 3, "and it goes on"
    assert (home / f"{name}.lost-1").exists(), "it may be the only copy of another home's"


async def test_a_page_of_marks_of_another_home_says_nothing_of_this_one(tmp_path: Path) -> None:
    for each in (tmp_path / "a", tmp_path / "b"):
        await life(each, 0)
    shutil.copy(tmp_path / "b" / "marks", tmp_path / "a" / "marks")
    assert (await life(tmp_path / "a", 10))["sales"] == 6


async def test_a_backup_that_was_cut_off_is_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await life(tmp_path / "home", 0)

    def cut_off(path: Path, to: Path) -> int:
        raise KeyboardInterrupt

    (tmp_path / "home" / "blobs").mkdir(exist_ok=True)
    monkeypatch.setattr(copying, "_folder", cut_off)
    with pytest.raises(KeyboardInterrupt):
        backup(tmp_path / "home", tmp_path / "copy")
    monkeypatch.undo()
    with pytest.raises(NotFound):
        restore(tmp_path / "copy", tmp_path / "home-2")


@pytest.mark.parametrize("how", ["lost", "of another home", "half"])
async def test_a_home_is_who_its_files_say_when_home_json_is_lost(tmp_path: Path, how: str) -> None:
    home, file = tmp_path / "a", tmp_path / "a" / "home.json"
    await life(home, 0)
    await life(tmp_path / "b", 0)
    id = home_id(home)
    if how == "lost":
        file.unlink()
    else:
        data = (tmp_path / "b" / "home.json").read_bytes()
        file.write_bytes(data if how == "of another home" else data[:20])
        error = await refused(home)
        assert error.hint == "restore it, or remove it: it is made again from the other files"
        file.unlink()
    assert (await life(home, 10))["sales"] == 6
    assert home_id(home) == id
    assert (await life(home, 20))["sales"] == 9, "and it goes on"


async def test_a_wal_that_is_gone_is_noticed(tmp_path: Path) -> None:
    deed = Deed()
    _, home = await lived(tmp_path, deed, peace=False)
    assert (home / "shard-0.db-wal").stat().st_size
    (home / "shard-0.db-wal").unlink()
    assert (await refused(home)).code in ("file_older", "file_missing", "file_foreign")


@pytest.mark.parametrize("name", ["shard-0.db", "gate.db"])
@pytest.mark.parametrize("garbage", [0, 1])
async def test_a_file_of_garbage_is_refused_and_can_be_given_up(tmp_path: Path, name: str, garbage: int) -> None:
    home = tmp_path / "home"
    await life(home, 0)
    data = (home / name).read_bytes()
    (home / name).write_bytes(b"\x9d" * 4_096 * (2 - garbage) + data[4_096 * (2 - garbage) :] if not garbage else b"no")
    error = await refused(home)
    assert isinstance(error, Unavailable)
    assert f"--accept-loss {name}" in error.hint
    assert "is kept as" in accept_loss(home, name)
    await life(home, 20)


async def test_what_was_live_in_a_lost_row_is_set_aside_and_the_rest_goes_on(tmp_path: Path) -> None:
    deed = Deed()
    (first, second, done), home = await lived(tmp_path, deed, peace=False)
    row, data = row_of(home, second)
    edit(home, "update journal set data = ? where row = ?", flipped(data, len(data) // 2), row)
    assert (await refused(home)).code == "row_corrupt"
    accept_loss(home, f"shard-0.db:{row}")
    for _ in range(2):
        async with aob.open(home, app=deed.handlers()) as app:
            assert "was lost" in (await app.views.why(app.who, first))["sentence"]
            assert (await app.run(first))["status"] == "WAITING"
            with pytest.raises(AobError):
                await app.run(second)
            run = await app.start("one", {"n": 2})
            assert (await finished(app, run.id))["output"] == {"n": 2}
    async with aob.open(home, app=deed.handlers()) as app:
        await app.views.cancel(app.who, first)
        assert (await finished(app, first))["status"] == "CANCELLED"
        assert (await app.run(done))["status"] == "COMPLETED"


async def test_a_row_of_the_gate_that_is_lost_is_not_counted(tmp_path: Path) -> None:
    home = tmp_path / "home"
    deed = Deed()
    async with aob.open(home, app=deed.handlers()) as app:
        await app.push_contracts({"shop.yaml": SHOP})
        for number in range(4):
            await app.ingest([sold(number)])
    (home / "metrics.db").unlink()
    edit(home, "update row set lines = replace(lines, 'sold-2', 'sold-9') where row = 3", file="gate.db")
    error = await refused(home)
    assert (error.code, "aob restore --accept-loss gate.db:3" in error.hint) == ("row_corrupt", True)
    accept_loss(home, "gate.db:3")
    assert (await life(home, 10))["sales"] == 6


@pytest.mark.parametrize("what", ["../x.db", "shard-x.db", "gate.db:x", "webhooks.db:1", ""])
def test_what_names_no_file_of_a_home_is_refused(tmp_path: Path, what: str) -> None:
    with pytest.raises(CallerError):
        accept_loss(tmp_path, what)


@pytest.mark.parametrize("running", [False, True])
async def test_a_backup_holds_together_and_is_a_home(tmp_path: Path, running: bool) -> None:
    home, copy, again = tmp_path / "home", tmp_path / "copy", tmp_path / "again"
    await life(home, 0)
    if running:
        async with aob.open(home) as app:
            stop = asyncio.Event()

            async def load() -> None:
                number = 100
                while not stop.is_set():
                    await app.ingest([sold(number)])
                    number += 1

            loading = asyncio.create_task(load())
            await asyncio.to_thread(backup, home, copy)
            stop.set()
            await loading
    else:
        backup(home, copy)
    with pytest.raises(Conflict):
        backup(home, copy)
    restore(copy, again)
    assert generation_of(again) == 2
    told = await life(again, 10)
    assert told["sales"] >= 6
    assert (await life(home, 10))["sales"] >= told["sales"]


@pytest.mark.parametrize("name", RECORDED)
def test_a_home_of_the_first_release_is_brought_forward_and_then_refused_by_it(name: str, tmp_path: Path) -> None:
    home = unpacked(name, tmp_path)

    class First(msgspec.Struct):
        """How the first release reads `home.json`."""

        shards: int

    assert home_made(home) == 1
    msgspec.json.decode((home / "home.json").read_bytes(), type=First)
    from aob.compose.files import check_files
    from aob.compose.home import forwarded
    from aob.compose.layout import layout_of
    from aob.ports.marks import FORMAT

    check_files(home)
    count = layout_of(home).files
    for _ in range(2):
        forwarded(home)
    assert (home_made(home), layout_of(home).files) == (FORMAT, count)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode((home / "home.json").read_bytes(), type=First)


def test_a_shard_that_a_home_of_the_first_release_lacks_is_missed(tmp_path: Path) -> None:
    home = unpacked("first-2", tmp_path)
    moved(home, "shard-1.db", tmp_path / "away")
    from aob.compose.files import check_files

    with pytest.raises(Unavailable, match=r"shard-1\.db is missing"):
        check_files(home)


async def test_a_home_of_a_later_release_is_refused(tmp_path: Path) -> None:
    await life(tmp_path, 0)
    edit(tmp_path, "update file set format = 99")
    assert (await refused(tmp_path)).code == "newer_format"
    edit(tmp_path, "update file set format = 2")
    told = msgspec.json.decode((tmp_path / "home.json").read_bytes())
    (tmp_path / "home.json").write_bytes(msgspec.json.encode({**told, "format": 99}))
    assert (await refused(tmp_path)).code == "newer_format"
    (tmp_path / "home.json").write_bytes(b"{")
    assert isinstance(await refused(tmp_path), Invalid)


async def _places(app: aob.App) -> dict[str, str]:
    """A position of each feed."""
    told = await app.ingest([sold(100 + generation_of(app.home))])
    run = await app.start("one", {"n": 1})
    await finished(app, run.id)
    read = await app.metric("sales", window="all")
    return {
        "ingest": told["position"], "metric": read["position"], "list": (await app.views.runs(app.who))["as_of"],
        "run": (await app.views.run(app.who, run.id))["position"],
        "timeline": (await app.views.timeline(app.who, run.id))[0]["position"], "id": run.id,
    }  # fmt: skip


async def _read_at(app: aob.App, places: dict[str, str], feed: str) -> None:
    """Something is read at or behind a position."""
    at = places[feed]
    if feed in ("ingest", "metric"):
        await app.metric("sales", window="all", min_position=at)
        await anext(app.metrics.stream(app.who, events=["*"], position=at))
    else:
        await app.views.run(app.who, places["id"], min_position=at)
        async for _ in app.views.follow(app.who, run_id=places["id"], position=at):
            break


@pytest.mark.parametrize("how", ["gate.db", "shard-0.db:2", "restore"])
async def test_a_position_of_before_a_loss_is_refused_and_those_of_now_hold(tmp_path: Path, how: str) -> None:
    home, deed = tmp_path / "home", Deed()
    await life(home, 0)
    async with aob.open(home, app=deed.handlers()) as app:
        before = await _places(app)
    if how == "restore":
        backup(home, tmp_path / "copy")
        home = tmp_path / "again"
        restore(tmp_path / "copy", home)
    else:
        if how == "gate.db":
            moved(home, how, tmp_path / "away")
        accept_loss(home, how)
    async with aob.open(home, app=deed.handlers()) as app:
        await app.push_contracts({"shop.yaml": SHOP})
        now = await _places(app)
        for feed in set(before) - {"id"}:
            assert now[feed] != before[feed]
            async with asyncio.timeout(20):
                with pytest.raises(Conflict) as expired:
                    await _read_at(app, {**now, feed: before[feed]}, feed)
                assert expired.value.code == "position_expired"
                assert "loss" in expired.value.hint
    async with aob.open(home, app=deed.handlers()) as app:
        for feed in ("ingest", "metric"):
            await app.metric("sales", window="all", min_position=now[feed])
        for feed in ("list", "run", "timeline"):
            await app.views.run(app.who, now["id"], min_position=now[feed])
