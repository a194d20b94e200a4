"""A reader's place in a feed. It takes items from the feed's memory; one that is behind what is kept there reads the
source by itself, at its own pace, until it has come up. No item is missed or told twice on the way."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any, Final, Protocol

from aob.core.answers import JsonObject
from aob.core.event import Position
from aob.fanout.shared.kept_feed import Item, Kept, KeptFeed, Rows, covers, steadily

AHEAD: Final = 64  # items that a reader by itself is given ahead
PASSED_MAX: Final = 500  # items that a reader does not want, after which it is told its place
ROUND: Final = 100  # items of one feed before the others of the same reader have a turn

Wants = Callable[[str, JsonObject], bool]


class Source(Protocol):
    """What a reader takes items of."""

    over: bool

    def take(self) -> Item | None:
        """The next item, None when there is none now. Raises the feed's error."""

    async def close(self) -> None:
        """Leave. Idempotent."""


class Follower:
    """A `Source` that can go on after a position. `stamped` items carry their position in their data."""

    def __init__(
        self, feed: KeptFeed, wake: asyncio.Event, position: str | None, wants: Wants, *, stamped: bool
    ) -> None:
        self._feed, self._wake, self._wants, self._stamped = feed, wake, wants, stamped
        self.token, self._generation = position, -1
        self._rows: Rows = ()
        self._number = 0
        self._exact = False  # whether the place is one of the feed's own, else what is told already is passed over
        self._alone: _Alone | None = None
        self._taken = self._passed = 0
        self.over = False
        feed.wakes.add(wake)

    @property
    def alone(self) -> bool:
        """Whether it reads the source by itself."""
        return self._alone is not None

    async def begin(self) -> None:
        """Find its place. Raises the error of a feed that cannot be read."""
        if self.token is not None:
            self._read_token(self.token)
        await self._feed.known()
        self._join()

    def take(self) -> Item | None:
        """As a `Source`."""
        while True:
            item = self._kept() if self._alone is None else self._own(self._alone)
            if item is None or not item[1] or self._wants(item[1], item[2]):
                self._passed = 0
                return item
            self._passed += 1
            if self._passed >= PASSED_MAX:
                self._passed = 0
                return item[0], "", {}

    async def close(self) -> None:
        """As a `Source`."""
        self._feed.wakes.discard(self._wake)
        if self._alone is not None:
            await self._alone.close()

    # -- from memory ------------------------------------------------------------------------------------------------

    def _join(self) -> None:
        """Go to the place in what is kept, or alone where it is not there."""
        feed = self._feed
        if feed.floor is None or feed.error is not None or (self.token is None and not feed.from_start):
            self._number, self._exact, self.token = feed.end, True, self.token or feed.token
        elif (self.token is None or feed.generation == self._generation) and covers(self._rows, feed.floor):
            self._number, self._exact = feed.first, False
        else:
            self._leave()

    def _kept(self) -> Item | None:
        feed = self._feed
        while self._number < feed.end:
            if self._number < feed.first:
                if self._exact and self.token is not None:
                    self._read_token(self.token)
                self._leave()
                return None
            kept = feed.get(self._number)
            self._number += 1
            if self._exact:
                self.token = kept.item[0]
                return kept.item
            at = [self._reads(shard) for shard in kept.moved]
            told = [kept.rows[shard] <= place for shard, place in zip(kept.moved, at, strict=True)]
            if all(told):
                self._exact = covers(kept.rows, self._rows)
            elif any(told):  # one that left a shard in between: the source knows the order
                self._leave()
                return None
            else:
                return self._restamped(kept)
        if feed.error is not None:
            raise feed.error
        self.over = feed.over
        return None

    def _reads(self, shard: int) -> tuple[int, int]:
        return self._rows[shard] if shard < len(self._rows) else Position.BEGIN

    def _restamped(self, kept: Kept) -> Item:
        """An item with the reader's own position: in other shards it may have read further than the feed."""
        rows = list(self._rows) + [Position.BEGIN] * (len(kept.rows) - len(self._rows))
        for shard in kept.moved:
            rows[shard] = kept.rows[shard]
        self._rows = tuple(rows)
        token, name, data = kept.item
        if covers(kept.rows, self._rows):
            self._exact, self.token = True, token
            return kept.item
        self.token = Position.joined(rows, token)
        return self.token, name, {**data, "position": self.token} if self._stamped else data

    # -- alone ------------------------------------------------------------------------------------------------------

    def _leave(self) -> None:
        self._taken = 0
        begun = self.token is not None and self._feed.generation == self._generation
        self._alone = _Alone(steadily(self._feed.ask, self.token, begun=begun), self._wake)

    def _own(self, alone: "_Alone") -> Item | None:
        item = alone.take()
        if item is None:
            if alone.error is not None:
                raise alone.error
            self.over = alone.over
            if self._taken:  # it has all there is, maybe for long: the mark came while it was behind
                self._come_up(alone)
            return self._kept() if self._alone is None else None
        self._read_token(item[0])
        self._taken += 1
        # Looking costs a walk over what is kept: seldom while much is read.
        if not item[1] or self._taken & (self._taken - 1) == 0 or self._taken % AHEAD == 0:
            self._come_up(alone)
        return item

    def _come_up(self, alone: "_Alone") -> None:
        feed = self._feed
        if feed.over or feed.floor is None or feed.generation != self._generation:
            return
        if not covers(self._rows, feed.middle):
            return
        alone.end()
        self._alone = None
        self._number, self._exact = feed.first, False

    def _read_token(self, token: str) -> None:
        position = Position.parse(token)
        self.token, self._rows, self._generation = token, position.rows, position.generation


