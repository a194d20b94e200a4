"""How a visit fails, how a scope ends, how a run ends."""

from typing import Any

from aob.core.event.value import NULL, Cell, digest_of_cell
from aob.core.graph.ir import IR, Node
from aob.core.run import events as ev
from aob.core.run.names import body_output
from aob.core.run.state import Scope
from aob.core.run.step import DeniedError, Step


def error_cell(step: Step, code: str, message: str, detail: Any = None, **more: Any) -> Cell:
    """An error as records hold it: `{code, message, detail?}`."""
    error = {"code": code, "message": message, **({"detail": detail} if detail is not None else {}), **more}
    return step.cell(error)[0]


def fail_node(step: Step, scope: Scope, ir: IR, node: Node, attempt: int, error: Cell) -> None:
    """A visit failed for good: its failure edges, its policy, or the failure of its scope."""
    visit = scope.prefix + node.id
    step.drop_timers(visit)
    if node.outs.get("failure"):
        on = "failure"
    elif node.spec.on_failure == "skip":
        on = "skipped"
    elif node.spec.on_failure == "review" and attempt:
        step.events.append(
            ev.TicketOpened(
                step.ticket_id(visit, attempt, "review"), visit, "review", "run",
                f"{visit} failed: what now?", ["retry", "skip", "fail"], {}, error,
            )
        )  # fmt: skip
        return
    else:
        on = ""
    event = ev.NodeFailed(visit, attempt, on, error)
    if on:
        step.route(scope, ir, node, event)
    else:
        step.events.append(event)
        step.done.setdefault(scope.path, {})[node.id] = event
        fail_scope(step, scope, visit, error)


def fail_scope(step: Step, scope: Scope, visit: str, error: Cell) -> None:
    """Nothing handles this error in its scope: a body's pass fails, the root's failure is the run's."""
    if not scope.path:
        told = step.load(error)
        finish(step, "FAILED", NULL, step.cell({"visit": visit, **told})[0])
    else:
        cancel_scope(step, scope, f"{visit} failed")
        step.ending.append((scope, error, True))


def cancel_scope(step: Step, scope: Scope, reason: str) -> None:
    """Everything that still lives in a scope and below it is cancelled."""
    prefix = scope.prefix
    gone = {visit for visit in step.run.tokens if visit.startswith(prefix)} - step.cancelled
    gone = {visit for visit in gone if step.outcome_of(visit) is None}
    cancel_visits(step, sorted(gone), reason)


def cancel_visits(step: Step, visits: list[str], reason: str) -> None:
    """These tokens end here; their timers and tickets too."""
    if not visits:
        return
    step.cancelled.update(visits)
    for visit in visits:
        step.drop_timers(visit)
        step.close_tickets(visit)
    step.events.append(ev.TokensCancelled(visits, reason))


def finish(step: Step, status: str, output: Cell, error: Cell = NULL) -> None:
    """The run is over, once."""
    if step.finished:
        return
    gone = sorted(visit for visit in step.run.tokens if step.outcome_of(visit) is None and visit not in step.cancelled)
    if gone:
        step.events.append(ev.TokensCancelled(gone, status.lower()))
    step.events.append(ev.RunFinished(status, step.now, output, error))
    step.finished = True


def close_finished(step: Step) -> bool:
    """Ends each scope whose nodes are all decided. True when something followed from it."""
    moved = False
    for path, drafted in list(step.done.items()):
        scope = step.run.scopes.get(path) or step.opened.get(path)
        if scope is None:
            continue
        undone = step.undone.get(path, 0) if step.versions else 0
        if len(scope.done) - undone + len(drafted) < len(step.ir_of(scope).nodes):
            continue
        if step.finished or path in step.closed:
            continue
        if not path:
            complete_run(step, scope)
        else:
            try:
                output, _ = body_output(step, scope)
            except DeniedError as denied:
                step.ending.append((scope, error_cell(step, "expression_failed", denied.detail), True))
            else:
                step.ending.append((scope, output, False))
            moved = True
    return moved


def complete_run(step: Step, root: Scope) -> None:
    """All nodes of the root scope are decided: the run is complete, unless it was being cancelled."""
    try:
        output, _ = body_output(step, root)
    except DeniedError as denied:
        finish(step, "FAILED", NULL, error_cell(step, "expression_failed", denied.detail, visit="output"))
    else:
        finish(step, "CANCELLED" if step.run.cancelling else "COMPLETED", output)


def outcome(visit: str, on: str, cell: Cell, *, attempt: int = 0, took: list[str] | None = None) -> ev.NodeCompleted:
    """The completion of a node that no worker performed."""
    return ev.NodeCompleted(visit, attempt, on, cell, digest_of_cell(cell), took)
