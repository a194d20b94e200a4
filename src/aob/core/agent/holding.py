"""Records that wait behind another, holds, reminders, versions: what is between the records of a key."""

from aob.core.agent import key as the
from aob.core.agent.asking import rang, timed_out
from aob.core.agent.key import Blocked, Key
from aob.core.agent.record import REMINDER, Input
from aob.core.agent.record import commands as cmd
from aob.core.agent.record import events as ev
from aob.core.agent.stepping import Step, error_cell
from aob.core.errors import Busy, Conflict, NotFound
from aob.core.event import derived_id


def admission(key: Key, given: Input) -> Blocked:
    """What is to be done with a record that comes from its source: nothing (`known`), wait until the one in hand has
    ended (`busy`), let it wait in the key's own queue (`queue`), refuse it (`refuse`, a loop), or handle it (``)."""
    if key.knows(given):
        return "known"
    if key.open is not None and key.open.state == the.READY and the.FAULT not in key.holds:
        return "busy"
    if key.open is not None or key.holds or key.queue:
        return "queue"
    return "refuse" if loops(key, given) else ""


def loops(key: Key, given: Input) -> bool:
    """Whether the key has had the same content within the same correlation too often."""
    if not given.seen or given.generation > key.taken.get(given.source, (given.generation, 0))[0]:
        return False
    return key.seen.count(given.seen) + 1 >= the.LOOP_AT


def refuse(step: Step, command: cmd.Refuse) -> None:
    """A record that is part of a loop becomes a dead letter, unhandled."""
    record = step.claim(cmd.End(command.input, 1, command.version))
    if record is not None and step.fresh and loops(step.key, command.input):
        said = f"{step.key.agent} has had the same content {the.LOOP_AT - 1} times in this correlation: a loop"
        chain = {"correlationid": command.input.correlation, "causationid": command.input.id}
        step.give_up(record, command.version, error_cell("loop", said, chain=chain), code="loop")


def queue(step: Step, command: cmd.Queue) -> None:
    """A record waits in the key's own queue; not, if the key is free for it. Raises Busy when the queue is full."""
    key, given = step.key, command.input
    if not step.is_new(given) or (key.open is None and not key.holds and not key.queue):
        return
    policy = step.rules.while_waiting if key.open is not None and key.open.state == the.WAITING else "enqueue"
    if policy == "enqueue" and len(key.queue) >= the.QUEUE_MAX:
        raise Busy(f"{the.QUEUE_MAX:,} records wait for {key.name}")
    step.mark(given)
    step.queue(given, "behind")
    if policy == "reject":
        step.removed.add(step.queued[-1].behind)
        step.refuse_queued(step.queued[-1], "key_waiting", f"{key.name} waits for an answer, and takes nothing else")
    elif policy != "enqueue" and key.open is not None:
        step.drop(key.open, policy, left=policy == "interrupt")


def pass_known(step: Step, command: cmd.Pass) -> None:
    """A record that the key has had is marked, and nothing else happens."""
    if step.key.knows(command.input):
        step.mark(command.input)


def hold(step: Step, command: cmd.Hold) -> None:
    """The key is paused; the record in hand goes on."""
    step.hold(the.PAUSE, f"paused by {command.by}")


def free(step: Step, command: cmd.Free) -> None:
    """A held key goes on. Raises Conflict when it is not held for this reason."""
    key = step.key
    if command.reason not in key.holds:
        raise Conflict(f"{key.name} is not held for {command.reason}", code="not_held")
    if command.reason == the.POISON and command.again and key.dead:
        step.queue(next(reversed(key.dead.values())), "again")
    step.let_go(command.reason, command.by)


def replay(step: Step, command: cmd.Replay) -> None:
    """A dead letter is handled again, behind what waits. Raises NotFound when it is none, or is being handled."""
    dead = step.key.dead.get(command.visit)
    if dead is None:
        raise NotFound(f"{command.visit} is no dead letter of {step.key.name}", code="not_dead")
    if len(step.key.queue) >= the.QUEUE_MAX:
        raise Busy(f"{the.QUEUE_MAX:,} records wait for {step.key.name}")
    step.queue(dead, "replay")


def cancel(step: Step, command: cmd.Cancel) -> None:
    """Drops a record that is in hand or waits behind it. Raises NotFound when it does neither."""
    record = step.key.open
    if record is not None and record.visit == command.visit:
        step.drop(record, "cancel", by=command.by, reason=command.reason)
        return
    for given in step.key.queue:
        if given.visit == command.visit:
            step.emit(ev.Dropped(command.visit, "cancel", command.by, command.reason))
            step.reply(given, error_cell("dropped", "the request was given up (cancel)"), failed=True)
            return
    raise NotFound(f"{step.key.name} is not at {command.visit}", code="not_in_hand")


def is_from(given: Input, source: str, offset: int) -> bool:
    """Whether a record is of a source, from an offset on."""
    return given.source == source and given.offset >= offset


def set_back(step: Step, command: cmd.SetBack) -> None:
    """What this key has of a source from an offset on does not count any more: it is read again. Not a record in the
    middle of an effect, which ends first."""
    key = step.key
    if command.generation <= key.taken.get(command.source, (0, -1))[0]:
        return
    record, visit = key.open, ""
    if record is not None and is_from(record.input, command.source, command.offset) and not record.acts:
        visit = record.visit
        step.close(record)
    step.removed.update(given.behind for given in key.queue if is_from(given, command.source, command.offset))
    step.emit(ev.SetBackTo(command.source, command.generation, command.offset, visit))


def migrate(step: Step, command: cmd.Migrate) -> None:
    """The key is of another version, or its state could not be made that; nothing, while a record is in hand."""
    key = step.key
    if key.open is not None or command.frm != key.version or not key.version or command.to == command.frm:
        return
    if command.error is not None:
        step.emit(ev.MigrationFailed(command.to, command.error))
    else:
        step.emit(ev.Migrated(command.to, [] if command.state is None else [command.state]))


def ring(step: Step, command: cmd.Ring) -> None:
    """A timer is due."""
    key, timer = step.key, command.timer
    if timer not in key.timers:
        return
    kind, _, what = timer.partition(":")
    if kind == "wait":
        timed_out(step, int(what))
    elif kind == "rung":
        number, _, at = what.partition(":")
        rang(step, timer, int(number), int(at))
    elif kind == "hold":
        step.let_go(what, "timer")
    else:
        step.emit(ev.TimerDone(timer))
        if kind == "remind":
            _remind(step, int(what))
        elif key.open is not None and key.open.state == the.BACKOFF:
            step.resume(key.open, "retry")


def _remind(step: Step, number: int) -> None:
    reminder = step.key.reminders[number]
    id = derived_id("remind", step.key.name, number)
    step.queue(Input(REMINDER, 1, number, id, reminder.correlation, reminder.depth), "reminder")
