"""What a shard remembers of its topics: where partitions end and how far groups are, decided but perhaps not durable
yet; keys that the store may not have yet; and the newest rows, for readers near the end."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, TypeVar

from aob.journal.topics.commands import Known, Place
from aob.ports.store import Trim
from aob.ports.topics import GroupMark, RecordRow

KEPT_MAX: Final = 50_000  # ends, marks or keys after which those that are durable are forgotten
NEWEST_BYTES: Final = 4 * 1024 * 1024  # bytes of rows that stay in memory for readers

K = TypeVar("K")
V = TypeVar("V")


class TopicsMemory:
    """The memory of one shard. `life` changes whenever something is forgotten: what was read from the store before
    may lack what was forgotten, and is read again."""

    def __init__(self) -> None:
        self.life = 0
        self.clear()

    def clear(self) -> None:
        """Forget everything: what was decided and is not durable never was."""
        self.life += 1
        self.ends: dict[Place, tuple[int, int]] = {}
        """Each with the journal row of the commit that moved it."""
        self.keys: dict[tuple[Place, bytes], tuple[int, bytes, int]] = {}
        self.marks: dict[tuple[str, Place], tuple[GroupMark | None, int]] = {}
        self._newest: dict[Place, deque[RecordRow]] = {}
        self._order: deque[Place] = deque()
        self._size = 0

    def forget(self, partition: int) -> None:
        """Another shard writes this partition from now on, or did until now."""
        self.life += 1
        self.ends = {place: end for place, end in self.ends.items() if place[2] != partition}
        self.keys = {key: known for key, known in self.keys.items() if key[0][2] != partition}
        self.marks = {key: mark for key, mark in self.marks.items() if key[1][2] != partition}
        for place in [place for place in self._newest if place[2] == partition]:
            self._size -= sum(len(row.data) for row in self._newest.pop(place))
        self._order = deque(place for place in self._order if place[2] != partition)

    def durable(self, row: int) -> None:
        """All commits up to this row are durable: forgets what the store has, if it is much."""
        if max(len(self.ends), len(self.keys), len(self.marks)) > KEPT_MAX:
            self.life += 1
            self.ends = {place: end for place, end in self.ends.items() if end[1] > row}
            self.keys = {key: known for key, known in self.keys.items() if known[2] > row}
            self.marks = {key: mark for key, mark in self.marks.items() if mark[1] > row}

    def trimmed(self, trim: Trim) -> None:
        """Something of a partition is gone from the store."""
        place = trim.tenant, trim.topic, trim.partition
        self.life += 1
        for key in trim.keys:
            self.keys.pop((place, key), None)
        if trim.marks:
            self.marks = {key: mark for key, mark in self.marks.items() if key[1] != place}
        if place in self._newest:
            self._size -= sum(len(row.data) for row in self._newest.pop(place))
            self._order = deque(each for each in self._order if each != place)

    def known(self, place: Place, key: bytes) -> Known | None:
        """The record of a key, if it was appended lately."""
        found = self.keys.get((place, key))
        return None if found is None else found[:2]

    def keep(self, row: RecordRow) -> None:
        """A row that is durable."""
        place = row.tenant, row.topic, row.partition
        self._newest.setdefault(place, deque()).append(row)
        self._order.append(place)
        self._size += len(row.data)
        while self._size > NEWEST_BYTES and len(self._order) > 1:
            oldest = self._order.popleft()
            rows = self._newest[oldest]
            self._size -= len(rows.popleft().data)
            if not rows:
                del self._newest[oldest]

    def newest(self, place: Place, start: int) -> list[RecordRow] | None:
        """The rows that end after an offset, if all of them are in memory."""
        rows = self._newest.get(place)
        if rows is None or rows[0].first > start:
            return None
        return [row for row in rows if row.end > start]


class Bells:
    """Wakes those who wait for records of a topic."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], asyncio.Future[None]] = {}
        self.heard: Callable[[str, str], None] | None = None
        """Called with the tenant and the topic of records that are durable."""

    def next(self, tenant: str, topic: str) -> "asyncio.Future[None]":
        """Done as soon as records of a topic are durable; shared by all who wait."""
        found = self._waiting.get((tenant, topic))
        if found is None or found.done():
            found = self._waiting[tenant, topic] = asyncio.get_running_loop().create_future()
        return found

    def ring(self, tenant: str, topic: str) -> None:
        """Records of a topic are durable."""
        if self.heard is not None:
            self.heard(tenant, topic)
        found = self._waiting.pop((tenant, topic), None)
        if found is not None and not found.done():
            found.set_result(None)

    def ring_all(self) -> None:
        """Anything may have happened."""
        for tenant, topic in list(self._waiting):
            self.ring(tenant, topic)
