"""One decision about a key in progress: the events so far and what they send. Only reads the key."""

from collections.abc import Mapping
from math import log
from typing import Final

import msgspec
from msgspec import Raw

from aob.core.agent import key as the
from aob.core.agent.key import Key, Open
from aob.core.agent.record import Input, KeyEvent, Mark, Output, Question, Reply
from aob.core.agent.record import events as ev
from aob.core.agent.record.command import RecordCommand
from aob.core.agent.rules import Rules
from aob.core.answers import JsonObject, JsonValue
from aob.core.event import derived_id, held_id
from aob.core.value import Cell, canonical

DEAD: Final = "dead."  # the topic of an agent's dead letters is `dead.AGENT`
DEAD_TYPE: Final = "agent.dead_letter"
DOUBTFUL: Final = "uncertain"  # subject of a ticket about effects that may have happened
BACKOFF_LOG_MAX: Final = 50.0
"""A back-off stops growing at e^50 times its first wait: its longest was reached long before; no float overflows."""


class Decision(msgspec.Struct, gc=False):
    """The result of a command: its events; the records to append and the marks to keep in the same commit; replies to
    other streams."""

    events: list[KeyEvent]
    outputs: list[Output] = []
    marks: list[Mark] = []
    replies: list[Reply] = []


class Step:
    """A decision in progress. `open` is the record in hand as it will be after the events so far, `fresh` while nothing
    of it is kept."""

    __slots__ = (
        "closed", "decision", "freed", "fresh", "held", "key", "now", "open", "queued", "reads", "removed", "rules",
    )  # fmt: skip

    def __init__(self, key: Key, rules: Rules, now: int, reads: Mapping[str, int]) -> None:
        self.key, self.rules, self.now, self.reads = key, rules, now, reads
        self.decision = Decision([])
        self.open: Open | None = key.open
        self.fresh = self.closed = False
        self.held: set[str] = set()
        self.freed: set[str] = set()
        self.queued: list[Input] = []
        self.removed: set[int] = set()

    def emit(self, event: KeyEvent) -> None:
        """Adds an event."""
        self.decision.events.append(event)

    def claim(self, command: RecordCommand) -> Open | None:
        """The record of a report, if the report counts: of this attempt, of the key's version, and either of the record
        in hand or of one that comes next in its source."""
        key, given = self.key, command.input
        if (key.version and command.version != key.version) or the.FAULT in key.holds:
            return None
        record = key.open
        if record is not None:
            current = record.visit == given.visit and record.attempt == command.attempt and record.state == the.READY
            return record if current else None
        if given.behind or command.attempt != 1 or not self.is_new(given):
            return None
        self.open, self.fresh = Open(given, since_ms=self.now), True
        return self.open

    def is_new(self, given: Input) -> bool:
        """Whether the key has not had this record of a source, and the source is still read in its generation."""
        return not self.key.knows(given) and given.generation >= self.reads.get(given.source, 0)

    def take(self, record: Open, version: int) -> None:
        """Keeps a record of which nothing was kept."""
        if self.fresh:
            self.fresh = False
            self.emit(ev.Taken(record.input, version, self.now))
            self.mark(record.input)

    def mark(self, given: Input) -> None:
        """Its group need not read this record again."""
        self.decision.marks.append(Mark(given.source, given.generation, given.offset))

    def close(self, record: Open) -> None:
        """The record leaves the key's hands: what waits for it goes."""
        self.open, self.closed = None, True
        if self.key.open is not record:
            return
        for timer in self.key.timers:
            if timer == "retry" or timer.startswith(("wait:", "rung:")):
                self.emit(ev.TimerDone(timer))
        closed = {event.id for event in self.decision.events if isinstance(event, ev.TicketClosed)}
        for ticket in self.key.tickets.values():
            if ticket.visit == record.visit and ticket.id not in closed:
                self.emit(ev.TicketClosed(ticket.id, "obsolete", at_ms=self.now))

    def hold(self, reason: str, text: str, until_ms: int = 0) -> None:
        """Nothing of the key begins from now on."""
        if reason in self.key.holds or reason in self.held:
            return
        self.held.add(reason)
        self.emit(ev.Held(reason, text[:1_000], self.now, until_ms))
        if until_ms:
            self.emit(ev.TimerSet(f"hold:{reason}", until_ms))

    def queue(self, given: Input, cause: str) -> None:
        """A record waits in the key's own queue."""
        made = msgspec.structs.replace(given, behind=self.key.queued + len(self.queued) + 1, cause=cause)
        self.queued.append(made)
        self.emit(ev.Queued(made, self.now))

    def advance(self) -> None:
        """Begins the first of the queue, once the key is free."""
        holds = (self.key.holds.keys() | self.held) - self.freed
        if self.open is not None or self.fresh or holds:
            return
        first = [given for given in self.queued if given.cause == "again"]
        for given in (*first, *self.key.queue, *self.queued):
            if given.behind not in self.removed:
                self.emit(ev.Began(given.behind, self.now))
                return

    def resume(self, record: Open, cause: str) -> None:
        """The record is ready for its next attempt."""
        self.emit(ev.Resumed(record.attempt + 1, cause))

    def settle(self, record: Open, number: int, result: Cell, failed: bool) -> None:
        """The result of an intent that came from outside; a record that waits goes on."""
        self.emit(ev.Settled(number, result, failed, at_ms=self.now))
        for timer in self.key.timers:
            if timer == f"wait:{number}" or timer.startswith(f"rung:{number}:"):
                self.emit(ev.TimerDone(timer))
        doubted = any(ticket.subject == DOUBTFUL for ticket in self.key.tickets.values())
        if record.state == the.WAITING and not doubted:
            self.resume(record, "answer")

    def ask_person(self, ticket: str, subject: str, question: Question, number: int = 0, visit: str = "") -> None:
        """Opens a ticket, with its timers."""
        self.emit(ev.TicketOpened(ticket, subject, question, number, visit))
        if question.due_ms:
            self.emit(ev.TimerSet(f"wait:{number}", question.due_ms))
        for step, (due_ms, _, _) in enumerate(question.rungs):
            self.emit(ev.TimerSet(f"rung:{number}:{step}", due_ms))

    def produce(self, given: Input, output: Output, *which: object) -> None:
        """Sends a record."""
        self.decision.outputs.append(the.addressed(self.key, given, output, *which))

    def reply(self, given: Input, data: Cell, failed: bool = False) -> None:
        """Answers the stream that has asked, if one has."""
        if given.ask:
            self.decision.replies.append(Reply(given.asker, given.ask, data, failed))

    def give_up(
        self, record: Open, version: int, error: Cell, *, code: str, usage: JsonObject | None = None,
        decisions: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        """The record becomes a dead letter."""
        self.take(record, version)
        self.close(record)
        self.emit(ev.Died(record.visit, record.attempt, code[:200], self.now, usage))
        self._bury(record, version, error, code, decisions)
        if self.rules.on_poison == "park":
            self.hold(the.POISON, f"{record.visit} is a dead letter ({code}): the key waits behind it")

    def _bury(self, record: Open, version: int, error: Cell, code: str, decisions: tuple[str, ...]) -> None:
        key, given = self.key, record.input
        letter: dict[str, JsonValue] = {
            "agent": key.agent, "version": version, "key": key.subject, "visit": record.visit, "source": given.source,
            "generation": given.generation, "offset": given.offset, "record": given.id, "code": code[:200],
            "correlation": given.correlation, "attempts": record.attempt, "failures": record.fails,
            "crashes": record.crashes, "error": error, "at_ms": self.now, "decisions": list(decisions),
        }  # fmt: skip
        data = canonical(letter)
        self.decision.outputs.append(
            Output(
                f"{DEAD}{key.agent}", DEAD_TYPE, Raw(data), len(data), key.subject,
                derived_id("dead", key.name, record.visit), given.correlation or given.id, given.id, given.depth,
                given.trace,
            )
        )  # fmt: skip
        self.reply(given, error, failed=True)

    def drop(self, record: Open, why: str, *, by: str = "", reason: str = "", left: bool = False) -> None:
        """The record is given up, and is no dead letter."""
        self.close(record)
        self.emit(ev.Dropped(record.visit, why, by, reason, left))
        self.reply(record.input, error_cell("dropped", f"the request was given up ({why})"), failed=True)

    def refuse_queued(self, given: Input, code: str, said: str) -> None:
        """A record of the queue becomes a dead letter, unhandled."""
        self.emit(ev.Dropped(given.visit, "reject", reason=said))
        self._bury(Open(given, since_ms=self.now), self.key.version, error_cell(code, said), code, ())

    def let_go(self, reason: str, by: str) -> None:
        """A hold is over."""
        key, record = self.key, self.key.open
        self.freed.add(reason)
        self.emit(ev.Freed(reason, by))
        if f"hold:{reason}" in key.timers:
            self.emit(ev.TimerDone(f"hold:{reason}"))
        if reason != the.BUDGET:
            return
        for ticket in key.tickets.values():
            if ticket.subject == the.BUDGET and by == "timer":
                self.emit(ev.TicketClosed(ticket.id, "obsolete", at_ms=self.now))
        if record is not None and record.state == the.BACKOFF and not record.counted:
            self.emit(ev.TimerDone("retry"))
            self.resume(record, "free")

    def spend(self, usage: JsonObject | None) -> None:
        """Holds the key once it has spent its budget of the day."""
        budget, key = self.rules.budget, self.key
        if not usage or not budget or self.rules.over_budget == "degrade" or the.BUDGET in key.holds:
            return
        day = self.now // the.DAY_MS
        today = key.spent_day == day
        for unit, limit in budget.items():
            spent = the.amount_of(usage.get(unit)) + (key.spent.get(unit, 0.0) if today else 0.0)
            if spent >= limit * (1 + (key.allowed if today else 0)):
                self.hold(the.BUDGET, f"{spent:g} {unit} of {limit:g} a day are spent", (day + 1) * the.DAY_MS)
                if self.rules.over_budget == "ask":
                    text = f"{key.agent} has spent {spent:g} {unit} on {key.subject} today: allow as much again?"
                    ticket = held_id("ticket", key.name, the.BUDGET, day, key.allowed)
                    question = Question(self.rules.approver, text, ("allow", "deny"), notify=self.rules.notify)
                    self.ask_person(ticket, the.BUDGET, question)
                return

    def backoff(self, record: Open, after_ms: int) -> int:
        """When the next attempt is due."""
        rules = self.rules
        grown: float = min(record.fails, BACKOFF_LOG_MAX / max(log(rules.factor), 0.001))
        wait = min(rules.longest_ms, rules.first_ms * rules.factor**grown)
        dice = int(derived_id("dice", self.key.name, record.visit, record.attempt)[-8:], 16) / 2**31 - 1
        waits: float = max(wait * (1 + rules.jitter * dice), after_ms, 0)
        return self.now + round(waits)


def error_cell(code: str, message: str, **detail: JsonValue) -> Cell:
    """An error as a record holds it."""
    error: JsonObject = {"code": code, "message": message}
    return Raw(canonical({**error, "detail": detail} if detail else error))
