"""The commands to a run. Commands are not stored; the events they lead to are."""

from typing import Any

import msgspec

from aob.core.answers import JsonObject
from aob.core.policy.caller import Caller
from aob.core.rules import RULES
from aob.core.value import NULL, Cell


class _Command(msgspec.Struct, gc=False):
    pass


class Start(_Command):
    """Begin the run. `digest` is the sha256 of the request, for idempotency; `beside` holds the bytes of inputs too
    large for a record, for the same commit. `copied` are unchanged outcomes of another run. `rules` is the rules number
    of the artifact, `again` and `trace` as in `RunStarted`."""

    run: str
    workflow: str
    artifact: str
    version: str
    tag: str
    tenant: str
    by: str
    inputs: Cell
    digest: bytes
    mode: str
    priority: str
    depth: int
    labels: dict[str, str]
    overlay: tuple[Cell, ...] = ()
    fork: str = ""
    copied: tuple[Any, ...] = ()
    beside: bytes | None = None
    given: list[str] | None = None
    rules: int = RULES
    by_key: str = ""
    authors: tuple[str, ...] = ()
    again: int = 0
    trace: str = ""


class Complete(_Command):
    """A worker has the output of a visit. `beside` holds the bytes of an output of 4 to 64 KiB, for the same commit;
    `digest` is that of an output stored outside the record."""

    visit: str
    attempt: int
    output: Cell
    digest: bytes
    took_us: int = 0
    memo: bool = False
    usage: JsonObject | None = None
    patch: str = ""
    beside: bytes | None = None


class Fail(_Command):
    """An attempt failed. `error` is `{code, message, detail}`; `transient` ones may be retried."""

    visit: str
    attempt: int
    error: Cell
    transient: bool
    after_ms: int = 0


class Lost(_Command):
    """The worker of an attempt is gone. `why`: its process died (`crash`), we stopped (`stop`), or it ended during an
    effect (`cut`), with its message about it."""

    visit: str
    attempt: int
    why: str = "crash"
    said: str = ""


class Note(_Command):
    """An informational record (dispatched), written with the next batch."""

    event: Any


class Fire(_Command):
    """A timer is due."""

    timer: str


class Cancel(_Command):
    """Stop the run."""

    by: str
    reason: str
    command: str = ""


class Answer(_Command):
    """A person answers a ticket. `beside` holds the bytes of values of more than 4 KiB."""

    ticket: str
    choice: str
    who: Caller
    reason: str = ""
    values: Cell = NULL
    command: str = ""
    beside: bytes | None = None


class Propose(_Command):
    """A patch: RFC 6902 operations, as canonical JSON, against the graph with the hash `base` (empty: the current
    one)."""

    id: str
    author: str
    kind: str
    reason: str
    base: str
    operations: Cell
    digest: bytes
    visit: str = ""
    rollback_of: str = ""
    key: str = ""


class ClosePatch(_Command):
    """Approve or reject a proposed patch by its id, or discard an invalid one."""

    patch: str
    choice: str
    who: Caller
    reason: str = ""


class Intend(_Command):
    """A worker asks permission for an effect: the `count`-th of this kind and digest in its visit."""

    visit: str
    attempt: int
    count: int
    kind: str
    digest: bytes
    what: Cell


class Settle(_Command):
    """A worker reports the result of an intent, by its number. `beside` holds the bytes of one of 4 to 64 KiB."""

    visit: str
    attempt: int
    number: int
    result: Cell
    failed: bool = False
    usage: JsonObject | None = None
    beside: bytes | None = None


class Message(_Command):
    """A message to the run, by name and key. `beside` holds the bytes of a payload of more than 4 KiB."""

    id: str
    name: str
    key: str
    payload: Cell
    digest: bytes
    by: str = ""
    beside: bytes | None = None


class Save(_Command):
    """A heartbeat with a checkpoint."""

    visit: str
    attempt: int
    data: Cell


class Continue(_Command):
    """Continue with the passes of maps and loops: a decision with many events opens no more of them."""


class Release(_Command):
    """Let a quarantined run continue."""

    by: str


class Pin(_Command):
    """The first job of a run goes to a worker of this build; nothing, if an earlier one went to another."""

    build: str


class Repin(_Command):
    """Let the jobs of a run go to workers of another build from now on."""

    build: str
    by: str


RunCommand = (
    Start | Complete | Fail | Lost | Note | Fire | Cancel | Answer | Propose | ClosePatch | Intend | Settle | Message
    | Save | Continue | Release | Pin | Repin
)  # fmt: skip
