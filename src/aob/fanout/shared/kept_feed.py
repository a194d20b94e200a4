"""One feed of a source, read once: its newest items are kept by number for any number of readers. It waits for no
reader, and asks its source again, after its last item, when that goes away."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, Final, cast

import msgspec

from aob.core.answers import JsonObject
from aob.core.errors import AobError, OurError, Unavailable
from aob.core.event import Position
from aob.ports.logger import Logger

ITEMS_KEPT: Final = 4_000
BYTES_KEPT: Final = 8 * 1024 * 1024
AGAIN_S: Final = 0.2  # pause before a source that went away is asked again

Item = tuple[str, str, JsonObject]
"""A position, the name of an item (none: only a place), its data."""
Ask = Callable[[str | None], AsyncIterator[Item]]
"""Asks the source for items after a position; without one from now on, or from the start of a run."""
Rows = tuple[tuple[int, int], ...]
"""The place in each shard up to which a feed is read."""

log: Final = Logger("aob.fanout")
_encode = msgspec.json.Encoder().encode


class Kept(msgspec.Struct, gc=False):
    """An item, where the feed is after it, and the shards whose place it moved."""

    item: Item
    rows: Rows
    moved: tuple[int, ...]
    size: int


class KeptFeed:
    """Read while it is open: from now on, or `from_start`. `floor` is the place after which all items are kept, None
    until the source says where the feed begins; `()` is the start."""

    def __init__(self, ask: Ask, *, from_start: bool = False, items_max: int = ITEMS_KEPT) -> None:
        self._ask, self._items_max, self.from_start = ask, items_max, from_start
        self._items: deque[Kept] = deque()
        self._bytes = 0
        self._rows: Rows = ()
        self.floor: Rows | None = () if from_start else None
        self.generation: int | None = None
        self.first = 0  # the number of the oldest item kept
        self.token: str | None = None
        self.over = False
        self.error: AobError | None = None
        self.wakes = set[asyncio.Event]()
        self.readers = 0
        self._known = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def end(self) -> int:
        """The number of the next item."""
        return self.first + len(self._items)

    @property
    def middle(self) -> Rows:
        """The place from which on a reader is not behind again at once."""
        half = len(self._items) - self._items_max // 2
        return self._items[half].rows if half > 0 else self.floor or ()

    def open(self) -> None:
        """Begin to read. Idempotent."""
        if self._task is None:
            self._task = asyncio.create_task(self._read(), name="aob-feed")

    async def close(self) -> None:
        """Stop reading. Idempotent."""
        self.over = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def known(self) -> None:
        """Wait until it is known where the feed begins, or that it cannot be read."""
        await self._known.wait()

    def fits(self, position: Position) -> bool:
        """Whether a position is of this feed, as far as is known."""
        return self.generation == position.generation and len(self._rows) == len(position.rows)

    def get(self, number: int) -> Kept:
        """An item that is kept."""
        return self._items[number - self.first]

    def ask(self, position: str | None) -> AsyncIterator[Item]:
        """The same feed, for one reader by itself."""
        return self._ask(position)

    async def _read(self) -> None:
        try:
            async with aclosing(steadily(self._ask, None, begun=False)) as items:
                async for item in items:
                    self._add(item)
        except AobError as error:
            self.error = error
        except Exception:
            log.exception("feed_broke")
            self.error = OurError("something broke on our side", hint="the log of this process has the trace")
        finally:
            self.over = True
            self._known.set()
            self._wake()

    def _add(self, item: Item) -> None:
        token, name, data = item
        position = Position.parse(token)
        before, self._rows = self._rows, position.rows
        self.token, self.generation = token, position.generation
        if self.floor is None:
            self.floor = before if name else position.rows
        self._known.set()
        if not name:
            return
        kept = Kept(item, position.rows, moved(before, position.rows), len(_encode(data)))
        self._items.append(kept)
        self._bytes += kept.size
        while len(self._items) > self._items_max or (self._bytes > BYTES_KEPT and len(self._items) > 1):
            gone = self._items.popleft()
            self._bytes -= gone.size
            self.floor, self.first = gone.rows, self.first + 1
        self._wake()

    def _wake(self) -> None:
        for wake in self.wakes:
            wake.set()


async def steadily(ask: Ask, position: str | None, *, begun: bool) -> AsyncGenerator[Item, None]:
    """Items after a position, asked for again after the last one each time the source goes away. Before the first item
    this is an error, unless the reader has `begun`."""
    while True:
        try:
            # What a source gives is a generator, which must end with its reader.
            async with aclosing(cast("AsyncGenerator[Item, None]", ask(position))) as items:
                async for item in items:
                    begun, position = True, item[0]
                    yield item
            return
        except Unavailable as error:
            if not begun:
                raise
            log.info("feed_interrupted", code=error.code)
        await asyncio.sleep(AGAIN_S)


def moved(before: Rows, after: Rows) -> tuple[int, ...]:
    """The shards whose place differs."""
    begin: Any = Position.BEGIN
    return tuple(at for at, place in enumerate(after) if place != (before[at] if at < len(before) else begin))


def covers(rows: Rows, others: Rows) -> bool:
    """Whether a reader at `rows` has all that one at `others` has."""
    return all(place <= (rows[at] if at < len(rows) else Position.BEGIN) for at, place in enumerate(others))
