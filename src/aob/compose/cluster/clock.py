"""The clocks of a member: one that also counts while the machine sleeps, and the store's time, carried on by it."""

import time
from collections.abc import Callable
from typing import Final

from aob.ports.logger import Logger

SKEW_MS: Final = 2_000
"""A wall clock that differs from the store's by more is named in the log."""
log: Final = Logger("aob.cluster")


def steady_s() -> float:
    """Seconds that never jump and also count while the machine sleeps, where there is such a clock."""
    boot: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class StoreClock:
    """The time of the store, as last told, plus what has passed since."""

    def __init__(self, steady_s: Callable[[], float], wall_ms: Callable[[], int]) -> None:
        self._steady_s, self._wall_ms = steady_s, wall_ms
        self._at: tuple[int, float] | None = None
        self.skew_ms = 0

    def told(self, now_ms: int, at_s: float) -> None:
        """The store said what time it is; `at_s` is this clock's time when the answer came."""
        self._at = now_ms, at_s
        skew_ms = self._wall_ms() - self.now_ms()
        if abs(skew_ms) > SKEW_MS and abs(skew_ms - self.skew_ms) > SKEW_MS:
            log.warning("clock_skewed", by_ms=skew_ms, hint="the store's clock counts; set this machine's clock")
        self.skew_ms = skew_ms

    def now_ms(self) -> int:
        """The time of the store; this machine's until it is known."""
        if self._at is None:
            return self._wall_ms()
        told_ms, at_s = self._at
        return told_ms + round((self._steady_s() - at_s) * 1_000)
