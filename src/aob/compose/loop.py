"""The loop of a serving process: uvloop where there is one, and an interpreter set for many small objects."""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")
GC_YOUNG: Final = 50_000
"""Objects made before a young collection: a commit makes thousands that die together, and scanning them is waste."""
SWITCH_S: Final = 0.001


def heed_stops(continued: Callable[[], None]) -> None:
    """Call this each time the process goes on after it was stopped (SIGSTOP, a debugger): time has passed by itself."""
    if hasattr(signal, "SIGCONT"):
        signal.signal(signal.SIGCONT, lambda number, frame: continued())


def run_tuned(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end on a new loop."""
    gc.set_threshold(GC_YOUNG, 20, 100)
    sys.setswitchinterval(SWITCH_S)
    try:
        import uvloop
    except ImportError:  # Windows has none
        return asyncio.run(work)
    return uvloop.run(work)
