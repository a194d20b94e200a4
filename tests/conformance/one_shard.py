"""The topics of a home with one shard, over any store: the journal of that shard, and the port over it."""

from collections.abc import Callable
from typing import Any

from aob.compose.layout import Layout
from aob.compose.topics import HomeTopics, TopicsOfShard
from aob.core.policy import Caller
from aob.journal import Journal
from aob.ports.store import Store


class OneShard(HomeTopics):
    """Closed with `close`."""

    number = 0

    def __init__(self, store: Store, now_ms: Callable[[], int]) -> None:
        super().__init__()
        self.store = store
        self.journal = Journal(
            store, [], clock_ms=now_ms, on_commit=lambda commit: None, on_recovered=lambda found: None,
            put_blob=lambda *given: None, get_value=lambda *given: None,
        )  # fmt: skip
        self._answers = TopicsOfShard(self.journal)

    @classmethod
    async def over(cls, store: Store, now_ms: Callable[[], int]) -> "OneShard":
        """Open it: from now on it owns the shard."""
        made = cls(store, now_ms)
        await made.journal.__aenter__()
        made.serve([made], lambda: Layout.of(1))
        return made

    async def call(self, verb: str, who: Caller | None, *args: Any, **named: Any) -> Any:
        return await getattr(self._answers, verb)(who, *args, **named)

    async def close(self) -> None:
        await self.journal.__aexit__()
        await self.store.close()
