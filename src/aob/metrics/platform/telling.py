"""Events of runs in, events of the platform (type, data) out: what its own metrics are folded from.

A run's own event does not say when its visit became ready or which workflow it is of; `Telling` remembers that of the
runs that live. Pure: the same events in the same order tell the same.
"""

from typing import Any, Final

import msgspec

from aob.core.run import events as ev

RUNS_MAX: Final = 100_000
"""Live runs that are remembered; of those beyond, the oldest are told without workflow and times."""

Told = tuple[str, dict[str, Any]]


class Remembered(msgspec.Struct, array_like=True, gc=False):
    """What is remembered of a live run."""

    workflow: str
    started_ms: int
    ready: dict[str, int] = {}
    tickets: dict[str, tuple[str, int]] = {}


class Telling:
    """What the platform tells of the runs of one tenant."""

    def __init__(self, runs: dict[str, Remembered] | None = None) -> None:
        self.runs = runs or {}

    def dump(self) -> bytes:
        """All that is remembered."""
        return msgspec.msgpack.encode(self.runs)

    @classmethod
    def load(cls, data: bytes) -> "Telling":
        """What `dump` gave."""
        return cls(msgspec.msgpack.decode(data, type=dict[str, Remembered]))

    def tell(self, run_id: str, event: Any, at_ms: int) -> list[Told]:
        """What one event of a run, committed at `at_ms`, means."""
        if type(event) is ev.RunStarted:
            return self._started(run_id, event, at_ms)
        run = self.runs.get(run_id)
        if run is None:
            run = Remembered("", at_ms)
        make = _TELLS.get(type(event))
        if make is None:
            _readied(run, event, at_ms)
            return []
        told: list[Told] = make(run, event, at_ms)
        _readied(run, event, at_ms)
        if type(event) is ev.RunFinished:
            self.runs.pop(run_id, None)
        return told

    def _started(self, run_id: str, event: ev.RunStarted, at_ms: int) -> list[Told]:
        while len(self.runs) >= RUNS_MAX:
            del self.runs[next(iter(self.runs))]
        self.runs[run_id] = Remembered(event.workflow, at_ms, dict.fromkeys(event.ready, at_ms))
        return [("aob.run.started", {"workflow": event.workflow})]


def _readied(run: Remembered, event: Any, at_ms: int) -> None:
    for visit in getattr(event, "ready", ()):
        run.ready[visit] = at_ms
    if type(event) is ev.TokenReady:
        run.ready[event.visit] = at_ms


def _finished(run: Remembered, event: ev.RunFinished, at_ms: int) -> list[Told]:
    took = float(max(0, at_ms - run.started_ms))
    return [("aob.run.finished", {"workflow": run.workflow, "status": event.status, "duration_ms": took})]


def _node(run: Remembered, event: ev.NodeCompleted | ev.NodeFailed, at_ms: int) -> list[Told]:
    completed = type(event) is ev.NodeCompleted
    took_ms = event.took_us / 1_000 if isinstance(event, ev.NodeCompleted) else 0.0
    ready_ms = run.ready.pop(event.visit, at_ms)
    if isinstance(event, ev.NodeCompleted) and event.copied:
        return []
    hop_ms = max(0.0, at_ms - ready_ms - took_ms)
    data = {"workflow": run.workflow, "outcome": "completed" if completed else "failed", "took_ms": took_ms,
            "hop_ms": hop_ms}  # fmt: skip
    return [("aob.node.finished", data)]


def _attempt(run: Remembered, event: ev.AttemptFailed, at_ms: int) -> list[Told]:
    return [("aob.attempt.failed", {"workflow": run.workflow})]


def _opened(run: Remembered, event: ev.TicketOpened, at_ms: int) -> list[Told]:
    run.tickets[event.id] = (event.role, at_ms)
    return [("aob.ticket.opened", {"role": event.role})]


def _answered(run: Remembered, event: ev.TicketAnswered, at_ms: int) -> list[Told]:
    role, opened_ms = run.tickets.pop(event.id, ("", at_ms))
    return [("aob.ticket.answered", {"role": role, "choice": event.choice, "waited_ms": float(at_ms - opened_ms)})]


def _patched(run: Remembered, event: ev.PatchApplied, at_ms: int) -> list[Told]:
    return [("aob.patch.applied", {"workflow": run.workflow})]


def _called(run: Remembered, event: ev.IntentSettled, at_ms: int) -> list[Told]:
    usage = event.usage
    if not usage or "brain" not in usage:
        return []
    tokens = float((usage.get("tokens_in") or 0) + (usage.get("tokens_out") or 0))
    cost = float(usage.get("cost_usd") or 0.0)
    return [("aob.model.called", {"workflow": run.workflow, "tokens": tokens, "cost_usd": cost})]


_TELLS: Final[dict[type, Any]] = {
    ev.RunFinished: _finished,
    ev.NodeCompleted: _node,
    ev.NodeFailed: _node,
    ev.AttemptFailed: _attempt,
    ev.TicketOpened: _opened,
    ev.TicketAnswered: _answered,
    ev.PatchApplied: _patched,
    ev.IntentSettled: _called,
}
