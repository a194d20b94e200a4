"""A core that is run under a lease: dispatches, answers and sends only while its owner may act; given up in order, or
at once when the lease is lost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aob.compose.cluster.guard import UNOWNED, Guard
from aob.compose.cluster.holder import Held
from aob.core.errors import Unavailable
from aob.runs import Core

DRAIN_S: Final = 2.0  # how long running jobs may take to end before their shard is handed over
_GONE: Final = frozenset({"stale_epoch", "journal_stopped"})


class OwnedCore:
    """An open shard: `aob.compose.cluster.Part`."""

    def __init__(self, core: Core, guard: Guard) -> None:
        self.core, self.guard = core, guard

    @property
    def fenced(self) -> bool:
        """Whether another process took it, or its journal stopped."""
        broken = self.core.journal.broken
        return broken is not None and broken.code in _GONE


@asynccontextmanager
async def owned(core: Core, held: Held[Any]) -> AsyncIterator[OwnedCore]:
    """Recover a core, made with `tenured` jobs, and run it until its lease is handed over or lost."""
    shard = held.lease.shard
    guard = Guard(shard, held.tenure)
    journal = core.journal
    journal.permit = guard.permit
    async with core.opened(), core.working():
        try:
            yield OwnedCore(core, guard)
        finally:
            journal.refusing = Unavailable(
                f"shard {shard} is being handed over", code=UNOWNED, hint="ask again in a moment", shard=shard,
                retry_after_s=1.0,
            )  # fmt: skip
            await core.pool.stop(0.0 if held.lost else DRAIN_S)
