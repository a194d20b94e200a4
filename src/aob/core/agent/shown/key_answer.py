"""What people see of a key: the record in hand and what it waits for, what waits behind, dead letters, holds, budget.
Bounded: of long lists the first ones, and their number."""

from typing import Final, TypedDict

from aob.core.agent.key import Hold, Key, Open
from aob.core.agent.record import Input

SHOWN_MAX: Final = 100  # of each list


class AgentKeyRow(TypedDict):
    """A key in a list: `IDLE RUNNING BACKOFF WAITING HELD`, and why it is held."""

    key: str
    status: str
    reason: str


class AgentKeyList(TypedDict):
    """Keys of an agent; `next` is the `before` of the next page."""

    keys: list[AgentKeyRow]
    next: str | None


class RecordShown(TypedDict):
    """A record of a key; `visit` is the name of this handling, `cause` why it is not its first (`behind replay again
    reminder`, or nothing)."""

    visit: str
    record: str
    source: str
    offset: int
    generation: int
    cause: str


class AwaitedShown(TypedDict):
    """What the record in hand waits for: the reply to an `ask` or the answer to a ticket (`interrupt`), until when (ms;
    0: for ever)."""

    kind: str
    id: str
    due: int


class OpenShown(RecordShown):
    """The record in hand: `ready` (a worker has it, or is about to), `backoff`, `waiting`; `due` is when it is tried
    again (ms)."""

    state: str
    attempt: int
    since: int
    failures: int
    lost: int
    due: int
    effects: int
    waits_for: list[AwaitedShown]


class HoldShown(TypedDict):
    """Why nothing of the key begins (`poison pause budget fault`), and until when (ms; 0: until it is freed)."""

    reason: str
    text: str
    since: int
    until: int


class AgentKeyView(TypedDict):
    """One key of an agent. `parked` are the first records that wait in its own queue, `dead` the newest dead letters
    that may be replayed; `spent` is what it has spent on its last day."""

    agent: str
    key: str
    status: str
    version: int
    ended: int
    open: OpenShown | None
    parked: list[RecordShown]
    parked_count: int
    dead: list[RecordShown]
    dead_count: int
    holds: list[HoldShown]
    tickets: list[str]
    reminders: int
    spent: dict[str, float]
    spent_day: int


def key_view(key: Key) -> AgentKeyView:
    """What people see of a key."""
    return {
        "agent": key.agent, "key": key.subject, "status": key.status, "version": key.version, "ended": key.ended,
        "open": _open(key, key.open) if key.open is not None else None,
        "parked": [_record(each) for each in key.queue[:SHOWN_MAX]], "parked_count": len(key.queue),
        "dead": [_record(each) for each in [*key.dead.values()][-SHOWN_MAX:]], "dead_count": len(key.dead),
        "holds": [_hold(reason, hold) for reason, hold in key.holds.items()],
        "tickets": [*key.tickets][:SHOWN_MAX],
        "reminders": sum(not each.rung for each in key.reminders.values()),
        "spent": dict(key.spent), "spent_day": key.spent_day,
    }  # fmt: skip


def _record(given: Input) -> RecordShown:
    return {
        "visit": given.visit, "record": given.id, "source": given.source, "offset": given.offset,
        "generation": given.generation, "cause": given.cause,
    }  # fmt: skip


def _open(key: Key, record: Open) -> OpenShown:
    waits: list[AwaitedShown] = [
        {"kind": kind, "id": id, "due": key.timers.get(f"wait:{number}", 0)}
        for number, (id, kind) in record.awaits.items()
    ]
    return {
        **_record(record.input), "state": record.state, "attempt": record.attempt, "since": record.since_ms,
        "failures": record.fails, "lost": record.crashes, "due": key.timers.get("retry", 0),
        "effects": len(record.intents or ()), "waits_for": waits[:SHOWN_MAX],
    }  # fmt: skip


def _hold(reason: str, hold: Hold) -> HoldShown:
    return {"reason": reason, "text": hold.text, "since": hold.since_ms, "until": hold.until_ms}
