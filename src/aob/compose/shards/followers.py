"""What the main process follows of the journals of owners, by position, for as long as the home lives.

A follower asks from its own mark on, and asks again when an owner has come back. One that breaks stops no other.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec

from aob.compose.metrics import Wiring
from aob.compose.shards.channel import DOWN, LOST
from aob.compose.shards.local import Shard
from aob.core.errors import AobError, Unavailable
from aob.core.policy import Caller
from aob.metrics.platform import Stretch
from aob.work.log import Structlog

NOBODY: Final = Caller("aob", "aob", frozenset())
"""What the processes of a home tell one another is asked for by no caller."""
AGAIN_S: Final = 1.0
"""Pause after a follower broke."""

log: Final = Structlog("aob.compose")


class Followers:
    """Enter it once the owners are there; leave it before they go."""

    def __init__(self, shards: Sequence[Shard], wiring: Wiring) -> None:
        self._shards, self._wiring = shards, wiring
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Followers":
        self._tasks = [
            asyncio.create_task(_for_ever(shard, follow), name=f"aob-follow-{shard.number}")
            for shard in self._shards for follow in (self._numbers,)
        ]  # fmt: skip
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _numbers(self, shard: Shard) -> None:
        platform = self._wiring.platform
        after, runs = platform.place(shard.number)
        async for told in _items(shard, "numbers", after=after, runs=runs):
            platform.take(shard.number, msgspec.convert(told, Stretch))


async def _items(shard: Shard, verb: str, **place: Any) -> AsyncIterator[Any]:
    feed = shard.stream(verb, NOBODY, **place)
    try:
        async for item in feed:
            yield item
    finally:
        close = getattr(feed, "aclose", None)
        if close is not None:
            await close()


async def _for_ever(shard: Shard, follow: Callable[[Shard], Awaitable[None]]) -> None:
    while True:
        await shard.ready()
        try:
            await follow(shard)
        except Exception as error:
            if not isinstance(error, Unavailable) or error.code not in (LOST, DOWN):
                known = error.code if isinstance(error, AobError) else ""
                log.error("follower_broke", shard=shard.number, code=known, exc_info=error)
                await asyncio.sleep(AGAIN_S)
