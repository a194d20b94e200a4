"""The feed of one run in, the events that somebody waits for out. Goes on where it was after the platform came back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from aob.core.errors import Unavailable

WAIT_S_MAX: Final = 60.0


class Seen(NamedTuple):
    """One event of a run: its place in the feed, its type, its fields."""

    position: str
    type: str
    data: dict[str, Any]


Follow = Callable[[str | None], AsyncIterator[tuple[str, str, dict[str, Any]]]]
"""Opens the feed after a position, or from the beginning."""


class Watch:
    """Follows one run while entered. `tell` is called with every event, once."""

    def __init__(self, follow: Follow, tell: Callable[[Seen], None], lost: tuple[type[Exception], ...]) -> None:
        self._follow, self._tell, self._lost = follow, tell, lost
        self._seen: list[Seen] = []
        self._news = asyncio.Condition()
        self._up = asyncio.Event()
        self._up.set()
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

    def down(self) -> None:
        """The platform is about to be gone: do not try again before `up`."""
        self._up.clear()

    def up(self) -> None:
        """The platform is there again: go on after the last event that was seen."""
        self._up.set()

    async def until(self, wanted: Callable[[Seen], bool], since: int = 0) -> Seen:
        """The first event from number `since` on that is wanted. Raises Unavailable after a minute without it."""
        try:
            async with asyncio.timeout(WAIT_S_MAX), self._news:
                while True:
                    for seen in self._seen[since:]:
                        if wanted(seen):
                            return seen
                    since = len(self._seen)
                    await self._news.wait()
        except TimeoutError as error:
            last = ", ".join(seen.type for seen in self._seen[-5:])
            raise Unavailable(f"the demo waited a minute for an event that did not come (last: {last})") from error

    async def _read(self) -> None:
        last: str | None = None
        while True:
            await self._up.wait()
            try:
                async for position, type_, data in self._follow(last):
                    last = position or last
                    await self._note(Seen(position, type_, data))
                return
            except self._lost:
                await asyncio.sleep(0.05)

    async def _note(self, seen: Seen) -> None:
        async with self._news:
            self._seen.append(seen)
            self._tell(seen)
            self._news.notify_all()
