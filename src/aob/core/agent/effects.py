"""Effects are a function of state: `pending` is the job, the timers and the tickets of a key that should exist now.
`react` is the difference of `pending` across one decision, computed from its events; a property test compares the two.
Recovery calls `pending` alone. Records that come straight from a source are no effects: their reader has them."""

from collections.abc import Sequence

import msgspec

from aob.core.agent import key as the
from aob.core.agent.key import Key
from aob.core.agent.record import KeyEvent
from aob.core.agent.record import events as ev


class Pending(msgspec.Struct):
    """Everything that should exist for a key: the record that a worker should have (visit to attempt), timers by id,
    open tickets."""

    jobs: dict[str, int]
    timers: dict[str, int]
    tickets: frozenset[str]


class Effects(msgspec.Struct, gc=False, eq=False):
    """What a decision changes outside. `gone` are visits whose running job must stop; jobs that ended by themselves are
    not in it. `answered` are intents that have got their result from outside, for a worker that waits. `ended`: a
    record that came straight from its source is over, or the key has it: its reader goes on."""

    jobs: dict[str, int] = {}
    gone: list[str] = []
    timers: dict[str, int] = {}
    timers_done: list[str] = []
    tickets: list[str] = []
    tickets_done: list[str] = []
    answered: list[int] = []


NOTHING = Effects()  # of the most frequent decision: a record has ended


def pending(key: Key) -> Pending:
    """The job, timers and tickets of a key. One that is set aside has no job."""
    record = key.open
    jobs = {record.visit: record.attempt} if record is not None and _runs(key) else {}
    return Pending(jobs, dict(key.timers), frozenset(key.tickets))


def _runs(key: Key) -> bool:
    return key.open is not None and key.open.state == the.READY and the.FAULT not in key.holds


def react(key: Key, events: Sequence[KeyEvent]) -> Effects:
    """The effects of events that were just folded into `key`."""
    if len(events) == 1 and type(events[0]) is ev.Ended:
        return NOTHING
    found = Effects()
    for event in events:
        match event:
            case ev.Taken() | ev.Began() | ev.Resumed() | ev.AttemptLost():
                if key.open is not None and _runs(key):
                    found.jobs = {key.open.visit: key.open.attempt}
            case ev.Dropped() | ev.Died():
                found.gone.append(event.visit)
            case ev.SetBackTo() if event.visit:
                found.gone.append(event.visit)
            case ev.Settled():
                found.answered.append(event.number)
            case ev.Held() | ev.Freed() if event.reason == the.FAULT:
                _aside(found, key, type(event) is ev.Held)
            case _:
                _rows(found, event)
    return found


def _aside(found: Effects, key: Key, out: bool) -> None:
    if key.open is not None and key.open.state == the.READY:
        if out:
            found.gone.append(key.open.visit)
        else:
            found.jobs = {key.open.visit: key.open.attempt}


def _rows(found: Effects, event: KeyEvent) -> None:
    match event:
        case ev.TimerSet():
            found.timers[event.id] = event.due_ms
            if event.id in found.timers_done:
                found.timers_done.remove(event.id)
        case ev.TimerDone():
            found.timers.pop(event.id, None)
            found.timers_done.append(event.id)
        case ev.TicketOpened() | ev.TicketChanged():
            found.tickets.append(event.id)
        case ev.TicketClosed():
            found.tickets_done.append(event.id)
