"""The events of a run's record. Append-only: fields may be added at the end with a default, none may change or go.
Encoded as JSON arrays led by an integer tag (DECISION 0001). Nodes are named by document id, scopes by path."""

from typing import Any, Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.run.record.scope_event import BodyOpened as BodyOpened
from aob.core.run.record.scope_event import NodeRefused as NodeRefused
from aob.core.run.record.scope_event import PageClosed as PageClosed
from aob.core.run.record.scope_event import ScopeClosed as ScopeClosed
from aob.core.run.record.scope_event import ScopeMoved as ScopeMoved
from aob.core.run.record.scope_event import ScopeOpened as ScopeOpened
from aob.core.value import NULL, Cell

SCHEMA: Final = 1  # number of the event schema that this release writes; older ones are read through upcasters


class _Event(msgspec.Struct, array_like=True, gc=False):
    pass


class RunStarted(_Event, tag=1):
    """A run begins. `ready` are the entry nodes that became jobs; `deadline_ms` is an absolute time, 0 = none. `digest`
    is the sha256 of the start as requested (idempotency); `fork` names the run that outcomes were copied from. `rules`
    is the number it was accepted under, `by_key` the starter's key, `authors` names and keys of its authors, `given`
    the labels of the start itself, None if unknown, `again` when an earlier run of this id was removed (0: none).
    `trace` is the `traceparent` that it was started under; empty: none."""

    run: str
    workflow: str
    artifact: str
    version: str
    tag: str
    tenant: str
    by: str
    at_ms: int
    inputs: Cell
    digest: bytes
    mode: str
    priority: str
    deadline_ms: int
    depth: int
    labels: dict[str, str]
    overlay: tuple[Cell, ...] = ()
    fork: str = ""
    ready: list[str] = []
    skipped: list[str] = []
    rules: int = 1
    given: list[str] | None = None
    by_key: str = ""
    authors: list[str] = []
    again: int = 0
    trace: str = ""


class Dispatched(_Event, tag=2):
    """An attempt was handed to a worker (`full` mode only, written in a later commit, not needed by recovery)."""

    visit: str
    attempt: int
    at_us: int
    worker: str = ""
    input: Cell = NULL


class NodeCompleted(_Event, tag=3):
    """A visit has its outcome. `on` names the edge set it offers, `took` the edges taken if not all of that set.
    `ready`, `skipped`: nodes of the same scope decided by it. `signalled_taken`, `signalled_skipped`: nodes that got
    a signal and still wait for others. `took_us` is the duration of the attempt. `digest` is empty; formerly the
    output's."""

    visit: str
    attempt: int
    on: str
    output: Cell
    digest: bytes
    took: list[str] | None = None
    ready: list[str] = []
    skipped: list[str] = []
    signalled_taken: list[str] = []
    signalled_skipped: list[str] = []
    took_us: int = 0
    memo: bool = False
    copied: bool = False
    usage: JsonObject | None = None


class NodeFailed(_Event, tag=4):
    """A visit has failed for good. `on` is `failure` (its edges are taken), `skipped` (policy) or `` (unhandled)."""

    visit: str
    attempt: int
    on: str
    output: Cell
    took: list[str] | None = None
    ready: list[str] = []
    skipped: list[str] = []
    signalled_taken: list[str] = []
    signalled_skipped: list[str] = []


class AttemptFailed(_Event, tag=5):
    """An attempt failed and another one will be ready at `due_ms`."""

    visit: str
    attempt: int
    error: Cell
    due_ms: int


class TokenReady(_Event, tag=6):
    """A token is ready again as attempt n: after a back-off, a lost worker, or a person's decision. `stop` says that
    the worker was lost to a stop of ours, which does not count against the visit."""

    visit: str
    attempt: int
    cause: str
    stop: bool = False


class TimerSet(_Event, tag=7):
    """A timer is set for `due_ms`: kind `sleep retry deadline run remind join start`."""

    id: str
    visit: str
    kind: str
    due_ms: int


class TimerDone(_Event, tag=8):
    """A timer has fired or is no longer needed."""

    id: str
    fired: bool = True


class TicketOpened(_Event, tag=9):
    """A person is asked. `subject` is the question: `approval patch uncertain review`; `shown` is what they see."""

    id: str
    visit: str
    subject: str
    role: str
    text: str
    choices: list[str]
    form: JsonObject
    shown: Cell
    due_ms: int = 0
    expire: str = ""
    about: str = ""
    notify: list[str] = []
    roles: list[str] = []
    barred: list[str] = []


class TicketChanged(_Event, tag=10):
    """A reminder was sent or the ticket went to another role."""

    id: str
    what: str
    role: str = ""
    step: int = 0


class TicketAnswered(_Event, tag=11):
    """A ticket has its answer; `by` is a name, or `timer` at its deadline; `key` is that of the answerer, or of a
    link's maker."""

    id: str
    choice: str
    by: str
    reason: str
    values: Cell
    command: str = ""
    at_ms: int = 0
    key: str = ""


class PatchProposed(_Event, tag=12):
    """A patch against this run, valid or not. `operations` are RFC 6902 as JSON; `base` the graph it was made on."""

    id: str
    author: str
    kind: str
    reason: str
    base: str
    operations: Cell
    state: str
    at_ms: int
    visit: str = ""
    diff_hash: str = ""
    rules: str = ""
    problems: Cell = NULL
    digest: bytes = b""
    rollback_of: str = ""
    key: str = ""


