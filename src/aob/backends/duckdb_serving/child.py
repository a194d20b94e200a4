"""The DuckDB process of one tenant: ends with its pipe, and by itself when it nears its memory limit."""

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
from aob.core.contract_model import ContractSet
from aob.core.errors import AobError

NICE: Final = 5  # loading and queries run at low priority; ingest has the rest of the machine
RECURSION_MAX: Final = 6_000  # enough recursion to parse every statement within the allowed depth
USED_SHARE_MAX: Final = 0.8
"""A process that holds this share of its limit ends after its answer, before small queries begin to fail."""


class Child:
    """The process: the tables of one tenant. `said` is the pipe of replies."""

    def __init__(self, begin: Begin, said: IO[bytes]) -> None:
        self._path = Path(begin.path) if begin.path else None
        self._memory_mb, self._process_mb = begin.memory_mb, begin.process_mb
        self._tables: TenantTables | None = None
        self._said = said
        self._saying = threading.Lock()
        self._feeder = ThreadPoolExecutor(1, "feed")
        self._reader = ThreadPoolExecutor(1, "ask")

    def take(self, sent: Sent) -> None:
        """Starts the work of a message."""
        if isinstance(sent.message, Stop):
            if self._tables is not None:
                self._tables.stop(sent.message.id)
        else:
            (self._reader if isinstance(sent.message, Ask) else self._feeder).submit(self._do, sent)

    def say(self, id: int, reply: Reply, last: bool = False) -> None:
        """Replies to a message."""
        with self._saying:
            self._said.write(framed(Said(id, reply, last)))
            self._said.flush()
            if last:
                os._exit(0)  # rows being loaded are in no committed transaction; the log has them

    def _do(self, sent: Sent) -> None:
        reply: Reply
        spent = False
        try:
            reply = self._done(sent.id, sent.message)
        except AobError as error:
            reply = fault_of(error)
        except (MemoryError, SystemError) as error:
            reply, spent = Fault("Unavailable", "serving_lost", f"the process of SQL is used up: {error!r}"[:500]), True
        except Exception as error:
            reply = Fault("Unavailable", "serving_failed", f"{type(error).__name__}: {error}"[:500])
        spent = spent or (self._tables is not None and self._tables.spent)
        self.say(sent.id, reply, spent or held_mb() >= USED_SHARE_MAX * self._process_mb)

    def _done(self, id: int, message: Message) -> Declared | Fed | Answer | Needs:
        assert not isinstance(message, Begin | Stop)
        tables = self._tables
        if tables is None:
            tables = self._tables = TenantTables(self._path, self._memory_mb)
        if isinstance(message, Declare):
            contracts = msgspec.msgpack.decode(message.contracts, type=ContractSet)
            tables.declare(contracts, message.supplied)
            return Declared(tables.rows)
        if isinstance(message, Feed):
            return Fed(tables.feed(message.rows))
        if isinstance(message, Reset):
            tables.reset()
            return Fed(0)
        return tables.ask(id, message)


def held_mb() -> float:
    """The data of this process, as its limit counts it; 0 where the system does not report it."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[5])
    except (OSError, IndexError, ValueError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def main() -> None:
    """Serves until the pipe ends."""
    # Ctrl-C reaches every process of a terminal; this one ends with its pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    said = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # other output must not get between replies
    sys.setrecursionlimit(RECURSION_MAX)
    first = read_sent(sys.stdin.buffer)
    if first is not None and isinstance(first.message, Begin):
        _bounded(first.message.process_mb)
        child = Child(first.message, said)
        child.say(first.id, Declared({}))
        threading.Thread(target=_warm, daemon=True).start()
        while (sent := read_sent(sys.stdin.buffer)) is not None:
            child.take(sent)
    os._exit(0)  # no one waits for statements that still run


def _warm() -> None:
    """Loads the parser before the first query."""
    import sqlglot

    sqlglot.parse("SELECT 1", dialect="duckdb")


def _bounded(process_mb: int) -> None:
    try:
        import resource

        os.nice(NICE)
        resource.setrlimit(resource.RLIMIT_DATA, (process_mb << 20, resource.RLIM_INFINITY))
    except (ImportError, OSError, ValueError, AttributeError):  # a system may lack one of these limits
        return
