"""Appends of a log that wait for its next commit: those that arrive during one share the next."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, Protocol, TypeVar

from aob.core.errors import Busy, Unavailable
from aob.ports.log import Appended, Record

WAITING_MAX: Final = 10_000  # appends that may wait; further ones are refused as busy


class Waiting(Protocol):
    """An append with its caller's future."""

    future: asyncio.Future[list[Appended]]


T = TypeVar("T", bound=Waiting)


class AppendQueue(Generic[T]):
    """`write` takes some off the front, commits and answers them; it never raises. It is called while any wait."""

    def __init__(self, write: Callable[[deque[T]], Awaitable[None]]) -> None:
        self._write = write
        self._waiting: deque[T] = deque()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def answer(self, records: Sequence[Record], make: Callable[[], T]) -> list[Appended]:
        """The answer of an append of records. Raises Unavailable once closed, Busy, and what its commit raises."""
        if self._closed:
            raise Unavailable("the log is closed", code="closing")
        if not records:
            return []
        if len(self._waiting) >= WAITING_MAX:
            raise Busy(f"{WAITING_MAX:,} appends are waiting", retry_after_s=0.5)
        append = make()
        self._waiting.append(append)
        if self._task is None:
            self._task = asyncio.create_task(self._flush(), name="aob-log")
        return await append.future

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
