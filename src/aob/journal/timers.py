"""Durable timers of a shard in memory, with one alarm for the next due one. The store's rows are authoritative."""

import asyncio
import heapq
from collections.abc import Callable, Iterable
from typing import Final

from aob.ports.store import TimerRow

ALARM_MAX_S: Final = 3_600.0  # the alarm fires at least this often, to notice clock steps

DEAD_MIN: Final = 1_000  # heap entries beyond twice the number of timers after which it is rebuilt
AGAIN_MS: Final = 1_000  # a fired timer fires again after this long, until its end is committed


class Timers:
    """Calls `fire(stream, id)` for each due timer. Laws tolerate repeated firing."""

    def __init__(self, clock_ms: Callable[[], int], fire: Callable[[str, str], None]) -> None:
        self._clock_ms, self._fire = clock_ms, fire
        self._due: dict[str, dict[str, int]] = {}
        self._heap: list[tuple[int, str, str]] = []
        self._count = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_ms = 0
        self.silent = False  # nothing fires: the shard does not run

    def __len__(self) -> int:
        return self._count

    def replace(self, rows: Iterable[TimerRow]) -> None:
        """Replaces all timers."""
        self._due = {}
        for row in rows:
            self._due.setdefault(row.stream, {})[row.id] = row.due_ms
        self._count = sum(map(len, self._due.values()))
        self._compact()
        self._set_alarm()

    def set(self, stream: str, id: str, due_ms: int) -> None:
        """Adds a committed timer."""
        ids = self._due.setdefault(stream, {})
        self._count += id not in ids
        ids[id] = due_ms
        heapq.heappush(self._heap, (due_ms, stream, id))
        if len(self._heap) > 2 * self._count + DEAD_MIN:
            self._compact()
        if self._alarm is None or due_ms < self._alarm_ms:
            self._set_alarm()

    def drop(self, stream: str, id: str) -> None:
        """Removes a timer; an empty id removes all of the stream."""
        ids = self._due.get(stream)
        if ids is None:
            return
        if id:
            self._count -= ids.pop(id, None) is not None
        if not ids or not id:
            self._count -= len(ids)
            del self._due[stream]
        if len(self._heap) > 2 * self._count + DEAD_MIN:
            self._compact()

    def _compact(self) -> None:
        """Rebuilds the heap without dropped and moved timers."""
        self._heap = [(due, stream, id) for stream, ids in self._due.items() for id, due in ids.items()]
        heapq.heapify(self._heap)

    def of(self, stream: str) -> dict[str, int]:
        """The timers of one stream and their next due times."""
        return dict(self._due.get(stream, ()))

    def next_ms(self) -> int | None:
        """When the next timer is due."""
        while self._heap:
            due, stream, id = self._heap[0]
            if stream in self._due and self._due[stream].get(id) == due:
                return due
            heapq.heappop(self._heap)
        return None

    def ring(self) -> None:
        """Fires everything due now. Each timer stays until its end is committed and `drop` is called: if the command is
        lost, or too early because the clock went back, it fires again."""
        now = self._clock_ms()
        while (due := self.next_ms()) is not None and due <= now:
            _, stream, id = heapq.heappop(self._heap)
            self._due[stream][id] = now + AGAIN_MS
            heapq.heappush(self._heap, (now + AGAIN_MS, stream, id))
            self._fire(stream, id)

    def look(self) -> None:
        """Fires timers made due by a clock step, without waiting for the alarm."""
        due = self.next_ms()
        if self._alarm is not None and due is not None and due <= self._clock_ms():
            self.ring()
            self._set_alarm()

    def stop(self) -> None:
        """Cancels the alarm. Idempotent."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _set_alarm(self) -> None:
        self.stop()
        due = self.next_ms()
        if due is None or self.silent:
            return
        self._alarm_ms = due
        wait_s = min(max(0.0, (due - self._clock_ms()) / 1_000), ALARM_MAX_S)
        self._alarm = asyncio.get_running_loop().call_later(wait_s, self._rung)

    def _rung(self) -> None:
        self._alarm = None
        self.ring()
        self._set_alarm()
