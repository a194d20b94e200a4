"""The feeds that the readers of this process follow: one of each run, of all runs, events and alerts of a tenant and of
each number, open while it has readers. Every reader has its own position and filter."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.event import Position
from aob.core.metric_query import MetricQuery
from aob.core.policy import Caller
from aob.fanout.shared.follower import Follower, Newest, Source, items_of
from aob.fanout.shared.kept_feed import Item, KeptFeed

LINGER_S: Final = 2.0  # how long a feed stays open without readers
WATCHED_MAX: Final = 50  # numbers that one reader may follow
NEWS_KEPT: Final = 1_000  # alert changes kept for slow readers
EVERY: Final = "*"

Upstream = Callable[..., AsyncIterator[Item]]
"""`(verb, caller, fields by name)`: a streaming verb of the home."""


class Feeds:
    """All feeds of one process, until it is closed. `ask` reads one of the home."""

    def __init__(self, ask: Upstream) -> None:
        self._ask = ask
        self._open: dict[tuple[str, ...], KeptFeed] = {}
        self._followers = set[Follower]()
        self._closing = set[asyncio.Task[None]]()

    async def __aenter__(self) -> "Feeds":
        return self

    async def __aexit__(self, *exc: object) -> None:
        for feed in [*self._open.values()]:
            await feed.close()
        self._open.clear()
        await asyncio.gather(*self._closing, return_exceptions=True)

    def figures(self) -> dict[str, int]:
        """Feeds that are read, their readers, and readers that read by themselves."""
        feeds = list(self._open.values())
        alone = sum(each.alone for each in self._followers)
        return {"feeds": len(feeds), "readers": sum(feed.readers for feed in feeds), "alone": alone}

    async def follow(
        self, who: Caller, /, run_id: str | None = None, position: str | None = None,
        types: frozenset[str] | None = None, place: bool = False,
    ) -> AsyncIterator[Item]:  # fmt: skip
        """Events of a run, or of all runs, as the verb `follow` gives them."""

        def ask(at: str | None) -> AsyncIterator[Item]:
            return self._ask("follow", _of(who), run_id=run_id, position=at, types=None, place=run_id is None)

        def wants(name: str, data: JsonObject) -> bool:
            return types is None or name in types

        key = ("run", who.tenant, run_id) if run_id is not None else ("runs", who.tenant)
        wake = asyncio.Event()
        async with self._joined(key, ask, from_start=run_id is not None) as feed:
            follower = Follower(feed, wake, position, wants, stamped=True)
            async with self._following(follower):
                if place and position is None and run_id is None and follower.token is not None:
                    yield follower.token, "", {}
                async for item in items_of([follower], wake):
                    yield item

    async def stream(
        self, who: Caller, /, types: frozenset[str] | None = None, metrics: Sequence[MetricQuery] = (),
        alerts: frozenset[str] = frozenset(), subject: str = "", position: str | None = None, place: bool = False,
    ) -> AsyncIterator[Item]:  # fmt: skip
        """Events, numbers and changes of alerts, as the verb `stream` gives them."""
        wake = asyncio.Event()
        async with AsyncExitStack() as stack:
            news = [
                await self._news(stack, who, wake, ("metric", _text(query)), _any, metrics=[query])
                for query in list(metrics)[:WATCHED_MAX]
            ]
            if alerts:
                every = frozenset((EVERY,))
                news.append(await self._news(stack, who, wake, ("alerts",), _hears(alerts), alerts=every))
            if types or not news:
                follower = await self._events(stack, who, wake, types, subject, position)
                begin, token = follower.token, lambda: follower.token
                sources: list[Source] = [follower, *news]
            else:
                begin, sources, token = news[0].token, [*news], lambda: None
                if position is not None:
                    await self._fits(who, news[0], position)
            if place and position is None and begin is not None:
                yield begin, "", {}
            async for item in items_of(sources, wake, token):
                yield item

    async def _events(
        self, stack: AsyncExitStack, who: Caller, wake: asyncio.Event, types: frozenset[str] | None, subject: str,
        position: str | None,
    ) -> Follower:  # fmt: skip
        def ask(at: str | None) -> AsyncIterator[Item]:
            return self._ask("stream", _of(who), position=at, place=True)

        def wants(name: str, data: JsonObject) -> bool:
            return (not types or data["type"] in types or EVERY in types) and (
                not subject or data["subject"] == subject
            )

        feed = await stack.enter_async_context(self._joined(("events", who.tenant), ask))
        follower = Follower(feed, wake, position, wants, stamped=False)
        await stack.enter_async_context(self._following(follower))
        return follower

    async def _news(
        self, stack: AsyncExitStack, who: Caller, wake: asyncio.Event, key: tuple[str, ...],
        wants: Callable[[str, JsonObject], bool], **asked: Any,
    ) -> Newest:  # fmt: skip
        def ask(at: str | None) -> AsyncIterator[Item]:
            return self._ask("stream", _of(who), position=at, place=True, **asked)

        last = "metrics" in asked
        opened = self._joined((key[0], who.tenant, *key[1:]), ask, items_max=1 if last else NEWS_KEPT)
        newest = Newest(await stack.enter_async_context(opened), wake, wants, last=last)
        stack.push_async_callback(newest.close)
        await newest.begin()
        return newest

    async def _fits(self, who: Caller, source: Newest, position: str) -> None:
        """Raises the home's error for a position that is none of its events."""
        if not source.fits(Position.parse(position)):
            feed: Any = self._ask("stream", _of(who), alerts=frozenset((EVERY,)), position=position, place=True)
            try:
                await anext(feed, None)
            finally:
                await feed.aclose()

    @asynccontextmanager
    async def _following(self, follower: Follower) -> AsyncIterator[None]:
        self._followers.add(follower)
        try:
            await follower.begin()
            yield
        finally:
            self._followers.discard(follower)
            await follower.close()

    @asynccontextmanager
    async def _joined(
        self, key: tuple[str, ...], ask: Callable[[str | None], AsyncIterator[Item]], **kind: Any
    ) -> AsyncIterator[KeptFeed]:  # fmt: skip
        feed = self._open.get(key)
        if feed is None or feed.error is not None or (feed.over and not feed.from_start):
            feed = self._open[key] = KeptFeed(ask, **kind)
            feed.open()
        feed.readers += 1
        try:
            yield feed
        finally:
            feed.readers -= 1
            if not feed.readers:
                asyncio.get_running_loop().call_later(LINGER_S, self._leave, key, feed)

    def _leave(self, key: tuple[str, ...], feed: KeptFeed) -> None:
        if feed.readers:
            return
        if self._open.get(key) is feed:
            del self._open[key]
        task = asyncio.create_task(feed.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _of(who: Caller) -> Caller:
    """Whoever reads what all readers of a tenant have in common."""
    return Caller(who.tenant, "fanout", frozenset(("view",)))


def _any(name: str, data: JsonObject) -> bool:
    return True


def _hears(alerts: frozenset[str]) -> Callable[[str, JsonObject], bool]:
    return lambda name, data: EVERY in alerts or data["alert"] in alerts


def _text(query: MetricQuery) -> str:
    return msgspec.json.encode(query, order="deterministic").decode()
