"""Commands of people and timers to a run: answers to tickets, messages, due timers, cancel."""

from collections.abc import Iterator
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Final

from aob.core.answers import JsonObject
from aob.core.errors import CallerError, Conflict, Invalid, NotFound, Problem
from aob.core.json_schema import check_form
from aob.core.node.approval import Escalation
from aob.core.rights import require_decider
from aob.core.run.ending import cancel_visits, error_cell, fail_node, fails_node, finish, outcome
from aob.core.run.inner import unfit
from aob.core.run.patching import barred_of, plan_patch, publish, settle_holder, show
from aob.core.run.record import commands as cmd
from aob.core.run.record import events as ev
from aob.core.run.state.folding import content_of
from aob.core.run.state.run import BACKOFF, DUE, OPEN, Known, Patch, Ticket, Token
from aob.core.run.stepping.names import input_cell
from aob.core.run.stepping.step import DeniedError, Step
from aob.core.value import NULL, Cell, decode

MESSAGES_MAX: Final = 1_000
TOLD_MAX: Final = 200  # intents that a cancel lists
_COMMANDS: Final = {"answer": "an answer to", "message": "the message", "cancel": "a cancel of"}
_ON: Final = {"approve": "approved", "reject": "rejected", "expired": "expired"}


def repeated(step: Step, id: str, now: Known) -> bool:
    """Whether this command was already given under its id. Raises Conflict with the difference if another one was: a
    command is identified by its kind, target, content and author."""
    was = step.run.commands.get(id) if id else None
    if was is None:
        return False
    differs: JsonObject = {
        name: {"was": getattr(was, name), "is": getattr(now, name)}
        for name in ("kind", "target", "by") if getattr(was, name) not in ("", getattr(now, name))
    }  # fmt: skip
    if was.digest != now.digest and "kind" not in differs:
        differs["content"] = {"was": f"sha256:{was.digest.hex()}", "is": f"sha256:{now.digest.hex()}"}
    if not differs:
        return True
    same = was.kind == now.kind
    raise Conflict(
        f"{id} was the id of {_COMMANDS[was.kind]} {was.target} by {was.by or 'somebody'}: "
        f"this one has another {', '.join(sorted(differs))}",
        code="message_exists" if same and was.kind == "message" else "command_exists",
        hint="each command has an id of its own; only its repetition has the same", differs=differs,
    )  # fmt: skip


def answer(step: Step, command: cmd.Answer) -> None:
    """A person answers a ticket. Repeating the same answer changes nothing; another answer raises Conflict."""
    ticket = step.run.tickets.get(command.ticket)
    by = command.who.name
    said = content_of(command.choice, command.reason, command.values)
    if repeated(step, command.command, Known("answer", command.ticket, said, by)):
        return
    if ticket is None:
        raise NotFound(f"there is no ticket {command.ticket}", hint="aob approve lists the open ones")
    if ticket.answer:
        same = ticket.answer == command.choice and ticket.by == by
        if same and (step.load(ticket.values) or {}) == (step.load(command.values) or {}):
            return
        why = f"{ticket.id} is already decided: {ticket.answer} by {ticket.by}{', with other values' if same else ''}"
        raise Conflict(why, code="ticket_closed", choice=ticket.answer, by=ticket.by)
    if command.choice not in ticket.choices:
        raise Invalid(f"{command.choice!r} is not a choice of {ticket.id}",
                      [Problem("/choice", f"choose one of {', '.join(ticket.choices)}", "unknown_choice")])  # fmt: skip
    require_decider(command.who, ticket.id, ticket.needed, step.run.barred(ticket))
    check_form(ticket.id, ticket.form, step.load(command.values))
    decide_ticket(step, ticket, command.choice, by, command.reason, command.values, command.command, command.who.id)


def decide_ticket(
    step: Step, ticket: Ticket, choice: str, by: str, reason: str, values: Cell = NULL, command: str = "", key: str = ""
) -> None:
    """Records the answer of a ticket and continues its subject."""
    step.close_ticket(ev.TicketAnswered(ticket.id, choice, by, reason, values, command, step.now, key))
    if ticket.subject == "patch":
        close_patch(step, ticket, step.run.patches[ticket.about], choice, by, reason)
        return
    token = step.run.tokens.get(ticket.visit)
    if token is None:
        return
    scope, ir, node = step.place(token)
    if ticket.subject == "approval":
        _approved(step, ticket, choice, by, reason, values, token)
    elif choice in {"retry", "repeat"}:
        if ticket.subject == "uncertain":
            for intent in token.intents.open if token.intents else ():
                step.events.append(ev.Uncertain(token.visit, token.attempt, intent.number, "repeat"))
        step.events.append(ev.TokenReady(token.visit, token.attempt + 1, f"{choice} by {by}"))
    elif choice == "skip":
        step.drop_timers(token.visit)
        step.route(scope, ir, node, ev.NodeFailed(token.visit, token.attempt, "skipped", ticket.shown))
    elif choice == "done":
        step.drop_timers(token.visit)
        output = step.cell((step.load(values) or {}).get("output"))
        step.route(scope, ir, node, outcome(token.visit, "success", output, attempt=token.attempt))
    else:
        error = error_cell(step, "uncertain" if ticket.subject == "uncertain" else "failed",
                           f"{by} decided that {ticket.visit} failed: {reason or 'no reason given'}")  # fmt: skip
        fail_node(step, scope, ir, node, 0, error)


