"""Watches numbers and notifies subscribers of changes. A number is read once for all its watchers. Never waits for a
slow watcher: it gets the newest value later, and misses those in between."""

import asyncio
import time
from collections.abc import Callable, Collection

from aob.core.answers import JsonObject
from aob.core.errors import AobError, Invalid, Problem
from aob.core.metric import NeedsScan
from aob.core.metric_query import MetricQuery

Read = Callable[[str, MetricQuery], JsonObject]
Hear = Callable[["Watched", JsonObject], None]
"""A subscriber: keeps the newest value of each watched number and wakes up."""


class Watched:
    """One watched query."""

    __slots__ = ("answer", "hearers", "query", "seen", "tenant", "timer")

    def __init__(self, tenant: str, query: MetricQuery) -> None:
        self.tenant, self.query = tenant, query
        self.hearers: set[Hear] = set()
        self.answer: JsonObject | None = None
        self.seen: object = None
        self.timer: asyncio.TimerHandle | None = None


class Watches:
    """All watched numbers. `read` answers at once, from memory."""

    def __init__(
        self, read: Read, now_ms: Callable[[], int], flushed: Callable[[float, int], None] = lambda took_s, told: None
    ) -> None:
        self._read, self._now_ms, self._flushed = read, now_ms, flushed
        self._known: dict[tuple[str, object], Watched] = {}
        self._by_metric: dict[tuple[str, str], set[Watched]] = {}
        self._dirty: set[Watched] = set()
        self._flushing = False

    def __len__(self) -> int:
        return len(self._known)

    def add(self, tenant: str, query: MetricQuery, hear: Hear) -> Watched:
        """Watch a number; reports its current value at once. Raises the errors of reading it."""
        key = (tenant, _hashable(query))
        watched = self._known.get(key)
        if watched is None:
            try:
                answer = self._read(tenant, query)
            except NeedsScan:
                raise Invalid("this cannot be followed", [
                    Problem("/metric", f"{query.metric} over so much time is told by a scan of the log", "not_live",
                            hint="follow a window of its contract, and ask for this one when it is needed")
                ]) from None  # fmt: skip
            watched = self._known[key] = Watched(tenant, query)
            self._by_metric.setdefault((tenant, query.metric), set()).add(watched)
            self._keep(watched, answer)
        watched.hearers.add(hear)
        if watched.answer is not None:
            hear(watched, watched.answer)
        return watched

    def drop(self, watched: Watched, hear: Hear) -> None:
        """Stop watching."""
        watched.hearers.discard(hear)
        if not watched.hearers:
            self._known.pop((watched.tenant, _hashable(watched.query)), None)
            mine = self._by_metric.get((watched.tenant, watched.query.metric), set())
            mine.discard(watched)
            if not mine:
                self._by_metric.pop((watched.tenant, watched.query.metric), None)
            if watched.timer is not None:
                watched.timer.cancel()

    def moved(self, tenant: str, metrics: Collection[str]) -> None:
        """Numbers have moved: all commits of one loop iteration are reported as one."""
        if not self._by_metric:
            return
        for metric in metrics:
            self._dirty |= self._by_metric.get((tenant, metric), set())
        if self._dirty and not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def stepped(self) -> None:
        """The clock was set: re-reads numbers that depend on time."""
        for watched in list(self._known.values()):
            if watched.timer is not None:
                self._again(watched)

    def close(self) -> None:
        """Stops all watches."""
        for watched in self._known.values():
            if watched.timer is not None:
                watched.timer.cancel()
        self._known.clear()
        self._by_metric.clear()

    def _flush(self) -> None:
        self._flushing = False
        dirty, self._dirty = self._dirty, set()
        begun = time.perf_counter()
        for watched in dirty:
            if watched.hearers:
                self._again(watched)
        self._flushed(time.perf_counter() - begun, len(dirty))

    def _again(self, watched: Watched) -> None:
        try:
            answer = self._read(watched.tenant, watched.query)
        except (AobError, NeedsScan):
            return  # not readable now (being filled again); its next change is reported
        before = watched.seen
        self._keep(watched, answer)
        if watched.seen != before:
            for hear in watched.hearers:
                hear(watched, answer)

    def _keep(self, watched: Watched, answer: JsonObject) -> None:
        watched.answer = answer
        watched.seen = (answer["value"], answer.get("rows"), answer["restated"])
        if watched.timer is not None:
            watched.timer.cancel()
            watched.timer = None
        until = answer["valid_until"]
        if until is not None:
            wait_s = max(0.001, (until - self._now_ms()) / 1_000)
            watched.timer = asyncio.get_running_loop().call_later(wait_s, self._again, watched)


def _hashable(query: MetricQuery) -> object:
    return (query.metric, query.window, query.by, tuple(sorted(query.where.items())), query.version, query.step,
            query.since_ms, query.until_ms, query.compare)  # fmt: skip
