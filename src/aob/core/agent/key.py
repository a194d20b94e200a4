"""The state of an agent's key at a position: plain data that only `evolve` writes, from events."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from aob.core.agent.record import REMINDER, Input, Output, Question
from aob.core.agent_name import agent_key_of, agent_of, tenant_of
from aob.core.answers import JsonValue
from aob.core.event import derived_id
from aob.core.intents import Intents
from aob.core.value import NULL, Cell

READY: Final = "ready"
BACKOFF: Final = "backoff"
WAITING: Final = "waiting"
"""States of a record in the key's hands: a worker should have it; it waits for its next attempt; for an answer."""

STATE_MAX: Final = 1024 * 1024  # bytes of an agent's state
STATE_INLINE_MAX: Final = 64 * 1024  # from here on it stands in the record by its hash
QUEUE_MAX: Final = 1_000  # records that wait in a key's own queue
REMINDERS_MAX: Final = 1_000  # of a key that have not rung
DEAD_MAX: Final = 1_000  # dead letters of a key that may still be replayed
SEEN_MAX: Final = 64  # records that the detector of loops looks back at
LOOP_AT: Final = 3  # so often the same content within one correlation is a loop
TICKETS_MAX: Final = 100  # open tickets of a key
CLOSED_MAX: Final = 64  # tickets of a key that are not open any more, and are remembered
UNITS_MAX: Final = 32  # units of which a key counts what it spends
SPENT_MAX: Final = 1e15  # of a unit in one report; more is no amount
DEPTH_LIMIT: Final = 1_000  # the greatest depth that a topic may allow
DAY_MS: Final = 86_400_000

FAULT: Final = "fault"
POISON: Final = "poison"
PAUSE: Final = "pause"
BUDGET: Final = "budget"
"""Reasons of a hold."""

Blocked = Literal["known", "busy", "queue", "refuse", ""]


def amount_of(value: JsonValue) -> float:
    """What a report says was spent of a unit; 0 when it is no amount."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= SPENT_MAX
    return float(value) if number else 0.0


class Open(msgspec.Struct, gc=False, eq=False):
    """The record that the key is about. `fails` of its attempts have used a retry, `crashes` were lost with their
    worker; `failed_at` is
    the last attempt that failed; `awaits` are the intents whose result comes from outside: number to (id, kind)."""

    input: Input
    attempt: int = 1
    state: str = READY
    since_ms: int = 0
    fails: int = 0
    crashes: int = 0
    failed_at: int = 0
    counted: bool = True
    intents: Intents | None = None
    awaits: dict[int, tuple[str, str]] = {}
    resume: Cell | None = None
    error: Cell | None = None
    later: int = 0
    """How many reminders earlier handlings of this record have set: they are not set again."""

    @property
    def visit(self) -> str:
        """The name of this handling."""
        return self.input.visit

    @property
    def acts(self) -> bool:
        """Whether a worker is in the middle of an effect."""
        begun = self.intents.open if self.intents is not None and self.state == READY else ()
        return any(each.number not in self.awaits for each in begun)


class Hold(msgspec.Struct, frozen=True):
    """Why nothing of a key begins, and until when (0: until it is freed)."""

    text: str
    since_ms: int
    until_ms: int = 0


class Ticket(msgspec.Struct, gc=False):
    """A question to a person; `number` is that of the intent that it answers, `visit` the record, `role` who decides
    now, `step` how often it was changed. `answer` is empty while it is open; `expired` and `obsolete` are nobody's."""

    id: str
    subject: str
    question: Question
    number: int = 0
    visit: str = ""
    role: str = ""
    step: int = 0
    answer: str = ""
    by: str = ""
    reason: str = ""
    values: Cell = NULL

    @property
    def needed(self) -> tuple[str, ...]:
        """The roles that are all needed to decide it."""
        return (self.role,)

    @property
    def due_ms(self) -> int:
        """When it expires; 0: never."""
        return self.question.due_ms


class Reminder(msgspec.Struct, gc=False):
    """What the agent told itself; once it has `rung` it is a record of the key's queue."""

    due_ms: int
    data: Cell
    name: str
    correlation: str
    depth: int
    rung: bool = False


class Key(msgspec.Struct, gc=False, eq=False):
    """One agent on one key. `taken` is, for each source, the last (generation, offset) that is in its hands or has
    ended: a report about an earlier one does not count. `queue` are records that wait behind the one in hand, `dead`
    those that may be replayed, `left` the last checkpoint of a record that another has interrupted, `closed` the last
    tickets that are not open any more."""

    name: str
    version: int = 0
    state: Cell = NULL
    ended: int = 0
    taken: dict[str, tuple[int, int]] = {}
    open: Open | None = None
    queue: list[Input] = []
    queued: int = 0
    holds: dict[str, Hold] = {}
    timers: dict[str, int] = {}
    tickets: dict[str, Ticket] = {}
    reminders: dict[int, Reminder] = {}
    reminded: int = 0
    dead: dict[str, Input] = {}
    seen: list[bytes] = []
    spent: dict[str, float] = {}
    spent_day: int = 0
    allowed: int = 0
    left: Cell | None = None
    stuck_version: int = 0
    stuck: Cell | None = None
    closed: dict[str, Ticket] = {}

    @property
    def tenant(self) -> str:
        """Whose key it is."""
        return tenant_of(self.name)

    def has_ticket(self, id: str) -> bool:
        """Whether a ticket is open, or is one of the last that were."""
        return id in self.tickets or id in self.closed

    def asked(self, id: str) -> Ticket:
        """A ticket that `has_ticket` knows."""
        return self.tickets[id] if id in self.tickets else self.closed[id]

    @property
    def agent(self) -> str:
        """The name of the agent, which is that of its group."""
        return agent_of(self.name)

    @property
    def subject(self) -> str:
        """The key itself."""
        return agent_key_of(self.name)

    @property
    def status(self) -> str:
        """`IDLE RUNNING BACKOFF WAITING HELD`, as far as its record says."""
        if self.open is not None and self.open.state == READY and FAULT not in self.holds:
            return "RUNNING"
        if self.holds:
            return "HELD"
        return self.open.state.upper() if self.open is not None else "IDLE"

    def knows(self, input: Input) -> bool:
        """Whether this record of a source is in its hands, or was."""
        return input.place <= self.taken.get(input.source, (0, -1))

    def overspent(self, budget: Mapping[str, float], day: int) -> str:
        """The first unit of which a day's budget is spent; empty: none."""
        if self.spent_day != day:
            return ""
        times = 1 + self.allowed
        return next((unit for unit, limit in budget.items() if self.spent.get(unit, 0) >= limit * times), "")


def addressed(key: Key, given: Input, output: Output, *which: object) -> Output:
    """An output as it is sent. Its id is a hash of what it answers, so that it is the same whenever it is made again;
    reminders are numbered by key, all else by group."""
    group = key.name if given.source == REMINDER else key.agent
    return msgspec.structs.replace(
        output, id=derived_id("rec", group, given.source, given.offset, *which),
        correlation=given.correlation or given.id, causation=given.id, depth=given.depth + 1, trace=given.trace,
    )  # fmt: skip
