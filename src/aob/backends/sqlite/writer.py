"""One thread that does what it is given, in order: work in, its result out, on the loop that asked.

An executor would do; half of what handing over costs is spared by telling the loop's own future directly.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Final, TypeVar

T = TypeVar("T")
_END: Final = None


class Writer:
    """A thread that begins with its first work and ends with `close`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._queue: SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any] | None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    async def do(self, work: Callable[[], T]) -> T:
        """The result of work. Whoever stops waiting does not stop it."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._give(work, future)
        return await future

    def later(self, work: Callable[[], object]) -> None:
        """Work that nobody waits for; it must not raise."""
        self._give(work, None)

    def close(self) -> None:
        """The thread ends when all it was given is done. Twice is fine."""
        if self._thread is not None:
            self._queue.put(_END)

    def _give(self, work: Callable[[], Any], future: asyncio.Future[Any] | None) -> None:
        self._queue.put((work, future))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while (given := self._queue.get()) is not _END:
            work, future = given
            result, error = None, None
            try:
                result = work()
            except BaseException as raised:  # it belongs to whoever asked
                error = raised
            if future is not None:
                with suppress(RuntimeError):  # the loop has ended, and with it who asked
                    future.get_loop().call_soon_threadsafe(_tell, future, result, error)
            del given, work, future, result, error  # nothing is kept alive while it waits


def _tell(future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
