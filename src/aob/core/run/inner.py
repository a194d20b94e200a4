"""Nodes that run inside a decision: joins, branches, and nodes that wait for time, messages and people."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from aob.core.duration import parse_duration
from aob.core.errors import Problem
from aob.core.expression import EvalError, Meter, string_of
from aob.core.graph.compiled.ir import IR, Node
from aob.core.instant import cut_ms, cut_seconds, moment_of
from aob.core.json_schema.problems import schema_problems
from aob.core.node.template import fill
from aob.core.rules import FIRST_RULES
from aob.core.run.bodies import close_scope, open_loop, open_map, open_next
from aob.core.run.ending import cancel_visits, close_finished, error_cell, fail_node, fails_node, outcome
from aob.core.run.record import events as ev
from aob.core.run.state.run import CANCELLED, DUE, Scope
from aob.core.run.stepping.names import evaluate, input_cell, input_value, source_cells
from aob.core.run.stepping.step import DeniedError, Step
from aob.core.value import Cell

TIME_MAX_S: Final = 253_402_300_799  # the end of the year 9999, in seconds of the epoch


def conclude(step: Step) -> None:
    """Processes everything that follows from the events so far, up to the end of scopes and of the run."""
    while not step.finished:
        while step.inner:
            scope, ir, node = step.inner.popleft()
            if step.over() or scope.path in step.closed or step.outcome(scope, node.id) not in (None, DUE):
                continue
            _work(step, scope, ir, node)
        while step.ending and not step.finished:
            scope, output, failed = step.ending.popleft()
            if scope.path not in step.shut:
                close_scope(step, scope, output, failed=failed)
        if step.inner:
            continue
        if not close_finished(step) and not open_next(step):
            return


def end_as(step: Step, visit: str, known: Any) -> None:
    """Ends a visit as in the record of another run; what follows is computed anew."""
    scope, ir, node = step.place(step.run.tokens[visit])
    step.drop_timers(visit)
    step.close_tickets(visit)
    if isinstance(known, ev.NodeCompleted) and fails_node(ir, node, known.on):
        fail_node(step, scope, ir, node, 0, error_cell(step, f"{node.kind}_{known.on}", "assumed"))
    elif isinstance(known, ev.NodeCompleted):
        step.route(scope, ir, node, outcome(visit, known.on, known.output, attempt=known.attempt, took=known.took))
    elif known.on == "skipped":
        step.route(scope, ir, node, ev.NodeFailed(visit, known.attempt, "skipped", known.output))
    else:
        fail_node(step, scope, ir, node, 0, known.output)
    conclude(step)


def _work(step: Step, scope: Scope, ir: IR, node: Node) -> None:
    if node.patched and (why := step.refusal(scope, node)):
        step.events.append(ev.NodeRefused(scope.prefix + node.id, why, step.given.rules.version))
        _denied(step, scope, ir, node, DeniedError(why, code="patch_refused"))
        return
    if not node.inner:
        step.set_timer(_timer_id(scope, node, "deadline"), scope.prefix + node.id, "deadline",
                       step.now + node.spec.timeout.deadline_ms)  # fmt: skip
        return
    try:
        if node.spec.disabled:
            on = "approved" if node.kind == "approval" else "success"
            step.route(scope, ir, node, outcome(scope.prefix + node.id, on, input_cell(step, scope, node)))
        else:
            WORK[node.kind](step, scope, ir, node)
    except DeniedError as denied:
        _denied(step, scope, ir, node, denied)


def _denied(step: Step, scope: Scope, ir: IR, node: Node, denied: DeniedError) -> None:
    drafted = step.done.get(scope.path)
    if drafted is not None and drafted.get(node.id) is DUE:
        del drafted[node.id]
    fail_node(step, scope, ir, node, 0, error_cell(step, denied.code, denied.detail))


def _timer_id(scope: Scope, node: Node, kind: str) -> str:
    return f"{kind}:{scope.prefix}{node.id}"


def _branch(step: Step, scope: Scope, ir: IR, node: Node) -> None:
    edges = node.outs.get("success", ())
    took: list[str] = []
    meter = Meter()
    for edge in edges:
        if edge.default:
            continue
        if edge.when is None or evaluate(step, scope, edge.when, None, meter) is True:
            took.append(edge.id)
            if node.config.mode == "first":
                break
    if not took:
        took = [edge.id for edge in edges if edge.default]
    if not took and edges:
        tried = "; ".join(edge.when.text for edge in edges if edge.when is not None)
        message = f"no condition of {node.id} holds and it has no `else` edge: {tried}"
        raise DeniedError(message, code="no_branch_matches")
    cell = input_cell(step, scope, node)
    step.route(scope, ir, node, outcome(scope.prefix + node.id, "success", cell, took=took))


def _join(step: Step, scope: Scope, ir: IR, node: Node) -> None:
    visit = scope.prefix + node.id
    drafted = step.done.get(scope.path, {})
    if drafted.get(node.id) is not DUE:  # the first signal only starts its deadline
        if step.outcome(scope, node.id) is None:
            step.set_timer(_timer_id(scope, node, "join"), visit, "join",
                           step.now + parse_duration(node.config.deadline))  # fmt: skip
            step.bear(scope, node.id)
        return
    del drafted[node.id]
    cells = source_cells(step, scope, node)
    cell = step.cell({source: step.load(value) for source, value in cells.items()})
    if node.config.deadline:
        step.withdraw({visit})
    step.route(scope, ir, node, outcome(visit, "success", cell))
    if node.config.cancel_rest:
        _cancel_rest(step, scope, node)


def _cancel_rest(step: Step, scope: Scope, join: Node) -> None:
    """Cancels nodes that can only lead to this join."""
    useless: set[str] = set()
    elsewhere: dict[str, int] = {}  # edges of a source that lead elsewhere, as far as known
    frontier = [join]
    while frontier:
        for edge in frontier.pop().ins:
            source = edge.source
            if source.id not in elsewhere:
                elsewhere[source.id] = sum(map(len, source.outs.values()))
            elsewhere[source.id] -= 1
            if not elsewhere[source.id]:
                useless.add(source.id)
                frontier.append(source)
    gone = [node for node in sorted(useless) if step.outcome(scope, node) is None]
    cancel_visits(step, [scope.prefix + node for node in gone], f"{join.id} is decided")
    for node in gone:
        step.decided(scope, node, CANCELLED)


def _timer(step: Step, scope: Scope, ir: IR, node: Node) -> None:
    due = step.now
    if node.config.until:
        due = _instant(node.config.until, step, scope, node)
    else:
        due += parse_duration(node.config.for_)
    step.set_timer(_timer_id(scope, node, "sleep"), scope.prefix + node.id, "sleep", due)
    step.bear(scope, node.id)


def _instant(text: str, step: Step, scope: Scope, node: Node) -> int:
    expression = node.exprs.get("until")
    value: Any = evaluate(step, scope, expression) if expression is not None else text
    try:
        if isinstance(value, str):
            value = moment_of(value) if node.rules >= 2 else _moment_before(value)
        due = cut_ms(value) if isinstance(value, datetime) else -1
    except ValueError as error:
        raise DeniedError(f"{text}: {error}") from error
    if not isinstance(value, datetime) and isinstance(value, int | float) and not isinstance(value, bool):
        due = cut_seconds(value) if 0 <= value <= TIME_MAX_S else -1
    if due < 0:
        raise DeniedError(f"{text}: {value!r} is not a time")
    return due


def _moment_before(text: str) -> datetime:
    """Parses a moment as rules 1 did: any form of ISO 8601, UTC without a zone."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise ValueError(f"{text!r} is not an RFC 3339 time") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _wait(step: Step, scope: Scope, ir: IR, node: Node) -> None:
    visit = scope.prefix + node.id
    expression = node.exprs.get("key")
    key = _key_of(evaluate(step, scope, expression), node, ir) if expression is not None else ""
    for id, name, kept_key, payload in step.run.messages:
        if name == node.config.message and key in ("", kept_key) and id not in step.taken:
            if unfit(step, node, payload):
                continue  # it is kept, and `why` names it
            step.taken.add(id)
            known = step.run.commands.get(id)
            digest = known.digest if known is not None else b""
            step.events.append(ev.MessageReceived(id, name, kept_key, payload, digest, visit))
            step.route(scope, ir, node, outcome(visit, "success", payload))
            return
    step.events.append(ev.WaitOpened(visit, node.config.message, key))
    step.bear(scope, node.id)
    if node.spec.timeout.deadline_ms:
        step.set_timer(_timer_id(scope, node, "deadline"), visit, "deadline", step.now + node.spec.timeout.deadline_ms)


