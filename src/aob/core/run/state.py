"""What a run is at a position: plain data that `evolve` builds from events and nothing else writes.

Signals of edges are not stored: they follow from the outcomes of their sources. Only nodes that still wait for some
of several in-edges keep a count.
"""

from collections.abc import MutableMapping
from typing import Any, Final

import msgspec

from aob.core.event.value import NULL, Cell
from aob.core.rights import needed_roles
from aob.core.run.events import NodeCompleted, NodeFailed

READY: Final = "ready"
BACKOFF: Final = "backoff"
HELD: Final = "held"
OPEN: Final = "open"
"""States of a token: a job that should run; waits for its next attempt; waits for its patch; waits for the world."""

LOST: Final = frozenset({"lost", "verify"})
"""Causes of an attempt that follows one which was lost."""

OPENING: Final = frozenset({"sleep", "join"})
"""Kinds of timers that open the token of their visit."""

TERMINAL: Final = frozenset({"COMPLETED", "FAILED", "CANCELLED"})


class IntentState(msgspec.Struct):
    """An intent of a token and, when known, its result."""

    number: int
    kind: str
    digest: bytes
    attempt: int
    what: Cell
    result: Cell | None = None
    failed: bool = False
    count: int = 1


class Token(msgspec.Struct, gc=False, eq=False):
    """The right to make a visit, as attempt n. `lost` attempts use none of the node's retries; `crashes` of them were
    not lost to a stop of ours."""

    visit: str
    scope: str
    node: str
    attempt: int
    state: str
    intents: list[IntentState] | None = None
    kept: Any = None
    resume: Cell | None = None
    error: Cell | None = None
    verify: bool = False
    lost: int = 0
    crashes: int = 0


class Outcome(msgspec.Struct, frozen=True):
    """An outcome without an event of its own: skipped or cancelled."""

    on: str
    output: Cell = NULL
    took: list[str] | None = None


SKIPPED: Final = Outcome("skipped")
CANCELLED: Final = Outcome("cancelled")
EXHAUSTED: Final = "exhausted"
"""Outcome of a loop that its `max` has ended."""

_FAILED: Final = frozenset({"failure", "skipped"})
"""Outcomes of a failed visit, also where a fork copied it."""

DUE: Final = Outcome("due")
"""Only inside a decision: a join that is decided and will be worked out in a moment."""


def completed(outcome: Any) -> bool:
    """Whether a node ended well: it has an output."""
    return isinstance(outcome, NodeCompleted) and outcome.on not in _FAILED


def failed(outcome: Any) -> bool:
    """Whether a node ended with an error, handled or not."""
    return isinstance(outcome, NodeFailed) or (isinstance(outcome, NodeCompleted) and outcome.on in _FAILED)


def state_of(outcome: Any) -> str:
    """Where a node stands: `pending completed approved rejected expired failed skipped cancelled`, and outcomes of
    other kinds by their name."""
    if outcome is None or outcome is DUE:
        return "pending"
    if failed(outcome):
        return "failed"
    state: str = outcome.on
    return "completed" if state in {"success", EXHAUSTED} else state


def body_of(path: str) -> str:
    """A scope path without its passes: `each[3]/loop#2` is `each/loop`."""
    return "/".join(part.partition("[")[0].partition("#")[0] for part in path.split("/"))


class Scope(msgspec.Struct, gc=False, eq=False):
    """One pass of a body; the root scope has the path ``. `body` is the path without passes (`each/inner`)."""

    path: str
    body: str
    version: int
    visit: str
    index: int
    item: Cell
    prefix: str = ""
    done: dict[str, Any] = {}
    fed: dict[str, tuple[int, int]] = {}

    def __post_init__(self) -> None:
        if self.path:
            self.prefix = f"{self.path}/"


class Body:
    """Progress of a map or loop: a cursor, the open window, results so far and how many of each page there are."""

    __slots__ = (
        "closed",
        "count",
        "failed",
        "filled",
        "items",
        "kind",
        "live",
        "lost",
        "next",
        "outputs",
        "pages",
        "visit",
    )

    def __init__(self, visit: str, kind: str, items: Cell, count: int) -> None:
        self.visit, self.kind, self.items, self.count = visit, kind, items, count
        self.next = 0
        self.live = 0
        self.closed = 0
        self.failed = 0
        self.lost: list[int] = []
        self.outputs: MutableMapping[int, Cell] = {}
        self.pages: MutableMapping[int, Cell] = {}
        self.filled: MutableMapping[int, int] = {}


class Timer(msgspec.Struct):
    """Something that will happen at `due_ms`."""

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
    form: dict[str, Any]
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
        """The roles that whoever decides it must have, all of them."""
        return needed_roles(self.subject, self.role, self.roles)


class Patch(msgspec.Struct):
    """A patch and where it stands: `proposed applied rejected expired invalid rolled_back`; `number` once applied."""

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
"""A run knows the ids of commands for this long, and of at least so many: the oldest of more are forgotten."""


class Known(msgspec.Struct, frozen=True):
    """What came under the id of a command: `kind` is `answer message cancel`; `digest` is that of its content."""

    kind: str
    target: str
    digest: bytes
    by: str
    at_ms: int = 0


class Run(msgspec.Struct, gc=False, eq=False):
    """A run. `graph_ops` are the operations of each applied patch, in order; version k is base + the first k."""

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
    timers: dict[str, Timer] = {}
    tickets: dict[str, Ticket] = {}
    patches: dict[str, Patch] = {}
    graph_ops: list[Cell] = []
    waits: dict[str, tuple[str, str]] = {}
    messages: list[tuple[str, str, str, Cell]] = []
    commands: dict[str, Known] = {}
    given: list[str] | None = None
    agents: int = 0
    usage: dict[str, float] = {}

    def barred(self, ticket: Ticket) -> dict[str, set[str]]:
        """Names and ids of the keys that may not decide a ticket, by the word for why."""
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
        """`RUNNING WAITING COMPLETED FAILED CANCELLED`: WAITING when nothing is ready and the world is asked."""
        if self.final:
            return self.final
        return "RUNNING" if (self.ready or self.cancelling) and not self.quarantined else "WAITING"
