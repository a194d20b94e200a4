"""An event loop with virtual time: when nothing is ready, time jumps to the next timer. No sockets, no threads; the
same program gives the same order of wake-ups. Raises StuckError when a task waits for nothing that will ever happen."""

import asyncio
import heapq
import sys
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Final, TypeVar

from aob.testing.world.lives import LIFE

T = TypeVar("T")
STEP_S: Final = 1e-6  # the time of one loop turn: without it, time would never pass in a loop that only yields


CLOCKS: Final = ("perf_counter", "monotonic", "time", "process_time", "thread_time")
REAL: Final = {name: getattr(time, name) for each in CLOCKS for name in (each, f"{each}_ns")}


class StuckError(RuntimeError):
    """A task waits, and no timer and no callback is left that could wake it."""


def _parked(handle: Any) -> bool:
    """Whether a callback belongs to a process that is stopped: it is called when the process goes on."""
    waiting = handle._loop.asleep.get(handle._context.get(LIFE, 0)) if handle._loop.asleep else None
    if waiting is not None:
        waiting.append(handle)
    return waiting is not None


class _Handle(asyncio.Handle):
    def _run(self) -> None:
        if not _parked(self):
            super()._run()


class _Timer(asyncio.TimerHandle):
    _scheduled: bool

    def _run(self) -> None:
        if not _parked(self):
            super()._run()


class VirtualLoop(asyncio.BaseEventLoop):
    """Selects nothing: it is its own selector, and waiting advances its clock. A life that is in `asleep` is stopped,
    as by SIGSTOP: nothing of it runs, and time passes."""

    _ready: "deque[asyncio.Handle]"
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.asleep: dict[int, list[Any]] = {}
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

    def _call_soon(self, callback: Any, args: Any, context: Any) -> asyncio.Handle:
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(  # type: ignore[override]  # the same, for any function
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """As the loop does, for processes that may be stopped."""
        timer = _Timer(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True
        return timer

    def stop_life(self, life: int) -> None:
        """SIGSTOP."""
        self.asleep.setdefault(life, [])

    def continue_life(self, life: int) -> None:
        """SIGCONT: everything that was due meanwhile runs now, in its order."""
        self._ready.extend(handle for handle in self.asleep.pop(life, ()) if not handle._cancelled)

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


def clocks(loop: VirtualLoop) -> dict[str, Callable[[], float]]:
    """The clocks of the module `time`, by name, as functions of virtual time."""
    whole = {f"{name}_ns": lambda: round(loop.time() * 1e9) for name in CLOCKS}
    return dict.fromkeys(CLOCKS, loop.time) | whole


def steady(loop: VirtualLoop) -> Iterator[tuple[object, str, object]]:
    """Every clock of `time` that a loaded module of ours holds by name shows virtual time: a slow machine changes
    nothing. A clock that is imported inside a function, or bound as a default, is not found (tests/house)."""
    mine = clocks(loop)
    virtual = SimpleNamespace(**{**vars(time), **mine})
    real: dict[int, object] = {id(REAL[name]): clock for name, clock in mine.items()} | {id(time): virtual}
    for name, module in list(sys.modules.items()):
        if name.startswith("aob.") and module is not sys.modules[__name__]:
            yield from ((module, at, real[id(held)]) for at, held in list(vars(module).items()) if id(held) in real)


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
