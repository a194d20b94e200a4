"""The clocks of a process: the wall clock, and the committed time of its shards."""

import time
from collections.abc import Callable, Sequence

from aob.runs import Core


def now_ms() -> int:
    """The wall clock."""
    return time.time_ns() // 1_000_000


class Clock:
    """Committed time of a process: the latest of its shards, the wall clock until it has one; it never goes back."""

    def __init__(self, cores: Sequence[Core], wall_ms: Callable[[], int]) -> None:
        self._cores, self._wall_ms, self._last = cores, wall_ms, 0

    def __call__(self) -> int:
        cores = self._cores
        now = cores[0].time_ms() if len(cores) == 1 else max((core.time_ms() for core in cores), default=0)
        self._last = last = max(self._last, now or self._wall_ms())
        return last
