"""How a visit fails, how a scope ends, how a run ends."""

from collections.abc import Iterable, Iterator
from typing import Any

from aob.core.graph.compiled.ir import IR, Node
from aob.core.rules import FIRST_RULES
from aob.core.run.record import events as ev
from aob.core.run.state.run import DUE, OPENING, Scope
from aob.core.run.stepping.names import body_output
from aob.core.run.stepping.step import DeniedError, Step
from aob.core.value import NULL, Cell


def error_cell(step: Step, code: str, message: str, detail: Any = None, **more: Any) -> Cell:
    """An error in the form of records: `{code, message, detail?}`."""
    error = {"code": code, "message": message, **({"detail": detail} if detail is not None else {}), **more}
    return step.cell(error)


def fail_node(step: Step, scope: Scope, ir: IR, node: Node, attempt: int, error: Cell) -> None:
    """A visit failed for good: takes its failure edges, applies its policy, or fails its scope."""
    visit = scope.prefix + node.id
    on = "failure" if node.outs.get("failure") else "skipped" if node.spec.on_failure == "skip" else ""
    if not on and node.spec.on_failure == "review" and attempt:  # its deadline continues meanwhile
        step.open_ticket(
            ev.TicketOpened(
                step.ticket_id(visit, attempt, "review"), visit, "review", "approve",
                f"{visit} failed: what now?", ["retry", "skip", "fail"], {}, error,
            )
        )  # fmt: skip
        return
    step.drop_timers(visit)
    event = ev.NodeFailed(visit, attempt, on, error)
    if on:
        step.route(scope, ir, node, event)
    else:
        step.events.append(event)
        step.decided(scope, node.id, event)
        fail_scope(step, scope, visit, error)


def fails_node(ir: IR, node: Node, on: str) -> bool:
    """Whether an outcome fails its node because there is no edge for it."""
    refuses = on == "expired" or (on == "rejected" and ir.rules != FIRST_RULES)
    return refuses and not node.outs.get(on)


def fail_scope(step: Step, scope: Scope, visit: str, error: Cell) -> None:
    """An unhandled error: fails the body's pass, or the run at the root."""
    if scope.path in step.closed:
        return
    if not scope.path:
        finish(step, "FAILED", NULL, step.cell({"visit": visit, **step.load(error)}))
    else:
        cancel_visits(step, sorted(_in_pass(step, scope)), f"{visit} failed")
        end_scope(step, scope, error, failed=True)


def end_scope(step: Step, scope: Scope, output: Cell, *, failed: bool) -> None:
    """Ends a pass: no further work happens in it; its consequences are computed later in this decision."""
    step.closed.add(scope.path)
    step.ending.append((scope, output, failed))


def cancel_passes(step: Step, visit: str, reason: str) -> None:
    """Cancels everything in the passes of a map or loop."""
    cancel_visits(step, sorted(_in_passes(step, visit)), reason)


def _in_passes(step: Step, visit: str) -> Iterator[str]:
    """Live visits in the passes of a map or loop; closes these passes."""
    kept = step.run.bodies.get(visit)
    paths = [kept.path(index) for index in kept.open] if kept is not None else []
    for path in (*paths, *step.passes.get(visit, ())):
        if path not in step.shut:
            step.shut.add(path)
            step.closed.add(path)
            yield from _in_pass(step, step.scope(path))


def _in_pass(step: Step, scope: Scope) -> Iterator[str]:
    """Visits in a pass that have a token and no outcome, with those in nested passes."""
    for node in {**scope.live, **step.born.get(scope.path, {})}:
        visit = scope.prefix + node
        if visit not in step.cancelled and step.outcome(scope, node) in (None, DUE):
            yield visit
            yield from _in_passes(step, visit)


def born(events: Iterable[Any]) -> Iterator[str]:
    """Visits that get a token by these events."""
    for event in events:
        kind = type(event)
        if kind is ev.ScopeOpened or kind is ev.ScopeMoved:
            yield from (f"{event.path}/{node}" for node in event.ready)
        elif kind is ev.NodeCompleted or kind is ev.NodeFailed:
            path = event.visit.rpartition("/")[0]
            yield from (f"{path}/{node}" if path else node for node in event.ready)
        elif kind is ev.RunStarted or kind is ev.PatchApplied:
            yield from event.ready
        elif (
            kind is ev.WaitOpened
            or kind is ev.BodyOpened
            or (kind is ev.TicketOpened and event.subject != "patch")
            or (kind is ev.TimerSet and event.kind in OPENING)
        ):
            yield event.visit


def cancel_visits(step: Step, visits: list[str], reason: str) -> None:
    """Cancels these tokens, with everything in their bodies, their timers and tickets."""
    gone = dict.fromkeys(visits)
    for visit in visits:
        if visit in step.run.bodies or visit in step.bodies:
            gone.update(dict.fromkeys(sorted(_in_passes(step, visit))))
    if gone:
        step.withdraw(gone)
        step.cancelled.update(gone)
        step.events.append(ev.TokensCancelled(list(gone), reason))


def finish(step: Step, status: str, output: Cell, error: Cell = NULL) -> None:
    """Ends the run, once."""
    if step.finished:
        return
    visits = {*step.run.tokens, *born(step.events)} - step.cancelled
    if gone := sorted(visit for visit in visits if step.outcome_of(visit) in (None, DUE)):
        step.events.append(ev.TokensCancelled(gone, status.lower()))
    step.events.append(ev.RunFinished(status, step.now, output, error))
    step.finished = True


def close_finished(step: Step) -> bool:
    """Ends each scope whose nodes are all decided, the run with its root. True if something followed from it."""
    moved = False
    touched, step.touched = step.touched, {}
    for path, scope in touched.items():
        undone = step.undone.get(path, 0) if step.moved else 0
        if len(scope.done) - undone + len(step.done.get(path, ())) < len(step.ir_of(scope).nodes):
            continue
        if step.finished or path in step.closed:
            continue
        try:
            output = body_output(step, scope)
        except DeniedError as denied:
            if path:
                end_scope(step, scope, error_cell(step, "expression_failed", denied.detail), failed=True)
            else:
                finish(step, "FAILED", NULL, error_cell(step, "expression_failed", denied.detail, visit="output"))
        else:
            if path:
                end_scope(step, scope, output, failed=False)
            else:
                finish(step, "CANCELLED" if step.run.cancelling else "COMPLETED", output)
        moved = moved or bool(path)
    return moved


def outcome(visit: str, on: str, cell: Cell, *, attempt: int = 0, took: list[str] | None = None) -> ev.NodeCompleted:
    """The completion of a node that no worker performed."""
    return ev.NodeCompleted(visit, attempt, on, cell, b"", took)
