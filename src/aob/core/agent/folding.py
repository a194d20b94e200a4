"""evolve(key, event) -> key: applies an event. Accepts every event ever written; decides nothing, needs no rules.
Consumes the given key: use the returned one."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from aob.core.agent import key as the
from aob.core.agent.key import Hold, Key, Open, Reminder, Ticket
from aob.core.agent.record import REMINDER, Input, KeyEvent
from aob.core.agent.record import events as ev
from aob.core.answers import JsonObject
from aob.core.intents import Intents


def evolve(key: Key, event: KeyEvent) -> Key:
    """The key after the event."""
    _HANDLERS[type(event)](key, event)
    return key


def fold(key: Key, events: Iterable[KeyEvent]) -> Key:
    """The key after all of these events, in order."""
    for event in events:
        _HANDLERS[type(event)](key, event)
    return key


def _take(key: Key, source: str, generation: int, offset: int, seen: bytes) -> None:
    before = key.taken.get(source, (0, -1))
    if generation > before[0]:
        key.seen.clear()  # what is read again is no loop
    key.taken[source] = max(before, (generation, offset))
    if seen:
        key.seen.append(seen)
        del key.seen[: -the.SEEN_MAX]


def _spend(key: Key, usage: JsonObject | None, at_ms: int) -> None:
    if not usage:
        return
    day = at_ms // the.DAY_MS
    if day > key.spent_day:
        key.spent_day, key.allowed, key.spent = day, 0, {}
    for unit, amount in usage.items():
        if the.amount_of(amount) and (unit in key.spent or len(key.spent) < the.UNITS_MAX):
            key.spent[unit] = key.spent.get(unit, 0.0) + the.amount_of(amount)


def _close(key: Key) -> None:
    if key.open is not None and key.open.input.source == REMINDER:
        key.reminders.pop(key.open.input.offset, None)
    key.open = None


def _ended(key: Key, e: ev.Ended) -> None:
    if key.open is None:
        _take(key, e.source, e.generation, e.offset, e.seen)
    else:
        _close(key)
    key.ended += 1
    key.version = e.version
    key.left = None
    for state in e.state:
        key.state = state
    _spend(key, e.usage, e.at_ms)


def _taken(key: Key, e: ev.Taken) -> None:
    given = e.input
    _take(key, given.source, given.generation, given.offset, given.seen)
    key.version = e.version
    key.open = Open(given, since_ms=e.at_ms)


def _queued(key: Key, e: ev.Queued) -> None:
    given = e.input
    key.queued = max(key.queued, given.behind)
    if given.cause == "behind":
        _take(key, given.source, given.generation, given.offset, b"")
    elif given.cause == "reminder":
        key.reminders[given.offset].rung = True
    else:
        key.dead = {visit: dead for visit, dead in key.dead.items() if not _same(dead, given)}
    if given.cause == "again":
        key.queue.insert(0, given)
    else:
        key.queue.append(given)


def _same(one: Input, other: Input) -> bool:
    return (one.source, one.place) == (other.source, other.place)


def _began(key: Key, e: ev.Began) -> None:
    for given in key.queue:
        if given.behind == e.number:
            key.open = Open(given, since_ms=e.at_ms)
            key.queue.remove(given)
            return


def _attempt_failed(key: Key, e: ev.AttemptFailed) -> None:
    if (record := key.open) is not None:
        record.state, record.error, record.counted = the.BACKOFF, e.error, e.counted
        record.fails += e.counted
        record.failed_at = e.attempt
    _spend(key, e.usage, e.at_ms)


def _attempt_lost(key: Key, e: ev.AttemptLost) -> None:
    if (record := key.open) is not None:
        record.attempt, record.state = e.attempt, the.READY
        record.crashes += not e.stop


def _intended(key: Key, e: ev.Intended) -> None:
    if (record := key.open) is not None:
        record.intents = record.intents or Intents()
        record.intents.add(e.number, e.kind, e.digest, e.attempt, e.what, e.count)


def _settled(key: Key, e: ev.Settled) -> None:
    if (record := key.open) is not None:
        if record.intents is not None:
            record.intents.settle(e.number, e.result, e.failed)
        record.awaits.pop(e.number, None)
    _spend(key, e.usage, e.at_ms)


def _recalled(key: Key, e: ev.Recalled) -> None:
    if (record := key.open) is not None:
        record.later = e.later
        record.intents = record.intents or Intents()
        for number, each in enumerate(e.known, record.intents.last + 1):
            record.intents.add(number, each.kind, each.digest, record.attempt, each.what, each.count)
            record.intents.settle(number, each.result, failed=False)


def _awaited(key: Key, e: ev.Awaited) -> None:
    if (record := key.open) is not None:
        record.awaits[e.number] = (e.id, e.kind)


def _suspended(key: Key, e: ev.Suspended) -> None:
    if (record := key.open) is not None:
        record.state = the.WAITING


def _resumed(key: Key, e: ev.Resumed) -> None:
    if (record := key.open) is not None:
        record.attempt, record.state = e.attempt, the.READY


def _saved(key: Key, e: ev.Saved) -> None:
    if (record := key.open) is not None:
        record.resume = e.data


def _bury(key: Key, given: Input) -> None:
    key.dead[given.visit] = given
    if len(key.dead) > the.DEAD_MAX:
        forgotten = key.dead.pop(next(iter(key.dead)))
        if forgotten.source == REMINDER:
            key.reminders.pop(forgotten.offset, None)


def _died(key: Key, e: ev.Died) -> None:
    if (record := key.open) is not None:
        _bury(key, record.input)
        key.open = None  # a reminder stays, for a replay
    _spend(key, e.usage, e.at_ms)


def _dropped(key: Key, e: ev.Dropped) -> None:
    if (record := key.open) is not None and record.visit == e.visit:
        if e.left:
            key.left = record.resume
        _close(key)
        return
    for given in key.queue:
        if given.visit == e.visit:
            key.queue.remove(given)
            if e.why == "reject":
                _bury(key, given)
            elif given.source == REMINDER:
                key.reminders.pop(given.offset, None)
            return


def _held(key: Key, e: ev.Held) -> None:
    key.holds[e.reason] = Hold(e.text, e.at_ms, e.until_ms)


def _freed(key: Key, e: ev.Freed) -> None:
    key.holds.pop(e.reason, None)


def _timer_set(key: Key, e: ev.TimerSet) -> None:
    key.timers[e.id] = e.due_ms


def _timer_done(key: Key, e: ev.TimerDone) -> None:
    key.timers.pop(e.id, None)


def _ticket_opened(key: Key, e: ev.TicketOpened) -> None:
    key.tickets[e.id] = Ticket(e.id, e.subject, e.question, e.number, e.visit, e.question.role)


def _ticket_closed(key: Key, e: ev.TicketClosed) -> None:
    ticket = key.tickets.pop(e.id, None)
    if ticket is not None:
        ticket.answer, ticket.by, ticket.reason, ticket.values = e.choice, e.by, e.reason, e.values
        key.closed[e.id] = ticket
        while len(key.closed) > the.CLOSED_MAX:
            del key.closed[next(iter(key.closed))]


def _ticket_changed(key: Key, e: ev.TicketChanged) -> None:
    if (ticket := key.tickets.get(e.id)) is not None:
        ticket.step, ticket.role = e.step, e.role or ticket.role


def _reminder_set(key: Key, e: ev.ReminderSet) -> None:
    key.reminded = max(key.reminded, e.number)
    key.reminders[e.number] = Reminder(e.due_ms, e.data, e.name, e.correlation, e.depth)


def _reminder_gone(key: Key, e: ev.ReminderGone) -> None:
    key.reminders.pop(e.number, None)


def _set_back(key: Key, e: ev.SetBackTo) -> None:
    def stays(given: Input) -> bool:
        return given.source != e.source or given.generation >= e.generation or given.offset < e.offset

    key.queue = [given for given in key.queue if stays(given)]
    key.dead = {visit: given for visit, given in key.dead.items() if stays(given)}
    if key.open is not None and key.open.visit == e.visit:
        _close(key)
    key.taken[e.source] = max(key.taken.get(e.source, (0, -1)), (e.generation, e.offset - 1))
    key.seen.clear()


def _migrated(key: Key, e: ev.Migrated) -> None:
    key.version, key.stuck_version, key.stuck = e.version, 0, None
    for state in e.state:
        key.state = state


def _migration_failed(key: Key, e: ev.MigrationFailed) -> None:
    key.stuck_version, key.stuck = e.version, e.error


def _allowed(key: Key, e: ev.Allowed) -> None:
    if key.spent_day == e.day:
        key.allowed += 1


_HANDLERS: Final[dict[type[msgspec.Struct], Callable[[Key, Any], None]]] = {
    ev.Ended: _ended,
    ev.Taken: _taken,
    ev.Queued: _queued,
    ev.Began: _began,
    ev.AttemptFailed: _attempt_failed,
    ev.AttemptLost: _attempt_lost,
    ev.Intended: _intended,
    ev.Settled: _settled,
    ev.Awaited: _awaited,
    ev.Suspended: _suspended,
    ev.Resumed: _resumed,
    ev.Saved: _saved,
    ev.Died: _died,
    ev.Dropped: _dropped,
    ev.Held: _held,
    ev.Freed: _freed,
    ev.TimerSet: _timer_set,
    ev.TimerDone: _timer_done,
    ev.TicketOpened: _ticket_opened,
    ev.TicketClosed: _ticket_closed,
    ev.ReminderSet: _reminder_set,
    ev.ReminderGone: _reminder_gone,
    ev.SetBackTo: _set_back,
    ev.Migrated: _migrated,
    ev.MigrationFailed: _migration_failed,
    ev.Allowed: _allowed,
    ev.TicketChanged: _ticket_changed,
    ev.Recalled: _recalled,
}
