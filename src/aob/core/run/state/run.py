"""The state of a run at a position: plain data that only `evolve` writes, from events. Edge signals are not stored:
they follow from the outcomes of their sources. Only nodes that still wait for some of several in-edges keep a count."""

from collections.abc import MutableMapping
from typing import Any, Final

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.event import held_id
from aob.core.graph.compiled.ir import Edge, Node
from aob.core.intents import Intents
from aob.core.rights import needed_roles
from aob.core.run.record.event import NodeCompleted, NodeFailed
from aob.core.value import NULL, Cell

READY: Final = "ready"
BACKOFF: Final = "backoff"
HELD: Final = "held"
OPEN: Final = "open"
"""States of a token: a job that should run; waits for its next attempt; waits for its patch; waits for an outside
event."""

LOST: Final = frozenset({"lost", "verify"})  # causes of an attempt that follows a lost one

OPENING: Final = frozenset({"sleep", "join"})  # kinds of timers that open the token of their visit

TERMINAL: Final = frozenset({"COMPLETED", "FAILED", "CANCELLED"})


class Token(msgspec.Struct, gc=False, eq=False):
    """The right to execute a visit, as attempt n. `lost` attempts use none of the node's retries; `crashes` of them
    were not lost to a stop of ours."""

    visit: str
    scope: str
    node: str
    attempt: int
    state: str
    intents: Intents | None = None
    kept: JsonValue = None
    resume: Cell | None = None
    error: Cell | None = None
    verify: bool = False
    lost: int = 0
    crashes: int = 0


