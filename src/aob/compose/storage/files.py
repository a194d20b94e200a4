"""The storage of a home in its own folder, or in memory."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aob.backends.file_records import FileRecords
from aob.backends.folder_blobs import FolderBlobs
from aob.backends.marks_page import MarksPage
from aob.backends.memory.blobs import MemoryBlobs
from aob.backends.memory.event_log import MemoryEventLog
from aob.backends.memory.pages import MemoryPages
from aob.backends.memory.records import MemoryRecords
from aob.backends.memory.store import MemoryStore
from aob.backends.sqlite.event_log import SqliteEventLog
from aob.backends.sqlite.pages import SqlitePages
from aob.backends.sqlite.store import SqliteStore
from aob.backends.sqlite.topics import TopicsFile
from aob.compose.home import generation_of
from aob.compose.settings import Settings
from aob.ports.blobs import Blobs
from aob.ports.cluster import Records
from aob.ports.dead_letters import LogWithLetters
from aob.ports.pages import OwnedPages
from aob.ports.store import Holding, Store
from aob.ports.topics import OldTopics
from aob.ports.visit_logs import VisitLogs
from aob.work.visit_logs import Logs

RECORDS: Final = "records.json"
LOGS: Final = "logs"
OLD_TOPICS: Final = "events.db"
"""The file that earlier releases had their topics in."""


class Files:
    """The storage of a home without a database. `page` has the marks of its files."""

    def __init__(self, home: Path, settings: Settings, page: MarksPage) -> None:
        self._home, self._settings, self._page = home, settings, page
        self._memory = settings.log.startswith("memory")
        self.lasts = not settings.store.startswith("memory")
        self.folder = None if self._memory else home
        self.generation = generation_of(home)
        self._records = FileRecords(home / RECORDS, now_ms) if self.lasts else MemoryRecords(now_ms)

    @property
    def log_file(self) -> str:
        """The file of the event log."""
        return "gate.db"

    async def store(self, first: Holding, shard: int) -> Store:
        """The file of a shard."""
        if not self.lasts:
            return MemoryStore(first)
        name = f"shard-{shard}.db"
        return await SqliteStore.open(self._home / name, mark=self._page.of(name), first=first)

    @asynccontextmanager
    async def reading(self, shard: int) -> AsyncIterator[Store]:
        """The file of a shard, opened beside its owner."""
        store = await SqliteStore.open(self._home / f"shard-{shard}.db")
        try:
            yield store
        finally:
            await store.close()

    def state_pages(self, shard: int) -> OwnedPages:
        """A file that may be deleted at any time while the home is down."""
        pages = SqlitePages(self._home / f"runs-{shard}.pages") if self.lasts else MemoryPages()
        return OwnedPages(pages, shard)

    def pages(self, consumer: str) -> OwnedPages:
        """A file a consumer. That of metrics can be made again, so the marks do not have it."""
        if self._memory:
            return OwnedPages(MemoryPages())
        file = f"{consumer}.db"
        mark = self._page.beside() if consumer == "metrics" else self._page.of(file)
        return OwnedPages(SqlitePages(self._home / file, mark=mark))

    def records(self) -> Records:
        """A file."""
        return self._records

    def blobs(self) -> Blobs:
        """A folder."""
        return open_blobs(self._settings, self._home)

    @asynccontextmanager
    async def logs(self, now_ms: Callable[[], int]) -> AsyncIterator[VisitLogs]:
        """A folder a run."""
        logs = Logs(self._home / LOGS, now_ms)
        try:
            yield logs
        finally:
            logs.close()

    def old_topics(self) -> list[OldTopics]:
        """A file, if it is there."""
        path = self._home / OLD_TOPICS
        return [TopicsFile(path)] if path.exists() else []

    def event_log(self, partitions: int) -> LogWithLetters:
        """A file."""
        return (
            MemoryEventLog() if self._memory else SqliteEventLog(self._home / "gate.db", mark=self._page.of("gate.db"))
        )

    def letter_lists(self) -> None:
        """None: files have no replica."""

    def owned(self, epoch: int) -> None:
        """Does nothing: nobody else has the folder."""


def now_ms() -> int:
    """The wall clock."""
    return time.time_ns() // 1_000_000


def open_blobs(settings: Settings, home: Path) -> Blobs:
    """The blobs of a home that are not in a database."""
    return MemoryBlobs() if settings.blobs.startswith("memory") else FolderBlobs(home / "blobs")
