"""decide(key, command, rules, now) -> Decision: the law of an agent's key. Pure and total: no clock, no I/O, no
randomness. Only reads the key. An impossible command raises an AobError and changes nothing; an outdated report (an old
attempt, a record that has ended) gives no events."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from aob.core.agent import key as the
from aob.core.agent.asking import (
    ASK,
    BUDGET_SPENT,
    INTERRUPT,
    answer,
    ask,
    doubt,
    intend,
    interrupt,
    replied,
    settle,
    suspend,
    too_deep,
)
from aob.core.agent.holding import cancel, free, hold, migrate, pass_known, queue, refuse, replay, ring, set_back
from aob.core.agent.key import Key, Open
from aob.core.agent.record import Later
from aob.core.agent.record import commands as cmd
from aob.core.agent.record import events as ev
from aob.core.agent.rules import Rules
from aob.core.agent.stepping import Decision, Step, error_cell
from aob.core.value import Cell, decode, ref_in

LOST_MAX: Final = 10  # attempts at a record that may be lost to dead workers before it is a dead letter
AFTER_MAX_MS: Final = 7 * 86_400_000  # a service may delay its next call by at most a week
OUTPUTS_MAX: Final = 1_000  # records that one record may produce
OUTPUT_BYTES_MAX: Final = 1024 * 1024  # of the payload of one
OUTPUTS_BYTES_MAX: Final = 8 * 1024 * 1024  # of all payloads of one record, and of what it tells itself


def decide(
    key: Key, command: cmd.KeyCommand, rules: Rules, now: int, reads: Mapping[str, int] = MappingProxyType({})
) -> Decision:
    """The events of a command, and what they send. `reads` is the generation in which the group reads each source: a
    record of an earlier one, of which nothing is kept, does not count. Raises AobError if the command is refused."""
    step = Step(key, rules, now, reads)
    _RULES[type(command)](step, command)
    if step.closed or step.freed or step.queued:
        step.advance()
    return step.decision


def _end(step: Step, command: cmd.End) -> None:
    record = step.claim(command)
    if record is None:
        return
    wrong = _too_much(step, record, command)
    if wrong is not None:
        code = decode(wrong)["code"]
        step.give_up(record, command.version, wrong, code=code, usage=command.usage)
        step.spend(command.usage)
        return
    given, fresh = record.input, step.fresh
    if fresh:
        step.fresh = False
        step.mark(given)
    step.close(record)
    state = [] if command.state is None else [command.state]
    step.emit(
        ev.Ended(
            given.source, given.generation, given.offset, command.attempt, command.version, step.now, state,
            len(command.outputs), given.id, given.seen if fresh else b"", given.behind, command.usage,
        )
    )  # fmt: skip
    for number, output in enumerate(command.outputs):
        step.produce(given, output, number)
    if command.later:
        _remind(step, record, command.later[record.later :])
    if command.reply is not None:
        step.reply(given, command.reply)
    step.spend(command.usage)


def _too_much(step: Step, record: Open, command: cmd.End) -> Cell | None:
    """Why an end is not accepted: it is over a limit, or its records are too far from where all began."""
    outputs = command.outputs
    if len(outputs) > OUTPUTS_MAX:
        return error_cell("too_many_outputs", f"{len(outputs):,} records, and one may produce {OUTPUTS_MAX:,}")
    size = sum(output.size for output in outputs) + sum(len(bytes(each.data or b"")) for each in command.later)
    largest = max((len(bytes(command.reply or b"")), *(output.size for output in outputs)))
    if largest > OUTPUT_BYTES_MAX or size > OUTPUTS_BYTES_MAX:
        return error_cell("output_too_large", f"{largest:,} bytes in one record, {size:,} in all")
    if command.state is not None and (size := size_of(command.state)) > the.STATE_MAX:
        return error_cell("state_too_large", f"a state of {size:,} bytes, and {the.STATE_MAX:,} are allowed")
    if sum(not each.rung for each in step.key.reminders.values()) + len(command.later) > the.REMINDERS_MAX:
        return error_cell("too_many_reminders", f"a key has at most {the.REMINDERS_MAX:,}")
    return next(filter(None, (too_deep(step, record, output) for output in outputs)), None)


def size_of(cell: Cell) -> int:
    """The bytes of the value that a cell holds or refers to."""
    data = bytes(cell)
    if len(data) < 128 and (ref := ref_in(decode(data))) is not None:
        return ref.size
    return len(data)


def _remind(step: Step, record: Open, later: tuple[Later, ...]) -> None:
    number = step.key.reminded
    named: dict[str, int] = {each.name: at for at, each in step.key.reminders.items() if each.name and not each.rung}
    for each in later:
        if each.name and (before := named.pop(each.name, 0)):
            step.emit(ev.ReminderGone(before))
            step.emit(ev.TimerDone(f"remind:{before}"))
        if each.data is None:
            continue
        number += 1
        given = record.input
        step.emit(ev.ReminderSet(number, each.due_ms, each.data, each.name, given.correlation or given.id, given.depth))
        step.emit(ev.TimerSet(f"remind:{number}", each.due_ms))
        if each.name:
            named[each.name] = number


def _fail(step: Step, command: cmd.Fail) -> None:
    record, rules = step.claim(command), step.rules
    if record is None:
        return
    error = decode(command.error)
    code = str(error.get("code", "failed")) if isinstance(error, dict) else "failed"
    budget = step.key.holds.get(the.BUDGET)
    if budget is not None and code == BUDGET_SPENT:
        step.take(record, command.version)
        _again(step, command, max(budget.until_ms, step.now), counted=False)
        return
    if command.cut and _in_doubt(step, record, command.version, code):
        return
    due = step.backoff(record, min(command.after_ms, AFTER_MAX_MS))
    late = rules.deadline_ms and due > (record.since_ms or step.now) + rules.deadline_ms
    if command.transient and record.fails + 1 < rules.attempts and not late:
        step.take(record, command.version)
        _again(step, command, due, counted=True)
    else:
        step.give_up(
            record, command.version, command.error, code=code, usage=command.usage, decisions=command.decisions
        )
    step.spend(command.usage)


def _again(step: Step, command: cmd.Fail, due: int, *, counted: bool) -> None:
    step.emit(ev.AttemptFailed(command.attempt, command.error, step.now, due, counted, command.usage))
    step.emit(ev.TimerSet("retry", due))


def _lost(step: Step, command: cmd.Lost) -> None:
    record = step.claim(command)
    stop = command.why == "stop"
    if record is None or (step.fresh and stop):
        return  # of a fresh one nothing is kept: it is read again
    if not stop and record.crashes + 1 >= LOST_MAX:
        told = error_cell("lost_too_often", f"{record.crashes + 1} attempts were lost with their worker")
        step.give_up(record, command.version, told, code="lost_too_often")
        return
    if not _in_doubt(step, record, command.version, command.said):
        step.take(record, command.version)
        step.emit(ev.AttemptLost(record.attempt + 1, stop))


def _in_doubt(step: Step, record: Open, version: int, said: str) -> bool:
    """Whether a worker was cut off during an effect that must not be repeated unasked; then it is given up, or people
    are asked."""
    doubtful = [
        each.number for each in (record.intents.open if record.intents else ())
        if each.kind not in (ASK, INTERRUPT) and decode(each.what).get("effect", "once") == "once"
    ]  # fmt: skip
    if not doubtful or step.rules.on_uncertain == "repeat":
        return False
    if step.rules.on_uncertain == "fail":
        told = error_cell("uncertain", "a worker was cut off during an effect, and nobody knows whether it happened")
        step.give_up(record, version, told, code="uncertain")
        return True
    step.take(record, version)
    doubt(step, record, doubtful, said)
    return True


def _save(step: Step, command: cmd.Save) -> None:
    record = step.claim(command)
    if record is not None:
        step.take(record, command.version)
        step.emit(ev.Saved(command.attempt, command.data))


def _recall(step: Step, command: cmd.Recall) -> None:
    record = step.claim(command)
    if record is not None and record.intents is None and (command.known or command.later > record.later):
        step.take(record, command.version)
        step.emit(ev.Recalled(list(command.known), command.later))


_RULES: Final[dict[type[msgspec.Struct], Callable[[Step, Any], None]]] = {
    cmd.End: _end,
    cmd.Fail: _fail,
    cmd.Lost: _lost,
    cmd.Intend: intend,
    cmd.Settle: settle,
    cmd.Ask: ask,
    cmd.Interrupt: interrupt,
    cmd.Suspend: suspend,
    cmd.Save: _save,
    cmd.Recall: _recall,
    cmd.Queue: queue,
    cmd.Pass: pass_known,
    cmd.Refuse: refuse,
    cmd.Answer: answer,
    cmd.Replied: replied,
    cmd.Ring: ring,
    cmd.Hold: hold,
    cmd.Free: free,
    cmd.Replay: replay,
    cmd.Cancel: cancel,
    cmd.SetBack: set_back,
    cmd.Migrate: migrate,
}  # a rule for every command; a test checks this table against the union of commands
