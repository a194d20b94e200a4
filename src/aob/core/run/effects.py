"""Effects are a function of state: `pending` lists every job, timer and ticket that should exist now. `react` is the
difference of `pending` across one decision, computed from its events so that its cost depends on them and not on the
state; a property test compares the two. Recovery calls `pending` alone."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Final

import msgspec

from aob.core.run.record import events as ev
from aob.core.run.state.run import READY, Run


class Effects:
    """What a decision changes outside: jobs by (visit, attempt), timers by id, tickets by id. `gone` are visits whose
    running job must stop; jobs that ended by themselves are not included. `told` are tickets to notify people of, with
    the change. `goes_on` requests a `continue`."""

    __slots__ = ("goes_on", "gone", "jobs", "over", "tickets", "tickets_done", "timers", "timers_done", "told")

    def __init__(self, jobs: list[tuple[str, int]]) -> None:
        self.jobs = jobs
        self.over = self.goes_on = False
        self.gone: list[str] = []
        self.timers: dict[str, int] = {}
        self.timers_done: list[str] = []
        self.tickets: list[str] = []
        self.tickets_done: list[str] = []
        self.told: list[tuple[str, str]] = []


class Hop(msgspec.Struct, gc=False, eq=False):
    """The effects of the most frequent decisions: a run began, or one visit completed and others are ready, or it was
    the last."""

    jobs: Sequence[tuple[str, int]]
    over: bool = False
    goes_on: ClassVar[bool] = False
    gone: ClassVar[tuple[str, ...]] = ()
    timers: ClassVar[Mapping[str, int]] = MappingProxyType({})
    timers_done: ClassVar[tuple[str, ...]] = ()
    tickets: ClassVar[tuple[str, ...]] = ()
    tickets_done: ClassVar[tuple[str, ...]] = ()
    told: ClassVar[tuple[tuple[str, str], ...]] = ()


LAST: Final = Hop((), True)  # the last completion of a run


class Pending(msgspec.Struct):
    """Everything that should exist for a run now."""

    jobs: dict[str, int]
    timers: dict[str, int]
    tickets: frozenset[str]
    goes_on: bool = False


def pending(run: Run) -> Pending:
    """Every job (visit to attempt), timer (id to due) and open ticket of a run, and whether a map or loop has room for
    a pass and needs a `continue`. A quarantined run has only its tickets until it is released."""
    if run.final:
        return Pending({}, {}, frozenset())
    tickets = frozenset(ticket.id for ticket in run.tickets.values() if not ticket.answer)
    if run.quarantined:
        return Pending({}, {}, tickets)
    jobs, timers = _standing(run)
    return Pending(jobs, timers, tickets, bool(run.going))


def _standing(run: Run) -> tuple[dict[str, int], dict[str, int]]:
    jobs = {token.visit: token.attempt for token in run.tokens.values() if token.state == READY}
    return jobs, {timer.id: timer.due_ms for timer in run.timers.values()}


def react(run: Run, events: list[Any]) -> Effects | Hop:
    """The effects of events that were just folded into `run`."""
    if len(events) == 1 and type(events[0]) is ev.RunStarted and not run.going:
        return Hop([(node, 1) for node in events[0].ready])
    effects = Effects([])
    for event in events:
        kind = type(event)
        if kind is ev.NodeCompleted or kind is ev.NodeFailed:
            if event.ready:
                path = event.visit.rpartition("/")[0]
                prefix = f"{path}/" if path else ""
                effects.jobs.extend([(prefix + node, 1) for node in event.ready])
            if kind is ev.NodeFailed:
                effects.gone.append(event.visit)
        else:
            rule = _REACTIONS.get(kind)
            if rule is not None:
                rule(effects, event)
            elif kind is ev.RunQuarantined or kind is ev.RunReleased:
                _aside(effects, run, kind is ev.RunQuarantined)
    if len(events) > 1 and effects.jobs:
        tokens = run.tokens
        jobs = dict.fromkeys(effects.jobs)
        effects.jobs = [job for job in jobs if job[0] in tokens and tokens[job[0]].state == READY]
    effects.goes_on = bool(run.going) and not run.quarantined
    return effects


def _aside(effects: Effects, run: Run, out: bool) -> None:
    jobs, timers = _standing(run)
    if out:
        effects.gone.extend(jobs)
        effects.timers_done.extend(timers)
    else:
        effects.jobs.extend(jobs.items())
        effects.timers.update(timers)


def _entered(effects: Effects, event: Any) -> None:
    effects.jobs.extend((node, 1) for node in event.ready)


def _scope_entered(effects: Effects, event: Any) -> None:
    effects.jobs.extend((f"{event.path}/{node}", 1) for node in event.ready)


def _timer_done(effects: Effects, event: ev.TimerDone) -> None:
    effects.timers.pop(event.id, None)
    effects.timers_done.append(event.id)


def _ticket_opened(effects: Effects, event: ev.TicketOpened) -> None:
    effects.tickets.append(event.id)
    effects.told.append((event.id, "opened"))
    if event.visit and event.subject != "patch":
        effects.gone.append(event.visit)


def _over(effects: Effects, event: ev.RunFinished) -> None:
    effects.over = True


_REACTIONS: dict[type, Any] = {
    ev.RunStarted: _entered,
    ev.PatchApplied: _entered,
    ev.ScopeOpened: _scope_entered,
    ev.ScopeMoved: _scope_entered,
    ev.TokenReady: lambda effects, event: effects.jobs.append((event.visit, event.attempt)),
    ev.AttemptFailed: lambda effects, event: effects.gone.append(event.visit),
    ev.NodeHeld: lambda effects, event: effects.gone.append(event.visit),
    ev.TimerSet: lambda effects, event: effects.timers.update({event.id: event.due_ms}),
    ev.TimerDone: _timer_done,
    ev.TicketOpened: _ticket_opened,
    ev.TicketChanged: lambda effects, event: effects.told.append((event.id, event.what)),
    ev.TicketAnswered: lambda effects, event: effects.tickets_done.append(event.id),
    ev.TokensCancelled: lambda effects, event: effects.gone.extend(event.visits),
    ev.RunFinished: _over,
}
