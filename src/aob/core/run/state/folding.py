"""evolve(run, event) -> run: applies an event. Accepts every event ever written; decides nothing, needs no graph.
Consumes the given run: use the returned one."""

from collections.abc import Iterable
from typing import Any

from aob.core.answers import JsonObject
from aob.core.intents import Intents
from aob.core.run.record import events as ev
from aob.core.run.state import graph_folding as graph
from aob.core.run.state.graph_folding import decide_nodes, feed
from aob.core.run.state.run import (
    BACKOFF,
    CANCELLED,
    COMMANDS_KEPT_MIN,
    COMMANDS_KEPT_MS,
    HELD,
    LOST,
    OPEN,
    OPENING,
    READY,
    Body,
    Known,
    Run,
    Scope,
    Ticket,
    Timer,
    Token,
)
from aob.core.value import NULL, Cell, digest_of, digest_of_cell


def evolve(run: Run, event: ev.RunEvent) -> Run:
    """The run after the event."""
    _HANDLERS[type(event)](run, event)
    return run


def fold(run: Run, events: Iterable[ev.RunEvent]) -> Run:
    """The run after all of these events, in order."""
    rules = _HANDLERS
    for event in events:
        rules[type(event)](run, event)
    return run


def _scope_of(run: Run, visit: str) -> tuple[Scope, str]:
    path, _, node = visit.rpartition("/")
    return run.scopes[path], node


def _pop(run: Run, visit: str) -> None:
    token = run.tokens.pop(visit, None)
    if token is None:
        return
    if token.state == READY:
        run.ready -= 1
    if token.scope and token.scope in run.scopes:
        run.scopes[token.scope].live.pop(token.node, None)


def _unfile(index: dict[Any, Any], key: Any, name: str) -> None:
    """Removes a name under a key, and the key with its last name."""
    names = index.get(key, {})
    names.pop(name, None)
    if not names:
        index.pop(key, None)


def _unwait(run: Run, visit: str) -> None:
    wait = run.waits.pop(visit, None)
    if wait is not None:
        _unfile(run.waiting, wait, visit)


def _set(run: Run, token: Token, state: str) -> None:
    run.ready += (state == READY) - (token.state == READY)
    token.state = state


def _started(run: Run, e: ev.RunStarted) -> None:
    run.workflow, run.artifact, run.version, run.tag = e.workflow, e.artifact, e.version, e.tag
    run.tenant, run.by, run.mode, run.priority = e.tenant, e.by, e.mode, e.priority
    run.inputs, run.inputs_digest, run.labels, run.given = e.inputs, e.digest, e.labels, e.given
    run.started_ms, run.deadline_ms, run.depth, run.fork = e.at_ms, e.deadline_ms, e.depth, e.fork
    run.rules, run.again, run.trace = e.rules, e.again, e.trace
    run.graph_ops, run.by_key, run.authors = list(e.overlay), e.by_key, e.authors
    root = run.scopes[""] = Scope("", "", len(e.overlay), "", 0, NULL)
    decide_nodes(run, root, e.ready, e.skipped)


def _completed(run: Run, e: ev.NodeCompleted | ev.NodeFailed) -> None:
    visit = e.visit
    token = run.tokens.pop(visit, None)
    if token is not None:
        if token.state == READY:
            run.ready -= 1
        scope, node = run.scopes[token.scope], token.node
        if scope.live:
            scope.live.pop(node, None)
    else:
        scope, node = _scope_of(run, visit)
    scope.done[node] = e
    if scope.signals:
        scope.signals.pop(node, None)
    if e.ready or e.skipped:
        decide_nodes(run, scope, e.ready, e.skipped)
    if e.signalled_taken or e.signalled_skipped:
        feed(scope, e.signalled_taken, e.signalled_skipped)
    if run.waits:
        _unwait(run, visit)
    if run.bodies:
        run.bodies.pop(visit, None)
        run.going.pop(visit, None)


def _failed(run: Run, e: ev.NodeFailed) -> None:
    cut_short = run.bodies.get(e.visit)
    _completed(run, e)
    if cut_short is not None:
        _drop_passes(run, cut_short)


def _drop_passes(run: Run, body: Body) -> None:
    """A map or loop ended early: drops everything of its passes."""
    for index in body.open:
        scope = run.scopes.pop(body.path(index), None)
        for node in scope.live if scope is not None else ():
            visit = f"{body.path(index)}/{node}"
            _pop(run, visit)
            _unwait(run, visit)
            _drop_body(run, visit)