class Newest:
    """A `Source` of what comes from now on. Of what it cannot keep up with the oldest is left out; with `last` it
    begins with the newest item there is."""

    def __init__(self, feed: KeptFeed, wake: asyncio.Event, wants: Wants, *, last: bool) -> None:
        self._feed, self._wake, self._wants, self._last = feed, wake, wants, last
        self._number = 0
        self.over = False
        feed.wakes.add(wake)

    async def begin(self) -> None:
        """Find its place. Raises the error of a feed that cannot be read."""
        await self._feed.known()
        self._number = self._feed.end - self._last

    @property
    def token(self) -> str | None:
        """Where the feed is."""
        return self._feed.token

    def fits(self, position: Position) -> bool:
        """Whether a position is one of this feed."""
        return self._feed.fits(position)

    def take(self) -> Item | None:
        """As a `Source`."""
        feed = self._feed
        self._number = max(self._number, feed.first)
        while self._number < feed.end:
            item = feed.get(self._number).item
            self._number += 1
            if self._wants(item[1], item[2]):
                return item
        if feed.error is not None:
            raise feed.error
        self.over = feed.over
        return None

    async def close(self) -> None:
        """As a `Source`."""
        self._feed.wakes.discard(self._wake)


async def items_of(
    sources: Sequence[Source], wake: asyncio.Event, token: Callable[[], str | None] = lambda: None
) -> AsyncIterator[Item]:
    """Items of several sources in turn, until all are over; `token`, where there is one, is the position of all."""
    while True:
        wake.clear()
        more = False
        for source in sources:
            left = ROUND
            while left and (item := source.take()) is not None:
                left -= 1
                yield token() or item[0], item[1], item[2]
            more = more or not left
        if all(source.over for source in sources):
            return
        if not more:
            await wake.wait()


class _Alone:
    """Reads the source for one reader, some items ahead of it."""

    def __init__(self, items: Any, wake: asyncio.Event) -> None:
        self._wake = wake
        self._items: deque[Item] = deque()
        self._room = asyncio.Event()
        self.over = False
        self.error: Exception | None = None
        self._task = asyncio.create_task(self._read(items), name="aob-feed-alone")

    def take(self) -> Item | None:
        """The next item."""
        if not self._items:
            return None
        self._room.set()
        return self._items.popleft()

    def end(self) -> None:
        """Read no further."""
        self._task.cancel()

    async def close(self) -> None:
        """End, and wait for it."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self, items: Any) -> None:
        try:
            async with aclosing(items):
                async for item in items:
                    self._items.append(item)
                    self._wake.set()
                    while len(self._items) >= AHEAD:
                        self._room.clear()
                        await self._room.wait()
            self.over = True
        except Exception as error:
            self.error = error
        finally:
            self._wake.set()
