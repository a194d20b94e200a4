"""What goes wrong: a process that is killed, one that is in use, commits that fail, many at once, damaged rows."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from aob.backends.sqlite.store import SqliteStore
from aob.compose.threads import OneShard
from aob.core.errors import Conflict, Invalid, Unavailable
from aob.journal import Journal
from aob.langgraph import AobSaver, Calls
from aob.ports.store import Batch
from aob.threads import Threads
from tests.langgraph.both import config, made

ROOT = Path(__file__).parents[2]


def put(saver: AobSaver, thread: str, values: dict[str, Any], parent: str = "", **about: Any) -> str:
    """Put a checkpoint."""
    checkpoint = made(values)
    saver.put(config(thread, parent), checkpoint, {"source": "loop", **about}, checkpoint["channel_versions"])  # type: ignore[typeddict-item]
    return str(checkpoint["id"])


def test_a_process_that_is_killed_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "threads.db"
    command = [sys.executable, str(Path(__file__).with_name("killed.py")), str(path)]
    told: list[list[str]] = []
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=env) as process:
        assert process.stdout is not None
        for line in process.stdout:
            told.append(line.split())
            if len(told) == 300:
                with pytest.raises(Conflict, match=f"process {process.pid}"):
                    AobSaver.open(f"sqlite:///{path}")
                process.send_signal(signal.SIGKILL)
    written = {(thread, id) for what, thread, id, _ in told if what == "write"}
    with AobSaver.open(f"sqlite:///{path}") as saver:
        for thread in ("a", "b"):
            acknowledged = [(id, int(count)) for what, name, id, count in told if (what, name) == ("put", thread)]
            every = [*saver.list(config(thread))]
            ids = [each.checkpoint["id"] for each in every]
            last = acknowledged[-1][0]
            assert last in ids[:2], "one more may be there that was not acknowledged any more"
            for each in every:
                count = int(each.metadata["step"])
                assert each.checkpoint["channel_values"]["list"] == [f"{thread} {n} " * 30 for n in range(count % 90)]
                wrote = [("task", "list", [f"{thread} {count} " * 30])]
                if (thread, each.checkpoint["id"]) in written or each.pending_writes:
                    assert each.pending_writes == wrote
            assert len(every) == 5
            put(saver, thread, {"list": ["on"]}, last)


def test_one_process_has_a_file_and_another_is_told_which(file_url: str) -> None:
    with AobSaver.open(file_url) as saver:
        put(saver, "t", {"x": 1})
        with pytest.raises(Conflict) as caught:
            AobSaver.open(file_url)
        assert caught.value.code == "file_in_use"
        saver.close()
    with AobSaver.open(file_url) as again:
        found = again.get_tuple(config("t"))
        assert found is not None
        assert found.checkpoint["channel_values"] == {"x": 1}
    again.close()
    with pytest.raises((Conflict, Unavailable, RuntimeError), match="closed"):
        again.get_tuple(config("t"))


@pytest.mark.parametrize("url", ["", "sqlite:///", "mysql://x", "file.db", "/tmp/x.db"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match=r"sqlite:///FILE|no place"):
        AobSaver.open(url)


def test_threads_of_the_process_and_no_warning(file_url: str) -> None:
    with warnings.catch_warnings(), AobSaver.open(file_url) as saver, ThreadPoolExecutor(8) as pool:
        warnings.simplefilter("error")

        def steps(number: int) -> int:
            parent = ""
            for n in range(4):
                parent = put(saver, f"t{number % 3}", {"list": [f"{number} {each} " * 20 for each in range(n)]}, parent)
            found = saver.get_tuple(config(f"t{number % 3}", parent))
            assert found is not None
            assert found.checkpoint["channel_values"]["list"] == [f"{number} {each} " * 20 for each in range(3)]
            return number

        assert sorted(pool.map(steps, range(16))) == list(range(16))


class Shaky(SqliteStore):
    """A store whose next commits fail, and which counts those that do not."""

    failing = commits = 0

    async def commit(self, batch: Batch) -> Any:
        if self.failing and batch.entries:
            self.failing -= 1
            raise Unavailable("the disk is full", code="disk_full")
        self.commits += bool(batch.entries)
        return await super().commit(batch)


async def shaky(path: Path) -> tuple[Shaky, Journal, AobSaver]:
    """A saver over a store that fails."""
    store = await Shaky.open(path)
    assert isinstance(store, Shaky)

    async def none(*args: object) -> bytes:
        raise AssertionError(args)

    journal = Journal(store, [], clock_ms=lambda: 1, on_commit=lambda commit: None, on_recovered=lambda found: None,
                      put_blob=none, get_value=none)  # fmt: skip
    return store, journal, AobSaver(OneShard(Threads(journal)), Calls(asyncio.get_running_loop()), keep=3)


async def test_puts_that_come_together_share_a_commit(tmp_path: Path) -> None:
    store, journal, saver = await shaky(tmp_path / "shard-0.db")
    async with journal:
        await asyncio.gather(*(
            saver.aput(config(f"t{n}"), made({"x": "y" * 100}), {}, {"x": 1}) for n in range(40)
        ))  # fmt: skip
        assert store.commits <= 3
        before, checkpoint = store.commits, made({"x": 1})
        await asyncio.gather(
            saver.aput_writes(config("t0", "1"), [("x", 1)], "one"),
            saver.aput_writes(config("t0", "1"), [("x", 2)], "two"),
            saver.aput(config("t0", "1"), checkpoint, {}, {"x": 2}),
        )
        assert store.commits == before + 1
    await store.close()


async def test_a_commit_that_fails_is_told_and_leaves_nothing_half(tmp_path: Path) -> None:
    store, journal, saver = await shaky(tmp_path / "shard-0.db")
    async with journal:
        parent = ""
        for n in range(1, 9):
            checkpoint = made({"list": [f"{each} " * 30 for each in range(n)]})
            if n % 2 == 0:
                store.failing = 1
                with pytest.raises(Unavailable, match="full"):
                    await saver.aput(config("t", parent), checkpoint, {}, {"list": n})
                await journal.mended()
            await saver.aput(config("t", parent), checkpoint, {}, {"list": n})
            parent = checkpoint["id"]
            found = await saver.aget_tuple(config("t"))
            assert found is not None
            assert found.checkpoint["channel_values"]["list"] == [f"{each} " * 30 for each in range(n)]
        assert len([each async for each in saver.alist(config("t"))]) == 3
        await saver.adelete_thread("t")
        assert await store.entry_streams() == []
    await store.close()


def test_a_row_that_differs_from_what_was_written_is_told(file_url: str, tmp_path: Path) -> None:
    with AobSaver.open(file_url) as saver:
        id = put(saver, "t", {"list": ["text " * 50, "more " * 50]})
    for kind, where in (("p", 20), ("v", 8), ("c", 8)):
        with sqlite3.connect(tmp_path / "threads.db") as file:
            at = "select rowid from entry where substr(key, 1, 1) = ? limit 1"
            (row,) = file.execute(at, (kind.encode(),)).fetchone()
            (data,) = file.execute("select data from entry where rowid = ?", (row,)).fetchone()
            wrong = data[:where] + bytes([data[where] ^ 4]) + data[where + 1 :]
            file.execute("update entry set data = ? where rowid = ?", (wrong, row))
        file.close()
        with AobSaver.open(file_url) as saver:
            with pytest.raises(Unavailable) as caught:
                saver.get_tuple(config("t", id))
            assert caught.value.code == "thread_corrupt"
        with sqlite3.connect(tmp_path / "threads.db") as file:
            file.execute("update entry set data = ? where rowid = ?", (data, row))
        file.close()
    with AobSaver.open(file_url) as saver:
        assert saver.get_tuple(config("t", id)) is not None
