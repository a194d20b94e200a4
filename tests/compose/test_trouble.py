"""A full disk, a locked store, a home in use: a clear error at once, and work that goes on when it is mended."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

import aob
from aob.backends.sqlite.store import SqliteStore
from aob.compose import App
from aob.core.errors import AobError, Conflict, Unavailable
from tests.runs.home import Deed, chain, crashed, finished, flow, fn, until


@contextmanager
def full(app: App) -> Iterator[None]:
    """A store that has no page left."""
    store = app.views.core.store
    assert isinstance(store, SqliteStore)
    pages = store._writer.execute("pragma page_count").fetchone()[0]
    store._writer.execute(f"pragma max_page_count = {pages}")
    yield
    store._writer.execute("pragma max_page_count = 10000000")


@contextmanager
def locked(app: App) -> Iterator[None]:
    """A store that another process holds."""
    store = app.views.core.store
    assert isinstance(store, SqliteStore)
    store._timeout_s = 0.02
    other = sqlite3.connect(app.home / "shard-0.db", isolation_level=None)
    other.execute("begin exclusive")
    yield
    other.execute("rollback")
    other.close()


TROUBLES = [pytest.param(full, "disk_full", id="full"), pytest.param(locked, "store_locked", id="locked")]


async def refused(app: App, **options: Any) -> AobError:
    """The error that a start meets; a little of what is started first may still fit on the disk."""
    for n in range(2_000):
        try:
            await app.start("one", {"n": n, "fill": "x" * 3_000}, **options)
        except Unavailable as error:
            return error
    raise AssertionError("there was always room")


async def mended(app: App) -> None:
    """The store answers again."""
    async with asyncio.timeout(20):
        await app.views.core.journal.mended()


@pytest.mark.parametrize(("trouble", "code"), TROUBLES)
class TestAStoreThatIsAway:
    async def test_is_told_at_once_and_after_it_everything_goes_on(
        self, app: App, tmp_path: Path, deed: Deed, trouble: Any, code: str
    ) -> None:
        await app.push(chain("one", "echo"))
        before = await app.start("one", "before", key="before")
        with trouble(app):
            error = await refused(app)
            assert (error.code, error.status, bool(error.hint)) == (code, 503, True)
            health = await app.views.health()
            assert (health["status"], health["store"]["status"]) == ("degraded", code)
        await mended(app)
        assert (await app.views.health())["status"] == "ok"
        after = await app.start("one", "after")
        for run in (before, after):
            assert (await finished(app, run.id))["status"] == "COMPLETED"
        assert (await app.start("one", "before", key="before")).id == before.id

    async def test_is_no_missing_run_key_or_workflow(self, app: App, trouble: Any, code: str) -> None:
        await app.push(chain("one", "echo"))
        run = await app.start("one", 1)
        await finished(app, run.id)
        key = await app.views.create_key(app.who, "ann", ["view"])
        reads = [
            lambda: app.run(run.id), lambda: app.views.workflow(app.who, "one"), lambda: app.views.workflows(app.who),
            lambda: app.views.tickets(app.who), lambda: app.views.why(app.who, run.id),
            lambda: app.start("one", 1), lambda: app.views.patch(app.who, "patch_x"),
        ]  # fmt: skip
        with trouble(app):
            await refused(app)
            for read in reads:
                with pytest.raises(Unavailable) as caught:
                    await read()
                assert caught.value.code == code
            assert app.views.authenticate(key["secret"]) is not None
        await mended(app)
        for read in reads[:-1]:
            await read()

    async def test_does_not_lose_what_was_being_done(self, app: App, deed: Deed, trouble: Any, code: str) -> None:
        """Results that come while the store is away are kept until it is back; nobody works twice."""
        await app.push(chain("held", "gated", "plain"))
        await app.push(chain("one", "echo"))
        runs = [await app.start("held", n) for n in range(5)]
        await deed.begins("a").wait()
        with trouble(app):
            await refused(app)
            deed.release()
            await asyncio.sleep(0)
        ended = [await finished(app, run.id) for run in runs]
        assert [run["output"] for run in ended] == list(range(5))
        assert [call for call in deed.calls if call[0] == "gated"] == [("gated", "a")] * 5

    async def test_makes_no_effect_uncertain_that_somebody_still_performs(
        self, app: App, deed: Deed, trouble: Any, code: str
    ) -> None:
        await app.push(flow("held", {"a": fn("once"), "b": fn()}, "a>b"))
        await app.push(chain("one", "echo"))
        run = await app.start("held")
        await deed.begins("a").wait()
        with trouble(app):
            await refused(app)
            deed.release()
            await asyncio.sleep(0)
        ended = await finished(app, run.id)
        assert (ended["status"], ended["tickets"], ended["nodes"]["a"]["output"]) == ("COMPLETED", [], "done")
        assert deed.calls.count(("once", "a")) == 1

    async def test_does_not_hold_up_the_loop(self, app: App, trouble: Any, code: str) -> None:
        await app.push(chain("one", "echo"))
        loop, late, last = asyncio.get_running_loop(), [0.0], [0.0]

        def tick() -> None:
            now = loop.time()
            late[0] = max(late[0], now - last[0])
            last[0] = now
            again[0] = loop.call_later(0.005, tick)

        again = [loop.call_soon(tick)]
        last[0] = loop.time()
        with trouble(app):
            app.views.core.store._timeout_s = 1.0
            await refused(app)
        again[0].cancel()
        assert late[0] < 0.5, "a commit that waits must not stop everything else"

    async def test_fires_its_timers_when_it_is_back(self, app: App, trouble: Any, code: str) -> None:
        await app.push(flow("t", {"w": {"kind": "timer", "config": {"for": "60ms"}}, "b": fn()}, "w>b"))
        await app.push(chain("one", "echo"))
        run = await app.start("t", 1)
        await until(app, run.id, "timer_set")
        with trouble(app):
            await refused(app)
        assert (await finished(app, run.id))["output"] == 1

    async def test_is_followed_by_readers_that_miss_nothing(self, app: App, trouble: Any, code: str) -> None:
        await app.push(chain("one", "echo"))
        begin = app.views.position()
        seen: list[tuple[str, int]] = []

        async def read(last: str) -> None:
            async for _, name, entry in app.views.follow(app.who, position=begin):
                seen.append((entry["run"], entry["seq"]))
                if entry["run"] == last and name == "run_finished":
                    return

        reading = asyncio.ensure_future(read("run_last"))
        with trouble(app):
            await refused(app)
        await mended(app)
        await app.start("one", 1, run_id="run_last")
        async with asyncio.timeout(20):
            await reading
        rows = (await app.views.runs(app.who, limit=500))["runs"]
        there = {row["run_id"] for row in rows}
        assert len(set(seen)) == len(seen)
        assert there <= {run for run, _ in seen}

    async def test_lets_the_home_be_closed_and_opened_again(
        self, app: App, tmp_path: Path, deed: Deed, trouble: Any, code: str
    ) -> None:
        await app.push(chain("one", "echo"))
        kept = await app.start("one", 1)
        await finished(app, kept.id)
        async with aob.open(crashed(app, tmp_path / "copy"), app=deed.handlers()) as again:
            with trouble(again):
                await refused(again)
                home = again.home
        async with aob.open(home, app=deed.handlers()) as again:
            assert (await again.run(kept.id))["status"] == "COMPLETED"


async def test_a_locked_store_is_told_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with aob.open(tmp_path):
        pass
    opened = SqliteStore.open

    async def impatient(path: Path, **more: Any) -> SqliteStore:
        return await opened(path, timeout_s=0.02, **more)

    monkeypatch.setattr(SqliteStore, "open", impatient)
    other = sqlite3.connect(tmp_path / "shard-0.db", isolation_level=None)
    other.execute("begin exclusive")
    with pytest.raises(Unavailable) as caught:
        async with aob.open(tmp_path):
            pass
    assert caught.value.code == "store_locked"
    other.execute("rollback")
    other.close()
    async with aob.open(tmp_path):
        pass


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with little room; only root may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("a small disk wants root and mount")
    done = subprocess.run([mount, "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.decode()[:80]}")
    yield folder
    subprocess.run(["umount", folder], check=True)


class TestADiskThatIsReallyFull:
    async def test_is_told_and_work_goes_on_when_there_is_room(self, small_disk: Path, deed: Deed) -> None:
        ballast = small_disk / "ballast"
        async with aob.open(small_disk / "home", app=deed.handlers()) as app:
            await app.push(chain("one", "echo"))
            acknowledged = [await app.start("one", n, key=str(n)) for n in range(5)]
            fill(ballast)
            error = await refused(app)
            assert error.code == "disk_full"
            ballast.unlink()
            await mended(app)
            for run in acknowledged:
                assert (await finished(app, run.id))["status"] == "COMPLETED"
            assert (await finished(app, (await app.start("one", 1)).id))["status"] == "COMPLETED"

    async def test_keeps_large_outputs_until_there_is_room(self, small_disk: Path, deed: Deed) -> None:
        ballast = small_disk / "ballast"
        async with aob.open(small_disk / "home", app=deed.handlers()) as app:
            await app.push(flow("big", {"g": fn("gated"), "a": fn("sized", input={"n": "inputs"})}, "g>a"))
            run = await app.start("big", 4_000_000)
            await deed.begins("g").wait()
            fill(ballast, leave=2_000_000)
            deed.release()
            await until(app, run.id, "node_completed", visit="g")
            ballast.unlink()
            assert len((await finished(app, run.id))["output"]) == 4_000_000

    async def test_is_told_at_the_start(self, small_disk: Path) -> None:
        ballast = small_disk / "ballast"
        fill(ballast)
        with pytest.raises(Unavailable) as caught:
            async with aob.open(small_disk / "home"):
                pass
        assert caught.value.code == "disk_full"
        ballast.unlink()
        async with aob.open(small_disk / "home"):
            pass


def fill(path: Path, leave: int = 0) -> None:
    """Takes all room of a disk but a little."""
    free = shutil.disk_usage(path.parent).free - leave
    with path.open("wb") as file:
        file.write(b"\0" * max(0, free))


class TestAHomeInUse:
    async def test_is_told_with_the_address_of_who_has_it(self, app: App) -> None:
        said = {"url": "http://127.0.0.1:1234", "pid": os.getpid()}
        (app.home / "server.json").write_bytes(msgspec.json.encode(said))
        with pytest.raises(Conflict, match=f"by process {os.getpid()} at http://127") as caught:
            async with aob.open(app.home):
                pass
        assert (caught.value.code, caught.value.fields["url"]) == ("home_in_use", "http://127.0.0.1:1234")
        assert "aob --server" in caught.value.hint

    async def test_says_nothing_of_a_server_that_was_killed_before(self, app: App) -> None:
        (app.home / "server.json").write_bytes(b'{"url": "http://127.0.0.1:1234", "pid": 1}')
        with pytest.raises(Conflict, match=f"in use by process {os.getpid()} ") as caught:
            async with aob.open(app.home):
                pass
        assert caught.value.fields["url"] == ""

    async def test_without_a_server_is_told_so(self, app: App) -> None:
        with pytest.raises(Conflict, match="in use") as caught:
            async with aob.open(app.home):
                pass
        assert caught.value.code == "home_in_use"

    @pytest.mark.parametrize("said", [b"", b"no json", b"[]", b"7", b'{"url": 7}', b"\xff"])
    async def test_is_told_also_when_what_its_server_says_is_nonsense(self, app: App, said: bytes) -> None:
        (app.home / "server.json").write_bytes(said)
        with pytest.raises(Conflict):
            async with aob.open(app.home):
                pass

    async def test_is_free_again_after_it_was_left(self, tmp_path: Path) -> None:
        for _ in range(2):
            async with aob.open(tmp_path):
                pass
