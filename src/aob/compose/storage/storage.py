"""What a home asks of its storage: each part by its port, made once by whoever closes it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from aob.ports.blobs import Blobs
from aob.ports.cluster import Records
from aob.ports.dead_letters import LetterLists, LogWithLetters
from aob.ports.pages import OwnedPages
from aob.ports.store import Holding, Store
from aob.ports.topics import OldTopics
from aob.ports.visit_logs import VisitLogs


class Storage(Protocol):
    """The parts of one process."""

    @property
    def generation(self) -> int:
        """The generation of the home."""

    @property
    def lasts(self) -> bool:
        """Whether runs outlive the process."""

    @property
    def folder(self) -> Path | None:
        """Where local copies of what the log has are; None: they are in memory."""

    @property
    def log_file(self) -> str:
        """The file of the event log; empty where a database has it."""

    async def store(self, first: Holding, shard: int) -> Store:
        """The store of one shard; `first` is what it holds when it is new."""

    def reading(self, shard: int) -> AbstractAsyncContextManager[Store]:
        """The store of a shard that another part of this home may own, for reading."""

    def state_pages(self, shard: int) -> OwnedPages:
        """The pages of long runs of a shard that are not in memory. They may be lost at any time."""

    def pages(self, consumer: str) -> OwnedPages:
        """The pages of a consumer of the logs: `metrics` or `webhooks`."""

    def records(self) -> Records:
        """What all processes of the home share: its settings, and the secrets of a cluster."""

    def blobs(self) -> Blobs:
        """Values that are too large for records."""

    def logs(self, now_ms: Callable[[], int]) -> AbstractAsyncContextManager[VisitLogs]:
        """What handlers log, while it is written and read."""

    def old_topics(self) -> list[OldTopics]:
        """What an earlier release may have left of topics, beside the shards."""

    def event_log(self, partitions: int) -> LogWithLetters:
        """Accepted events, and dead letters."""

    def letter_lists(self) -> LetterLists | None:
        """The replica that dead letters are listed from; None: the log has them."""

    def owned(self, epoch: int) -> None:
        """The metrics of this process have this epoch: local copies made before another had one are dropped."""
