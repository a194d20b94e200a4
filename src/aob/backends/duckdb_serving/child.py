"""What the DuckDB process does: one thread reads messages, one feeds, a few answer. It never outlives its pipe."""

import hashlib
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Final

import msgspec

from aob.backends.duckdb_serving.tenant import TenantTables
from aob.backends.duckdb_serving.wire import (
    Answer,
    Ask,
    Begin,
    Declare,
    Declared,
    Fault,
    Fed,
    Feed,
    Message,
    Needs,
    Reply,
    Reset,
    Said,
    Sent,
    Stop,
    fault_of,
    framed,
    read_sent,
)
from aob.core.contract import ContractSet
from aob.core.errors import AobError, Unavailable

READERS: Final = 2
"""Statements that run at once."""
TENANTS_OPEN_MAX: Final = 16
"""Databases that are open at once; the one that was used longest ago is closed."""
NICE: Final = 5
"""Feeding and asking stand behind ingest, which has the rest of the machine."""
RECURSION_MAX: Final = 6_000
"""Deep enough to read every statement that is not too deep to be allowed."""
MEMORY_MAX_MB: Final = 2_048
"""What the whole process may hold; a function that builds huge texts is refused more, or ends the process."""


class Tables:
    """The open databases by tenant."""

    def __init__(self, begin: Begin) -> None:
        self._folder = Path(begin.folder) if begin.folder else None
        self._memory_mb = begin.memory_mb
        self._open: dict[str, TenantTables] = {}
        self._used: dict[str, int] = {}
        self._lock = threading.Lock()

    def take(self, tenant: str, declaring: bool = False) -> TenantTables:
        """The database of a tenant, which stays open until it is given back."""
        with self._lock:
            found = self._open.pop(tenant, None)
            if found is None:
                if not declaring:
                    raise Unavailable("the tables of this tenant are not open", code="serving_closed")
                self._shrink()
                found = TenantTables(self._path(tenant), self._memory_mb)
            self._open[tenant] = found
            self._used[tenant] = self._used.get(tenant, 0) + 1
            return found

    def give_back(self, tenant: str) -> None:
        """It may be closed again."""
        with self._lock:
            self._used[tenant] -= 1

    def stop(self, id: int) -> None:
        """Break off a statement, wherever it runs."""
        with self._lock:
            for each in self._open.values():
                each.stop(id)

    def _shrink(self) -> None:
        idle = [tenant for tenant in self._open if not self._used.get(tenant)]
        # Those in memory stay: closing them would throw away what they were fed.
        while self._folder is not None and len(self._open) >= TENANTS_OPEN_MAX and idle:
            self._open.pop(idle.pop(0)).close()

    def _path(self, tenant: str) -> Path | None:
        if self._folder is None:
            return None
        return self._folder / f"{hashlib.sha256(tenant.encode()).hexdigest()[:32]}.duckdb"


class Child:
    """The process. `said` is the pipe of replies."""

    def __init__(self, begin: Begin, said: IO[bytes]) -> None:
        self._tables = Tables(begin)
        self._said = said
        self._saying = threading.Lock()
        self._feeders = ThreadPoolExecutor(1, "feed")
        self._readers = ThreadPoolExecutor(READERS, "ask")

    def take(self, sent: Sent) -> None:
        """Begin to do what a message asks."""
        if isinstance(sent.message, Stop):
            self._tables.stop(sent.message.id)
        else:
            (self._readers if isinstance(sent.message, Ask) else self._feeders).submit(self._do, sent)

    def say(self, id: int, reply: Reply) -> None:
        """Reply to a message."""
        with self._saying:
            self._said.write(framed(Said(id, reply)))
            self._said.flush()

    def _do(self, sent: Sent) -> None:
        reply: Reply
        try:
            reply = self._done(sent.id, sent.message)
        except AobError as error:
            reply = fault_of(error)
        except Exception as error:
            reply = Fault("Unavailable", "serving_failed", f"{type(error).__name__}: {error}"[:500])
        self.say(sent.id, reply)

    def _done(self, id: int, message: Message) -> Declared | Fed | Answer | Needs:
        assert not isinstance(message, Begin | Stop)
        tables = self._tables.take(message.tenant, isinstance(message, Declare | Reset))
        try:
            if isinstance(message, Declare):
                contracts = msgspec.msgpack.decode(message.contracts, type=ContractSet)
                tables.declare(contracts, message.supplied)
                return Declared(tables.row)
            if isinstance(message, Feed):
                count = tables.feed(message.rows)
                return Fed(tables.row, count)
            if isinstance(message, Reset):
                tables.reset()
                return Fed(0, 0)
            return tables.ask(id, message)
        finally:
            self._tables.give_back(message.tenant)


def main() -> None:
    """Serve until the pipe ends."""
    # Ctrl-C reaches every process of a terminal; this one ends with its pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    said = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else prints must not stand between replies
    _bounded()
    sys.setrecursionlimit(RECURSION_MAX)
    first = read_sent(sys.stdin.buffer)
    if first is not None and isinstance(first.message, Begin):
        child = Child(first.message, said)
        child.say(first.id, Declared(os.getpid()))
        threading.Thread(target=_warm, daemon=True).start()
        while (sent := read_sent(sys.stdin.buffer)) is not None:
            child.take(sent)
    os._exit(0)  # statements that still run have nobody to tell


def _warm() -> None:
    """Load the parser while nobody waits for it."""
    import sqlglot

    sqlglot.parse("SELECT 1", dialect="duckdb")


def _bounded() -> None:
    try:
        import resource

        os.nice(NICE)
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_MAX_MB << 20, resource.RLIM_INFINITY))
    except (ImportError, OSError, ValueError, AttributeError):  # a system without these limits has the others
        return
