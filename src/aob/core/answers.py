"""The answers of the API as shapes, and their order, shared by server, client and CLI. Answers are `TypedDict`s:
plain JSON, checked by the type checker, and the source of the OpenAPI schemas. Members outside may change."""

from typing import Any, Final, Literal, NotRequired, TypeAlias, TypedDict

from aob.core.errors import Problem
from aob.core.problem import ProblemBody

JsonValue: TypeAlias = Any  # any JSON value: input and output of a user's workflow
JsonObject: TypeAlias = dict[str, Any]  # A JSON object whose members belong to the user or to the kind of record

RunStatus = Literal["RUNNING", "WAITING", "COMPLETED", "FAILED", "CANCELLED"]


class RunStarted(TypedDict):
    """Answer to a start. `created` is false when the same key had started it before."""

    run_id: str
    status: RunStatus
    created: bool


class StartVerdict(TypedDict, total=False):
    """What became of one item of a batch: the run, or the `error` that refused this item alone."""

    run_id: str
    status: RunStatus
    created: bool
    error: ProblemBody


class RunRow(TypedDict):
    """A run as lists show it. Times are ms since 1970 in UTC."""

    run_id: str
    workflow: str
    status: RunStatus
    reason: NotRequired[str | None]
    artifact: NotRequired[str]
    version: NotRequired[str]
    tag: NotRequired[str | None]
    started_at: NotRequired[int | None]
    ended_at: NotRequired[int | None]
    labels: NotRequired[dict[str, str]]


class ReadFrom(TypedDict, total=False):
    """Where a list was read: `replayed_at` is the time of a replica's last commit, `why` why the `store` was read."""

    source: Literal["replica", "store"]
    replayed_at: int | None
    why: str


class RunPage(TypedDict):
    """Runs, newest first, with all that is written up to `as_of`; `next` is the cursor of the next page, or null."""

    runs: list[RunRow]
    next: str | None
    as_of: str
    read: NotRequired[ReadFrom]


class Pruned(TypedDict):
    """One step of a prune: what it removed, or would remove. `bytes` are those of the records; `values_bytes` at most
    what larger values take, of which those stay that other runs use. `oldest` and `newest` are when the first and the
    last of these runs ended, `kept` counts runs that ended in time and stay, by why. `record` is the id of the record,
    `next` the cursor of the next step, null at the end."""

    before: int
    dry_run: bool
    runs: int
    events: int
    bytes: int
    values: int
    values_bytes: int
    oldest: int | None
    newest: int | None
    workflows: dict[str, int]
    kept: dict[str, int]
    record: str | None
    next: str | None


class NodeView(TypedDict):
    """The state of one visit. `waits`: why no worker takes it now: `no_worker no_label no_build paused`."""

    state: str
    kind: NotRequired[str]
    labels: NotRequired[JsonObject]
    waits: NotRequired[str]
    attempt: NotRequired[int]
    output: NotRequired[JsonValue]
    error: NotRequired[JsonValue]
    memo: NotRequired[JsonValue]


class ItemsPage(TypedDict):
    """A page of the items of a map. `next` is the cursor of the page after it, null at the end."""

    items: list[JsonValue]
    next: str | None


class RunView(RunRow):
    """A whole run: visits by name, open tickets and timers, its patches, its current graph, its cost; `build` is that
    of the workers that get its jobs, of a pinned run."""

    inputs: JsonValue
    output: JsonValue
    error: NotRequired[JsonValue]
    nodes: dict[str, NodeView]
    tickets: NotRequired[list[str]]
    timers: NotRequired[list[JsonObject]]
    patches: NotRequired[list[JsonObject]]
    graph: NotRequired[JsonObject]
    cost: NotRequired[JsonObject]
    build: NotRequired[str]


class RunGraph(TypedDict):
    """The current graph of a run and the state of its visits."""

    run_id: str
    status: RunStatus
    version: str
    graph: JsonObject
    nodes: dict[str, NodeView]


class TimelineEvent(TypedDict):
    """One event of a run; members beyond these belong to its type."""

    seq: int
    type: str
    position: NotRequired[str]
    at: NotRequired[int]
    visit: NotRequired[str | None]


class Timeline(TypedDict):
    """A section of a run's events. `next` is the `seq` to continue after, null at the end."""

    events: list[TimelineEvent]
    next: int | None


class Why(TypedDict):
    """What a run waits for, in one sentence, with its details."""

    run_id: str
    status: RunStatus
    sentence: str
    details: list[JsonValue]


class Forked(TypedDict):
    """The new run of a fork."""

    run_id: str
    status: NotRequired[RunStatus]


class Accepted(TypedDict, total=False):
    """A command was committed: its run and the run's state."""

    run_id: str
    status: RunStatus
    created: bool
    position: str


class WorkflowPushed(TypedDict):
    """Answer to a push: the artifact's hash, its readable version, and the tag that names it now."""

    workflow: str
    artifact: str
    version: str
    tag: str
    created: bool
    warnings: NotRequired[list[JsonValue]]


class WorkflowRow(TypedDict):
    """A workflow as lists show it."""

    workflow: str
    artifact: NotRequired[str]
    version: NotRequired[str]
    tags: NotRequired[JsonValue]
    description: NotRequired[str]


class WorkflowList(TypedDict):
    """All workflows of the tenant."""

    workflows: list[WorkflowRow]


