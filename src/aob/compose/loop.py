"""The loop of a serving process: uvloop where available, and a garbage collector tuned for many small objects."""

import asyncio
import atexit
import gc
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import monotonic
from typing import Any, Final, NoReturn, TypeVar

from aob.compose.forking import ends_in_a_child
from aob.core.errors import said
from aob.ports.logger import Logger

log: Final = Logger("aob.loop")

T = TypeVar("T")
GC_YOUNG: Final = 10_000
"""Objects made before a young collection: a commit makes thousands that die together, and scanning them is waste. One
collection of this size takes 3 to 5 ms."""
GC_MIDDLE, GC_FULL = 2, 2_000
"""Young collections before a middle one, and middle ones before a full one. A middle one scans surviving objects once:
400,000 of them held the loop for 100 ms, 20,000 take 10."""
SWITCH_S: Final = 0.001
PLACES_MAX: Final = 100  # at most so many code places that tried to end the loop are named in the log
THREADS_S: Final = 2.0  # how long threads of handlers may take to end after a stop


def on_continued(continued: Callable[[], None]) -> None:
    """Call this each time the process continues after SIGSTOP or a debugger: the clock has advanced meanwhile."""
    if hasattr(signal, "SIGCONT"):
        signal.signal(signal.SIGCONT, lambda number, frame: continued())


def run_tuned(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end on a new loop, which no `sys.exit()` and no `loop.stop()` in foreign code ends."""
    gc.freeze()  # the modules live on: no collection looks through them
    gc.set_threshold(GC_YOUNG, GC_MIDDLE, GC_FULL)
    gc.enable()
    sys.setswitchinterval(SWITCH_S)
    try:
        from uvloop import new_event_loop
    except ImportError:  # Windows has none
        new_event_loop = asyncio.new_event_loop  # type: ignore[assignment]
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        loop = runner.get_loop()
        ends_in_a_child(loop)
        loop.set_default_executor(_Unawaited())
        return _to_the_end(loop, loop.create_task(work))


def _to_the_end(loop: asyncio.AbstractEventLoop, task: "asyncio.Task[T]") -> T:
    told: set[str] = set()
    while True:
        try:
            return loop.run_until_complete(task)
        except (SystemExit, KeyboardInterrupt, RuntimeError) as error:
            if task.done():
                return task.result()
            if isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                raise  # Ctrl-C, before any other handler receives it
            place = _place(error)
            if place not in told and len(told) < PLACES_MAX:
                told.add(place)
                log.error("loop_goes_on", error=type(error).__name__, message=said(error), raised_at=place)


def _place(error: BaseException) -> str:
    """The code place that raised an exception."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}" if frames else "?"


class _Unawaited(ThreadPoolExecutor):
    """Threads of `asyncio.to_thread`: a handler call that never ends does not hold up a stop."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=cancel_futures)


async def end_tasks(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel tasks and wait until each has ended."""
    ending = [task for task in tasks if task is not None]
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)


def end_process(code: int = 0) -> NoReturn:
    """After an orderly stop, end this process with an exit code. Threads that handlers left have some time; without any
    what is registered for the end is called. The memory goes back as a whole: Python frees each module and object by
    itself, which takes 50 ms and more."""
    until = monotonic() + THREADS_S
    left = [each for each in threading.enumerate() if each is not threading.main_thread() and not each.daemon]
    for thread in left:
        thread.join(max(0.0, until - monotonic()))
    names = sorted(thread.name for thread in left if thread.is_alive())
    if names:
        log.warning("threads_left", threads=names[:10], count=len(names))
    else:  # else it might wait for one of them
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads it any more
            stream.flush()
    os._exit(code)
