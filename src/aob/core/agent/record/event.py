"""The events of an agent's key. Append-only: fields may be added at the end with a default, none may change or go.
Encoded as JSON arrays led by an integer tag."""

from typing import Final

import msgspec

from aob.core.agent.record.envelope import Input, Question
from aob.core.answers import JsonObject
from aob.core.value import NULL, Cell

SCHEMA: Final = 1  # number of the event schema that this release writes


class _Event(msgspec.Struct, array_like=True, gc=False):
    pass


class Ended(_Event, tag=1):
    """A record is handled: the only event of most. The state is `state`, if there is one (none or one, because it may
    be null). `seen` is kept for the detector of loops if nothing of the record was."""

    source: str
    generation: int
    offset: int
    attempt: int
    version: int
    at_ms: int
    state: list[Cell] = []
    outputs: int = 0
    id: str = ""
    seen: bytes = b""
    behind: int = 0
    usage: JsonObject | None = None


class Taken(_Event, tag=2):
    """A record is in the key's hands before it has ended: an intent, a failed attempt or a question is kept of it."""

    input: Input
    version: int
    at_ms: int


class Queued(_Event, tag=3):
    """A record waits in the key's own queue under the number `input.behind`; `cause`: `behind` (the key could not take
    it), `replay`, `again` (first of all, after poison), `reminder`."""

    input: Input
    at_ms: int


class Began(_Event, tag=4):
    """The first of the queue is being handled."""

    number: int
    at_ms: int


class AttemptFailed(_Event, tag=5):
    """An attempt failed and another one will be ready at `due_ms`. `counted`: it used one of the retries."""

    attempt: int
    error: Cell
    at_ms: int
    due_ms: int
    counted: bool = True
    usage: JsonObject | None = None


class AttemptLost(_Event, tag=6):
    """An attempt went with its worker; `attempt` is the next. `stop`: to a stop of ours."""

    attempt: int
    stop: bool = False


class Intended(_Event, tag=7):
    """A worker may act."""

    attempt: int
    number: int
    kind: str
    digest: bytes
    what: Cell
    count: int


class Settled(_Event, tag=8):
    """The result of an intent."""

    number: int
    result: Cell
    failed: bool = False
    usage: JsonObject | None = None
    at_ms: int = 0


class Awaited(_Event, tag=9):
    """The result of an intent comes from outside under an id: of a reply (`ask`) or a ticket (`interrupt`)."""

    number: int
    id: str
    kind: str


class Suspended(_Event, tag=10):
    """No worker has the record until an answer comes."""

    attempt: int


class Resumed(_Event, tag=11):
    """The record is ready again as this attempt. `cause`: `retry`, `answer`, `free`."""

    attempt: int
    cause: str


class Saved(_Event, tag=12):
    """A checkpoint."""

    attempt: int
    data: Cell


class Died(_Event, tag=13):
    """The record in the key's hands is a dead letter."""

    visit: str
    attempts: int
    code: str
    at_ms: int
    usage: JsonObject | None = None


class Dropped(_Event, tag=14):
    """The record in the key's hands is given up: `cancel`, `rollback`, `interrupt`; or one of its queue: `cancel`,
    `reject` (a dead letter). `left` keeps its last
    checkpoint for the next record."""

    visit: str
    why: str
    by: str = ""
    reason: str = ""
    left: bool = False


class Held(_Event, tag=15):
    """Nothing of the key begins: `poison`, `pause`, `budget`, `fault`; until `until_ms` (0: until it is freed)."""

    reason: str
    text: str
    at_ms: int
    until_ms: int = 0


class Freed(_Event, tag=16):
    """A hold is over."""

    reason: str
    by: str = ""


class TimerSet(_Event, tag=17):
    """A timer: `retry`, `wait:N` of an intent, `rung:N:STEP` of its question, `hold:REASON`, `remind:N`."""

    id: str
    due_ms: int


class TimerDone(_Event, tag=18):
    """A timer has fired or is no longer needed."""

    id: str


class TicketOpened(_Event, tag=19):
    """A person is asked. `subject`: `interrupt`, `uncertain`, `budget`; `number` is that of the intent."""

    id: str
    subject: str
    question: Question
    number: int = 0
    visit: str = ""


class TicketClosed(_Event, tag=20):
    """A ticket is answered, or nobody needs its answer: `expired`, `obsolete`. `key` is the id of the key that
    answered."""

    id: str
    choice: str
    by: str = ""
    reason: str = ""
    values: Cell = NULL
    at_ms: int = 0
    key: str = ""


class ReminderSet(_Event, tag=21):
    """The agent told itself something for later."""

    number: int
    due_ms: int
    data: Cell
    name: str = ""
    correlation: str = ""
    depth: int = 1


class ReminderGone(_Event, tag=22):
    """A reminder was taken back, or replaced."""

    number: int


class SetBackTo(_Event, tag=23):
    """The group reads a source again from an offset, as this generation: what an earlier one has of it from there on
    does not count any more; `visit` is the record in hand, if it is of that."""

    source: str
    generation: int
    offset: int
    visit: str = ""


class Migrated(_Event, tag=24):
    """The key is of another version; the state is `state`, if there is one."""

    version: int
    state: list[Cell] = []


class MigrationFailed(_Event, tag=25):
    """The state could not be made that of this version."""

    version: int
    error: Cell


class Allowed(_Event, tag=26):
    """A person has allowed one more budget for this day (number since 1970, UTC)."""

    day: int
    by: str


class TicketChanged(_Event, tag=27):
    """Nobody has answered a ticket yet: `remind`, or `reassign` to a role. `step` counts these."""

    id: str
    what: str
    role: str = ""
    step: int = 0


class Known(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An effect of a record that an earlier handling of it has settled."""

    kind: str
    digest: bytes
    count: int
    what: Cell
    result: Cell


class Recalled(_Event, tag=28):
    """The record was handled before: the effects that were settled then answer, and `later` reminders are set."""

    known: list[Known]
    later: int = 0


KeyEvent = (
    Ended | Taken | Queued | Began | AttemptFailed | AttemptLost | Intended | Settled | Awaited | Suspended | Resumed
    | Saved | Died | Dropped | Held | Freed | TimerSet | TimerDone | TicketOpened | TicketClosed | ReminderSet
    | ReminderGone | SetBackTo | Migrated | MigrationFailed | Allowed | TicketChanged | Recalled
)  # fmt: skip

_decoder: Final = msgspec.json.Decoder(list[KeyEvent])
encode_events: Final = msgspec.json.Encoder().encode
"""`encode_events(events) -> bytes`: the record form, a JSON list of arrays."""


def decode_events(data: bytes | msgspec.Raw) -> list[KeyEvent]:
    """Events of this or any older release."""
    return _decoder.decode(data)
