"""A source of feeds for tests: shards with numbered events, told in any order between shards, that can go away."""

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Any

from aob.core.errors import Conflict, NotFound, Unavailable
from aob.core.event import Position
from aob.core.policy import Caller

WHO = Caller("acme", "ann", frozenset({"view"}), "key_1")


class Home:
    """What a home gives of its feeds. `dice` orders the events of different shards anew for each reader."""

    def __init__(self, shards: int = 3, seed: int = 1) -> None:
        self.dice = Random(seed)
        self.events: list[list[dict[str, Any]]] = [[] for _ in range(shards)]
        self.asked: list[dict[str, Any]] = []
        self.open = 0
        self.away = False
        self.life = 1
        self.numbers: dict[str, int] = {}
        self.left = asyncio.Event()
        self._wakes = set[asyncio.Event]()

    def write(self, shard: int, name: str = "tick", **data: Any) -> None:
        """Commit an event."""
        count = sum(map(len, self.events))
        self.events[shard].append({"n": count, "name": name, **data})
        self._wake()

    def number(self, metric: str, value: int) -> None:
        """A number has moved."""
        self.numbers[metric] = value
        self._wake()

    def goes(self, away: bool = True) -> None:
        """Go away, or come back."""
        self.away = away
        self._wake()

    def _wake(self) -> None:
        for wake in self._wakes:
            wake.set()

    def token(self, at: list[int]) -> str:
        return Position(self.life, tuple((row, 1) if row else Position.BEGIN for row in at)).token()

    def now(self) -> str:
        return self.token([len(events) for events in self.events])

    def places(self, token: str) -> list[int]:
        position = Position.parse(token)
        if position.generation != self.life:
            raise Conflict("this position is of another life", code="position_expired")
        return [row for row, _ in position.rows]

    def ask(self, verb: str, who: Caller, **asked: Any) -> AsyncIterator[Any]:
        """A streaming verb."""
        self.asked.append({"verb": verb, **asked})
        return self._read(verb, asked)

    async def _read(self, verb: str, asked: dict[str, Any]) -> AsyncIterator[Any]:
        self.open += 1
        wake = asyncio.Event()
        self._wakes.add(wake)
        try:
            self._up()
            if asked.get("run_id") == "run_none":
                raise NotFound("there is no run")
            whole = asked.get("run_id") is not None
            position = asked.get("position")
            if asked.get("metrics"):
                async for item in self._told(asked["metrics"][0].metric, wake):
                    yield item
                return
            at = self.places(position) if position else [0 if whole else len(events) for events in self.events]
            if position is None and not whole:
                yield self.token(at), "", {}
            end, marked = [len(events) for events in self.events], position is None or whole
            while True:
                wake.clear()
                left = [shard for shard, events in enumerate(self.events) if len(events) > at[shard]]
                if not marked and all(row >= last for row, last in zip(at, end, strict=True)):
                    marked = True
                    yield self.token(at), "", {}
                elif not left:
                    self._up()
                    await wake.wait()
                    self._up()
                else:
                    self._up()
                    shard = self.dice.choice(left)
                    data = self.events[shard][at[shard]]
                    at[shard] += 1
                    token = self.token(at)
                    yield token, data["name"], {**data, "shard": shard, "position": token}
                    if data["name"] == "end" and whole:
                        return
        finally:
            self._wakes.discard(wake)
            self.open -= 1
            if not self.open:
                self.left.set()

    async def _told(self, metric: str, wake: asyncio.Event) -> AsyncIterator[Any]:
        yield self.now(), "", {}
        told = None
        while True:
            wake.clear()
            self._up()
            if self.numbers.get(metric) != told:
                told = self.numbers[metric]
                yield self.now(), "metric", {"metric": metric, "value": told}
            else:
                await wake.wait()

    def _up(self) -> None:
        if self.away:
            raise Unavailable("the process ended", code="shard_lost")


async def turns(count: int = 10) -> None:
    """Let everything that can go on do so."""
    for _ in range(count):
        await asyncio.sleep(0)


class Seen:
    """What one reader is told."""

    def __init__(self, feed: AsyncIterator[Any], held: bool = False) -> None:
        self._feed: Any = feed
        self.items: list[Any] = []
        self.token: str | None = None
        self.error: Exception | None = None
        self.over = False
        self.free = asyncio.Event()
        self.changed = asyncio.Event()
        if not held:
            self.free.set()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for token, name, data in self._feed:
                self.token = token
                if name:
                    self.items.append((name, data))
                self.changed.set()
                await self.free.wait()
            self.over = True
        except Exception as error:
            self.error = error
        finally:
            await self._feed.aclose()
            self.changed.set()

    async def has(self, count: int) -> None:
        """Wait for so many items, the error or the end."""
        async with asyncio.timeout(20):
            while len(self.items) < count and self.error is None and not self.over:
                self.changed.clear()
                await self.changed.wait()

    async def began(self) -> None:
        """Wait until it has a place."""
        async with asyncio.timeout(20):
            while self.token is None and self.error is None:
                self.changed.clear()
                await self.changed.wait()

    async def leave(self) -> None:
        """Hang up."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def by_shard(self) -> dict[int, list[int]]:
        """The numbers of the events, by shard."""
        told: dict[int, list[int]] = {}
        for _, data in self.items:
            told.setdefault(data["shard"], []).append(data["n"])
        return told