class PatchApplied(_Event, tag=13):
    """The graph has a new version. `operations` are those applied (after rebase), `inverse` undoes them. `moved` and
    `stayed` list the body scopes that continue under the new and under the old version. `ready` to
    `signalled_skipped` are signals that new edges got from recorded outcomes; `reset` gives the signal counts of
    touched nodes."""

    id: str
    number: int
    operations: Cell
    inverse: Cell
    graph: str
    by: str
    moved: list[str] = []
    stayed: list[str] = []
    ready: list[str] = []
    skipped: list[str] = []
    reset: dict[str, tuple[int, int]] = {}
    undone: list[str] = []
    agents: int = 0
    rollback_of: str = ""
    signalled_taken: list[str] = []
    signalled_skipped: list[str] = []


class PatchClosed(_Event, tag=14):
    """A patch was rejected, expired, went back to proposed with a new diff, or was withdrawn."""

    id: str
    state: str
    by: str
    reason: str
    diff_hash: str = ""
    rules: str = ""


class NodeHeld(_Event, tag=15):
    """An agent has its answer and waits for the patch that it proposed."""

    visit: str
    attempt: int
    output: Cell
    digest: bytes
    patch: str
    usage: JsonObject | None = None


class Intent(_Event, tag=16):
    """An effect, a model call or a tool call is about to happen: the `count`-th of this kind and digest in its visit (0
    in old records: in order). `number` identifies it within the visit."""

    visit: str
    attempt: int
    number: int
    kind: str
    digest: bytes
    what: Cell
    count: int = 0


class IntentSettled(_Event, tag=17):
    """The result or error of an intent, and its usage."""

    visit: str
    number: int
    result: Cell
    failed: bool = False
    usage: JsonObject | None = None


class Uncertain(_Event, tag=18):
    """An intent has no result after a crash; `then` is the node's `on_uncertain`."""

    visit: str
    attempt: int
    number: int
    then: str


class WaitOpened(_Event, tag=19):
    """A visit waits for a message by name and key (`` takes any)."""

    visit: str
    name: str
    key: str


class MessageReceived(_Event, tag=20):
    """A message arrived; without a waiting visit it is kept for a later one."""

    id: str
    name: str
    key: str
    payload: Cell
    digest: bytes
    visit: str = ""
    by: str = ""
    at_ms: int = 0


class CancelRequested(_Event, tag=24):
    """A caller cancels the run."""

    by: str
    reason: str
    command: str = ""
    at_ms: int = 0


class TokensCancelled(_Event, tag=25):
    """These visits are cancelled; their results no longer count."""

    visits: list[str]
    reason: str


class RunFinished(_Event, tag=26):
    """The end: `COMPLETED FAILED CANCELLED`."""

    status: str
    at_ms: int
    output: Cell
    error: Cell = NULL


class RunQuarantined(_Event, tag=27):
    """A law broke on this run; it is quarantined until it is released."""

    reason: str


class Checkpoint(_Event, tag=28):
    """Data that a long attempt needs after a restart."""

    visit: str
    attempt: int
    data: Cell


class RunReleased(_Event, tag=29):
    """A quarantined run continues."""

    by: str


class RunWatched(_Event, tag=35):
    """Another stream is notified when the run ends."""

    stream: str


class RunPinned(_Event, tag=36):
    """From now on jobs of the run go to workers of one build. `by` is who asked for it; empty: the first dispatch."""

    build: str
    at_ms: int
    by: str = ""


RunEvent = (
    RunStarted | Dispatched | NodeCompleted | NodeFailed | AttemptFailed | TokenReady | TimerSet | TimerDone
    | TicketOpened | TicketChanged | TicketAnswered | PatchProposed | PatchApplied | PatchClosed | NodeHeld | Intent
    | IntentSettled | Uncertain | WaitOpened | MessageReceived | ScopeOpened | ScopeClosed | BodyOpened
    | CancelRequested | TokensCancelled | RunFinished | RunQuarantined | Checkpoint | RunReleased | PageClosed
    | ScopeMoved | NodeRefused | RunWatched | RunPinned
)  # fmt: skip


class _HopRecord(_Event, tag=33):
    """A plain completion in short form: only the fields of `NodeCompleted` that vary."""

    visit: str
    attempt: int
    output: Cell
    ready: list[str]
    took_us: int


class _EndRecord(_Event, tag=34):
    """Follows a plain completion: it was the last one, and its output is the run's."""

    at_ms: int


encode_events = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(list[RunEvent | _HopRecord | _EndRecord])


def decode_events(data: bytes | msgspec.Raw) -> list[RunEvent]:
    """The events of one decision. Accepts every event ever written (new trailing fields take their defaults)."""
    found: list[Any] = _decoder.decode(data)
    if found and type(hop := found[0]) is _HopRecord:
        took = NodeCompleted(hop.visit, hop.attempt, "success", hop.output, b"", None, hop.ready, took_us=hop.took_us)
        return [took, *(RunFinished("COMPLETED", end.at_ms, hop.output) for end in found[1:])]
    return found
