"""The memory of a serving process: cheaper collections, counted pauses, and freed memory given back when idle."""

import asyncio
import ctypes
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Final

from aob.core.answers import JsonObject
from aob.runs import Core

PAUSE_MS: Final = 10.0  # a collector pause over this is counted, and shown in health
LOOK_S: Final = 1.0
IDLE_S: Final = 10.0
"""After so long without a write, freed memory is returned to the system; once, until the next write."""


@contextmanager
def watched(core: Core, others: Callable[[], int] = lambda: 0) -> Iterator[None]:
    """After recovery, for as long as the process serves. `others` grows with writes outside the journal."""
    memory = Memory(lambda: core.journal.row + others())
    core.vitals = memory.told
    with memory.watched():
        yield


class Memory:
    """Watches memory. `written` is a number that grows with all writes."""

    def __init__(self, written: Callable[[], int]) -> None:
        self._written = written
        self.pauses = self.given_back = 0
        self.longest_ms = 0.0
        self._begun = 0.0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """After recovery, for as long as the process serves."""
        gc.collect()
        gc.freeze()  # recovered objects live on: exclude them from full collections
        gc.callbacks.append(self._collects)
        task = asyncio.create_task(self._look_often(), name="aob-memory")
        try:
            yield
        finally:
            task.cancel()
            gc.callbacks.remove(self._collects)
            gc.unfreeze()

    def told(self) -> JsonObject:
        """For `aob doctor`: pauses over 10 ms, the longest, and how often memory was returned."""
        return {"gc_pauses": self.pauses, "gc_longest_ms": round(self.longest_ms, 1), "given_back": self.given_back}

    def _collects(self, phase: str, info: dict[str, int]) -> None:
        """The collector calls this on any thread, at any point: it only counts."""
        if phase == "start":
            self._begun = perf_counter()
            return
        took_ms = (perf_counter() - self._begun) * 1_000
        if took_ms > PAUSE_MS:
            self.pauses += 1
            self.longest_ms = max(self.longest_ms, took_ms)

    async def _look_often(self) -> None:
        seen, idle_s, given_back = -1, 0.0, False
        while True:
            await asyncio.sleep(LOOK_S)
            if (written := self._written()) != seen:
                seen, idle_s, given_back = written, 0.0, False
                continue
            idle_s += LOOK_S
            if idle_s >= IDLE_S and not given_back:
                given_back = True
                self.given_back += await asyncio.to_thread(give_back)


def give_back() -> bool:
    """Return freed memory to the system where the C library supports it; returns whether any was."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (OSError, AttributeError, TypeError):  # a C library other than GNU's
        return False
