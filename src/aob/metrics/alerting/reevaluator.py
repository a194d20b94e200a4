"""Schedules repeated evaluations of one target: on request and at its own due time, never overlapping. Requests before
a run are merged; a request during a run causes one more. The timer is not durable: after a restart everything is
evaluated once, which sets it again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aob.core.errors import AobError, Busy, CallerError
from aob.ports.logger import Logger

GAP_MS: Final = 100
GAP_MAX_MS: Final = 1_000
"""The minimum gap between two evaluations of one target: the longer a state must last before it counts, the longer."""
GAPS_IN_A_WAIT: Final = 50
REST: Final = 10
"""The gap is at least this multiple of the last evaluation's duration, so that slow reads do not block the loop."""
REST_MAX_MS: Final = 10_000
ALARM_MAX_MS: Final = 3_600_000  # the timer fires at least this often, to notice clock steps
AGAIN_MS: Final = 500
AGAIN_MAX_MS: Final = 30_000

SAID_MS: Final = 10_000  # a cause is said no more often

log: Final = Logger("aob.metrics")


class Failures:
    """Says that evaluations fail, by cause: while a store is away those of all targets do, again and again."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._said: dict[str, tuple[int, int]] = {}  # when each code was said, and how often it came since

    def say(self, what: str, error: AobError, again_ms: int) -> None:
        """Say it, or count it for the next time."""
        now_ms, (said_ms, more) = self._now_ms(), self._said.get(error.code, (-SAID_MS, 0))
        if now_ms - said_ms < SAID_MS:
            self._said[error.code] = (said_ms, more + 1)
            return
        self._said[error.code] = (now_ms, 0)
        log.warning(
            "look_failed", what=what, code=error.code, detail=error.detail, again_ms=again_ms, more_before=more
        )  # fmt: skip


class Reevaluator:
    """Calls `look` when due; it returns its next due time (ms since 1970), or None. `now_ms` never goes back; `stepped`
    is called after a jump forward; `failures` are those of all targets."""

    def __init__(
        self, name: str, look: Callable[[], Awaitable[int | None]], now_ms: Callable[[], int], failures: Failures
    ) -> None:
        self._name, self._look, self._now_ms, self._said = name, look, now_ms, failures
        self.gap_ms = GAP_MS
        self._rest_ms = 0
        self._timer: asyncio.TimerHandle | None = None
        self._due_ms = 0
        self._last_ms = -GAP_MS
        self._task: asyncio.Task[None] | None = None
        self._told = self._closed = False
        self._failures = 0

    def soon(self) -> None:
        """Evaluate as soon as the gap allows."""
        if self._task is not None:
            self._told = True
        elif not self._told:
            self._told = True
            self._arm(self._now_ms())

    def wait(self, ms: int, *, often: bool = True) -> None:
        """Sets the time that a state must last before it counts; without `often` one evaluation a second suffices."""
        self.gap_ms = min(GAP_MAX_MS, max(GAP_MS, ms // GAPS_IN_A_WAIT)) if often else GAP_MAX_MS

    def stepped(self) -> None:
        """The clock was set: re-arms the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._arm(self._due_ms)

    async def close(self) -> None:
        """Stops and cancels a running evaluation. Idempotent."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _arm(self, due_ms: int) -> None:
        now_ms = self._now_ms()
        gap_ms = max(self.gap_ms, self._rest_ms)
        rest_ms = max(0, self._last_ms + gap_ms - now_ms)
        due_ms = max(due_ms, now_ms + rest_ms)
        if self._closed or (self._timer is not None and self._due_ms <= due_ms):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due_ms = due_ms
        wait_ms = min(due_ms - now_ms, ALARM_MAX_MS)
        self._timer = asyncio.get_running_loop().call_later(wait_ms / 1_000, self._rung)

    def _rung(self) -> None:
        self._timer = None
        if self._now_ms() < self._due_ms:
            self._arm(self._due_ms)
        else:
            self._task = asyncio.create_task(self._run(), name=f"aob-look-{self._name}")

    async def _run(self) -> None:
        self._told = False
        self._last_ms = self._now_ms()
        loop = asyncio.get_running_loop()
        began = loop.time()
        due_ms: int | None = None
        try:
            due_ms = await self._look()
            self._failures = 0
        except CallerError as error:
            if isinstance(error, Busy):
                due_ms = self._again(error)
            # Else only a move of its metric, or another contract, can change the result.
        except AobError as error:
            due_ms = self._again(error)
        except Exception as error:
            log.error("look_broke", what=self._name, exc_info=error)
            due_ms = self._now_ms() + AGAIN_MAX_MS
        self._rest_ms = min(REST_MAX_MS, round((loop.time() - began) * 1_000 * REST))
        self._task = None
        if self._told:
            self._arm(self._now_ms())
        elif due_ms is not None:
            self._arm(due_ms)

    def _again(self, error: AobError) -> int:
        self._failures += 1
        wait_ms = min(AGAIN_MAX_MS, AGAIN_MS << min(self._failures, 8))
        self._said.say(self._name, error, wait_ms)
        return self._now_ms() + wait_ms
