"""The feed of one run in, the events that somebody waits for out. The feed itself goes on after a kill."""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Final, Self

from aob.client import Event
from aob.core.errors import Unavailable

WAIT_S_MAX: Final = 60.0


class Watch:
    """Follows one run while entered. `tell` is called with every event, once."""

    def __init__(self, events: AsyncIterator[Event], tell: Callable[[Event], None], wait_s: float = WAIT_S_MAX) -> None:
        self._events, self._tell, self._wait_s = events, tell, wait_s
        self._seen: list[Event] = []
        self._waiters: set[asyncio.Future[None]] = set()
        self._over = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def until(self, wanted: Callable[[Event], bool], *, patient: bool = False) -> Event:
        """The first event that is wanted; `patient` waits for a person. Raises Unavailable when none came in time, or
        what broke the feed."""
        looked = 0
        try:
            async with asyncio.timeout(None if patient else self._wait_s):
                while True:
                    for seen in self._seen[looked:]:
                        if wanted(seen):
                            return seen
                    looked = len(self._seen)
                    await self._more()
        except TimeoutError as error:
            raise Unavailable(f"no such event within {self._wait_s:g} s ({self._last()})") from error

    async def _more(self) -> None:
        if self._over and self._task:
            await self._task  # raises what broke the feed
            raise Unavailable(f"the feed ended without the event that the demo waits for ({self._last()})")
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    def _last(self) -> str:
        return "last: " + (", ".join(seen.name for seen in self._seen[-5:]) or "none")

    async def _read(self) -> None:
        try:
            async for event in self._events:
                self._seen.append(event)
                self._tell(event)
                self._wake()
        finally:
            self._over = True
            self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
