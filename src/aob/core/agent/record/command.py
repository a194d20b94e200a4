"""The commands to an agent's key. Commands are not stored; the events they lead to are."""

import msgspec

from aob.core.agent.record.envelope import Input, Later, Output, Question
from aob.core.agent.record.event import Known
from aob.core.answers import JsonObject
from aob.core.value import NULL, Cell


class _Command(msgspec.Struct, gc=False):
    pass


class _OfRecord(msgspec.Struct, gc=False):
    """About one attempt at one record, by a worker of one version of the agent."""

    input: Input
    attempt: int
    version: int


class End(_OfRecord):
    """The record is handled. `state` is the new state, None: as it was. `reply` answers the `ask` that the record is.
    `usage` is what the attempt spent and no intent has told."""

    state: Cell | None = None
    outputs: tuple[Output, ...] = ()
    later: tuple[Later, ...] = ()
    reply: Cell | None = None
    usage: JsonObject | None = None


class Fail(_OfRecord):
    """An attempt failed. `error` is `{code, message, detail}`; `transient` ones may be retried, not before `after_ms`.
    `decisions` are the ids of the model calls that led there; `cut`: its worker was stopped, perhaps in an effect."""

    error: Cell = NULL
    transient: bool = True
    after_ms: int = 0
    usage: JsonObject | None = None
    decisions: tuple[str, ...] = ()
    cut: bool = False


class Lost(_OfRecord):
    """The worker of an attempt is gone. `why`: its process died (`crash`), we stopped (`stop`), or it ended during an
    effect (`cut`), with its message about it."""

    why: str = "crash"
    said: str = ""


class Intend(_OfRecord):
    """A worker asks permission for an effect: the `count`-th of this kind and digest in its record."""

    count: int
    kind: str
    digest: bytes
    what: Cell


class Settle(_OfRecord):
    """A worker reports the result of an intent, by its number. `beside` holds the bytes of one of 4 to 64 KiB."""

    number: int
    result: Cell
    failed: bool = False
    usage: JsonObject | None = None
    beside: bytes | None = None


class Ask(_OfRecord):
    """A worker asks another agent: an intent whose result is the reply to `request`, awaited until `due_ms`."""

    count: int
    digest: bytes
    what: Cell
    request: Output
    due_ms: int


class Interrupt(_OfRecord):
    """A worker asks a person: an intent whose result is the answer."""

    count: int
    digest: bytes
    what: Cell
    question: Question


class Suspend(_OfRecord):
    """A worker gives its place back until one of these intents has its result; the record is then handled from its
    beginning, and every intent answers as before."""

    numbers: tuple[int, ...]


class Save(_OfRecord):
    """A heartbeat with a checkpoint."""

    data: Cell


class Recall(_OfRecord):
    """What earlier handlings of a record have settled, and how many reminders they set, before it is handled again."""

    known: tuple[Known, ...]
    later: int = 0


class Queue(_Command):
    """A record has come while its key cannot take it: the key waits, is held, or has others in its own queue."""

    input: Input


class Pass(_Command):
    """A record has come again that the key has had: its group is told."""

    input: Input


class Refuse(_Command):
    """A record is not to be handled: `admission` says why."""

    input: Input
    version: int


class Answer(_Command):
    """The answer of a person to a ticket; `key` is the id of the key that they hold."""

    ticket: str
    choice: str
    by: str
    reason: str = ""
    values: Cell = NULL
    key: str = ""


class Replied(_Command):
    """The reply to an ask."""

    ask: str
    data: Cell
    failed: bool = False


class Ring(_Command):
    """A timer is due."""

    timer: str


class Hold(_Command):
    """Begin no record of this key from now on."""

    by: str


class Free(_Command):
    """Let a held key go on. After poison, `again` puts the poisonous record first."""

    reason: str
    by: str
    again: bool = False


class Replay(_Command):
    """Handle a dead letter of this key again, behind what waits already. `visit` names it, as its dead letter does."""

    visit: str
    by: str


class Cancel(_Command):
    """Drop the record that is being handled or waits."""

    visit: str
    by: str
    reason: str


class SetBack(_Command):
    """The group reads this source from `offset` on again, as this generation."""

    source: str
    generation: int
    offset: int


class Migrate(_Command):
    """The state of the key as another version wants it; `state` None: unchanged. `error`: the migration failed, and the
    key stays with its version."""

    frm: int
    to: int
    state: Cell | None = None
    error: Cell | None = None


RecordCommand = End | Fail | Lost | Intend | Settle | Ask | Interrupt | Suspend | Save | Recall
KeyCommand = (
    RecordCommand | Queue | Pass | Refuse | Answer | Replied | Ring | Hold | Free | Replay | Cancel | SetBack | Migrate
)
