"""A SQLite file of a home: opens, reads, writes and closes it; names statements and converts errors."""

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, TypeVar
from urllib.parse import quote

from aob.backends.named_statements import named_statements
from aob.backends.sqlite.checkpoints import Checkpoints, fold_in
from aob.core.errors import Unavailable
from aob.ports.store import FILE_CORRUPT

T = TypeVar("T")
_END: Final = None
LOCKED_S: Final = 0.005  # pause between two attempts to open a file whose mode another user is changing


def statements(file: str) -> dict[str, str]:
    """The named statements of a `.sql` file in this folder."""
    return named_statements("aob.backends.sqlite", file)


def connect(path: Path, timeout_s: float) -> sqlite3.Connection:
    """A connection in WAL mode that syncs every commit and never checkpoints by itself."""
    if not path.exists():  # SQLite gives its additional files the modes of the file
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=timeout_s, cached_statements=64
    )
    _begin_wal(connection, timeout_s)
    connection.execute("pragma synchronous = full")
    connection.execute("pragma wal_autocheckpoint = 0")
    connection.execute("pragma temp_store = memory")
    connection.execute("pragma cache_size = -32000")
    return connection


def _begin_wal(connection: sqlite3.Connection, timeout_s: float) -> None:
    """Two users who open a new file at once both change its mode, and SQLite lets neither wait: retry."""
    until = time.monotonic() + timeout_s
    while True:
        try:
            connection.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                connection.close()
                raise
            time.sleep(LOCKED_S)


@contextmanager
def at_rest(path: Path) -> Iterator[tuple[sqlite3.Connection, set[str]]]:
    """An existing file, without upgrading it, and the names of its tables. Raises Unavailable."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True)) as file:
            yield file, {name for (name,) in file.execute("select name from sqlite_master where type = 'table'")}
    except (sqlite3.Error, OSError) as error:
        raise unavailable(path, error) from error


def unavailable(path: Path, error: Exception) -> Unavailable:
    """The error of a file that does not perform an operation."""
    text = str(error)
    if "full" in text or getattr(error, "sqlite_errorname", "") == "SQLITE_IOERR_SHMSIZE":
        return Unavailable(f"{path.name}: the disk is full", code="disk_full",
                           hint="free some space; work goes on by itself")  # fmt: skip
    if "locked" in text:
        return Unavailable(f"{path.name} is locked by another process", code="store_locked",
                           hint="end the process that holds it; work goes on by itself")  # fmt: skip
    if "malformed" in text or "not a database" in text or "decode to UTF-8" in text:
        hint = f"restore it from a backup, or lose what it held: aob restore --accept-loss {path.name}"
        return Unavailable(f"{path.name} is damaged: {text}", code=FILE_CORRUPT, hint=hint)
    if "unable to open" in text or "readonly" in text:
        return Unavailable(f"{path.name}: {text}", code="store_failed", hint=f"may this user read and write {path}?")
    return Unavailable(f"{path.name}: {text}", code="store_failed", hint="run `aob doctor`")


class Writer:
    """One thread that performs work in order and returns results on the calling loop, at half an executor's cost. It
    starts with its first work and ends with `close`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._queue: SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any] | None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    async def do(self, work: Callable[[], T]) -> T:
        """The result of work. A caller that stops waiting does not stop it."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._give(work, future)
        return await future

    def later(self, work: Callable[[], object]) -> None:
        """Perform work without a waiting caller; it must not raise."""
        self._give(work, None)

    def close(self) -> None:
        """End the thread after all its work. Idempotent."""
        if self._thread is not None:
            self._queue.put(_END)

    def _give(self, work: Callable[[], Any], future: asyncio.Future[Any] | None) -> None:
        self._queue.put((work, future))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while (given := self._queue.get()) is not _END:
            work, future = given
            result, error = None, None
            try:
                result = work()
            except BaseException as raised:  # it is the caller's
                error = raised
            if future is not None:
                with suppress(RuntimeError):  # the loop has ended, and with it the caller
                    future.get_loop().call_soon_threadsafe(_tell, future, result, error)
            del given, work, future, result, error  # keeps no references while it waits


def _tell(future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


class SqliteFile:
    """A file of a home: opened at first use, with one thread that writes, one that reads and one for checkpoints.
    `prepare` makes the file ready (tables, identity). With `anew` a file that is no database is renamed and
    replaced."""

    def __init__(
        self,
        path: Path,
        name: str,
        prepare: Callable[[sqlite3.Connection], None],
        *,
        timeout_s: float,
        anew: bool = False,
    ) -> None:
        self.path, self._prepare, self._timeout_s, self._anew = path, prepare, timeout_s, anew
        self._opening = threading.Lock()
        self.writes, self._reads = Writer(name), Writer(f"{name}-read")
        self.writer: sqlite3.Connection | None = None
        self.checkpoints = Checkpoints(path)
        self._reader: sqlite3.Connection | None = None
        self._closed = False

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """The result of work with the reader's connection."""
        return await self._do(self._reads, lambda: work(self._to_read()))

    async def peek(self, work: Callable[[sqlite3.Connection], T], none: T) -> T:
        """The result of work with the reader's connection; `none` when there is no file, and creates none."""
        if self._reader is None and not self._closed and not self.path.exists():
            return none
        return await self.read(work)

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """The result of work on the writer's thread; afterwards the WAL is bounded before the next such work."""
        return await self._do(self.writes, lambda: work(self._to_write()))

    def _to_read(self) -> sqlite3.Connection:
        if self._reader is None:
            self._reader = self._open(self.writer is None)
            self._reader.execute("pragma query_only = on")
        return self._reader

    def _to_write(self) -> sqlite3.Connection:
        if self.writer is None:
            self.writer = self._open(True)
        if self.checkpoints.due:
            self.checkpoints.finish()
        return self.writer

    async def close(self) -> None:
        """Finish pending work, then close the file. Idempotent."""
        if self._closed:
            return
        self._closed = True
        await self._reads.do(self._close_reader)
        await self.writes.do(self._let_go)
        self._reads.close()
        self.writes.close()

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()

    def _let_go(self) -> None:
        self.checkpoints.close()
        if self.writer is not None:
            if self.writer.in_transaction:
                self.writer.execute("rollback")
            fold_in(self.writer, "truncate")
            self.writer.close()

    def _open(self, prepare: bool) -> sqlite3.Connection:
        with self._opening:
            try:
                return self._ready(prepare)
            except sqlite3.DatabaseError as error:
                if not self._anew or isinstance(error, sqlite3.OperationalError):
                    raise
                for path in (self.path, *(Path(f"{self.path}{end}") for end in ("-wal", "-shm"))):
                    if path.exists():
                        path.rename(f"{path}.broken")
                return self._ready(True)

    def _ready(self, prepare: bool) -> sqlite3.Connection:
        connection = connect(self.path, self._timeout_s)
        if prepare:
            self._prepare(connection)
        return connection

    async def _do(self, thread: Writer, work: Callable[[], T]) -> T:
        if self._closed:
            raise Unavailable(f"{self.path.name} is closed", code="closing")
        try:
            return await thread.do(work)
        except (sqlite3.Error, OSError) as error:
            raise unavailable(self.path, error) from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commits all of a block or nothing."""
    connection.execute("begin immediate")
    try:
        yield
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise
