"""The storage of a home in a Postgres database: events, dead letters, topics, pages, blobs up to a size, and runs. What
the folder of the home holds besides is local: settings, secrets, larger blobs, copies of what the database has."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from aob.backends.marks_page import MarksPage
from aob.compose.home import Membership, database_of, remember_database
from aob.compose.loop import end_tasks
from aob.compose.settings import Settings
from aob.compose.storage.claim import Claim
from aob.compose.storage.files import Files, open_blobs
from aob.compose.storage.servers import Servers
from aob.core.answers import JsonObject
from aob.core.cluster import ALONE, Member
from aob.core.errors import AobError, Conflict, Invalid, Problem
from aob.core.rules import RULES
from aob.ports.blobs import Blobs
from aob.ports.cluster import Leases, Records
from aob.ports.dead_letters import LetterLists, LogWithLetters
from aob.ports.logger import Logger
from aob.ports.pages import OwnedPages
from aob.ports.store import Holding, Store
from aob.ports.topics import OldTopics
from aob.ports.visit_logs import VisitLogs
from aob.work.visit_logs import ChunkedLogs

if TYPE_CHECKING:
    from aob.backends.postgres.cluster import Cluster
    from aob.backends.postgres.database import Database

POOL: Final = 8
ROW_BYTES: Final = 512 * 2**20  # what a row holds at most
ASK_S: Final = 1.0  # how long health waits for the database
KNOWN_S: Final = 0.5  # how long health repeats its answer: many may ask at once
SKEW_MS: Final = 2_000  # clocks that differ by more are named
ALIVE_LOOK_S: Final = 0.1  # how often it is looked whether a member lives
LOOK_S: Final = 3_600.0  # how often partitions by day are looked at
AWAY: Final = "store_away"
COPIES: Final = "copies.json"
COPIED: Final = ("dedup", "serving")
"""Folders with local copies of what the log has."""

log: Final = Logger("aob.compose")


class _Copies(msgspec.Struct):
    """Whose log the local copies are of, and the epoch under which they were last written."""

    cluster: str
    epoch: int


class InDatabase:
    """The storage of a home in a database. Open it before anything of the home is read; close it last."""

    lasts = True

    def __init__(
        self, home: Path, settings: Settings, database: "Database", cluster: "Cluster", member: Membership
    ) -> None:
        self.database, self.cluster, self.member = database, cluster, member
        self._home, self._settings = home, settings
        self.servers = Servers(database, cluster, settings)
        self.generation = cluster.generation
        self._beside: Files | None = None
        self._ask: asyncio.Task[JsonObject] | None = None
        self._asked_s = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._missed: list[str] = []
        self.claim: Claim | None = None
        """The shards, where this process owns them all."""
        self.lease_ms = round(settings.lease_s * 1_000)
        self.shared = False
        """Whether other processes have shards of it at the same time."""

    @classmethod
    async def open(cls, home: Path, settings: Settings, address: str) -> Self:
        """Connect, and own every shard under this address; the home belongs to this database from now on. Raises what
        `reached` raises, and Conflict `home_in_use` with the address of another owner."""
        storage = await cls._reached(home, settings)
        where, cluster = storage.member.where, storage.cluster
        try:
            await storage._named(cluster.partitions)
            storage.claim = Claim(storage.leases(), storage.as_member(address, ALONE), where, storage.lease_ms)
            await storage.claim.take()
        except BaseException:
            await storage.close()
            raise
        return storage._watched()

    @classmethod
    async def joined(cls, home: Path, settings: Settings) -> Self:
        """Connect, as one of several processes that each have a part of the shards. Raises as `open`, but nothing of
        other owners."""
        storage = await cls._reached(home, settings)
        try:
            await storage._named(storage.cluster.partitions)
        except BaseException:
            await storage.close()
            raise
        storage.shared = True
        return storage._watched()

    async def _named(self, partitions: int) -> None:
        """This process has a name of its own among those of the database. Raises Conflict `home_in_use` for a copy of
        the folder of a process that lives."""
        if self.member.member and self.member.here:  # the last process of this home is over, for we hold its lock
            await self.leases().leave(self.member.member)
        elif self.member.member:
            await self._outlived(self.member.member)
        self.member = remember_database(self._home, self.cluster.id, self.member.where, partitions)

    async def _outlived(self, member: str) -> None:
        """Wait until a member is over by the clock of the database; at most for a lease and a bit."""
        leases, until_s = self.leases(), time.monotonic() + 1.1 * self.lease_ms / 1_000
        while alive := [each for each in (await leases.standing()).members if each.id == member]:
            if time.monotonic() > until_s:
                raise Conflict(
                    f"{self._home} is a copy of the folder of a process that lives at {alive[0].address}",
                    code="home_in_use", url=alive[0].address, hint="give it a folder of its own by --home, or end that",
                )  # fmt: skip
            await asyncio.sleep(ALIVE_LOOK_S)

    def _watched(self) -> Self:
        days = (driver().keep_days(self.database), self._look_at_days())
        self._tasks = [asyncio.create_task(each, name="aob-days") for each in days]
        return self

    def as_member(self, address: str, *roles: str) -> Member:
        """This process, as others of the cluster see it."""
        return Member(self.member.member, address, version("agentic-orchestration-builder"), RULES, roles=roles)

    @classmethod
    async def _reached(cls, home: Path, settings: Settings) -> Self:
        """Connect, and check that this is the database of this home and fit for use. Raises Conflict `other_store` and
        `other_cluster`, the refusals of the database, Unavailable `store_away`."""
        before = database_of(home)
        parts = driver()
        database: Database = await parts.Database.open(settings.database_url(), size=POOL, purpose="home")
        try:
            cluster = await parts.join(database, before.id if before is not None else b"")
            where = database.address.shown
            storage = cls(home, settings, database, cluster, before or Membership(cluster.id, where, ""))
            await storage.servers.begin()
        except BaseException:
            await database.close()
            raise
        return storage

    @classmethod
    @asynccontextmanager
    async def opened(cls, home: Path, settings: Settings) -> AsyncIterator[Self]:
        """The storage for a command that looks at it: it makes nothing."""
        storage = await cls._reached(home, settings)
        try:
            yield storage
        finally:
            await storage.close()

    async def close(self) -> None:
        """Give the shards back, and close the connections. Idempotent."""
        await end_tasks(self._ask, *self._tasks)
        if self.claim is not None:
            claim, self.claim = self.claim, None
            await claim.close()
        await self.servers.close()
        await self.database.close()

    def leases(self) -> Leases:
        """Who owns the shards."""
        found: Leases = driver().PostgresLeases(self.database, self.lease_ms)
        return found

    def records(self) -> Records:
        """Rows."""
        found: Records = driver().PostgresRecords(self.database)
        return found

    async def _look_at_days(self) -> None:
        """A partition by day that was not made in time is an alarm: its rows are in a default one."""
        while True:
            await asyncio.sleep(LOOK_S)
            with suppress(AobError):
                self._missed = [day.name for day in await driver().read_days(self.database) if day.missed]
            if self._missed:
                log.error("days_missing", tables=", ".join(self._missed))

    def with_files(self, page: MarksPage) -> Self:
        """From now on the log is where the settings say, if not in the database."""
        if self._settings.log:
            self._beside = Files(self._home, self._settings, page)
        return self

    @property
    def folder(self) -> Path | None:
        """The home, unless the log is in memory."""
        return self._home if self._beside is None else self._beside.folder

    @property
    def log_file(self) -> str:
        """None, unless the settings keep the log in the folder."""
        return "" if self._beside is None else self._beside.log_file

    async def store(self, first: Holding, shard: int) -> Store:
        """The rows of a shard. Raises Unavailable `store_away` while the database that has it is not reached."""
        store: Store = driver().PostgresStore(await self.servers.of(shard), shard, first=first)
        return store

    @asynccontextmanager
    async def reading(self, shard: int) -> AsyncIterator[Store]:
        """The rows of a shard."""
        store = await self._rows_of(shard)
        try:
            yield store
        finally:
            await store.close()

    def shards(self) -> Iterator[tuple[str, Callable[[], Awaitable[Store]]]]:
        """Every shard by name, to be opened for reading."""
        for number in range(self.cluster.shards):
            yield f"shard {number}", partial(self._rows_of, number)

    async def _rows_of(self, shard: int) -> Store:
        found: Store = driver().PostgresStore(await self.servers.of(shard), shard)
        return found

    async def place(self, shard: int) -> str:
        """Where a shard is, for people."""
        return f"{(await self.servers.of(shard)).address.shown}, shard {shard}"

    def state_pages(self, shard: int) -> OwnedPages:
        """Rows under a name of the shard's own: clearing those of one leaves the others."""
        return OwnedPages(driver().PostgresPages(self.database, f"runs-{shard}"), shard)

    def pages(self, consumer: str) -> OwnedPages:
        """Rows, where the log is: marks are positions of it."""
        if self._beside is not None:
            return self._beside.pages(consumer)
        return OwnedPages(driver().PostgresPages(self.database, consumer))

    def blobs(self) -> Blobs:
        """Rows, and a folder for larger ones unless other processes have to find them too; or what the settings say."""
        folder = open_blobs(self._settings, self._home)
        if self._settings.blobs:
            return folder
        whole = {"here_bytes": ROW_BYTES} if self.shared else {}
        rows: Blobs = driver().PostgresBlobs(self.database, folder, **whole)
        return rows

    @asynccontextmanager
    async def logs(self, now_ms: Callable[[], int]) -> AsyncIterator[VisitLogs]:
        """Chunks of lines, which all processes read."""
        logs = ChunkedLogs(driver().PostgresLogChunks(self.database), now_ms)
        logs.begin()
        try:
            yield logs
        finally:
            await logs.close()

    def old_topics(self) -> list[OldTopics]:
        """Tables; and a file, if the settings kept topics in the folder."""
        tables: OldTopics = driver().TopicsBefore(self.database)
        return [tables] if self._beside is None else [*self._beside.old_topics(), tables]

    def event_log(self, partitions: int) -> LogWithLetters:
        """Rows."""
        if self._beside is not None:
            return self._beside.event_log(partitions)
        log: LogWithLetters = driver().PostgresEventLog(self.database, partitions=partitions)
        return log

    def letter_lists(self) -> LetterLists | None:
        """The replica of the database, unless the log is a file."""
        return None if self._beside is not None else self.servers.letters()

    def owned(self, epoch: int) -> None:
        """Drops local copies unless the owner before this one was here too: another may have written other ones."""
        path, mine = self._home / COPIES, self.cluster.id.hex()
        try:
            before = msgspec.json.decode(path.read_bytes(), type=_Copies)
        except (OSError, msgspec.MsgspecError):
            before = _Copies("", 0)
        if before != _Copies(mine, epoch - 1):
            for name in COPIED:
                shutil.rmtree(self._home / name, ignore_errors=True)
        path.write_bytes(msgspec.json.encode(_Copies(mine, epoch)))

    async def figures(self) -> JsonObject:
        """Asks the database, at most some times a second, and waits a bounded time, also for one that is silent."""
        now_s = time.monotonic()
        if self._ask is None or (self._ask.done() and now_s - self._asked_s > KNOWN_S):
            self._ask, self._asked_s = asyncio.create_task(self._look(), name="aob-health"), now_s
        await asyncio.wait((self._ask,), timeout=max(0.0, self._asked_s + ASK_S - now_s))
        if self._ask.done():
            return dict(self._ask.result())
        return {"kind": "postgresql", "status": AWAY, "detail": f"no answer within {ASK_S:.0f} s"}

    async def _look(self) -> JsonObject:
        begun_s, begun_ms = time.perf_counter(), time.time_ns() // 1_000_000
        try:
            row = await self.database.row(self.database.statements("home.sql")["ask"])
        except AobError as error:
            says = error.detail.removeprefix(f"{self.member.where}: ")  # everybody may read health
            return {"kind": "postgresql", "status": error.code, "detail": says}
        took_s, (version, at_ms) = time.perf_counter() - begun_s, row or ("", begun_ms)
        skew_ms = round(int(at_ms) - begun_ms - took_s * 500)
        told: JsonObject = {
            "kind": "postgresql", "status": "ok", "version": str(version), "latency_ms": round(took_s * 1_000, 2),
            "skew_ms": skew_ms,
        }  # fmt: skip
        if len(self.servers.named) > 1:
            told["stores"] = await self.servers.figures()
        if self._missed:
            told["detail"] = f"partitions by day were not made in time: {', '.join(self._missed)}"
        if abs(skew_ms) > SKEW_MS + took_s * 500:
            told["detail"] = f"its clock is {abs(skew_ms) / 1_000:.1f} s {'before' if skew_ms > 0 else 'behind'} ours"
        return told


def driver() -> Any:
    """The backends on Postgres. Raises Invalid `not_installed` without their driver."""
    try:
        from aob.compose.storage import postgres
    except ImportError as error:
        if (error.name or "").startswith("aob"):
            raise
        raise Invalid("a database cannot be used", [
            Problem("AOB_STORE", f"needs a package that is not installed ({error.name})", "not_installed",
                    hint="pip install 'agentic-orchestration-builder[postgres]'")
        ]) from error  # fmt: skip
    return postgres
