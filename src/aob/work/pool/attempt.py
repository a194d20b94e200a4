"""One job in the pool: its state, its holder, and its timeouts. Timeouts end in a verdict; the pool acts on it."""

import asyncio
from collections.abc import Callable
from typing import Final, Literal

import msgspec

from aob.core.duration import format_duration
from aob.core.graph.compiled import Timeouts
from aob.ports.workers import Fault, Job
from aob.work.job import unheard

State = Literal["queued", "running", "leaving", "gone"]
"""`leaving`: stopped, and its end is awaited so that a verdict can be reported; `gone`: nothing from it counts."""

Expire = Callable[["Attempt", Fault], None]
Granted = Callable[["Attempt"], None]


class Leased(Job, eq=False):
    """A job whose signs of life are counted."""

    beat: Callable[[], None] = unheard

    def pulse(self) -> None:
        """A sign of life."""
        self.beat()


class Attempt(msgspec.Struct, eq=False):
    """A job and its way through the pool. `place` is its state of a place for outgoing requests, `granted` is called
    once it has one; `holds`: it has suspended, and holds its worker."""

    job: Job
    key: tuple[str, str]
    state: State = "queued"
    task: "asyncio.Task[None] | None" = None
    verdict: Fault | None = None
    timers: "list[asyncio.TimerHandle] | None" = None
    place: int = 0
    granted: "Granted | None" = None
    holds: bool = False
    _beat_at: float = 0.0
    _loop: asyncio.AbstractEventLoop | None = None

    @property
    def told_to_stop(self) -> bool:
        """Whether its worker must end with it."""
        return self.state != "running"

    def wait(self, loop: asyncio.AbstractEventLoop, timeout: Timeouts, expire: Expire) -> None:
        """Start the queue timeout."""
        fault = _fault("queue", "no worker was free", timeout.queue_ms)
        left_ms = max(0, timeout.queue_ms - self.job.queued_ms)
        self.timers = [loop.call_later(left_ms / 1_000, expire, self, fault)]

    def arm(self, loop: asyncio.AbstractEventLoop, timeout: Timeouts, expire: Expire) -> None:
        """Start the timeouts of a picked-up attempt; a job with a start or heartbeat timeout gets a pulse."""
        self.disarm()
        timers = self.timers = []
        self._loop = loop
        if timeout.run_ms:
            fault = _fault("run", "the attempt was still running", timeout.run_ms)
            timers.append(loop.call_later(timeout.run_ms / 1_000, expire, self, fault))
        if timeout.start_ms or timeout.heartbeat_ms:
            self.job = Leased(**msgspec.structs.asdict(self.job), beat=self.beat)
        if timeout.start_ms:
            timers.append(loop.call_later(timeout.start_ms / 1_000, self._check_start, timeout, expire))
        if timeout.heartbeat_ms:
            timers.append(
                loop.call_later(timeout.heartbeat_ms / 1_000, self._check_heart, timeout, expire, loop.time())
            )

    def beat(self) -> None:
        """A sign of life."""
        if self._loop is not None:
            self._beat_at = self._loop.time()

    def disarm(self) -> None:
        """Stop all timeouts."""
        if self.timers is not None:
            for timer in self.timers:
                timer.cancel()
            self.timers = None

    def _check_start(self, timeout: Timeouts, expire: Expire) -> None:
        if not self._beat_at:
            expire(self, _fault("start", "the work had not begun", timeout.start_ms))

    def _check_heart(self, timeout: Timeouts, expire: Expire, since: float) -> None:
        # One timer, moved only when it fires: a heartbeat costs one clock reading and never touches the loop's heap.
        loop = self._loop
        if loop is None or self.timers is None:
            return
        last = max(self._beat_at, since)
        left = last + timeout.heartbeat_ms / 1_000 - loop.time()
        if left > _CLOCK_STEP_S:
            self.timers.append(loop.call_later(left, self._check_heart, timeout, expire, last))
        else:
            expire(self, _fault("heartbeat", "there was no sign of life", timeout.heartbeat_ms))


_CLOCK_STEP_S: Final = 0.001


def _fault(which: str, what: str, limit_ms: int) -> Fault:
    return Fault(f"timeout_{which}", f"{what} after {format_duration(limit_ms)}", True, {"limit_ms": limit_ms})
