"""How a visit fails, how a scope ends, how a run ends."""

from collections import deque
from collections.abc import Iterator
from typing import Any

from aob.core.event.value import NULL, Cell, digest_of_cell
from aob.core.graph.ir import IR, Node
from aob.core.rules import FIRST_RULES
from aob.core.run import events as ev
from aob.core.run.names import body_output
from aob.core.run.state import DUE, OPENING, Scope
from aob.core.run.step import DeniedError, Step


def error_cell(step: Step, code: str, message: str, detail: Any = None, **more: Any) -> Cell:
    """An error as records hold it: `{code, message, detail?}`."""
    error = {"code": code, "message": message, **({"detail": detail} if detail is not None else {}), **more}
    return step.cell(error)[0]


def fail_node(step: Step, scope: Scope, ir: IR, node: Node, attempt: int, error: Cell) -> None:
    """A visit failed for good: its failure edges, its policy, or the failure of its scope."""
    visit = scope.prefix + node.id
    on = "failure" if node.outs.get("failure") else "skipped" if node.spec.on_failure == "skip" else ""
    if not on and node.spec.on_failure == "review" and attempt:  # its deadline goes on while a person thinks
        step.events.append(
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
        step.done.setdefault(scope.path, {})[node.id] = event
        fail_scope(step, scope, visit, error)


def fails_node(ir: IR, node: Node, on: str) -> bool:
    """Whether an outcome fails its node, for there is no edge for it."""
    refuses = on == "expired" or (on == "rejected" and ir.rules != FIRST_RULES)
    return refuses and not node.outs.get(on)


def fail_scope(step: Step, scope: Scope, visit: str, error: Cell) -> None:
    """Nothing handles this error in its scope: a body's pass fails, the root's failure is the run's."""
    if scope.path in step.closed:
        return
    if not scope.path:
        told = step.load(error)
        finish(step, "FAILED", NULL, step.cell({"visit": visit, **told})[0])
    else:
        cancel_below(step, scope.prefix, f"{visit} failed")
        end_scope(step, scope, error, failed=True)


def end_scope(step: Step, scope: Scope, output: Cell, *, failed: bool) -> None:
    """A pass is over: nothing more is worked in it, and what follows is worked out in a moment."""
    step.closed.add(scope.path)
    step.ending.append((scope, output, failed))


def cancel_below(step: Step, prefix: str, reason: str) -> None:
    """Every token and scope whose path begins like this ends here."""
    _shut(step, prefix)
    cancel_visits(step, living(step, prefix), reason)


def _shut(step: Step, prefix: str) -> None:
    step.closed.update(path for path in (*step.run.scopes, *step.opened) if path.startswith(prefix))
    if step.ending:
        step.ending = deque(each for each in step.ending if not each[0].path.startswith(prefix))


def living(step: Step, prefix: str = "") -> list[str]:
    """Visits that begin like this and have a token, also one that this decision gave them, and no outcome."""
    visits = {visit for visit in (*step.run.tokens, *_born(step)) if visit.startswith(prefix)} - step.cancelled
    return sorted(visit for visit in visits if step.outcome_of(visit) in (None, DUE))


def _born(step: Step) -> Iterator[str]:
    """Visits that got a token in this decision."""
    for event in step.events:
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
    """These tokens end here, with all that runs in their bodies; their timers and tickets too."""
    gone = dict.fromkeys(visits)
    for visit in visits:
        if visit in step.run.bodies or visit in step.bodies:
            for prefix in (f"{visit}[", f"{visit}#"):
                _shut(step, prefix)
                gone.update(dict.fromkeys(living(step, prefix)))
    if gone:
        step.withdraw(gone.keys())
        step.cancelled.update(gone)
        step.events.append(ev.TokensCancelled(list(gone), reason))


def finish(step: Step, status: str, output: Cell, error: Cell = NULL) -> None:
    """The run is over, once."""
    if step.finished:
        return
    gone = living(step)
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
                output = body_output(step, scope)
            except DeniedError as denied:
                end_scope(step, scope, error_cell(step, "expression_failed", denied.detail), failed=True)
            else:
                end_scope(step, scope, output, failed=False)
            moved = True
    return moved


def complete_run(step: Step, root: Scope) -> None:
    """All nodes of the root scope are decided: the run is complete, unless it was being cancelled."""
    try:
        output = body_output(step, root)
    except DeniedError as denied:
        finish(step, "FAILED", NULL, error_cell(step, "expression_failed", denied.detail, visit="output"))
    else:
        finish(step, "CANCELLED" if step.run.cancelling else "COMPLETED", output)


def outcome(visit: str, on: str, cell: Cell, *, attempt: int = 0, took: list[str] | None = None) -> ev.NodeCompleted:
    """The completion of a node that no worker performed."""
    return ev.NodeCompleted(visit, attempt, on, cell, digest_of_cell(cell), took)
