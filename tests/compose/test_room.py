"""A full disk, a home that is removed, modes, secrets: what a home says of itself while it runs."""

import asyncio
import errno
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, NamedTuple, Self

import pytest

import aob
from aob.backends.marks_page import MarksPage
from aob.cli.session import run as command
from aob.compose.files import Room, make_room
from aob.core.errors import AobError, Unavailable
from aob.gate import gated_log
from aob.runs import context
from tests.metrics.till import SHOP, sold
from tests.runs.home import Deed, chain, finished, flow, fn

FULL = Unavailable("full", code="disk_full")


class Free(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Says how many MiB are free."""

    def free(mib: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: Free(0, 0, mib << 20))

    return free


def test_a_full_disk_gives_up_the_reserve_and_refuses_until_there_is_room(
    tmp_path: Path, disk: Callable[[int], None]
) -> None:
    page = MarksPage(tmp_path / "marks", bytes(16), 1)
    one, other = SimpleNamespace(failing=None, refusing=None), SimpleNamespace(failing=None, refusing=None)
    room = Room(tmp_path, page, [one, other], reserve=True)
    disk(100)
    room.look()
    assert (tmp_path / "reserve").stat().st_size == 8 << 20
    one.failing = FULL
    disk(0)
    room.look()
    assert not (tmp_path / "reserve").exists()
    assert one.refusing.code == other.refusing.code == "disk_full"
    one.failing = None  # a write went into what the reserve left
    disk(7)
    room.look()
    assert one.refusing is not None, "or the next start would find no room"
    disk(16)
    room.look()
    assert (one.failing, one.refusing, other.refusing) == (None, None, None)
    assert (tmp_path / "reserve").exists()
    disk(0)
    make_room(tmp_path)
    assert not (tmp_path / "reserve").exists(), "a start on a full disk begins with it"
    page.close()


async def test_what_a_full_disk_refuses_is_told_by_health_and_reads_go_on(
    tmp_path: Path, disk: Callable[[int], None]
) -> None:
    deed = Deed()
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        await app.push_contracts({"shop.yaml": SHOP})
        await app.push(chain("one", "echo"))
        run = await app.start("one", {"n": 1})
        await finished(app, run.id)
        await app.ingest([sold(1)])
        disk(0)
        app.views.core.journal.failing = FULL
        app.room.look()
        for refused in (app.start("one", {"n": 2}), app.ingest([sold(2)])):
            with pytest.raises(Unavailable) as error:
                await refused
            assert error.value.code == "disk_full"
        assert (await app.run(run.id))["output"] == {"n": 1}
        assert (await app.metric("sales", window="all"))["value"] == 1
        assert (await app.views.health())["store"]["status"] == "disk_full"
        assert (await app.metrics.metrics_health())["status"] == "disk_full"
        disk(100)
        app.room.look()
        assert (await app.views.health())["status"] == "ok"
        await finished(app, (await app.start("one", {"n": 2})).id)
        await app.ingest([sold(2)])


class Refusing(Unavailable):
    """A full disk that says when somebody has met it."""

    def __init__(self) -> None:
        super().__init__("full", code="disk_full")
        self.met = asyncio.Event()

    def with_traceback(self, tb: TracebackType | None) -> Self:
        self.met.set()
        return self


async def test_a_full_disk_fails_no_run_that_is_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "AWAY_AGAIN_S", 0.01)
    monkeypatch.setattr(gated_log, "AWAY_AGAIN_S", 0.01)
    begun, go = asyncio.Event(), asyncio.Event()

    @aob.node(effect="once")
    async def pay(ctx: Any) -> str:
        begun.set()
        await go.wait()
        assert (await ctx.intend("pay", {"amount": 7})).granted
        await ctx.settle("paid")
        return "paid"

    tell = {"kind": "emit", "config": {"topic": "till", "type": "sold", "data": sold(1)["data"]}}
    async with aob.open(tmp_path, app=SimpleNamespace(pay=pay)) as app:
        assert app.wiring is not None
        journal, gate = app.views.core.journal, app.wiring.gate
        await app.push_contracts({"shop.yaml": SHOP})
        await app.push(flow("w", {"pay": fn("pay"), "tell": tell}, "pay>tell"))
        run = await app.start("w")
        await begun.wait()
        journal.refusing, gate.refusing = full, filled = Refusing(), Refusing()
        go.set()
        await full.met.wait()
        journal.refusing = None
        await filled.met.wait()
        gate.refusing = None
        ended = await run.done()
        assert (ended["status"], ended["nodes"]["tell"]["attempt"]) == ("COMPLETED", 1), ended["error"]
        assert (await app.metric("sales", window="all"))["value"] == 1


async def test_health_is_degraded_until_a_write_has_succeeded(tmp_path: Path) -> None:
    deed = Deed()
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        await app.push(chain("one", "echo"))
        app.views.core.journal.failing = Unavailable("no", code="store_failed")
        assert (await app.views.health())["status"] == "degraded"
        await app.start("one", {"n": 1})
        assert (await app.views.health())["status"] == "ok"


@pytest.mark.parametrize("how", ["removed", "replaced"])
async def test_a_home_that_is_removed_while_it_runs_acknowledges_nothing(tmp_path: Path, how: str) -> None:
    deed, home = Deed(), tmp_path / "home"
    told: list[str] = []
    async with aob.open(home, app=deed.handlers()) as app:
        await app.push(chain("one", "echo"))
        app.room.gone = lambda: told.append("gone")
        if how == "removed":
            while home.exists():  # files come and go in it meanwhile
                shutil.rmtree(home, ignore_errors=True)
            with pytest.raises(Unavailable) as error:
                await app.start("one", {"n": 1})
            assert error.value.code == "home_gone"
        else:
            home.rename(tmp_path / "away")
            shutil.copytree(tmp_path / "away", home)
        app.room.look()
        with pytest.raises(AobError):
            await app.start("one", {"n": 1})
        assert (await app.views.health())["store"]["status"] == "home_gone"
    assert told == ["gone"]


@pytest.mark.parametrize("name", ["gate.db", "shard-0.db"])
@pytest.mark.parametrize("how", ["removed", "replaced"])
async def test_a_file_that_is_removed_while_it_is_written_acknowledges_nothing_more(
    tmp_path: Path, how: str, name: str
) -> None:
    deed, told = Deed(), list[str]()
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        await app.push_contracts({"shop.yaml": SHOP})
        await app.push(chain("one", "echo"))
        app.room.gone = lambda: told.append("gone")
        await app.ingest([sold(1)])
        app.room.look()
        (tmp_path / name).rename(tmp_path / "away")
        if how == "replaced":
            shutil.copy(tmp_path / "away", tmp_path / name)
        app.room.look()
        for refused in (app.start("one", {"n": 2}), app.ingest([sold(2)])):
            with pytest.raises(Unavailable, match=f"{name} of the home"):
                await refused
    assert told == ["gone"]


async def test_a_home_is_its_owners(tmp_path: Path) -> None:
    deed, home = Deed(), tmp_path / "home"
    before = os.umask(0o022)
    try:
        async with aob.open(home, app=deed.handlers()) as app:
            await app.push_contracts({"shop.yaml": SHOP})
            await app.push(chain("one", "sized"))
            await finished(app, (await app.start("one", {"n": 90_000})).id)
            await app.ingest([sold(1)])
            wide = [path for path in (home, *home.rglob("*")) if open_to_others(path)]
    finally:
        os.umask(before)
    assert not [path for path in wide if path.is_file() and path.parent == home]
    assert home not in wide


def open_to_others(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


async def test_a_secret_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link.secret").write_bytes(b"")
    with pytest.raises(Unavailable) as error:
        async with aob.open(tmp_path):
            pass
    assert error.value.code == "bad_secret_file"


@pytest.mark.parametrize("words", [["run", "list"], ["doctor"], ["backup", "copy"]])
@pytest.mark.parametrize("home", ["x" * 300, "/".join(["long"] * 1_000)])
def test_a_path_that_cannot_be_is_a_line(words: list[str], home: str, capfd: Any, tmp_path: Path) -> None:
    assert command([*words, "--home", str(tmp_path / home)])
    said = capfd.readouterr()
    assert "Traceback" not in said.err + said.out


async def test_what_may_not_be_opened_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", forbidden)
    with pytest.raises(Unavailable, match="Permission denied"):
        async with aob.open(tmp_path):
            pass
