"""Readers: bounded, in order, with heartbeats in silence, and told when it is over."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from aob.core.errors import Busy, Unavailable
from aob.fanout import HEARTBEAT, Limits, Reader, Readers


class Feed:
    """A feed of numbered frames that tells how many it was asked for."""

    def __init__(self, count: int, *, error: Exception | None = None, endless: bool = False) -> None:
        self.asked, self.closed = 0, asyncio.Event()
        self._count, self._error, self._endless = count, error, endless

    async def frames(self) -> AsyncIterator[bytes]:
        try:
            for n in range(self._count):
                self.asked += 1
                yield b"%09d\n" % n
            if self._error:
                raise self._error
            if self._endless:
                await asyncio.Event().wait()
        finally:
            self.closed.set()


async def everything(reader: Reader) -> bytes:
    blocks = []
    while (block := await reader.take()) is not None:
        blocks.append(block)
    return b"".join(blocks)


async def test_all_frames_arrive_in_order_in_few_blocks() -> None:
    feed = Feed(1_000)
    async with Reader(feed.frames()) as reader:
        data = await everything(reader)
    assert data == b"".join(b"%09d\n" % n for n in range(1_000))


async def test_a_reader_that_takes_nothing_stops_the_feed() -> None:
    feed = Feed(1_000_000)
    async with Reader(feed.frames(), Limits(buffer_bytes_max=100)) as reader:
        first = await reader.take()
        assert first is not None
        assert feed.asked == 10
        second = await reader.take()
        assert second == b"".join(b"%09d\n" % n for n in range(10, 20))
    assert feed.closed.is_set()


async def test_silence_gives_heartbeats() -> None:
    async with Reader(Feed(0, endless=True).frames(), Limits(heartbeat_s=0.001)) as reader:
        assert await reader.take() == HEARTBEAT
        assert await reader.take() == HEARTBEAT


async def test_an_error_of_the_feed_comes_after_its_frames() -> None:
    async with Reader(Feed(2, error=Unavailable("disk")).frames()) as reader:
        assert await reader.take() == b"000000000\n000000001\n"
        with pytest.raises(Unavailable):
            await reader.take()
        assert await reader.take() is None


async def test_a_server_that_stops_ends_its_readers_and_admits_no_more() -> None:
    readers = Readers(Limits(heartbeat_s=60))
    reader = readers.admit(Feed(0, endless=True).frames())
    async with reader:
        readers.stop()
        assert await reader.take() is None
    readers.leave(reader)
    with pytest.raises(Busy):
        readers.admit(Feed(0).frames())


async def test_readers_are_counted_and_refused_over_the_limit() -> None:
    readers = Readers(Limits(readers_max=1))
    first = readers.admit(Feed(0).frames())
    with pytest.raises(Busy) as caught:
        readers.admit(Feed(0).frames())
    assert caught.value.code == "readers_full"
    readers.leave(first)
    readers.leave(first)
    assert readers.admit(Feed(0).frames()) is not first


async def test_a_tenant_that_holds_all_places_makes_room_for_another() -> None:
    readers = Readers(Limits(readers_max=3, heartbeat_s=60))
    mine = [readers.admit(Feed(0, endless=True).frames(), f"key {n}", "a") for n in range(3)]
    async with mine[0], mine[1], mine[2]:
        with pytest.raises(Busy):
            readers.admit(Feed(0).frames(), "another key", "a")
        other = readers.admit(Feed(0).frames(), "key", "b")
        (ended,) = [each for each in mine if each not in readers._open]
        assert await ended.take() is None
        assert not ended.finished, "it was ended, and comes back"
        with pytest.raises(Busy):
            readers.admit(Feed(0).frames(), "key 2", "b")
        readers.leave(ended)
        readers.leave(other)
        assert len(readers) == 2
        assert other is not readers.admit(Feed(0).frames(), "key 2", "b")