def _approved(step: Step, ticket: Ticket, choice: str, by: str, reason: str, values: Cell, token: Token) -> None:
    scope, ir, node = step.place(token)
    on = _ON[choice]
    step.drop_timers(ticket.visit)
    if fails_node(ir, node, on):
        if on == "expired":
            error = error_cell(step, "approval_expired", f"nobody answered {ticket.id} in time")
        else:
            error = error_cell(step, "approval_rejected", f"{by} rejected {ticket.id}: {reason or 'no reason given'}")
        fail_node(step, scope, ir, node, 0, error)
        return
    filled = step.load(values)
    if filled is None and ticket.form:
        filled = {}  # so that `has(nodes.X.output.values.f)` can look
    told = {"choice": choice, "by": by, "reason": reason, "values": filled, "ticket": ticket.id}
    step.route(scope, ir, node, outcome(ticket.visit, on, step.cell(told), attempt=1))


def close_patch(step: Step, ticket: Ticket, patch: Patch, choice: str, by: str, reason: str) -> None:
    """A person decides on a patch. Approval binds the diff that was shown: if it differs now, a new ticket shows it;
    the same if the patch now concerns further approvals, for those who may decide about these as well."""
    if patch.state != "proposed":
        raise Conflict(f"{patch.id} is {patch.state}", code="patch_closed", state=patch.state)
    if choice != "approve":
        step.events.append(ev.PatchClosed(patch.id, "rejected", by, reason))
        settle_holder(step, patch)
        return
    operations: list[JsonObject] = decode(patch.operations)
    plan = plan_patch(step, patch.base, operations, patch.kind, patch.rollback_of, patch.visit)
    roles, barred = plan.verdict.roles, barred_of(step, plan)
    wider = not (set(roles) <= set(ticket.roles) and set(barred) <= set(ticket.barred))
    if wider or plan.shown != patch.diff_hash or step.given.rules.version != patch.rules:
        step.events.append(ev.PatchClosed(patch.id, "proposed", by, "the graph or the rules changed since it was shown",
                                          plan.shown, step.given.rules.version))  # fmt: skip
        text = f"{patch.author}: {patch.reason} (shown again: the graph has changed)"
        show(step, patch.id, patch.visit, text, plan, *((*roles, *barred) if wider else ()))
        return
    publish(step, patch.id, plan, by, rollback_of=patch.rollback_of)
    settle_holder(step, patch)


def decide_patch(step: Step, command: cmd.ClosePatch) -> None:
    """Approve or reject a patch by its own id, like answering its ticket."""
    patch = step.run.patches.get(command.patch)
    if patch is None:
        raise NotFound(f"there is no patch {command.patch}")
    for ticket in step.run.asked.get(patch.id, ()):
        answer(step, cmd.Answer(ticket, command.choice, command.who, command.reason))
        return
    done = {"approve": "applied", "reject": "rejected"}[command.choice]
    if patch.state == done:
        return
    raise Conflict(f"{patch.id} is {patch.state}: there is nothing to decide", code="patch_closed", state=patch.state)


def message(step: Step, command: cmd.Message) -> None:
    """Delivers a message to the visit that waits for it, or keeps it for a later one."""
    target = " ".join(filter(None, (command.name, command.key)))
    if repeated(step, command.id, Known("message", target, command.digest, command.by)):
        return
    if step.run.final:
        raise Conflict(f"{step.run.id} is {step.run.final}: nothing waits in it any more", code="run_finished")
    problems: list[Problem] = []
    waiting = step.run.waiting
    fitting = (waiting.get((command.name, key), {}).items() for key in dict.fromkeys(("", command.key)))
    for visit, _ in merge(*fitting, key=itemgetter(1)):
        if step.outcome_of(visit) is None:
            scope, ir, node = step.place(step.run.tokens[visit])
            if wrong := unfit(step, node, command.payload):
                problems += wrong
                continue
            step.events.append(_received(step, command, visit))
            step.drop_timers(visit)
            step.route(scope, ir, node, outcome(visit, "success", command.payload))
            return
    if problems:
        raise Invalid(f"the message does not fit what waits for {command.name}", problems)
    if len(step.run.messages) >= MESSAGES_MAX:
        why = f"{step.run.id} keeps {MESSAGES_MAX} messages that nobody waits for"
        raise CallerError(why, code="too_many_messages")
    step.events.append(_received(step, command))


