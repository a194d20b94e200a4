"""One Postgres database of a process: a pool of connections, statements by name, errors that say what is away.

No connection has a state that a pooler could lose: statements name their schema, and what they rely on is set for the
role as well.
"""

import asyncio
import logging
import re
import select
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Any, Final, LiteralString, Self

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from psycopg_pool.base import AttemptWithBackoff

from aob.backends.named_statements import named_statements
from aob.backends.postgres.address import Address, read_address, wrong_url
from aob.backends.postgres.steps import RELIED_ON
from aob.backends.postgres.trouble import READ_ONLY, refused_login, trouble
from aob.core.errors import AobError, Unavailable

POOL_MAX: Final = 8
KEPT: Final = 2
"""Connections that only commits and leases take, of a pool that has more than twice as many: slow reads never hold
those up."""
CONNECT_S: Final = 5
WAIT_S: Final = 10.0  # for a connection of the pool
STATEMENT_MS: Final = 30_000
LOCK_MS: Final = 10_000
IDLE_MS: Final = 60_000  # in a transaction that nobody goes on with
SILENT_MS: Final = 15_000  # of a server that acknowledges nothing: then the connection counts as lost
PARAMETER: Final = re.compile(r'invalid URI query parameter: "(\w{1,40})"')
UNREAD: Final = "cannot be read; does it hold a % or a character to be written as %XX?"
NO_OPTIONS: Final = "unsupported startup parameter"
"""What a pooler says that takes no options at login."""
PACKAGE: Final = "aob.backends.postgres"

ANSWER_S: Final = 5.0
"""How much later than its own limit of a statement a server must answer: then the connection counts as lost."""
WAITING_S: Final = 0.1
AGAIN_S: Final = 0.25  # between two attempts to reach a server that is away


class Connection(psycopg.AsyncConnection[TupleRow]):
    """A connection that does not wait for ever for a server, or a pooler, that accepts everything and says nothing."""

    answer_s: float | None = None

    async def wait(self, gen: PQGen[RV], interval: float = WAITING_S, timeout: float | None = None) -> RV:
        """What the server answers. Raises OperationalError when it does not, and the connection is closed."""
        try:
            return await super().wait(gen, interval, self.answer_s if timeout is None else timeout)
        except psycopg.errors._WaitTimeout as error:
            if timeout is not None:
                raise
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer for {self.answer_s:.0f} s") from error


Given = Sequence[Any] | Mapping[str, Any]
"""The values of a statement, by place (`%s`) or by name (`%(name)s`)."""


class Steady(AttemptWithBackoff):
    """Tries an absent server again at a steady pace, so that it is used soon after it is back."""

    INITIAL_DELAY = AGAIN_S
    DELAY_BACKOFF = 1.0


class Pool(AsyncConnectionPool[Connection]):
    """A pool whose attempts are steady."""

    async def _add_connection(self, attempt: AttemptWithBackoff | None, growing: bool = False) -> None:
        await super()._add_connection(attempt or Steady(timeout=self.reconnect_timeout), growing)


