"""One shard that this process has a lease of, from its opening until another may take it. Of shard 0 it is all that the
main process of a home has: the gate, the numbers, the verbs over all shards."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, Final

from aob.compose.app import App
from aob.compose.cluster import Guard
from aob.compose.coordinator.routed import Main
from aob.compose.loop import end_tasks
from aob.compose.network import not_owner
from aob.compose.network.remote import REPEATABLE, gone
from aob.compose.shards.local import LocalShard
from aob.core.errors import Unavailable
from aob.core.policy import Caller

LONG: Final = frozenset(("wait",))
"""Verbs that may take as long as their caller likes."""
CLOSING: Final = "closing"  # a command that no journal takes any more
_GONE: Final = frozenset(("stale_epoch", "journal_stopped"))


class Part(LocalShard):
    """An open shard: `aob.compose.cluster.Part`. It answers this process and others, as long as this process may act
    for it. `main` are the verbs of the main process, and `routes` what is there once shard 0 is open here."""

    owned = True

    def __init__(
        self, number: int, running: App, guard: Guard, main: Mapping[str, Callable[..., Any]] = {},
        routes: Main | None = None,
    ) -> None:  # fmt: skip
        super().__init__(number, running)
        self._guard, self._main, self.routes = guard, main, routes
        self._closed = asyncio.Event()

    @property
    def acts(self) -> bool:
        """Whether it may answer now."""
        return not self._closed.is_set() and self._guard.tenure.acts

    @property
    def fenced(self) -> bool:
        """Whether another process took it, or its journal stopped."""
        broken = self.running.views.core.journal.broken
        return broken is not None and broken.code in _GONE

    def refusing(self, shard: int) -> Unavailable:
        """What it answers while it does not act: it is given up, or its lease is over and nobody took it."""
        return not_owner(shard, lapsed=not (self._closed.is_set() or self.fenced))

    def close(self) -> None:
        """It answers nothing more."""
        self._closed.set()

    async def call(self, verb: str, who: Caller | None, *args: Any, **named: Any) -> Any:
        """Perform a verb. Raises Unavailable `not_owner` when nothing has happened here, `shard_lost` when it may have
        happened."""
        if not self.acts:
            raise self.refusing(self.number)
        work = self._performed(verb, who, *args, **named)
        answer = await (self._while_open(work) if verb in LONG else work)
        if not self._guard.tenure.acts:
            raise gone(self.number, verb)
        return answer

    async def _performed(self, verb: str, who: Caller | None, *args: Any, **named: Any) -> Any:
        try:
            if verb in self._main:
                return await self._main[verb](who, *args, **named)
            return await super().call(verb, who, *args, **named)
        except Exception as error:
            untaken = isinstance(error, Unavailable) and error.code == CLOSING
            if untaken or (verb in REPEATABLE and self._closed.is_set()):
                raise not_owner(self.number) from error  # no journal has it; or it read what is being closed
            raise

    async def _while_open(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The answer; Unavailable `not_owner` as soon as the shard is given up: the next owner is asked the same."""
        closed, task = asyncio.ensure_future(self._closed.wait()), asyncio.ensure_future(work)
        try:
            await asyncio.wait({task, closed}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise not_owner(self.number)
            return task.result()
        finally:
            await end_tasks(closed, task)

    async def stream(self, verb: str, who: Caller, *args: Any, **named: Any) -> AsyncIterator[Any]:
        """Items of a streaming verb. Raises Unavailable `not_owner` as soon as it is given up."""
        feed: Any = super().stream(verb, who, *args, **named)
        closed, item = asyncio.ensure_future(self._closed.wait()), None
        try:
            while self.acts:
                item = asyncio.ensure_future(_next(feed))
                await asyncio.wait({item, closed}, return_when=asyncio.FIRST_COMPLETED)
                if not (item.done() and self.acts):
                    break
                if (found := item.result()) is None:
                    return
                yield found
            raise self.refusing(self.number)
        finally:
            await end_tasks(closed, item)
            await feed.aclose()


async def _next(feed: AsyncIterator[Any]) -> Any:
    return await anext(feed, None)