class WorkflowView(TypedDict):
    """One version of a workflow with its whole document."""

    workflow: str
    artifact: str
    version: str
    tag: NotRequired[str | None]
    document: JsonObject
    tags: NotRequired[JsonValue]


class WorkflowDiff(TypedDict):
    """The changes between two versions; members belong to the differ."""

    workflow: NotRequired[str]
    a: NotRequired[JsonValue]
    b: NotRequired[JsonValue]
    diff: NotRequired[JsonValue]
    lines: NotRequired[list[str]]


class TagPatched(TypedDict):
    """A patch is on a tag (`applied`): the version that runs get which start under it from now on, the hash of its
    `graph` (the `base` of the next patch), and what changed. One that is `proposed` waits for a person under `ticket`,
    for `reasons`; `version` and `graph` are then those of before."""

    workflow: str
    tag: str
    version: str
    state: NotRequired[str]
    ticket: NotRequired[str]
    reasons: NotRequired[list[str]]
    artifact: NotRequired[str]
    graph: NotRequired[str]
    diff: NotRequired[JsonValue]
    lines: NotRequired[list[str]]


class Validated(TypedDict):
    """Every problem of a document at once."""

    valid: bool
    problems: list[Problem]


PatchState: TypeAlias = str  # `proposed applied rejected rolled_back invalid expired`


class PatchVerdict(TypedDict):
    """What became of a proposal, an approval, a rejection or a rollback. `cascade` are the rollbacks of later patches
    that went before this one, in their order, each with its own diff."""

    patch_id: str
    state: PatchState
    version: NotRequired[str]
    diff: NotRequired[JsonValue]
    lines: NotRequired[list[str]]
    ticket: NotRequired[str]
    cascade: NotRequired[list["PatchVerdict"]]


class PatchRow(TypedDict):
    """A patch as lists show it."""

    patch_id: str
    state: PatchState
    run_id: NotRequired[str]
    kind: NotRequired[str]
    author: NotRequired[str]
    reason: NotRequired[str]
    version: NotRequired[str]


class PatchList(TypedDict):
    """The patches of a run, in order."""

    patches: list[PatchRow]


class PatchView(PatchRow):
    """A whole patch: its operations, its diff, and the graph before and after."""

    operations: NotRequired[list[JsonObject]]
    base: NotRequired[str]
    diff: NotRequired[JsonValue]
    lines: NotRequired[list[str]]
    before: NotRequired[JsonValue]
    after: NotRequired[JsonValue]


class TicketView(TypedDict):
    """A ticket of a run, or of an `agent` and `key`. `state` is `open` or the choice; `due` is its deadline in ms since
    1970. `roles`: a decider must have all; `not` (not a member here): who may not decide, `starter` or `author`."""

    ticket_id: str
    run_id: NotRequired[str]
    workflow: NotRequired[str]
    tag: NotRequired[str]
    agent: NotRequired[str]
    key: NotRequired[str]
    visit: NotRequired[str | None]
    subject: NotRequired[str]
    state: NotRequired[str]
    role: NotRequired[str]
    roles: NotRequired[list[str]]
    text: NotRequired[str]
    choices: NotRequired[list[str]]
    form: NotRequired[JsonObject]
    shown: NotRequired[JsonValue]
    due: NotRequired[int]
    patch_id: NotRequired[str]
    choice: NotRequired[str]
    by: NotRequired[str]
    reason: NotRequired[str]
    values: NotRequired[JsonValue]


NO_DEADLINE_MS: Final = 1 << 62  # the place of tickets without a deadline: after all others


def ticket_place(due_ms: int | None, ticket_id: str) -> tuple[int, str]:
    """The place of a ticket in lists: the soonest deadline first, of equals the lesser id."""
    return due_ms or NO_DEADLINE_MS, ticket_id


class TicketList(TypedDict):
    """A page of tickets, the soonest deadline first; `next` is the cursor of the page after it, when there is one."""

    tickets: list[TicketView]
    next: NotRequired[str]


class TicketLink(TypedDict):
    """A signed link to a ticket's form; `expires_at` in ms since 1970. Any holder of the link may decide."""

    url: str
    expires_at: int


class Answered(TypedDict):
    """The decision as it was committed."""

    ticket_id: str
    choice: NotRequired[str]
    run_id: NotRequired[str]
    status: NotRequired[str]


class KeyCreated(TypedDict):
    """A new key. The secret is shown this once and stored only as a hash."""

    id: str
    secret: str


class KeyRow(TypedDict):
    """A key as lists show it: never its secret."""

    id: str
    name: NotRequired[str]
    roles: NotRequired[list[str]]
    tenant: NotRequired[str]
    by: NotRequired[str]
    at: NotRequired[int]
    active: NotRequired[bool]
    note: NotRequired[str]


class KeyList(TypedDict):
    """All keys of the tenant."""

    keys: list[KeyRow]


class Health(TypedDict):
    """The health of the server; further members belong to its components."""

    status: str
    version: NotRequired[str]


class StoredBlob(TypedDict):
    """A stored value: its hash, and its size in bytes."""

    hash: str
    size: int


class Progress(TypedDict):
    """The progress of an operation: `of` the total, null if unknown."""

    phase: str
    done: int
    of: int | None


class Pulse(TypedDict):
    """A probe's answer; `opening` is the progress of a home that is still opening."""

    status: str
    opening: NotRequired[Progress]
