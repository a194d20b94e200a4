"""Events of runs in, events of the platform (type, data) out: what its own metrics are folded from.

A run's own event does not say when its visit became ready or which workflow it is of; `Telling` remembers that of the
runs that live. Pure: the same events in the same order tell the same.
"""

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from itertools import repeat
from typing import Any, Final
from zlib import crc32

import msgspec

from aob.core.run.record import events as ev

RUNS_MAX: Final = 100_000
"""Live runs that are remembered; of those beyond, the oldest are told without workflow and times."""

PAGES: Final = 256
"""Parts in which they are written, by a hash of the id."""

NODE: Final = "aob.node.finished"
STARTED: Final = "aob.run.started"
FINISHED: Final = "aob.run.finished"
Told = tuple[str, dict[str, Any]]


class Remembered(msgspec.Struct, array_like=True, gc=False):
    """What is remembered of a live run."""

    workflow: str
    started_ms: int
    ready: dict[str, int] = {}
    tickets: dict[str, tuple[str, int]] = {}


class Telling:
    """What the platform tells of the runs of one tenant."""

    def __init__(self) -> None:
        self.runs: dict[str, Remembered] = {}
        """All that is remembered, the oldest first."""
        self.touched: set[str] = set()
        """Runs of which something may be remembered that no page says yet."""
        self._pages: dict[int, dict[str, Remembered]] = {number: {} for number in range(PAGES)}
        self._paged: set[str] = set()
        self._changed: set[int] = set()

    def pages(self, full: bool = False) -> Iterator[tuple[str, bytes | None]]:
        """The pages that changed since they were given last, or all; `""` lists those that have something."""
        for run_id in self.touched:
            page, run = self._pages[number := _page_of(run_id)], self.runs.get(run_id)
            self._changed.add(number)
            if run is not None:
                page[run_id] = run
                self._paged.add(run_id)
            else:
                page.pop(run_id, None)
                self._paged.discard(run_id)
        self.touched.clear()
        for number in range(PAGES) if full else sorted(self._changed):
            self._changed.discard(number)
            runs = self._pages[number]
            yield f":{number}", msgspec.msgpack.encode(runs) if runs else None
        yield "", msgspec.msgpack.encode([number for number, runs in self._pages.items() if runs])

    def load(self, data: bytes) -> list[int]:
        """What `pages` gave; the numbers of the pages to be given next. Earlier releases had all in one."""
        found = msgspec.msgpack.decode(data, type=list[int] | dict[str, Remembered])
        if isinstance(found, list):
            return found
        for run_id, run in found.items():
            self.remember(run_id, run)
        return []

    def tell(self, run_id: str, event: Any, at_ms: int) -> Told | None:
        """What one event of a run, committed at `at_ms`, means; None: nothing."""
        kind = type(event)
        self.touched.add(run_id)
        run = self.runs.get(run_id)
        if kind is ev.RunStarted:
            return self._started(run_id, event, at_ms)
        if run is None:
            run = Remembered("", at_ms)
        make = _TELLS.get(kind)
        told = make(run, event, at_ms) if make is not None else None
        if kind in _READYING:
            for visit in event.ready:
                run.ready[visit] = at_ms
        elif kind is ev.TokenReady:
            run.ready[event.visit] = at_ms
        elif kind is ev.RunFinished:
            self.remember(run_id, None)
        return told

    def remember(self, run_id: str, remembered: Remembered | None) -> None:
        """From now on this is remembered of a run; None: nothing."""
        self.touched.add(run_id)
        if remembered is not None:
            self.begin({run_id: remembered})
        else:
            self.end((run_id,))

    def begin(self, runs: Mapping[str, Remembered]) -> None:
        """Runs begin, and this is remembered of them."""
        self.runs |= runs
        while len(self.runs) > RUNS_MAX:
            oldest = next(iter(self.runs))
            self.touched.add(oldest)
            del self.runs[oldest]

    def end(self, run_ids: Collection[str]) -> None:
        """Runs have ended, and nothing is remembered of them. Of most no page has ever spoken."""
        deque(map(self.runs.pop, run_ids, repeat(None)), 0)
        self.touched.difference_update(set(run_ids).difference(self._paged))

    def _started(self, run_id: str, event: ev.RunStarted, at_ms: int) -> Told:
        self.remember(run_id, Remembered(event.workflow, at_ms, dict.fromkeys(event.ready, at_ms)))
        return STARTED, {"workflow": event.workflow}


def _page_of(run_id: str) -> int:
    return crc32(run_id.encode()) % PAGES


def _finished(run: Remembered, event: ev.RunFinished, at_ms: int) -> Told:
    took = float(max(0, at_ms - run.started_ms))
    return FINISHED, {"workflow": run.workflow, "status": event.status, "duration_ms": took}


def _completed(run: Remembered, event: ev.NodeCompleted, at_ms: int) -> Told | None:
    ready_ms = run.ready.pop(event.visit, at_ms)
    if event.copied:
        return None
    took_ms = event.took_us / 1_000
    hop_ms = max(0.0, at_ms - ready_ms - took_ms)
    return NODE, {"workflow": run.workflow, "outcome": "completed", "took_ms": took_ms, "hop_ms": hop_ms}


def _failed(run: Remembered, event: ev.NodeFailed, at_ms: int) -> Told:
    hop_ms = float(max(0, at_ms - run.ready.pop(event.visit, at_ms)))
    return NODE, {"workflow": run.workflow, "outcome": "failed", "took_ms": 0.0, "hop_ms": hop_ms}


def _attempt(run: Remembered, event: ev.AttemptFailed, at_ms: int) -> Told:
    return "aob.attempt.failed", {"workflow": run.workflow}


def _opened(run: Remembered, event: ev.TicketOpened, at_ms: int) -> Told:
    run.tickets[event.id] = (event.role, at_ms)
    return "aob.ticket.opened", {"role": event.role}


def _answered(run: Remembered, event: ev.TicketAnswered, at_ms: int) -> Told:
    role, opened_ms = run.tickets.pop(event.id, ("", at_ms))
    return "aob.ticket.answered", {"role": role, "choice": event.choice, "waited_ms": float(at_ms - opened_ms)}


def _patched(run: Remembered, event: ev.PatchApplied, at_ms: int) -> Told:
    return "aob.patch.applied", {"workflow": run.workflow}


def _called(run: Remembered, event: ev.IntentSettled, at_ms: int) -> Told | None:
    usage = event.usage
    if not usage or "brain" not in usage:
        return None
    tokens = float((usage.get("tokens_in") or 0) + (usage.get("tokens_out") or 0))
    cost = float(usage.get("cost_usd") or 0.0)
    return "aob.model.called", {"workflow": run.workflow, "tokens": tokens, "cost_usd": cost}


_TELLS: Final[dict[type, Any]] = {
    ev.RunFinished: _finished,
    ev.NodeCompleted: _completed,
    ev.NodeFailed: _failed,
    ev.AttemptFailed: _attempt,
    ev.TicketOpened: _opened,
    ev.TicketAnswered: _answered,
    ev.PatchApplied: _patched,
    ev.IntentSettled: _called,
}
_READYING: Final = frozenset(
    kind for kind in vars(ev).values() if isinstance(kind, type) and "ready" in getattr(kind, "__struct_fields__", ())
)
"""Events that say which visits became ready."""
TELLS_ALONE: Final = (_READYING | _TELLS.keys() | {ev.TokenReady}) - {ev.RunStarted, ev.NodeCompleted, ev.RunFinished}
"""Events that say something and are not nearly all there is: a run that has one is told event by event."""
