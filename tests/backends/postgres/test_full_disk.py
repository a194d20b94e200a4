"""A disk of the server that is really full: it is told, nothing that was acknowledged is lost, and work goes on by
itself when there is room."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import aob
from aob.core.errors import AobError
from tests.runs.home import Deed, chain, finished
from tests.servers.fixtures import MASTER_KEY, made_schema
from tests.servers.postgres import NoServerError, Server, account, server

ROOM_MB = 48


@pytest.fixture
def small(tmp_path: Path) -> Iterator[tuple[Server, Path, str]]:
    """A server with a database whose tables are on a disk of their own with little room, and the URL of that. Its log
    of changes has another disk: without room for that a server ends."""
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("a small disk wants root and mount")
    try:
        with server() as one:
            disk = one.folder / "small"
            disk.mkdir()
            words = [mount, "-t", "tmpfs", "-o", f"size={ROOM_MB}m", "tmpfs", str(disk)]
            if (done := subprocess.run(words, capture_output=True, check=False)).returncode:
                pytest.skip(f"no tmpfs can be mounted here: {done.stderr.decode()[:80]}")
            try:
                (room := disk / "tables").mkdir()
                os.chown(room, account().user, account().group)
                with psycopg.connect(one.url, autocommit=True) as owner:
                    owner.execute(f"create tablespace small location '{room}'".encode())
                    owner.execute("create database shop tablespace small")
                yield one, disk / "ballast", one.url.replace("/postgres", "/shop")
            finally:
                one.stop()
                subprocess.run(["umount", str(disk)], check=True)
    except NoServerError as why:
        pytest.skip(str(why))


def fill(ballast: Path) -> None:
    """Takes all the room that is left."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 65_536):
                pass
        except OSError:
            return


async def test_is_told_and_work_goes_on_when_there_is_room(
    tmp_path: Path, small: tuple[Server, Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, ballast, url = small
    made, deed = made_schema(url, 1), Deed()
    monkeypatch.setenv("AOB_MASTER_KEY", MASTER_KEY)
    monkeypatch.setenv("AOB_STORE", made.url)
    async with aob.open(tmp_path / "home", app=deed.handlers()) as app:
        await app.push(chain("w", "echo"))
        acknowledged = [await app.start("w", number, key=f"k{number}") for number in range(5)]
        fill(ballast)
        error, last = await refused(app)
        assert error.code == "disk_full"
        assert "free some space" in error.hint
        ballast.unlink()
        codes = set()
        while isinstance(again := await tried(app, last), AobError):
            codes.add(again.code)
            await app.views.core.journal.mended()
        assert codes <= {"disk_full", "store_away", "shard_unowned"}, "its lease too is a row that wants room"
        for run in [*acknowledged, again]:
            assert (await finished(app, run.id))["status"] == "COMPLETED"
    assert one.pid, "the server lives"


async def tried(app: Any, number: int) -> Any:
    """A start, or its error."""
    try:
        return await app.start("w", "x" * 60_000, key=f"big{number}")
    except AobError as error:
        return error


async def refused(app: Any) -> tuple[AobError, int]:
    """The first start that is refused: what room tables have within their pages is used up before."""
    for number in range(2_000):
        if isinstance(told := await tried(app, number), AobError):
            return told, number
    raise AssertionError("the disk was never full")
