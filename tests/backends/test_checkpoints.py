"""WAL checkpoints: on a thread of their own, in line only above a bound, the WAL empty when nothing is written."""

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from aob.backends.sqlite import checkpoints as checkpoints_module
from aob.backends.sqlite.checkpoints import PAGE_BYTES, Checkpoints
from aob.backends.sqlite.event_log import SqliteEventLog
from aob.backends.sqlite.file import connect
from aob.backends.sqlite.pages import SqlitePages
from aob.backends.sqlite.store import SqliteStore
from aob.testing.conformance.event_log import group
from aob.testing.conformance.store import batch

KIB = 1_024


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints_module, "PASS_BYTES", 64 * KIB)
    monkeypatch.setattr(checkpoints_module, "SHORT_BYTES", 16 * KIB)
    monkeypatch.setattr(checkpoints_module, "WAL_MAX_BYTES", 512 * KIB)


def wal(path: Path) -> int:
    return Path(f"{path}-wal").stat().st_size


class Table:
    """A file with one table, written as a backend writes."""

    def __init__(self, path: Path) -> None:
        self.path, self.writer, self.checkpoints = path, connect(path, 5), Checkpoints(path)
        self.writer.execute("create table t (data blob)")
        self.held = 0

    def write(self, size: int = 8 * KIB) -> None:
        if self.checkpoints.due:
            self.held += 1
            self.checkpoints.finish()
        self.writer.execute("insert into t values (?)", (bytes(size),))
        self.checkpoints.wrote(size + PAGE_BYTES)

    def close(self) -> None:
        self.checkpoints.close()
        self.writer.close()


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    with closing(Table(tmp_path / "t.db")) as made:
        yield made


@contextmanager
def no_thread(table: Table) -> Iterator[None]:
    """As if the disk of the thread hung: it makes no pass."""
    with table.checkpoints._one:
        yield


def test_the_writer_stops_for_a_pass_only_above_the_bound(table: Table) -> None:
    with no_thread(table):
        while table.checkpoints._wal <= 512 * KIB:
            assert not table.checkpoints.due
            table.write()
        assert not table.checkpoints.due, "a pass is under way: it is waited for only at twice the bound"
        while table.checkpoints._wal <= 2 * 512 * KIB:
            table.write()
        assert table.checkpoints.due
    table.write()
    assert table.held == 1


def test_the_wal_stays_bounded_however_much_is_written(table: Table) -> None:
    for _ in range(1_500):
        table.write()
    assert wal(table.path) < 3 * 512 * KIB
    assert table.path.stat().st_size > 1_000 * 8 * KIB, "it was folded into the file"


def test_a_reader_of_old_pages_does_not_make_every_write_stop(table: Table) -> None:
    table.write()
    with closing(sqlite3.connect(table.path, isolation_level=None)) as reader:
        reader.execute("begin")
        reader.execute("select count(*) from t").fetchone()
        for _ in range(500):
            table.write()
        assert table.held < 500 * 12 // 64 + 2
        reader.execute("commit")


def test_the_wal_is_empty_when_nothing_is_written(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    plain = Checkpoints.truncate

    def truncate(self: Checkpoints) -> bool:
        whole = plain(self)
        done.set()
        return whole

    monkeypatch.setattr(Checkpoints, "truncate", truncate)
    monkeypatch.setattr(checkpoints_module, "IDLE_S", 0.01)
    table.write()
    assert done.wait(30)
    assert wal(table.path) == 0
    done.clear()
    table.write()  # and the next one is noticed again
    assert done.wait(30)
    assert wal(table.path) == 0


def test_a_file_that_is_gone_does_not_come_back(table: Table) -> None:
    table.write()
    for path in table.path.parent.iterdir():
        path.unlink()
    assert not table.checkpoints.truncate()
    assert not table.path.exists()


async def test_every_file_of_a_home_has_its_checkpoints_on_another_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: set[str] = set()
    passed = threading.Semaphore(0)
    plain = Checkpoints._pass

    def noted(self: Checkpoints, mode: str) -> bool:
        names.add(threading.current_thread().name)
        whole = plain(self, mode)
        passed.release()
        return whole

    monkeypatch.setattr(Checkpoints, "_pass", noted)
    monkeypatch.setattr(checkpoints_module, "PASS_BYTES", 1)
    store = await SqliteStore.open(tmp_path / "shard-0.db")
    epoch = await store.take()
    for row in (1, 2):
        await store.commit(batch(epoch, row))
    events, pages = SqliteEventLog(tmp_path / "gate.db"), SqlitePages(tmp_path / "metrics.db")
    for n in (1, 2):
        await events.append([group(count=1)])
        await pages.save(await pages.take(0), {"events": n}, {("acme", "page"): b"x"})
    for _ in range(3):
        assert passed.acquire(timeout=30)
    for each in (store, events, pages):
        await each.close()
    assert names == {f"aob-checkpoint-{file}" for file in ("shard-0", "gate", "metrics")}


def test_many_who_begin_one_file_at_once_all_get_it(tmp_path: Path) -> None:
    for number in range(20):
        path, gate = tmp_path / f"{number}.db", threading.Barrier(4)

        def begin(path: Path = path, gate: threading.Barrier = gate) -> str:
            gate.wait()
            with closing(connect(path, 5.0)) as connection:
                return str(connection.execute("pragma journal_mode").fetchone()[0])

        with ThreadPoolExecutor(4) as pool:
            assert [each.result() for each in [pool.submit(begin) for _ in range(4)]] == ["wal"] * 4