def _key_of(value: Any, node: Node, ir: IR) -> str:
    """The text of a correlation key, as CEL's `string()` makes it."""
    if ir.rules == FIRST_RULES:
        return str(value)
    try:
        return string_of(value)
    except EvalError as error:
        raise DeniedError(f"key of {node.id}: {error}") from error


def unfit(step: Step, node: Node, payload: Cell) -> list[Problem]:
    """Why a message does not fit the `payload` of a wait. Under the first rules any message fits."""
    schema = node.config.payload
    if schema is None or node.rules == FIRST_RULES:
        return []
    return schema_problems(schema, step.load(payload), "/payload")


def _approval(step: Step, scope: Scope, ir: IR, node: Node) -> None:
    visit, config, times = scope.prefix + node.id, node.config, node.spec.timeout
    value = input_value(step, scope, node)
    named = value if isinstance(value, dict) else {"input": value}
    try:
        text = fill(config.text, named) if config.text else f"approve {node.id}?"
        notify = [fill(address, named) for address in config.notify]
    except (KeyError, ValueError) as error:
        raise DeniedError(f"text of {node.id}: {error}") from error
    shown = step.cell(value)
    due = step.now + times.deadline_ms if times.deadline_ms else 0
    step.bear(scope, node.id)
    step.open_ticket(
        ev.TicketOpened(
            step.ticket_id(visit, 1, "approval"), visit, "approval", config.role, str(text), ["approve", "reject"],
            dict(config.form), shown, due, times.expire, "", [str(address) for address in notify],
            barred=list(config.barred),
        )
    )  # fmt: skip
    if due:
        step.set_timer(_timer_id(scope, node, "deadline"), visit, "deadline", due)
    if times.remind_ms:
        step.set_timer(_timer_id(scope, node, "remind"), visit, "remind", step.now + times.remind_ms)
    for rung, escalation in enumerate(config.escalate):
        step.set_timer(f"rung{rung}:{visit}", visit, f"rung{rung}", step.now + parse_duration(escalation.after))


WORK: Final[dict[str, Callable[[Step, Scope, IR, Node], None]]] = {
    "branch": _branch,
    "join": _join,
    "timer": _timer,
    "wait": _wait,
    "approval": _approval,
    "map": open_map,
    "loop": open_loop,
}  # the rule of each kind that never becomes a job