class Outcome(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """An outcome without its own event: skipped or cancelled."""

    on: str
    output: Cell = NULL
    took: list[str] | None = None


SKIPPED: Final = Outcome("skipped")
CANCELLED: Final = Outcome("cancelled")
EXHAUSTED: Final = "exhausted"  # outcome of a loop ended by its `max`

_FAILED: Final = frozenset({"failure", "skipped"})  # outcomes of a failed visit, also where a fork copied it

DUE: Final = Outcome("due")  # only during a decision: a join that is decided and will run later in it


def completed(outcome: Any) -> bool:
    """Whether a node ended with an output."""
    return isinstance(outcome, NodeCompleted) and outcome.on not in _FAILED


def failed(outcome: Any) -> bool:
    """Whether a node ended with an error, handled or not."""
    return isinstance(outcome, NodeFailed) or (isinstance(outcome, NodeCompleted) and outcome.on in _FAILED)


def state_of(outcome: Any) -> str:
    """The state of a node: `pending completed approved rejected expired failed skipped cancelled`, or the name of
    another outcome."""
    if outcome is None or outcome is DUE:
        return "pending"
    if failed(outcome):
        return "failed"
    state: str = outcome.on
    return "completed" if state in {"success", EXHAUSTED} else state


def takes(edge: Edge, outcome: Any) -> bool:
    """Whether this outcome of its source takes an edge."""
    on = outcome.on
    if on == EXHAUSTED:
        on = offered_for(edge.source)
    return bool(edge.on == on) and (outcome.took is None or edge.id in outcome.took)


def offered_for(node: Node) -> str:
    """The outcome whose edges an exhausted loop takes: those of success, if it has none of its own."""
    return EXHAUSTED if node.outs.get(EXHAUSTED) else "success"


def verdict_of(target: Node, taken: int, skipped: int) -> str:
    """`wait`, `run` or `skip` for a node with these signals. Only a join may be decided before its last one."""
    if target.kind == "join" and target.config.mode != "all":
        enough = 1 if target.config.mode == "any" else target.config.n
        if taken >= enough:
            return "run"
        if taken + skipped == target.need:
            return "skip"
    if taken + skipped < target.need:
        return "wait"
    return "run" if taken else "skip"


def body_of(path: str) -> str:
    """A scope path without its passes: `each[3]/loop#2` is `each/loop`."""
    return "/".join(part.partition("[")[0].partition("#")[0] for part in path.split("/"))


class Scope(msgspec.Struct, gc=False, eq=False):
    """One pass of a body; the root scope has the path ``. `body` is the path without passes (`each/inner`), `live` are
    the nodes of a pass that have a token; those of the root are in the run's tokens."""

    path: str
    body: str
    version: int
    visit: str
    index: int
    item: Cell
    prefix: str = ""
    done: dict[str, NodeCompleted | NodeFailed | Outcome] = {}
    signals: dict[str, tuple[int, int]] = {}
    live: dict[str, None] = {}

    def __post_init__(self) -> None:
        if self.path:
            self.prefix = f"{self.path}/"


class Body(msgspec.Struct, gc=False, eq=False):
    """Progress of a map or loop: a cursor, the open window, results and their number per page. `open` are the indices
    of open passes, `window` their limit, `lost` the indices of failed items, `previous` the output of a loop's last
    pass."""

    visit: str
    kind: str
    items: Cell
    count: int
    window: int = 1
    next: int = 0
    live: int = 0
    closed: int = 0
    failed: int = 0
    open: dict[int, None] = {}
    previous: Cell = NULL
    lost: MutableMapping[int, None] = msgspec.field(default_factory=dict)
    outputs: MutableMapping[int, Cell] = msgspec.field(default_factory=dict)
    pages: MutableMapping[int, Cell] = msgspec.field(default_factory=dict)
    filled: MutableMapping[int, int] = msgspec.field(default_factory=dict)

    @property
    def goes_on(self) -> bool:
        """Whether there is room for a pass, and work left for it."""
        return self.next < self.count and self.live < self.window

    def path(self, index: int) -> str:
        """The scope path of a pass."""
        return f"{self.visit}[{index}]" if self.kind == "map" else f"{self.visit}#{index}"


class Timer(msgspec.Struct):
    """A timer, due at `due_ms`."""

    id: str
    visit: str
    kind: str
    due_ms: int


class Ticket(msgspec.Struct):
    """A question to a person; `answer` is empty while it is open. `key` is the id of the key that answered."""

    id: str
    visit: str
    subject: str
    role: str
    text: str
    choices: list[str]
    form: JsonObject
    shown: Cell
    due_ms: int
    expire: str
    about: str
    step: int = 0
    answer: str = ""
    by: str = ""
    reason: str = ""
    values: Cell = NULL
    notify: list[str] = []
    roles: list[str] = []
    barred: list[str] = []
    key: str = ""

    @property
    def needed(self) -> tuple[str, ...]:
        """The roles that are all needed to decide it."""
        return needed_roles(self.subject, self.role, self.roles)


class Patch(msgspec.Struct):
    """A patch and its state: `proposed applied rejected expired invalid rolled_back`; `number` once applied."""

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
    number: int = 0
    inverse: Cell = NULL
    rollback_of: str = ""
    agents: int = 0
    by: str = ""
    note: str = ""
    key: str = ""


COMMANDS_KEPT_MIN: Final = 4_096
COMMANDS_KEPT_MS: Final = 24 * 3_600_000
"""A run keeps the ids of commands for this long, and at least so many; then it drops the oldest."""


class Known(msgspec.Struct, frozen=True):
    """A command under an id: `kind` is `answer message cancel`; `digest` is that of its content."""

    kind: str
    target: str
    digest: bytes
    by: str
    at_ms: int = 0


class Run(msgspec.Struct, gc=False, eq=False):
    """A run. `graph_ops` are the operations of each applied patch, in order; version k is base + the first k. `going`
    are the maps and loops with room for a pass, longest waiting first. Indexes for constant-time lookups: `timed` are
    its timers by visit, `asked` its open tickets by visit and by patch, `waiting` its numbered waits by name and
    key."""

    id: str
    final: str = ""
    ready: int = 0
    workflow: str = ""
    artifact: str = ""
    version: str = ""
    tag: str = ""
    tenant: str = ""
    by: str = ""
    by_key: str = ""
    authors: list[str] = []
    fork: str = ""
    rules: int = 1
    mode: str = "full"
    priority: str = "medium"
    inputs: Cell = NULL
    inputs_digest: bytes = b""
    output: Cell = NULL
    error: Cell | None = None
    started_ms: int = 0
    ended_ms: int = 0
    deadline_ms: int = 0
    depth: int = 0
    cancelling: str = ""
    quarantined: str = ""
    labels: dict[str, str] = {}
    scopes: dict[str, Scope] = {}
    tokens: dict[str, Token] = {}
    bodies: dict[str, Body] = {}
    going: dict[str, None] = {}
    timers: dict[str, Timer] = {}
    tickets: dict[str, Ticket] = {}
    patches: dict[str, Patch] = {}
    graph_ops: list[Cell] = []
    waits: dict[str, tuple[str, str]] = {}
    timed: dict[str, dict[str, None]] = {}
    asked: dict[str, dict[str, None]] = {}
    waiting: dict[tuple[str, str], dict[str, int]] = {}
    waits_opened: int = 0
    messages: list[tuple[str, str, str, Cell]] = []
    commands: dict[str, Known] = {}
    given: list[str] | None = None
    agents: int = 0
    usage: dict[str, float] = {}
    watchers: tuple[str, ...] = ()  # streams notified of its end
    again: int = 0  # when an earlier run of this id was removed
    build: str = ""  # of the workers that get its jobs; empty: of any
    trace: str = ""  # the `traceparent` that it was started under; empty: none

    def key(self, visit: str) -> str:
        """The idempotency key of a visit; an earlier run of this id had another."""
        return f"{self.id}~{self.again}/{visit}" if self.again else f"{self.id}/{visit}"

    def ticket_id(self, *about: object) -> str:
        """The deterministic id of a ticket; an earlier run of this id had another."""
        return held_id("ticket", self.id, *about, *((self.again,) if self.again else ()))

    def barred(self, ticket: Ticket) -> dict[str, set[str]]:
        """Names and key ids that may not decide a ticket, by reason."""
        patch = self.patches.get(ticket.about)
        found: dict[str, set[str]] = {word: set() for word in ticket.barred}
        if "starter" in found:
            found["starter"] = {self.by, self.by_key} - {""}
        if "author" in found:
            applied = (each for each in self.patches.values() if each.number or each is patch)
            found["author"] = {*self.authors, *(name for each in applied for name in (each.author, each.key))} - {""}
        if patch is not None and patch.key:
            found["proposer"] = {patch.key}
        return found

    @property
    def status(self) -> str:
        """`RUNNING WAITING COMPLETED FAILED CANCELLED`: WAITING if nothing is ready or can continue by itself."""
        if self.final:
            return self.final
        return "RUNNING" if (self.ready or self.going or self.cancelling) and not self.quarantined else "WAITING"
