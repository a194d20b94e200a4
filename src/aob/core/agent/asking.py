"""What a record waits for: its own effects, replies of other agents, answers of people."""

from typing import Final

import msgspec
from msgspec import Raw

from aob.core.agent import key as the
from aob.core.agent.key import Open, Ticket
from aob.core.agent.record import Output, Question
from aob.core.agent.record import commands as cmd
from aob.core.agent.record import events as ev
from aob.core.agent.record.command import RecordCommand
from aob.core.agent.stepping import DOUBTFUL, Step, error_cell
from aob.core.errors import Conflict, Invalid, Problem, Refused
from aob.core.event import derived_id, held_id
from aob.core.intents import Intent, Intents
from aob.core.json_schema import check_form
from aob.core.value import NULL, Cell, canonical, decode

BUDGET_SPENT: Final = "budget_spent"
DOUBT: Final = ("done", "repeat", "fail")  # the choices for an effect that may have happened
DECIDES: Final = ("approve", "reject")  # what an escalation may answer
ASK: Final = "ask"
INTERRUPT: Final = "interrupt"
"""Kinds of intents that are settled from outside."""


def granted(step: Step, command: RecordCommand) -> Open:
    """The record of a request. Raises Refused when this attempt may not act any more."""
    record = step.claim(command)
    if record is None:
        raise Refused(f"{command.input.visit} attempt {command.attempt} may not act any more", code="token_gone")
    return record


def stands(record: Open, known: Intent | None, attempt: int) -> bool:
    """Whether an intent needs no new beginning: it is this attempt's, or has its result. A failed one is begun again
    by the attempts after the next failure of the record, not by a handling that only goes on."""
    if known is None:
        return False
    if known.number in record.awaits or known.result is None:
        return known.number in record.awaits or known.attempt == attempt
    return not known.failed or known.attempt > record.failed_at


def intend(step: Step, command: cmd.Intend) -> None:
    """Permits an effect."""
    record = granted(step, command)
    known = (record.intents or Intents()).find(command.kind, command.digest, command.count)
    if not stands(record, known, command.attempt):
        if the.BUDGET in step.key.holds:
            raise Refused(step.key.holds[the.BUDGET].text, code=BUDGET_SPENT)
        _begin(step, record, command, known, command.kind)


def _begin(
    step: Step, record: Open, command: cmd.Intend | cmd.Ask | cmd.Interrupt, known: Intent | None, kind: str
) -> int:
    step.take(record, command.version)
    number = known.number if known is not None else 1 + (record.intents.last if record.intents else 0)
    step.emit(ev.Intended(command.attempt, number, kind, command.digest, command.what, command.count))
    return number


def settle(step: Step, command: cmd.Settle) -> None:
    """Keeps the result of an effect."""
    record = granted(step, command)
    known = record.intents.get(command.number) if record.intents else None
    if known is None or known.result is not None or command.number in record.awaits:
        return  # settled already; only the answer was lost
    step.emit(ev.Settled(command.number, command.result, command.failed, command.usage, step.now))
    step.spend(command.usage)


def ask(step: Step, command: cmd.Ask) -> None:
    """Sends a request to another agent, once."""
    record = granted(step, command)
    known = (record.intents or Intents()).find(ASK, command.digest, command.count)
    if stands(record, known, command.attempt):
        return
    wrong = too_deep(step, record, command.request)
    if wrong is not None:
        raise Refused(decode(wrong)["message"], code="too_deep")
    number = _begin(step, record, command, known, ASK)
    id = derived_id("ask", step.key.name, record.visit, number, command.attempt)
    step.emit(ev.Awaited(number, id, ASK))
    step.emit(ev.TimerSet(f"wait:{number}", command.due_ms))
    request = msgspec.structs.replace(command.request, asker=step.key.name, ask=id)
    step.produce(record.input, request, ASK, number, command.attempt)


def too_deep(step: Step, record: Open, output: Output) -> Cell | None:
    """Why a record may not be produced: too many agents have acted one after another."""
    given, most = record.input, step.rules.depth_max(output.topic)
    if given.depth + 1 <= most:
        return None
    said = f"{output.topic} takes records of depth {most} at most, and this one would have {given.depth + 1}"
    chain = {"correlationid": given.correlation, "causationid": given.id, "depth": given.depth, "agent": step.key.agent}
    return error_cell("too_deep", said, chain=chain)


def interrupt(step: Step, command: cmd.Interrupt) -> None:
    """Asks a person, once."""
    record = granted(step, command)
    known = (record.intents or Intents()).find(INTERRUPT, command.digest, command.count)
    if stands(record, known, command.attempt):
        return
    if len(step.key.tickets) >= the.TICKETS_MAX:
        raise Refused(f"{step.key.name} has {the.TICKETS_MAX} open questions to people", code="too_many_tickets")
    number = _begin(step, record, command, known, INTERRUPT)
    id = held_id("ticket", step.key.name, record.visit, number, command.attempt)
    step.emit(ev.Awaited(number, id, INTERRUPT))
    step.ask_person(id, INTERRUPT, command.question, number, record.visit)


def suspend(step: Step, command: cmd.Suspend) -> None:
    """The record waits without a worker; not, if an answer came while its worker said so. Raises Invalid when nothing
    is awaited."""
    record = step.claim(command)
    if record is None:
        return
    asked = [number for number in command.numbers if record.intents and record.intents.get(number) is not None]
    if not asked:
        raise Invalid(f"{record.visit} waits for nothing")
    step.emit(ev.Suspended(command.attempt))
    if any(number not in record.awaits for number in asked):
        step.resume(record, "answer")


