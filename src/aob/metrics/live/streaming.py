"""The feed of events and numbers: accepted events in order and without gaps, and current numbers. Events are read from
the log, new ones from memory; of a number only the newest value is sent."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from itertools import takewhile
from typing import Final

from aob.core.accepted_event import shown
from aob.core.answers import JsonObject
from aob.core.event import WHOLE
from aob.core.policy import Caller
from aob.core.verb import performs
from aob.core.verbs import event_verbs as verbs
from aob.gate import Commit
from aob.metrics.live.live import Live
from aob.metrics.live.watch import Watched, Watches

RING_BYTES: Final = 8 * 1024 * 1024  # lines and notes of newest events kept in memory for subscribers
WATCHED_MAX: Final = 50  # numbers that one reader may follow

Told = tuple[str, str, JsonObject]


class Streams:
    """All subscribers. `heard` is called for the groups of each fold."""

    def __init__(self, live: Live, watches: Watches) -> None:
        self.live, self.watches = live, watches
        self._ring, self._bytes = deque[Commit](), 0  # the newest groups with events, of all partitions
        self._rings = [deque[Commit]() for _ in live.at]  # the same, by partition
        self._readers: set[_Reader] = set()

    def heard(self, groups: Sequence[Commit]) -> None:
        """Groups of a tenant are folded: wakes its readers."""
        tenant, moved = groups[0].tenant, groups[0].moved
        with_events = [group for group in groups if group.events]
        for group in with_events:
            self._ring.append(group)
            self._rings[group.partition].append(group)
            self._bytes += group.size
        while self._bytes > RING_BYTES and len(self._ring) > 1:
            gone = self._ring.popleft()
            self._rings[gone.partition].popleft()
            self._bytes -= gone.size
        for reader in self._readers if with_events else ():
            if reader.follows and reader.tenant == tenant:
                reader.wake.set()
        if moved:
            self.watches.moved(tenant, moved)

    def alerted(self, tenant: str, data: JsonObject) -> None:
        """An alert has changed its state."""
        for reader in self._readers:
            if reader.tenant == tenant and reader.alerts & {data["alert"], "*"}:
                reader.others.append(("alert", data))
                reader.wake.set()

    @performs(verbs.STREAM)
    async def stream(self, who: Caller, args: verbs.FollowEvents) -> AsyncIterator[Told]:
        """Events, numbers and alert changes as they happen; no event after the position is missed. With `place` an
        item without a name gives the feed's start, and another one where it is once all that was there is told."""
        types, metrics, alerts, position = args.types, args.metrics, args.alerts, args.position
        follows = bool(types) or not (metrics or alerts)
        token = self.live.positions.vector
        at = [(row, WHOLE) for row in self.live.at] if position is None else list(self.live.positions.places(position))
        reader = _Reader(who.tenant, follows, alerts)
        watched: list[Watched] = []
        self._readers.add(reader)
        try:
            for query in list(metrics)[:WATCHED_MAX]:
                watched.append(self.watches.add(who.tenant, query, reader.tell))
            behind = args.place and position is not None
            if args.place:
                yield token(at), "", {}
            while True:
                reader.wake.clear()
                for told in reader.taken():
                    yield (token(at), *told)
                # Groups folded during these yields are read in the next round.
                for partition, until in enumerate(list(self.live.at)):
                    if follows:
                        async for group in self._groups(who.tenant, partition, at[partition], until):
                            for number, data in _events(group, *at[partition], types, args.subject):
                                at[partition] = group.row, number
                                yield token(at), "event", data
                            at[partition] = group.row, WHOLE
                    at[partition] = max(at[partition], (until, WHOLE))
                if behind:
                    behind = False
                    yield token(at), "", {}
                await reader.wake.wait()
        finally:
            self._readers.discard(reader)
            for each in watched:
                self.watches.drop(each, reader.tell)

    async def _groups(self, tenant: str, partition: int, at: tuple[int, int], until: int) -> AsyncIterator[Commit]:
        """Groups of a tenant with events of a partition after a place, up to a row."""
        first = at[0] + (at[1] >= WHOLE)
        if first > until:
            return
        ring = self._rings[partition]
        if ring and ring[0].row <= first:
            for group in reversed(list(takewhile(lambda each: each.row >= first, reversed(ring)))):
                if group.row <= until and group.tenant == tenant:
                    yield group
            return
        before, rest = [0] * partition, [0] * (len(self.live.at) - partition - 1)
        async for found in self.live.rows([*before, first - 1, *rest], [*before, until, *rest], tenant):
            yield Commit.of_row(found, self.live.reread(found))


class _Reader:
    """A subscriber with its undelivered items; of each number only the newest."""

    __slots__ = ("alerts", "follows", "news", "others", "tenant", "wake")

    def __init__(self, tenant: str, follows: bool, alerts: frozenset[str] = frozenset()) -> None:
        self.tenant, self.follows, self.alerts = tenant, follows, alerts
        self.wake = asyncio.Event()
        self.news: dict[Watched, JsonObject] = {}
        self.others: deque[tuple[str, JsonObject]] = deque(maxlen=1_000)

    def tell(self, watched: Watched, answer: JsonObject) -> None:
        """A number has changed."""
        self.news[watched] = answer
        self.wake.set()

    def taken(self) -> list[tuple[str, JsonObject]]:
        """Takes the undelivered items."""
        news, self.news = self.news, {}
        told: list[tuple[str, JsonObject]] = [("metric", answer) for answer in news.values()]
        while self.others:
            told.append(self.others.popleft())
        return told


def _events(
    group: Commit, row: int, index: int, types: frozenset[str] | None, subject: str
) -> list[tuple[int, JsonObject]]:
    found: list[tuple[int, JsonObject]] = []
    lines = None
    for number, event in enumerate(group.events):
        if group.row == row and number <= index:
            continue
        if (types and event.type not in types and "*" not in types) or (subject and event.subject != subject):
            continue
        if lines is None:
            lines = group.lines.split(b"\n")
        found.append((number, shown(event, lines[number])))
    return found