def _drop_body(run: Run, visit: str) -> None:
    body = run.bodies.pop(visit, None)
    if body is not None:
        run.going.pop(visit, None)
        _drop_passes(run, body)


def _attempt_failed(run: Run, e: ev.AttemptFailed) -> None:
    token = run.tokens[e.visit]
    _set(run, token, BACKOFF)
    token.error = e.error


def _token_ready(run: Run, e: ev.TokenReady) -> None:
    token = run.tokens[e.visit]
    _set(run, token, READY)
    token.attempt = e.attempt
    token.verify = e.cause == "verify"
    if e.cause in LOST:
        token.lost += 1
        token.crashes += not e.stop


def _timer_set(run: Run, e: ev.TimerSet) -> None:
    run.timers[e.id] = Timer(e.id, e.visit, e.kind, e.due_ms)
    run.timed.setdefault(e.visit, {})[e.id] = None
    if e.kind in OPENING and e.visit not in run.tokens:
        _open(run, e.visit)


def _open(run: Run, visit: str) -> None:
    path, _, node = visit.rpartition("/")
    token = run.tokens.get(visit)
    if token is None:
        run.tokens[visit] = Token(visit, path, node, 1, OPEN)
        if path:
            run.scopes[path].live[node] = None
    else:
        _set(run, token, OPEN)


def _timer_done(run: Run, e: ev.TimerDone) -> None:
    timer = run.timers.pop(e.id, None)
    if timer is not None:
        _unfile(run.timed, timer.visit, e.id)


def _ticket_opened(run: Run, e: ev.TicketOpened) -> None:
    run.tickets[e.id] = Ticket(
        e.id, e.visit, e.subject, e.role, e.text, e.choices, e.form, e.shown, e.due_ms, e.expire, e.about,
        notify=e.notify, roles=e.roles, barred=e.barred,
    )  # fmt: skip
    for key in filter(None, (e.visit, e.about)):
        run.asked.setdefault(key, {})[e.id] = None
    if e.subject in {"approval", "uncertain", "review"}:
        _open(run, e.visit)
    if e.subject == "uncertain":
        run.tokens[e.visit].lost += 1


def _ticket_changed(run: Run, e: ev.TicketChanged) -> None:
    ticket = run.tickets[e.id]
    ticket.step = e.step
    ticket.role = e.role or ticket.role


def _ticket_answered(run: Run, e: ev.TicketAnswered) -> None:
    ticket = run.tickets[e.id]
    ticket.answer, ticket.by, ticket.reason, ticket.values, ticket.key = e.choice, e.by, e.reason, e.values, e.key
    for key in filter(None, (ticket.visit, ticket.about)):
        _unfile(run.asked, key, e.id)
    if e.command:
        _know(run, e.command, Known("answer", e.id, content_of(e.choice, e.reason, e.values), e.by, e.at_ms))


def _held(run: Run, e: ev.NodeHeld) -> None:
    token = run.tokens[e.visit]
    _set(run, token, HELD)
    token.kept = e


def _intent(run: Run, e: ev.Intent) -> None:
    token = run.tokens[e.visit]
    if token.intents is None:
        token.intents = Intents()
    token.intents.add(e.number, e.kind, e.digest, e.attempt, e.what, e.count)


def _intent_settled(run: Run, e: ev.IntentSettled) -> None:
    token = run.tokens.get(e.visit)
    if token is not None and token.intents:
        token.intents.settle(e.number, e.result, e.failed)
    if e.usage:
        _use(run, e.usage)


def _use(run: Run, usage: JsonObject) -> None:
    for name, amount in usage.items():
        if isinstance(amount, int | float) and not isinstance(amount, bool):
            run.usage[name] = run.usage.get(name, 0) + amount


def _uncertain(run: Run, e: ev.Uncertain) -> None:
    token = run.tokens[e.visit]
    if e.then == "repeat" and token.intents:
        token.intents.drop(e.number)


def _wait_opened(run: Run, e: ev.WaitOpened) -> None:
    run.waits[e.visit] = (e.name, e.key)
    run.waits_opened += 1
    run.waiting.setdefault((e.name, e.key), {})[e.visit] = run.waits_opened
    _open(run, e.visit)


def _message(run: Run, e: ev.MessageReceived) -> None:
    _know(run, e.id, Known("message", " ".join(filter(None, (e.name, e.key))), e.digest, e.by, e.at_ms))
    if e.visit:
        _unwait(run, e.visit)
        run.messages = [kept for kept in run.messages if kept[0] != e.id]
    else:
        run.messages.append((e.id, e.name, e.key, e.payload))


