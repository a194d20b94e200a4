"""Appends of a log that wait for its next commit: those that arrive during one share the next."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from aob.core.errors import Busy, Unavailable

WAITING_MAX: Final = 10_000  # appends that may wait; further ones are refused as busy
T = TypeVar("T")


class AppendQueue(Generic[T]):
    """`write` takes some off the front, commits and answers them; it never raises. It is called while any wait."""

    def __init__(self, write: Callable[[deque[T]], Awaitable[None]]) -> None:
        self._write = write
        self._waiting: deque[T] = deque()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def check(self) -> None:
        """Whether one more may wait. Raises Unavailable once closed, Busy."""
        if self._closed:
            raise Unavailable("the log is closed", code="closing")
        if len(self._waiting) >= WAITING_MAX:
            raise Busy(f"{WAITING_MAX:,} appends are waiting", retry_after_s=0.5)

    def put(self, append: T) -> None:
        """Add one that was checked."""
        self._waiting.append(append)
        if self._task is None:
            self._task = asyncio.create_task(self._flush(), name="aob-log")

    async def close(self) -> None:
        """Finish what waits. Idempotent."""
        self._closed = True
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _flush(self) -> None:
        try:
            while self._waiting:
                await self._write(self._waiting)
        finally:
            self._task = None
