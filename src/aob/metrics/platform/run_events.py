"""Converts events of runs to platform events (type, data), from which platform metrics are folded. A run's event does
not contain its workflow or when its visit became ready; `Telling` remembers that for live runs. Pure and
deterministic."""

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from itertools import repeat
from typing import Any, Final
from zlib import crc32

import msgspec

from aob.core.run.record import events as ev

RUNS_MAX: Final = 100_000  # live runs that are remembered; the oldest beyond are counted without workflow and times

PAGES: Final = 256  # parts in which they are written, by a hash of the id

NODE: Final = "aob.node.finished"
STARTED: Final = "aob.run.started"
FINISHED: Final = "aob.run.finished"
Told = tuple[str, dict[str, Any]]


class Remembered(msgspec.Struct, array_like=True, gc=False):
    """The remembered facts of a live run."""

    workflow: str
    started_ms: int
    ready: dict[str, int] = {}
    tickets: dict[str, tuple[str, int]] = {}


class Telling:
    """The platform events of one tenant's runs."""

    def __init__(self) -> None:
        self.runs: dict[str, Remembered] = {}  # all remembered runs, the oldest first
        self.touched: set[str] = set()  # runs with changes that nobody was given yet
        self._pages: dict[int, dict[str, Remembered]] = {number: {} for number in range(PAGES)}
        self._given: set[str] = set()  # runs that a page or another process remembers
        self._changed: set[int] = set()

    def pages(self, full: bool = False) -> Iterator[tuple[str, bytes | None]]:
        """The pages changed since the last call, or all; `""` lists those that are not empty."""
        for run_id in self.touched:
            page, run = self._pages[number := _page_of(run_id)], self.runs.get(run_id)
            self._changed.add(number)
            if run is not None:
                page[run_id] = run
                self._given.add(run_id)
            else:
                page.pop(run_id, None)
                self._given.discard(run_id)
        self.touched.clear()
        for number in range(PAGES) if full else sorted(self._changed):
            self._changed.discard(number)
            runs = self._pages[number]
            yield f":{number}", msgspec.msgpack.encode(runs) if runs else None
        yield "", msgspec.msgpack.encode([number for number, runs in self._pages.items() if runs])

    def changes(self) -> dict[str, Remembered | None]:
        """The runs changed since the last call, for another process; not to be mixed with `pages`."""
        changed = {run_id: self.runs.get(run_id) for run_id in self.touched}
        self.touched.clear()
        for run_id, run in changed.items():
            (self._given.discard if run is None else self._given.add)(run_id)
        return changed

    def load(self, data: bytes) -> list[int]:
        """Loads a page of `pages`. Returns the numbers of the pages to load next. Earlier releases had one page."""
        found = msgspec.msgpack.decode(data, type=list[int] | dict[str, Remembered])
        if isinstance(found, list):
            return found
        for run_id, run in found.items():
            self.remember(run_id, run)
        return []

    def tell(self, run_id: str, event: Any, at_ms: int) -> Told | None:
        """The platform event of one event of a run, committed at `at_ms`, or None."""
        kind = type(event)
        self.touched.add(run_id)
        run = self.runs.get(run_id)
        if kind is ev.RunStarted:
            self.begin({run_id: Remembered(event.workflow, at_ms, dict.fromkeys(event.ready, at_ms))})
            return STARTED, {"workflow": event.workflow}
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
            self.end((run_id,))
        return told

    def remember(self, run_id: str, remembered: Remembered | None) -> None:
        """Sets the remembered facts of a run, as a page or another process gives them; None drops them."""
        self.touched.add(run_id)
        if remembered is not None:
            self._given.add(run_id)
            self.begin({run_id: remembered})
        else:
            self.end((run_id,))

    def begin(self, runs: Mapping[str, Remembered]) -> None:
        """Remembers runs that begin."""
        self.runs |= runs
        while len(self.runs) > RUNS_MAX:
            oldest = next(iter(self.runs))
            self.touched.add(oldest)
            del self.runs[oldest]

    def end(self, run_ids: Collection[str]) -> None:
        """Drops runs that have ended. Most were never given to anybody."""
        deque(map(self.runs.pop, run_ids, repeat(None)), 0)
        self.touched.difference_update(set(run_ids).difference(self._given))


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


def _opened(run: Remembered, event: ev.TicketOpened, at_ms: int) -> Told:
    run.tickets[event.id] = (event.role, at_ms)
    return "aob.ticket.opened", {"role": event.role}


def _answered(run: Remembered, event: ev.TicketAnswered, at_ms: int) -> Told:
    role, opened_ms = run.tickets.pop(event.id, ("", at_ms))
    return "aob.ticket.answered", {"role": role, "choice": event.choice, "waited_ms": float(at_ms - opened_ms)}


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
    ev.AttemptFailed: lambda run, event, at_ms: ("aob.attempt.failed", {"workflow": run.workflow}),
    ev.TicketOpened: _opened,
    ev.TicketAnswered: _answered,
    ev.PatchApplied: lambda run, event, at_ms: ("aob.patch.applied", {"workflow": run.workflow}),
    ev.IntentSettled: _called,
}
_READYING: Final = frozenset(
    kind for kind in vars(ev).values() if isinstance(kind, type) and "ready" in getattr(kind, "__struct_fields__", ())
)  # events that list visits that became ready
TELLS_ALONE: Final = (_READYING | _TELLS.keys() | {ev.TokenReady}) - {ev.RunStarted, ev.NodeCompleted, ev.RunFinished}
"""The less frequent events: a run with one of these is processed event by event."""
