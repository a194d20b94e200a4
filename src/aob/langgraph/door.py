"""Where a saver's threads are: a loop, and what performs commands there. Its callers may be in any thread or loop."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from aob.core.errors import Conflict
from aob.journal.entries import THREAD
from aob.threads import ThreadCommand

T = TypeVar("T")


class Door(Protocol):
    """The threads of one tenant of a home or file."""

    async def ask(self, thread: str, command: ThreadCommand) -> Any:
        """Perform a command about a thread; see its struct for the answer."""

    async def names(self, kind: str = THREAD) -> list[str]:
        """The names of all threads, or memories."""
        ...


class Calls:
    """Runs coroutines on the loop of a door."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    async def here(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of work, awaited in any loop."""
        if asyncio.get_running_loop() is self._loop:
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of work, for a caller that is not in the loop of the door. Raises Conflict `sync_in_loop` for one
        that is: it would wait for itself."""
        try:
            inside = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            inside = False
        if inside or not self._loop.is_running():
            work.close()
            why = "this blocks the loop that it waits for" if inside else "the home of this saver is closed"
            raise Conflict(why, code="sync_in_loop" if inside else "closing",
                           hint="use the async method, or call this in a thread")  # fmt: skip
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
