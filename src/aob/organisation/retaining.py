"""Applies what topics state about how long and how much of them is kept, and removes what deleted topics left. Endless,
a slice a commit; what it removed is counted."""

import asyncio
from collections.abc import Callable
from typing import Final

from aob.core.errors import AobError
from aob.core.organisation import commands as cmd
from aob.core.organisation import retention
from aob.core.policy import Caller
from aob.journal.topics import Keep, Trimmed
from aob.organisation.organisations import Organisations
from aob.organisation.records import GroupedTopics
from aob.ports.logger import Logger

EVERY_S: Final = 60.0
COMPACTED_AFTER_MS: Final = 3_600_000  # a record that a newer one stands for is kept so long all the same
NULLS_KEPT_MS: Final = 24 * 3_600_000  # a null, which removes its subject, is kept so long for readers
log: Final = Logger("aob.organisation")


class Retaining:
    """The retention of the declared topics of every tenant. `records` and `bytes` are what it removed since its
    start."""

    def __init__(self, organisations: Organisations, topics: GroupedTopics, now_ms: Callable[[], int]) -> None:
        self._tenants, self._topics, self._now_ms = organisations, topics, now_ms
        self.records = self.bytes = 0

    async def run(self) -> None:
        """Sweeps for ever."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.sweep()

    async def sweep(self) -> None:
        """One round over all topics. What cannot be removed now is removed in the next one."""
        for tenant in self._tenants.tenants():
            try:
                await self._sweep(tenant)
            except AobError as error:
                log.info("retention_waits", tenant=tenant, code=error.code, detail=error.detail)
            except Exception as error:
                log.error("retention_broke", tenant=tenant, exc_info=error)

    async def _sweep(self, tenant: str) -> None:
        state = await self._tenants.settled(tenant)
        for name in list(state.purging):
            await self.purge(tenant, name)
        for name, topic in list(state.topics.items()):
            removed = await self._topics.trim(tenant, name, keep_of(topic.spec.retention, self._now_ms()))
            self._count(tenant, name, removed)

    async def purge(self, tenant: str, topic: str) -> None:
        """Remove all of a topic that is deleted, and free its name. Nothing, if it is not."""
        if topic not in (await self._tenants.settled(tenant)).purging:
            return
        removed = await self._topics.trim(tenant, topic, Keep(nothing=True))
        self._count(tenant, topic, removed)
        note = cmd.NoteTopicPurged(topic, removed.records, removed.bytes)
        await self._tenants.ask(Caller(tenant, "aob", frozenset()), note, lambda state: None)

    def _count(self, tenant: str, topic: str, removed: Trimmed) -> None:
        if removed.records:
            self.records, self.bytes = self.records + removed.records, self.bytes + removed.bytes
            log.info("records_removed", tenant=tenant, topic=topic, records=removed.records, bytes=removed.bytes)


def keep_of(kept: retention.Retention, now_ms: int) -> Keep:
    """What is kept of a topic at an instant."""
    deletes, compacts = "delete" in kept.cleanup, "compact" in kept.cleanup
    return Keep(
        now_ms - kept.ms if deletes and kept.ms >= 0 else -1, kept.bytes if deletes else -1, compacts,
        now_ms - COMPACTED_AFTER_MS, now_ms - NULLS_KEPT_MS,
    )  # fmt: skip
