"""Committed time: follows a wall clock that may step, never goes back, and keeps durations true. While the clock lags
committed time, time runs at 15/16 of its pace until the clock has caught up. A step forward is believed. A step of more
than a second is logged and kept for reports."""

from collections.abc import Callable
from typing import Final

import msgspec

from aob.journal.log import logger

SLOW: Final = 15 / 16
STEP_MS: Final = 1_000


class ClockStep(msgspec.Struct, frozen=True):
    """A clock step: its size, and the time after it."""

    by_ms: int
    at_ms: int


class CommittedClock:
    """`now` never goes back, whatever the wall clock does. `steady_s` is a monotonic clock."""

    def __init__(self, wall_ms: Callable[[], int], steady_s: Callable[[], float]) -> None:
        self._wall_ms, self._steady_s = wall_ms, steady_s
        self._at = (0.0, 0.0)  # committed time, and the steady clock at it
        self._looked: tuple[int, float] | None = None  # both clocks at the last reading
        self.step: ClockStep | None = None  # the last detected step

    def begin(self, at_ms: int) -> None:
        """Continues from the last commit, also one by a previous process."""
        wall, steady = self._wall_ms(), self._steady_s()
        if self._looked is None and wall + STEP_MS < at_ms:
            self._stepped(wall - at_ms, wall)
        self._at = (max(self._at[0], float(at_ms)), max(self._at[1], steady))
        self._looked = (wall, steady)

    def now(self) -> int:
        """The time for a new commit."""
        wall, steady = self._wall_ms(), self._steady_s()
        if self._looked is not None:
            by_ms = wall - self._looked[0] - (steady - self._looked[1]) * 1_000
            if abs(by_ms) > STEP_MS:
                self._stepped(round(by_ms), wall)
        self._looked = (wall, steady)
        return self._passed(wall, steady)

    def peek(self, steady_s: float) -> int:
        """The current time, without a check for clock steps. Thread-safe; `steady_s` is the steady clock."""
        return self._passed(self._wall_ms(), steady_s)

    def _passed(self, wall: int, steady_s: float) -> int:
        time, since = self._at
        if steady_s > since:
            time += SLOW * (steady_s - since) * 1_000
            since = steady_s
        time = max(wall, time)
        self._at = (time, since)  # one assignment: threads see both values
        return int(time)

    @property
    def behind_ms(self) -> int:
        """How far the wall clock lags committed time."""
        return max(0, self.now() - self._wall_ms())

    def _stepped(self, by_ms: int, wall: int) -> None:
        self.step = ClockStep(by_ms, wall)
        logger().warning("clock_stepped", by_ms=by_ms, at_ms=wall)
