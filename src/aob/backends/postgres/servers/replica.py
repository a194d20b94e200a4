"""A replica of one database of a cluster, for lists. It is asked how far it has come before each list, so that what is
read is at least of then; one that was promoted is used no more, and one that is away is tried again after a pause."""

import asyncio
import time
from typing import Any, Final

import psycopg

from aob.backends.postgres.database import Database, Given
from aob.backends.postgres.event_log import PostgresEventLog
from aob.backends.postgres.store import PostgresStore
from aob.core.errors import AobError, Conflict
from aob.core.event import PARTITIONS
from aob.ports.dead_letters import LettersFrom
from aob.ports.store import ListedFrom

POOL: Final = 4
AGAIN_S: Final = 1.0  # pause after a replica was away
WAIT_S: Final = 1.0  # for a connection
STATEMENT_MS: Final = 10_000
AWAY: Final = "replica_away"


class Replica:
    """The replica of a `primary`, under a URL of the variable `setting`."""

    def __init__(
        self, url: str, setting: str, primary: Database, cluster: bytes, store: int, partitions: int = PARTITIONS
    ) -> None:  # fmt: skip
        self._url, self._setting, self._primary, self._cluster, self._store = url, setting, primary, cluster, store
        self._partitions = partitions
        self._database: Database | None = None
        self._one = asyncio.Lock()  # at a time connects
        self._until_s, self._why = 0.0, ""

    async def begin(self) -> None:
        """Refuse one that is not a replica of its primary: Conflict `not_a_replica`, `other_cluster`. Raises
        Unavailable for one that is away."""
        await self._reached()

    async def lists(self, shard: int) -> ListedFrom:
        """Where a list of a shard is read. When not here, `why` says so."""
        if (asked := await self._how_far("replayed", (shard,))) is None:
            return ListedFrom(None, 0, None, self._why)
        db, (row, replayed_ms, _) = asked
        return ListedFrom(PostgresStore(db, shard), int(row), replayed_ms)

    async def letters(self) -> LettersFrom:
        """Where dead letters are listed. When not here, `why` says so."""
        if (asked := await self._how_far("clock")) is None:
            return LettersFrom(None, None, self._why)
        db, (replayed_ms, _) = asked
        return LettersFrom(PostgresEventLog(db, partitions=self._partitions), replayed_ms)

    async def _how_far(self, statement: str, given: Given = ()) -> tuple[Database, tuple[Any, ...]] | None:
        """The replica and what a statement, which ends with whether it is one, says; None when `_why` says why not."""
        if time.monotonic() < self._until_s:
            return None
        try:
            db = await self._reached()
            row = await db.row(db.statements("replica.sql")[statement], given)
            if row is None or not row[-1]:
                await self._dropped()
                raise self._no_replica()
        except (AobError, psycopg.Error) as error:
            self.failed(error)
            return None
        return db, row

    def failed(self, error: Exception) -> str:
        """A read failed: for a moment the replica is not asked. Returns why."""
        code = error.code if isinstance(error, AobError) else AWAY
        self._why = AWAY if code == "store_away" else code
        self._until_s = time.monotonic() + AGAIN_S
        return self._why

    async def close(self) -> None:
        """Close its connections. Idempotent."""
        await self._dropped()

    async def _dropped(self) -> None:
        db, self._database = self._database, None
        if db is not None:
            await db.close()

    async def _reached(self) -> Database:
        async with self._one:
            if self._database is None:
                self._database = await self._opened()
            return self._database

    async def _opened(self) -> Database:
        db = await Database.open(
            self._url,
            size=POOL,
            purpose="lists",
            setting=self._setting,
            statement_ms=STATEMENT_MS,
            wait_s=WAIT_S,
            takes="prefer-standby",
        )
        try:
            who = await db.row(db.statements("replica.sql")["who"])
            own = await self._primary.row(self._primary.statements("replica.sql")["primary"])
            assert own is not None
            if who is None or not who[0]:
                raise self._no_replica()
            if (who[1], who[2], who[3]) != (own[0], self._cluster, self._store):
                raise Conflict(f"{db.address.shown} of {self._setting} is a replica of another server than "
                               f"{self._primary.address.shown}", code="other_cluster",
                               hint=f"{self._setting} names a hot standby of the same server")  # fmt: skip
        except BaseException:
            await db.close()
            raise
        return db

    def _no_replica(self) -> Conflict:
        return Conflict(f"the server of {self._setting} is no replica: it takes writes of its own",
                        code="not_a_replica", hint="name a hot standby of the store, or leave it out")  # fmt: skip