class Database:
    """A pool on one database, which all ports of a process share. `pooler`: there is a pooler between."""

    def __init__(self, address: Address, pool: Pool, *, pooler: bool) -> None:
        self.address, self.pooler = address, pooler
        self._pool, self._closed = pool, False
        kept = KEPT if pool.max_size > 2 * KEPT else 0
        self._others = asyncio.Semaphore(pool.max_size - kept)
        self._mending: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        size: int = POOL_MAX,
        purpose: str = "aob",
        setting: str = "AOB_STORE",
        statement_ms: int = STATEMENT_MS,
        lock_ms: int = LOCK_MS,
        wait_s: float = WAIT_S,
        takes: str = "read-write",
    ) -> Self:
        """Connect. `purpose` stands in the server's list of sessions, `setting` in errors. Of several hosts one is
        chosen that `takes` this (target_session_attrs). Raises Invalid for a wrong URL, Unavailable `store_away` or
        `store_login`."""
        address = read_address(url, setting)
        limits = {"statement_timeout": statement_ms, "lock_timeout": lock_ms,
                  "idle_in_transaction_session_timeout": IDLE_MS, "idle_session_timeout": 0}  # fmt: skip
        kwargs = connecting(address, purpose, _options({**limits, **RELIED_ON}), takes, setting)
        pooler = await _look(address, kwargs, setting)
        logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())  # callers get what it would say
        answer_s = statement_ms / 1_000 + ANSWER_S

        async def configure(connection: Connection) -> None:
            connection.answer_s = answer_s

        pool = Pool(
            address.url, connection_class=Connection, configure=configure, kwargs=kwargs, min_size=1, max_size=size,
            open=False, timeout=wait_s, reconnect_timeout=CONNECT_S, name=f"aob {purpose}",
        )  # fmt: skip
        try:
            await pool.open(wait=True, timeout=CONNECT_S)
        except psycopg.Error as error:
            raise trouble(error, address) from error
        return cls(address, pool, pooler=pooler)

    @property
    def schema(self) -> str:
        """The name of the schema; as part of a statement it is `{schema}` in its file."""
        return self.address.schema

    def statements(self, file: str) -> dict[str, LiteralString]:
        """The named statements of a `.sql` file in this folder, with the schema filled in."""
        named = named_statements(PACKAGE, file)
        return {name: text.replace("{schema}", f'"{self.schema}"') for name, text in named.items()}

    @asynccontextmanager
    async def connection(self, *, first: bool = False) -> AsyncIterator[Connection]:
        """A connection of the pool; each statement on it is a transaction of its own. `first`: for a commit or a
        lease. Errors of the driver leave as ours, with `unknown` where a statement may have been carried out although
        the connection is lost."""
        if self._closed:
            raise Unavailable(f"{self.address.shown} is closed", code="closing")
        used: Connection | None = None
        before = _cancels()
        try:
            async with nullcontext() if first else self._other(), self._lent() as used:
                if _cancels() > before:  # the pool waits by asyncio.wait_for, which may lose one until Python 3.12
                    raise asyncio.CancelledError
                yield used
        except psycopg.Error as error:
            broken = used is not None and used.broken
            if broken or error.sqlstate == READ_ONLY:
                self._look_through(all_go=not broken)
            raise self.mapped(error, broken=broken) from error

    @asynccontextmanager
    async def _other(self) -> AsyncIterator[None]:
        """A place among those that are no commit and no lease."""
        try:
            async with asyncio.timeout(self._pool.timeout):
                await self._others.acquire()
        except TimeoutError as error:
            raise PoolTimeout(f"couldn't get a connection after {self._pool.timeout:.2f} sec") from error
        try:
            yield
        finally:
            self._others.release()

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Connection]:
        """A connection of the pool that nobody has closed while it was idle."""
        while True:
            async with self._pool.connection() as one:
                if not _hung_up(one):
                    yield one
                    return
                await one.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection in a transaction that is committed when the block ends and rolled back when it raises."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def rows(self, statement: LiteralString, given: Given = ()) -> list[TupleRow]:
        """All rows of one statement."""
        async with self.connection() as connection:
            return await (await connection.execute(statement, given, binary=True)).fetchall()

    async def row(self, statement: LiteralString, given: Given = (), *, first: bool = False) -> TupleRow | None:
        """The first row of one statement."""
        async with self.connection(first=first) as connection:
            return await (await connection.execute(statement, given, binary=True)).fetchone()

    async def run(self, statement: LiteralString, given: Given = ()) -> int:
        """Carry out one statement; the number of rows that it touched."""
        async with self.connection() as connection:
            return (await connection.execute(statement, given)).rowcount

    def mapped(self, error: psycopg.Error, *, broken: bool = False) -> AobError:
        """An error of the driver as one of ours, as it leaves `connection`."""
        return trouble(error, self.address, broken=broken)

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        if not self._closed:
            self._closed = True
            await asyncio.gather(*filter(None, (self._mending,)))
            await self._pool.close()

    def _look_through(self, *, all_go: bool) -> None:
        """When one connection is lost, the idle ones mostly are too: those are replaced before they are given out.
        `all_go`: the server takes no writes any more, and a new connection may reach the one that does."""
        if not self._closed and (self._mending is None or self._mending.done()):
            self._mending = asyncio.create_task(self._replaced(all_go))

    async def _replaced(self, all_go: bool) -> None:
        try:
            await (self._pool.drain() if all_go else self._pool.check())
        except psycopg.Error:  # still away: whoever asks next is told
            return


def _cancels() -> int:
    """How often this task was told to end."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def _hung_up(connection: Connection) -> bool:
    """Whether a connection that nobody waits on was closed from the other side: one system call, no round trip."""
    poll = select.poll()
    try:
        poll.register(connection.fileno(), select.POLLIN)
        while poll.poll(0):
            connection.pgconn.consume_input()  # raises at its end; a server also says that a setting has changed
    except psycopg.Error:
        return True
    return False


def _options(settings: Mapping[str, object]) -> str:
    """Settings as a login takes them."""
    values = {name: str(value).replace(" ", "\\ ") for name, value in settings.items()}
    return " ".join(f"-c {name}={value}" for name, value in values.items())


def connecting(
    address: Address, purpose: str, options: str = "", takes: str = "", setting: str = "AOB_STORE"
) -> dict[str, Any]:  # fmt: skip
    """What each connection to a server is made with. Raises Invalid for a URL with parameters that there are not."""
    try:
        given = conninfo_to_dict(address.url)
    except psycopg.ProgrammingError as error:  # of which only this shows nothing of a password
        named = PARAMETER.search(str(error))
        raise wrong_url(setting, f"has the parameter `{named[1]}`, which there is not" if named else UNREAD) from None
    own = str(given.get("options") or "")
    made: dict[str, Any] = {
        "autocommit": True, "prepare_threshold": None, "application_name": f"aob {purpose}"[:63],
        "connect_timeout": CONNECT_S, "keepalives_idle": 10, "keepalives_interval": 3, "keepalives_count": 3,
        "tcp_user_timeout": SILENT_MS, "client_encoding": "UTF8",
    }  # fmt: skip
    if takes and len(address.hosts) > 1 and "target_session_attrs" not in given:
        made["target_session_attrs"] = takes
    return made | ({"options": f"{options} {own}".strip()} if options or own else {})


async def connect(address: Address, kwargs: dict[str, Any], setting: str) -> Connection:
    """One connection that is nobody else's. Raises Unavailable `store_away` or `store_login`."""
    try:
        return await Connection.connect(address.url, **kwargs)
    except psycopg.OperationalError as error:
        raise refused_login(error, address, setting) from error


async def _look(address: Address, kwargs: dict[str, Any], setting: str) -> bool:
    """Whether a pooler stands between: it lends the sessions of the server, so the one at login is not the one that
    answers. The options are taken out of `kwargs` for one that takes none."""
    try:
        first = await connect(address, kwargs, setting)
    except Unavailable as error:
        if NO_OPTIONS not in error.detail:
            raise
        del kwargs["options"]
        first = await connect(address, kwargs, setting)
    async with first:
        pid = first.info.backend_pid
        try:
            found = await (await first.execute("select pg_backend_pid()")).fetchone()
        except psycopg.Error as error:
            raise trouble(error, address) from error
    return found is None or found[0] != pid
