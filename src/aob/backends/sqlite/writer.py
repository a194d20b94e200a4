"""One thread that performs work in order and returns results on the calling loop, at half an executor's cost."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Final, TypeVar

T = TypeVar("T")
_END: Final = None


class Writer:
    """A thread that starts with its first work and ends with `close`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._queue: SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any] | None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    async def do(self, work: Callable[[], T]) -> T:
        """The result of work. A caller that stops waiting does not stop it."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._give(work, future)
        return await future

    def later(self, work: Callable[[], object]) -> None:
        """Perform work without a waiting caller; it must not raise."""
        self._give(work, None)

    def close(self) -> None:
        """End the thread after all its work. Idempotent."""
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
            except BaseException as raised:  # it is the caller's
                error = raised
            if future is not None:
                with suppress(RuntimeError):  # the loop has ended, and with it the caller
                    future.get_loop().call_soon_threadsafe(_tell, future, result, error)
            del given, work, future, result, error  # keeps no references while it waits


def _tell(future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
