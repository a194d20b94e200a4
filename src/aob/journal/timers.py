"""Durable timers of a shard, in memory: what is due next, and one alarm for it. The store's rows are the truth."""

import asyncio
import heapq
from collections.abc import Callable, Iterable
from typing import Final

from aob.ports.store import TimerRow

ALARM_MAX_S: Final = 3_600.0
"""The alarm rings at least this often: a clock that jumped is noticed."""


class Timers:
    """Calls `fire(stream, id)` for each timer once the clock has passed it. Firing twice is harmless to a law."""

    def __init__(self, clock_ms: Callable[[], int], fire: Callable[[str, str], None]) -> None:
        self._clock_ms, self._fire = clock_ms, fire
        self._due: dict[tuple[str, str], int] = {}
        self._heap: list[tuple[int, str, str]] = []
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_ms = 0

    def __len__(self) -> int:
        return len(self._due)

    def replace(self, rows: Iterable[TimerRow]) -> None:
        """Forget everything and take these."""
        self._due = {(row.stream, row.id): row.due_ms for row in rows}
        self._heap = [(due, stream, id) for (stream, id), due in self._due.items()]
        heapq.heapify(self._heap)
        self._set_alarm()

    def set(self, stream: str, id: str, due_ms: int) -> None:
        """A timer that is committed."""
        self._due[(stream, id)] = due_ms
        heapq.heappush(self._heap, (due_ms, stream, id))
        if self._alarm is None or due_ms < self._alarm_ms:
            self._set_alarm()

    def drop(self, stream: str, id: str) -> None:
        """A timer that is no more; an empty id drops all of the stream."""
        if id:
            self._due.pop((stream, id), None)
        else:
            for key in [key for key in self._due if key[0] == stream]:
                del self._due[key]

    def next_ms(self) -> int | None:
        """When the next timer is due."""
        while self._heap and self._due.get((self._heap[0][1], self._heap[0][2])) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def ring(self) -> None:
        """Fires everything that is due now."""
        now = self._clock_ms()
        while (due := self.next_ms()) is not None and due <= now:
            _, stream, id = heapq.heappop(self._heap)
            self._due.pop((stream, id), None)
            self._fire(stream, id)

    def stop(self) -> None:
        """No alarm rings any more. Calling it twice is fine."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _set_alarm(self) -> None:
        self.stop()
        due = self.next_ms()
        if due is None:
            return
        self._alarm_ms = due
        wait_s = min(max(0.0, (due - self._clock_ms()) / 1_000), ALARM_MAX_S)
        self._alarm = asyncio.get_running_loop().call_later(wait_s, self._rung)

    def _rung(self) -> None:
        self._alarm = None
        self.ring()
        self._set_alarm()
