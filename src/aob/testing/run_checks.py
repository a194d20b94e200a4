"""Rules that hold of a run at every moment, as checks shared by tests and the simulated world."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from aob.core.run import Effects, Hop, Run, pending
from aob.core.run.effects import Pending
from aob.core.run.record import events as ev
from aob.core.run.state import READY, Scope
from aob.core.run.state.run import OPEN, takes
from aob.core.run.stepping import Graphs

NO_TOKEN = frozenset({"run", "start"})  # kinds of timers that belong to the run, not to a visit


_PLAIN = frozenset({str, int, bool, float, bytes, type(None)})


def picture(value: Any) -> Any:
    """A run, or a part of one, as plain comparable data that shares nothing with it."""
    if type(value) in _PLAIN:  # nine of ten
        return value
    if isinstance(value, msgspec.Raw):
        return bytes(value)
    if isinstance(value, msgspec.Struct):
        return {"": type(value).__name__, **_seen(value, value.__struct_fields__)}
    if isinstance(value, Mapping):
        return {str(key): each if type(each) in _PLAIN else picture(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [each if type(each) in _PLAIN else picture(each) for each in value]
    slots = getattr(type(value), "__slots__", ())
    return _seen(value, [name for name in slots if hasattr(value, name)]) if slots else value


def _seen(value: Any, names: Iterable[str]) -> dict[str, Any]:
    found = ((name, getattr(value, name)) for name in names)
    return {name: each if type(each) in _PLAIN else picture(each) for name, each in found}


def broken(run: Run, graphs: Graphs) -> Iterator[str]:
    """Every rule of a live run that does not hold."""
    if run.final:
        yield from _after_the_end(run)
        return
    if not run.workflow:
        return
    ready = sum(token.state == READY for token in run.tokens.values())
    if ready != run.ready:
        yield f"{run.ready} tokens are said to be ready and {ready} are"
    if not run.tokens and not run.quarantined:
        yield "the run goes on and has no token"
    yield from _tokens(run, graphs)
    yield from _places(run)
    yield from _indices(run)
    for scope in run.scopes.values():
        yield from _signals(run, graphs, scope)


def _after_the_end(run: Run) -> Iterator[str]:
    for what in (run.tokens, run.timers, run.waits, run.bodies):
        if what:
            yield f"the run is {run.final} and still holds {sorted(what)}"
    for ticket in run.tickets.values():
        if not ticket.answer:
            yield f"the run is {run.final} and {ticket.id} is open"


def _tokens(run: Run, graphs: Graphs) -> Iterator[str]:
    for visit, token in run.tokens.items():
        scope = run.scopes.get(token.scope)
        if scope is None:
            yield f"{visit} has a token in a scope that is gone"
            continue
        if visit != scope.prefix + token.node:
            yield f"the token of {visit} is filed under {scope.prefix}{token.node}"
        nodes = _ir(graphs, scope).nodes
        if token.node not in nodes:
            yield f"{visit} has a token and its graph has no such node"
        if token.node in scope.done:
            yield f"{visit} has a token and an outcome"
        if token.state == OPEN and not _waits_for(run, visit):
            yield f"{visit} is open and nothing can ever answer it"


def _waits_for(run: Run, visit: str) -> bool:
    return (
        visit in run.waits
        or visit in run.bodies
        or any(ticket.visit == visit and not ticket.answer for ticket in run.tickets.values())
        or any(timer.visit == visit for timer in run.timers.values())
    )


def _places(run: Run) -> Iterator[str]:
    for visit in (*run.waits, *run.bodies):
        if visit not in run.tokens:
            yield f"{visit} waits or has a body, and has no token"
    for timer in run.timers.values():
        if timer.kind not in NO_TOKEN and timer.visit not in run.tokens:
            yield f"timer {timer.id} belongs to {timer.visit}, which has no token"
    for ticket in run.tickets.values():
        if not ticket.answer and ticket.subject != "patch" and ticket.visit not in run.tokens:
            yield f"{ticket.id} asks about {ticket.visit}, which has no token"
    for path, scope in run.scopes.items():
        if path and scope.visit not in run.bodies:
            yield f"scope {path} is a pass of {scope.visit}, which is not under way"
    for visit, body in run.bodies.items():
        live = sum(scope.visit == visit for scope in run.scopes.values())
        if live != body.live or body.next != body.live + body.closed:
            yield f"{visit} counts {body.live} live and {body.closed} closed of {body.next}, and {live} are live"


def _indices(run: Run) -> Iterator[str]:
    """The indices agree with the indexed data."""
    timed: dict[str, dict[str, None]] = {}
    for timer in run.timers.values():
        timed.setdefault(timer.visit, {})[timer.id] = None
    asked: dict[str, dict[str, None]] = {}
    for ticket in run.tickets.values():
        for key in (ticket.visit, ticket.about):
            if key and not ticket.answer:
                asked.setdefault(key, {})[ticket.id] = None
    waiting: dict[tuple[str, str], list[str]] = {}
    for visit, wait in run.waits.items():
        waiting.setdefault(wait, []).append(visit)
    if timed != run.timed or asked != run.asked or waiting != {wait: list(at) for wait, at in run.waiting.items()}:
        yield f"timers, tickets or waits are filed as {run.timed}, {run.asked}, {run.waiting}"
    for scope in run.scopes.values():
        live = {token.node for token in run.tokens.values() if token.scope == scope.path}
        if scope.path and live != scope.live.keys():
            yield f"{scope.path} has {sorted(scope.live)} alive, and the tokens are those of {sorted(live)}"
    for visit, body in run.bodies.items():
        if body.goes_on != (visit in run.going):
            yield f"{visit} is listed as one that goes on, or is one and is not"
        if len(body.open) != body.live or any(body.path(index) not in run.scopes for index in body.open):
            yield f"{visit} has {body.live} open passes, and {sorted(body.open)} are listed"


def _signals(run: Run, graphs: Graphs, scope: Scope) -> Iterator[str]:
    """Signals follow from outcomes: counts agree with them, and a node with all signals is decided."""
    ir = _ir(graphs, scope)
    open_nodes = [node for node in ir.nodes.values() if node.id not in scope.done]
    if not open_nodes:
        yield f"every node of scope {scope.path or 'root'} is decided and it was not closed"
    for node in open_nodes:
        taken = skipped = 0
        for edge in node.ins:
            how = scope.done.get(edge.source.id)
            if how is not None:
                took = takes(edge, how)
                taken, skipped = taken + took, skipped + (not took)
        visit = scope.prefix + node.id
        if visit in run.tokens and node.kind != "join":
            if node.need and not taken:
                yield f"{visit} was begun and no edge to it was taken"
            continue
        if taken + skipped == node.need:
            yield f"{visit} has all its signals and is not decided"
        if (taken, skipped) != scope.signals.get(node.id, (0, 0)):
            yield f"{visit} counts {scope.signals.get(node.id)} signals and its sources say {(taken, skipped)}"


def _ir(graphs: Graphs, scope: Scope) -> Any:
    return graphs.body(scope.version, scope.body) if scope.body else graphs.ir(scope.version)


def reaction_wrong(before: Pending, after: Pending, effects: Effects | Hop, events: list[Any]) -> Iterator[str]:
    """How `react` differs from the difference of `pending` across one decision."""
    if effects.over:
        if after != Pending({}, {}, frozenset()):
            yield f"the run is over and {after} is pending"
        if effects.jobs:
            yield f"the run is over and {effects.jobs} go out"
        return
    born = {(visit, attempt) for visit, attempt in after.jobs.items() if before.jobs.get(visit) != attempt}
    if born != set(effects.jobs) or len(set(effects.jobs)) != len(effects.jobs):
        yield f"jobs {sorted(born)} are new and {effects.jobs} go out"
    ended = {event.visit for event in events if isinstance(event, ev.NodeCompleted)} | set(effects.gone)
    for visit in before.jobs:
        if visit not in after.jobs and visit not in ended:
            yield f"the job of {visit} is no more and nobody stops it"
    timers = {id: due for id, due in before.timers.items() if id not in set(effects.timers_done)}
    timers.update(effects.timers)
    if effects.goes_on != after.goes_on:
        yield f"the run {'goes' if after.goes_on else 'does not go'} on by itself, and effects say otherwise"
    if timers != after.timers:
        yield f"timers {after.timers} are pending and effects give {timers}"
    tickets = (before.tickets | set(effects.tickets)) - set(effects.tickets_done)
    if tickets != after.tickets:
        yield f"tickets {sorted(after.tickets)} are open and effects give {sorted(tickets)}"


class Story:
    """The events of one run in order, and the rules that relate them to each other."""

    def __init__(self) -> None:
        self._done: set[str] = set()
        self._cancelled: set[str] = set()
        self._attempts: dict[str, int] = {}
        self._over = False

    def add(self, event: Any) -> Iterator[str]:
        """The rules that the next event breaks."""
        visit = getattr(event, "visit", "")
        if self._over and not isinstance(event, ev.Dispatched):
            yield f"{type(event).__name__} came after the end"
        if isinstance(event, ev.RunFinished):
            self._over = True
        elif isinstance(event, ev.NodeCompleted | ev.NodeFailed):
            yield from self._ended(event)
            self._done.add(visit)
        elif isinstance(event, ev.TokenReady):
            current = self._attempts.get(visit, 1)
            if event.attempt != current + 1:
                yield f"{visit} went from attempt {current} to {event.attempt}"
            if visit in self._done or visit in self._cancelled:
                yield f"{visit} is tried again after its end"
            self._attempts[visit] = event.attempt
        elif isinstance(event, ev.AttemptFailed | ev.NodeHeld | ev.Intent | ev.Checkpoint):
            if event.attempt != self._attempts.get(visit, 1):
                yield f"{type(event).__name__} of attempt {event.attempt} of {visit} is not of the current one"
        elif isinstance(event, ev.TokensCancelled):
            yield from (f"{each} was cancelled after its end" for each in event.visits if each in self._done)
            self._cancelled.update(event.visits)
        elif isinstance(event, ev.PatchApplied):
            self._done -= set(event.undone)

    def _ended(self, event: ev.NodeCompleted | ev.NodeFailed) -> Iterator[str]:
        visit = event.visit
        if visit in self._done:
            yield f"{visit} ended twice"
        if visit in self._cancelled:
            yield f"{visit} ended after it was cancelled"
        copied = isinstance(event, ev.NodeCompleted) and event.copied
        if event.attempt and not copied and event.attempt != self._attempts.get(visit, 1):
            yield f"{visit} ended as attempt {event.attempt}, and {self._attempts.get(visit, 1)} was the current one"


def after(run: Run) -> Pending:
    """An independent copy of what is pending."""
    now = pending(run)
    return Pending(dict(now.jobs), dict(now.timers), now.tickets, now.goes_on)