def doubt(step: Step, record: Open, numbers: list[int], said: str) -> None:
    """Asks a person whether effects have happened whose worker was cut off."""
    intents = record.intents or Intents()
    acts = (each for number in numbers if (each := intents.get(number)) is not None)
    told = [{"kind": each.kind, "what": decode(each.what)} for each in acts]
    text = f"{step.key.agent} was cut off at {record.visit}: did it happen?" + (f" ({said})" if said else "")
    shown = Raw(canonical(told))
    question = Question(step.rules.approver, text, DOUBT, {"output": {}}, shown, notify=step.rules.notify)
    step.emit(ev.Suspended(record.attempt))
    ticket = held_id("ticket", step.key.name, record.visit, "uncertain", record.attempt)
    step.ask_person(ticket, DOUBTFUL, question, 0, record.visit)


def answer(step: Step, command: cmd.Answer) -> None:
    """A person has answered. The same answer again changes nothing. Raises Conflict when nobody waits for it any more,
    Invalid for another choice or values that do not fit the form."""
    ticket = step.key.tickets.get(command.ticket)
    if ticket is None:
        _answered_before(step, command)
        return
    question = ticket.question
    if command.choice not in question.choices:
        wrong = Problem("/choice", f"choose one of {', '.join(question.choices)}", "unknown_choice")
        raise Invalid(f"{command.choice!r} is not a choice of {ticket.id}", [wrong])
    check_form(ticket.id, question.form, decode(command.values))
    _closed(step, ticket, command)


def _answered_before(step: Step, command: cmd.Answer) -> None:
    was = step.key.closed.get(command.ticket)
    if was is None:
        raise Conflict(f"{command.ticket} is not open: its question is answered or gone", code="ticket_closed")
    if (was.answer, was.by, was.values) == (command.choice, command.by, command.values):
        return
    said = {
        "obsolete": "is obsolete: the record that asked has ended or was given up, and nobody waits for an answer",
        "expired": "has expired: nobody answered it in time",
    }.get(was.answer, f"is already decided: {was.answer} by {was.by}")
    raise Conflict(f"{was.id} {said}", code="ticket_closed", choice=was.answer, by=was.by)


def _closed(step: Step, ticket: Ticket, command: cmd.Answer) -> None:
    """A ticket has its answer: what waits for it goes on."""
    step.emit(
        ev.TicketClosed(
            ticket.id, command.choice, command.by, command.reason, command.values, step.now, command.key
        )
    )  # fmt: skip
    record = step.key.open
    if ticket.subject == the.BUDGET:
        if command.choice == "allow":
            step.emit(ev.Allowed(step.key.spent_day, command.by))
            step.let_go(the.BUDGET, command.by)
    elif record is not None and record.visit == ticket.visit:
        if ticket.subject == INTERRUPT:
            step.settle(record, ticket.number, _said(command), False)
        else:
            _resolved(step, record, command)


def _said(command: cmd.Answer) -> Cell:
    return Raw(
        canonical({"choice": command.choice, "by": command.by, "reason": command.reason, "values": command.values})
    )


def _resolved(step: Step, record: Open, command: cmd.Answer) -> None:
    if command.choice == "fail":
        told = error_cell("uncertain", f"{command.by} says that it failed: {command.reason}")
        step.give_up(record, step.key.version, told, code="uncertain")
        return
    if command.choice == "done" and record.intents is not None:
        values = decode(command.values)
        output = Raw(canonical(values.get("output"))) if isinstance(values, dict) else NULL
        for each in [each for each in record.intents.open if each.number not in record.awaits]:
            step.emit(ev.Settled(each.number, output, at_ms=step.now))
    step.resume(record, "answer")


def replied(step: Step, command: cmd.Replied) -> None:
    """Another agent has replied; nothing, if nobody waits for it any more."""
    record = step.key.open
    for number, (id, _) in record.awaits.items() if record is not None else ():
        if id == command.ask:
            assert record is not None
            step.settle(record, number, command.data, command.failed)
            return


def rang(step: Step, timer: str, number: int, at: int) -> None:
    """A question has waited: people are reminded, others are asked, or it is decided by itself."""
    step.emit(ev.TimerDone(timer))
    for ticket in step.key.tickets.values():
        if ticket.number == number and ticket.subject == INTERRUPT:
            _, what, role = ticket.question.rungs[at]
            if what in DECIDES:
                _closed(step, ticket, cmd.Answer(ticket.id, what, "timer", "escalation"))
            else:
                step.emit(ev.TicketChanged(ticket.id, what, role, ticket.step + 1))
            return


def timed_out(step: Step, number: int) -> None:
    """Nobody has answered in time."""
    record = step.key.open
    awaited = record.awaits.get(number) if record is not None else None
    if record is None or awaited is None:
        step.emit(ev.TimerDone(f"wait:{number}"))
        return
    id, kind = awaited
    ticket: Ticket | None = step.key.tickets.get(id)
    if ticket is not None:
        step.emit(ev.TicketClosed(id, "expired", at_ms=step.now))
    code, said = ("ask_timeout", "no reply came in time") if kind == ASK else ("expired", "nobody answered in time")
    step.settle(record, number, error_cell(code, said), True)
