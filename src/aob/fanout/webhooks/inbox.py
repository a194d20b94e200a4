"""The queue of one hook: bounded while it keeps up, else refilled from the feed at its position; skips no record."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from aob.core.errors import AobError, Unavailable
from aob.fanout.webhooks.notices import NOWHERE, UNKNOWN, Feed, Notice, feeds_of
from aob.ports.logger import Logger

QUEUE_MAX: Final = 256  # notices of one hook in memory
BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of notices in memory, over all hooks. (A notice for two hooks counts twice.)"""
READ_MAX, READ_MIN = 128, 4  # notices read from the feed at once, and while too many bytes wait

log: Final = Logger("aob.webhooks")


class Budget:
    """Bytes that wait, over all hooks."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self.bytes_max, self.held = bytes_max, 0


class Source(msgspec.Struct):
    """One feed of one hook. `scanned`: everything before it was queued; `read`: how far the feed was read; `missed`:
    the newest notice offered while the hook lagged; `behind`: the feed must be read before offers are accepted."""

    keys: frozenset[str]
    scanned: int
    read: int
    missed: int = NOWHERE
    behind: bool = True
    begun: bool = False


class Inbox:
    """The queue of one hook. `offer` is called for each match; `take` returns the next one."""

    def __init__(
        self, tenant: str, wants: dict[str, tuple[str, ...]], cursors: dict[str, int], feed: Feed, budget: Budget,
        shards: int = 1, partitions: int = 1,
    ) -> None:  # fmt: skip
        self._tenant, self._feed, self._budget = tenant, feed, budget
        self._queue: deque[Notice] = deque()
        self._metrics: dict[str, Callable[[], Notice]] = {}
        self._sent: dict[str, int] = {}
        self._turn = False
        self.sources = {
            name: Source(frozenset(keys), at, at)
            for kind, keys in wants.items() if keys and kind != "metric"
            for name in feeds_of(kind, shards, partitions)
            for at in [cursors.get(name, NOWHERE if name == kind else UNKNOWN)]
        }  # fmt: skip

    def add(self, name: str, kind: str) -> None:
        """Adds a feed of a kind, to be read from its beginning."""
        if kind in self.sources:
            self.sources[name] = Source(self.sources[kind].keys, NOWHERE, NOWHERE)

    def begin(self, name: str, end: int | None = None) -> None:
        """Adds a feed that ends at this position now. A hook that has read further, because a loss of the feed was
        accepted, resumes at its end."""
        source = self.sources.get(name)
        if source is None or source.begun:
            return
        source.begun = True
        if end is not None and not NOWHERE <= source.scanned <= end:
            log.warning("webhook_goes_back", tenant=self._tenant, feed=name, read=source.scanned, end=end)
            source.scanned = source.read = end

    def __len__(self) -> int:
        return len(self._queue) + len(self._metrics)

    @property
    def behind(self) -> bool:
        """Whether the feed must be read."""
        return any(source.behind for source in self.sources.values())

    def offer(self, notice: Notice) -> None:
        """A matching notice was committed. Cheap; never waits. One at exactly the position up to which the feed was
        read may be offered twice: its id shows the repeat."""
        source = self.sources[notice.source]
        if notice.position < source.read:
            return
        full = len(self._queue) >= QUEUE_MAX or self._budget.held + len(notice.body) > self._budget.bytes_max
        if source.behind or full:
            if not source.behind:
                source.behind, source.scanned = True, min(source.scanned, notice.position - 1)
            source.missed = max(source.missed, notice.position)
            return
        self._push(notice)
        source.scanned = max(source.scanned, notice.position)

    def moved(self, metric: str, look: Callable[[], Notice]) -> None:
        """A subscribed number has moved; its value is read when it is sent."""
        self._metrics[metric] = look

    async def take(self, now_ms: int, metric_ms: int) -> Notice | None:
        """The next notice, or None. Raises Unavailable when the feed cannot be read. Metrics alternate with all other
        notices, so that neither starves."""
        if not self._queue and self.behind:
            await self._read()
        self._turn = not self._turn
        sources: tuple[Callable[[], Notice | None], ...] = (self._pop, lambda: self._due(now_ms, metric_ms))
        for source in sources if self._turn else reversed(sources):
            found = source()
            if found is not None:
                return found
        return None

    def rest_ms(self, now_ms: int, metric_ms: int) -> int | None:
        """When the next metric may be sent; None when none waits."""
        waits = [self._sent.get(key, now_ms - metric_ms) + metric_ms - now_ms for key in self._metrics]
        return max(0, min(waits)) if waits else None

    def settled(self, head: Notice | None, newest: dict[str, int]) -> dict[str, int]:
        """Positions by feed up to which everything is settled, except `head`, which was taken and is not settled yet.
        `newest`: the newest positions offered to any hook: a hook that keeps up has passed them."""
        first: dict[str, int] = {}
        for notice in (*((head,) if head is not None else ()), *self._queue):
            if notice.source in self.sources:
                first.setdefault(notice.source, notice.position)
        return {
            name: first[name] - 1 if name in first
            else source.scanned if source.behind else max(source.scanned, newest.get(name, NOWHERE))
            for name, source in self.sources.items() if source.scanned != UNKNOWN
        }  # fmt: skip

    def clear(self) -> None:
        """Drops all notices."""
        while self._pop() is not None:
            pass
        self._metrics.clear()

    def _push(self, notice: Notice) -> None:
        self._queue.append(notice)
        self._budget.held += len(notice.body)

    def _pop(self) -> Notice | None:
        if not self._queue:
            return None
        notice = self._queue.popleft()
        self._budget.held -= len(notice.body)
        return notice

    def _due(self, now_ms: int, metric_ms: int) -> Notice | None:
        for key, look in list(self._metrics.items()):
            if now_ms - self._sent.get(key, now_ms - metric_ms) >= metric_ms:
                del self._metrics[key]
                self._sent.pop(key, None)
                self._sent[key] = now_ms
                try:
                    return look()
                except AobError:  # the number is gone or has no value now: it is sent when it moves again
                    continue
        return None

    async def _read(self) -> None:
        """Reads on, one part of each feed, until a notice is found or the end is reached. A feed that cannot be read
        does not stop the others."""
        while not self._queue and self.behind:
            failed: AobError | None = None
            for name, source in self.sources.items():
                if not source.behind:
                    continue
                try:
                    await self._read_part(name, source)
                except AobError as error:
                    failed = error
            if failed is not None and not self._queue:
                raise failed

    async def _read_part(self, name: str, source: Source) -> None:
        if not source.begun:
            raise Unavailable("its runs cannot be read yet", code="shard_down", retry_after_s=1.0)
        limit = READ_MAX if self._budget.held < self._budget.bytes_max else READ_MIN
        chunk = await self._feed.read(self._tenant, name, source.scanned, source.keys, limit)
        for notice in chunk.notices:
            if notice.position > source.scanned:
                self._push(notice)
        source.scanned = source.read = max(source.scanned, chunk.through)
        if chunk.end and source.scanned >= source.missed:
            source.behind = False
        elif not chunk.notices and chunk.end:
            # Offered but not readable yet: offers run slightly ahead of the feed.
            await asyncio.sleep(0.01)
