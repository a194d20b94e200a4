"""An event loop with virtual time: when nothing is ready, time jumps to the next timer.

No sockets, no threads; the same program gives the same order of wake-ups. Raises StuckError when a task waits for
nothing that will ever happen.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Final, TypeVar

from aob.journal import deciding
from aob.work.pool import crew

T = TypeVar("T")
STEP_S: Final = 1e-6
"""The time of one loop turn: without it, time would never pass in a loop that only yields."""


class StuckError(RuntimeError):
    """A task waits, and no timer and no callback is left that could wake it."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Selects nothing: it is its own selector, and waiting advances its clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self._selector = self
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self.now_s

    def select(self, timeout: float | None) -> list[Any]:
        """Advance time to the next timer."""
        if timeout is None:
            raise StuckError("everybody waits and nothing will happen")
        self.now_s += max(timeout, STEP_S)
        return []

    def _process_events(self, events: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """No calls from other threads."""

    def run_in_executor(  # type: ignore[override]  # the same, for any function
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        """Runs work for a thread here and now: it takes no virtual time, and its order is always the same."""
        done: asyncio.Future[Any] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done


@contextmanager
def replaced(*places: tuple[object, str, object]) -> Iterator[None]:
    """Replaces names of modules and classes while this is entered."""
    kept = [getattr(module, name) for module, name, _ in places]
    for module, name, value in places:
        setattr(module, name, value)
    try:
        yield
    finally:
        for (module, name, _), value in zip(places, kept, strict=True):
            setattr(module, name, value)


def steady(loop: VirtualLoop) -> tuple[tuple[object, str, object], ...]:
    """Parts that measure how long they have held the loop measure virtual time: a slow machine changes no result."""
    return (deciding, "time", SimpleNamespace(perf_counter=loop.time)), (crew, "perf_counter", loop.time)


def run_virtual(loop: VirtualLoop, main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end in virtual time, then cancels its remaining tasks."""
    asyncio.set_event_loop(loop)
    try:
        with replaced(*steady(loop)):
            return loop.run_until_complete(main)
    finally:
        left = [task for task in asyncio.all_tasks(loop) if not task.done()]
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        asyncio.set_event_loop(None)
        loop.close()