def _body_opened(run: Run, e: ev.BodyOpened) -> None:
    window = e.window if e.kind == "map" else 1
    body = run.bodies[e.visit] = Body(e.visit, e.kind, e.items, e.count, window)
    if body.goes_on:
        run.going[e.visit] = None
    _open(run, e.visit)


def _cancel_requested(run: Run, e: ev.CancelRequested) -> None:
    run.cancelling = e.reason or "cancelled"
    if e.command:
        _know(run, e.command, Known("cancel", run.id, content_of(e.reason), e.by, e.at_ms))


def content_of(*parts: str | Cell) -> bytes:
    """The digest of a command's content."""
    return digest_of(b"\0".join(part.encode() if isinstance(part, str) else digest_of_cell(part) for part in parts))


def _know(run: Run, id: str, known: Known) -> None:
    commands = run.commands
    if id in commands:
        return  # a kept message is delivered to its visit
    commands[id] = known
    while len(commands) > COMMANDS_KEPT_MIN:
        oldest = next(iter(commands))
        if commands[oldest].at_ms > known.at_ms - COMMANDS_KEPT_MS:
            break
        del commands[oldest]


def _cancelled(run: Run, e: ev.TokensCancelled) -> None:
    for visit in e.visits:
        _pop(run, visit)
        path, _, node = visit.rpartition("/")
        if path in run.scopes:
            run.scopes[path].done[node] = CANCELLED
            run.scopes[path].signals.pop(node, None)
        _unwait(run, visit)
        _drop_body(run, visit)


def _finished(run: Run, e: ev.RunFinished) -> None:
    run.final, run.ended_ms, run.output = e.status, e.at_ms, e.output
    run.error = None if bytes(e.error) == b"null" else e.error
    for ticket in run.tickets.values():
        ticket.answer = ticket.answer or "withdrawn"
    run.tokens.clear()
    run.timers.clear()
    run.timed.clear()
    run.asked.clear()
    run.waits.clear()
    run.waiting.clear()
    run.bodies.clear()
    run.going.clear()
    run.messages.clear()
    run.ready = 0


def _quarantined(run: Run, e: ev.RunQuarantined) -> None:
    run.quarantined = e.reason


def _released(run: Run, e: ev.RunReleased) -> None:
    run.quarantined = ""


def _watched(run: Run, e: ev.RunWatched) -> None:
    run.watchers = (*run.watchers, e.stream)


def _pinned(run: Run, e: ev.RunPinned) -> None:
    run.build = e.build


def _checkpoint(run: Run, e: ev.Checkpoint) -> None:
    run.tokens[e.visit].resume = e.data


def _informs(run: Run, e: ev.Dispatched | ev.NodeRefused) -> None:
    """Informational only: the failure that follows a refusal decides about the node."""


_HANDLERS: dict[type, Any] = {
    ev.RunStarted: _started,
    ev.Dispatched: _informs,
    ev.NodeCompleted: _completed,
    ev.NodeFailed: _failed,
    ev.AttemptFailed: _attempt_failed,
    ev.TokenReady: _token_ready,
    ev.TimerSet: _timer_set,
    ev.TimerDone: _timer_done,
    ev.TicketOpened: _ticket_opened,
    ev.TicketChanged: _ticket_changed,
    ev.TicketAnswered: _ticket_answered,
    ev.PatchProposed: graph.patch_proposed,
    ev.PatchApplied: graph.patch_applied,
    ev.ScopeMoved: graph.scope_moved,
    ev.PatchClosed: graph.patch_closed,
    ev.NodeHeld: _held,
    ev.Intent: _intent,
    ev.IntentSettled: _intent_settled,
    ev.Uncertain: _uncertain,
    ev.WaitOpened: _wait_opened,
    ev.MessageReceived: _message,
    ev.ScopeOpened: graph.scope_opened,
    ev.ScopeClosed: graph.scope_closed,
    ev.BodyOpened: _body_opened,
    ev.PageClosed: graph.page_closed,
    ev.CancelRequested: _cancel_requested,
    ev.TokensCancelled: _cancelled,
    ev.RunFinished: _finished,
    ev.RunQuarantined: _quarantined,
    ev.Checkpoint: _checkpoint,
    ev.RunReleased: _released,
    ev.NodeRefused: _informs,
    ev.RunWatched: _watched,
    ev.RunPinned: _pinned,
}  # A rule for every event; a test checks this table against the union of events
