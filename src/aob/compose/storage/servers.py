"""The databases of a cluster for one process: the first, which the home is opened with, and the further ones that have
shards. Where a shard is says the first one, each time a shard is opened; a further one may be away meanwhile."""

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from aob.compose.loop import end_tasks
from aob.compose.settings import Settings
from aob.core.errors import AobError, Invalid, Problem, Unavailable
from aob.ports.dead_letters import LetterLists
from aob.ports.logger import Logger
from aob.ports.store import ListedFrom

if TYPE_CHECKING:
    from aob.backends.postgres.cluster import Cluster
    from aob.backends.postgres.database import Database
    from aob.backends.postgres.servers import Replica

POOL: Final = 8
FIRST: Final = 1
AWAY: Final = "store_away"
ASK_S: Final = 0.8  # how long health waits for a further database
log: Final = Logger("aob.compose")


class ShardLists(NamedTuple):
    """The replica, for one shard: `Lists`."""

    replica: "Replica"
    shard: int

    async def lists(self) -> ListedFrom:
        """Where to read now."""
        return await self.replica.lists(self.shard)

    def failed(self, error: Exception) -> str:
        """It could not be read; returns why."""
        return self.replica.failed(error)


class Servers:
    """Enter it with the first database, which is closed by others."""

    def __init__(self, first: "Database", cluster: "Cluster", settings: Settings) -> None:
        self._first, self._settings = first, settings
        self._id, self._partitions = cluster.id, cluster.partitions
        self._open: dict[int, Database] = {}
        self._one = asyncio.Lock()  # at a time is opened
        self._keeping: list[asyncio.Task[None]] = []
        self._replicas: dict[int, Replica] = {}
        self._at: dict[int, int] = {}  # where each shard was when it was last opened
        self.named: set[int] = {FIRST}
        """Those that had shards when last looked at."""

    async def begin(self) -> None:
        """Open each that has a shard; one that is away is tried again when a shard of it is opened. Raises Invalid
        `store_unnamed` for one whose URL this process does not have, and what its set-up is refused for."""
        placed = await self.placed()
        for number, count, _ in placed:
            self._url(number, count)
        for number, _, _ in placed:
            try:
                await self._database(number)
            except Unavailable as error:
                if error.code != AWAY:
                    raise
                log.warning("store_not_reached", store=number, detail=error.detail, hint=error.hint)
        for number in sorted(self.named):
            await self._begin_replica(number)

    async def _begin_replica(self, number: int) -> None:
        """Lists of a database are read from its replica, where a variable names one."""
        from aob.compose.storage import postgres as parts

        name = "READ" if number == FIRST else f"{number}_READ"
        url = self._settings.server_url(name)
        if not url or number not in {FIRST, *self._open}:
            return
        primary = await self._database(number)
        made = self._replicas[number] = parts.Replica(
            url, f"AOB_STORE_{name}", primary, self._id, number, self._partitions
        )  # fmt: skip
        try:
            await made.begin()
        except Unavailable as error:
            made.failed(error)
            log.warning("replica_not_reached", store=number, detail=error.detail, hint=error.hint)

    def lists(self, shard: int) -> "ShardLists | None":
        """The replica for lists of a shard that was opened; none when no variable names one."""
        replica = self._replicas.get(self._at.get(shard, FIRST))
        return None if replica is None else ShardLists(replica, shard)

    def letters(self) -> "LetterLists | None":
        """The replica for lists of dead letters, which the first database has; none when no variable names one."""
        return self._replicas.get(FIRST)

    async def placed(self) -> list[tuple[int, int, list[int]]]:
        """The databases that have shards: number, how many, and which."""
        rows = await self._first.rows(self._first.statements("cluster.sql")["placed"])
        self.named = {FIRST, *(int(row[0]) for row in rows)}
        return [(int(number), int(count), list(which)) for number, count, which in rows]

    async def of(self, shard: int) -> "Database":
        """The database that has a shard now. Raises Unavailable `store_away` while it is not reached."""
        row = await self._first.row(self._first.statements("moving.sql")["place"], (shard,))
        self._at[shard] = FIRST if row is None else int(row[0])
        return await self._database(self._at[shard])

    async def _database(self, number: int) -> "Database":
        if number == FIRST:
            return self._first
        async with self._one:
            if (found := self._open.get(number)) is None:
                found = self._open[number] = await self._opened(number)
            return found

    async def _opened(self, number: int) -> "Database":
        from aob.compose.storage import postgres as parts

        url, setting = self._url(number), f"AOB_STORE_{number}"
        database = await parts.Database.open(url, size=POOL, purpose=f"home, store {number}", setting=setting)
        try:
            await parts.join(database, self._id, store=number)
        except BaseException:
            await database.close()
            raise
        self._keeping.append(asyncio.create_task(parts.keep_days(database), name=f"aob-days-{number}"))
        return database

    def _url(self, number: int, count: int = 1) -> str:
        url = "" if number == FIRST else self._settings.server_url(str(number))
        if not url and number != FIRST:
            variable = f"AOB_STORE_{number}"
            raise Invalid(f"{count} shard{'s'[: count != 1]} of this cluster are in its store {number}", [
                Problem(variable, "is not set", "store_unnamed", hint=f"{variable}=postgresql://user:…@host/database")
            ], hint=f"set {variable} for every process of the cluster")  # fmt: skip
        return url

    async def figures(self) -> dict[str, str]:
        """How each further database is: `ok`, or why it is not."""
        further = sorted(self.named - {FIRST})
        return dict(zip(map(str, further), await asyncio.gather(*map(self._asked, further)), strict=True))

    async def _asked(self, number: int) -> str:
        try:
            async with asyncio.timeout(ASK_S):
                await (await self._database(number)).row("select 1")
        except AobError as error:
            return error.code
        except TimeoutError:
            return AWAY
        return "ok"

    async def close(self) -> None:
        """Close the further ones, and the replicas. Idempotent."""
        for replica in self._replicas.values():
            await replica.close()
        await end_tasks(*self._keeping)
        closing, self._open = list(self._open.values()), {}
        for database in closing:
            await database.close()