def _received(step: Step, command: cmd.Message, visit: str = "") -> ev.MessageReceived:
    return ev.MessageReceived(
        command.id, command.name, command.key, command.payload, command.digest, visit, command.by, step.now
    )


def fire(step: Step, command: cmd.Fire) -> None:
    """A timer is due. One that is gone, or not yet due by committed time, changes nothing."""
    timer = step.run.timers.get(command.timer)
    if timer is None or timer.due_ms > step.now:
        return
    step.end_timer(timer.id, fired=True)
    if timer.kind == "run":
        error = error_cell(step, "run_timeout", "the run took longer than its time-out", event="RunTimeout")
        finish(step, "FAILED", NULL, error)
        return
    token = step.run.tokens.get(timer.visit)
    if token is None:
        return
    scope, ir, node = step.place(token)
    if timer.kind == "sleep":
        try:
            cell = input_cell(step, scope, node)
        except DeniedError as denied:
            fail_node(step, scope, ir, node, 0, error_cell(step, denied.code, denied.detail))
        else:
            step.route(scope, ir, node, outcome(timer.visit, "success", cell))
    elif timer.kind == "retry" and token.state == BACKOFF:
        step.events.append(ev.TokenReady(timer.visit, token.attempt + 1, "retry"))
    elif timer.kind == "join" and token.state == OPEN:
        step.decided(scope, node.id, DUE)
        step.inner.append((scope, ir, node))
    elif timer.kind == "deadline":
        _deadline(step, token)
    elif timer.kind == "remind" or timer.kind.startswith("rung"):
        _rung(step, token, timer.kind)


def _asked(step: Step, token: Token) -> Iterator[Ticket]:
    """The open tickets of a visit."""
    return (step.run.tickets[id] for id in step.run.asked.get(token.visit, ()))


def _deadline(step: Step, token: Token) -> None:
    scope, ir, node = step.place(token)
    for ticket in _asked(step, token):
        if ticket.subject == "approval":
            decide_ticket(step, ticket, ticket.expire or "expired", "timer", "the deadline passed")
            return
    step.close_tickets(token.visit)
    if node.kind == "wait" and node.outs.get("expired"):
        step.route(scope, ir, node, outcome(token.visit, "expired", NULL))
        return
    error = error_cell(step, "node_timeout", f"{token.visit} passed its deadline", event="NodeTimeout")
    fail_node(step, scope, ir, node, 0, error)


def _rung(step: Step, token: Token, kind: str) -> None:
    _, _, node = step.place(token)
    ticket = next(_asked(step, token), None)
    if ticket is None:
        return
    if kind == "remind":
        step.events.append(ev.TicketChanged(ticket.id, "remind", "", ticket.step + 1))
        step.set_timer(f"remind{ticket.step + 1}:{token.visit}", token.visit, "remind",
                       step.now + node.spec.timeout.remind_ms)  # fmt: skip
        return
    rung: Escalation = node.config.escalate[int(kind.removeprefix("rung"))]
    if rung.do in {"approve", "reject"}:
        decide_ticket(step, ticket, rung.do, "timer", f"escalation after {rung.after}")
    else:
        step.events.append(ev.TicketChanged(ticket.id, rung.do, rung.role, ticket.step + 1))


def cancel(step: Step, command: cmd.Cancel) -> None:
    """Cancels the run: every token ends in this commit, so no later result counts."""
    if repeated(step, command.command, Known("cancel", step.run.id, content_of(command.reason), command.by)):
        return
    if step.run.final:
        if step.run.final == "CANCELLED":
            return
        raise Conflict(f"{step.run.id} is {step.run.final}", code="run_finished")
    step.events.append(ev.CancelRequested(command.by, command.reason, command.command, step.now))
    told = [visit for visit, token in step.run.tokens.items() if token.intents]
    begun = list(islice((
        {"visit": token.visit, "attempt": intent.attempt, "kind": intent.kind, "what": decode(intent.what),
         "state": "not known" if intent.result is None else "failed" if intent.failed else "done"}
        for token in step.run.tokens.values() for intent in token.intents or ()
    ), TOLD_MAX))  # fmt: skip
    cancel_visits(step, sorted(step.run.tokens), command.reason or "cancelled")
    error = {"code": "cancelled", "message": command.reason or f"cancelled by {command.by}",
             **({"told": told, "intents": begun} if told else {})}  # fmt: skip
    finish(step, "CANCELLED", NULL, step.cell(error))
