"""Verbs of runs: start, list, show, wait, cancel, explain, message, replay, fork, prune, follow."""

from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from aob.core.answers import (
    Accepted,
    Forked,
    JsonObject,
    JsonValue,
    Pruned,
    RunGraph,
    RunPage,
    RunStarted,
    RunView,
    StartVerdict,
    Timeline,
    Why,
)
from aob.core.verb import LIVE, Gives, Http, Verb, ok
from aob.core.verbs.shapes import Repinned

COMMAND_ID_MAX: Final = 200
CommandId: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=COMMAND_ID_MAX)]
"""An id that makes a command count once."""
EVENTS_MAX: Final = 10_000  # events of a page of a timeline in HTTP
EVERY_EVENT: Final = 1 << 62
Text = Annotated[str, msgspec.Meta(max_length=10_000)]
Fresh: TypeAlias = Annotated[
    str | None, msgspec.Meta(description="A position; the answer is at least as fresh, or it waits.")
]


class StartRun(msgspec.Struct, frozen=True):
    """What to start. Without `workflow` the home must have exactly one; its own schema checks `inputs`.
    The same `key` starts one run, ever."""

    workflow: str | None = None
    inputs: dict[str, JsonValue] = {}
    tag: str = "main"
    key: CommandId | None = None
    mode: Literal["full", "fast"] | None = None
    priority: Literal["high", "medium", "low"] | None = None
    labels: dict[str, str] | None = None
    run_id: str | None = None


class StartRuns(msgspec.Struct, frozen=True):
    """Starts, each with the fields of one."""

    items: list[JsonObject]


class ListRuns(msgspec.Struct, frozen=True):
    """Which runs to list."""

    status: str | None = None
    workflow: str | None = None
    limit: int = 50
    cursor: str | None = None
    labels: dict[str, str] | None = None


class ShowRun(msgspec.Struct, frozen=True):
    """A run, and how fresh the answer must be."""

    run_id: str
    min_position: Fresh = None


class WaitForRun(msgspec.Struct, frozen=True):
    """A run, and how long to wait for its end."""

    run_id: str
    within_ms: int


class NamedRun(msgspec.Struct, frozen=True):
    """A run by its id."""

    run_id: str


class RepinRun(msgspec.Struct, frozen=True):
    """The build whose workers get the jobs of a run from now on."""

    run_id: str
    build: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class ShowTimeline(msgspec.Struct, frozen=True):
    """The section of a timeline."""

    run_id: str
    after: Annotated[int, msgspec.Meta(ge=-1, description="Only events with a greater `seq`.")] = -1
    limit: Annotated[int, msgspec.Meta(ge=1, le=EVENTS_MAX)] = EVERY_EVENT


class CancelRun(msgspec.Struct, frozen=True):
    """Why it is cancelled; people read it in the timeline."""

    run_id: str
    reason: Text = ""
    command: str | None = None


class SendMessage(msgspec.Struct, frozen=True):
    """A message by name and correlation `key`; `id` makes it count once."""

    run_id: str
    name: str
    key: str = ""
    payload: JsonValue = None
    id: CommandId | None = None


class ReplayRun(msgspec.Struct, frozen=True):
    """Where to replay from. `assume` gives outputs to visits that may not be performed; `patches` replace the run's
    own."""

    run_id: str
    from_node: str = msgspec.field(name="from")
    mode: Literal["freeze"] = "freeze"
    patches: list[JsonValue] | None = None
    assume: dict[str, JsonValue] | None = None


class ForkRun(msgspec.Struct, frozen=True):
    """The node from which the new run executes. `patches` are applied on top of the run's own, `assume` replaces
    outputs of copied visits; what depends on either is not copied."""

    run_id: str
    from_node: str = msgspec.field(name="from")
    patches: list[JsonValue] | None = None
    assume: dict[str, JsonValue] | None = None


class PruneRuns(msgspec.Struct, frozen=True):
    """Which ended runs to remove: those that ended before an instant, of a `workflow`, in a `status`. `reason` is
    recorded. `cursor` is `next` of the previous step."""

    before_ms: int
    workflow: str | None = None
    status: str | None = None
    reason: str = ""
    dry_run: bool = False
    cursor: str | None = None


class FollowRuns(msgspec.Struct, frozen=True):
    """Events of a run, or of all, after a position. With `place` and without a position the first item has no name and
    gives the start of the feed of all runs."""

    run_id: str | None = None
    position: str | None = None
    types: frozenset[str] | None = None
    place: bool = False


_START: Final = Http(
    "POST", "/v1/runs", "start_run",
    "Start a run. A body of type `application/x-ndjson` starts one a line and answers a verdict a line.",
    (Gives(201, RunStarted, "The run was started; it is committed."),
     Gives(200, RunStarted, "The same key had started it before; with `wait`, the whole run at its end."),
     Gives(202, RunStarted, "With `wait`: the time has passed, the whole run as it stands."),
     Gives(200, StartVerdict, "A verdict a line.", "application/x-ndjson")),
    takes="StartBody", members=("workflow", "tag", "inputs", "key", "mode", "priority", "labels"), once="key",
    refuses=(404, 409), headers=("Prefer",),
)  # fmt: skip
START: Final = Verb("start", StartRun, "run", "workflow", "any", _START)
START_MANY: Final = Verb(
    "start_many", StartRuns, "run", "workflow", "any",
    Http("POST", "/v1/runs:batch", "start_runs",
         "Start an array of runs. A wrong item gets its own error and fails no other.",
         ok(list[StartVerdict], "A verdict for each item, in order."), whole="items"),
)  # fmt: skip
LIST: Final = Verb(
    "runs", ListRuns, "view", "run", "every",
    Http("GET", "/v1/runs", "list_runs", "List runs, newest first, a page at a time.", ok(RunPage, "A page of runs.")),
)  # fmt: skip
SHOW: Final = Verb(
    "run", ShowRun, "view", "run", "run",
    Http("GET", "/v1/runs/{run_id}", "show_run",
         "Show a run: its visits, tickets, timers, patches, graph and cost.",
         (Gives(200, RunView, "The run; when the request waits, with its end."),
          Gives(202, RunView, "The time has passed: the run as it stands.")), headers=("Prefer",), cost=LIVE),
)  # fmt: skip
WAIT: Final = Verb("wait", WaitForRun, "view", "run", "run", gives=RunView)
"""The run at its end, or its state after `within_ms`."""
CANCEL: Final = Verb(
    "cancel", CancelRun, "run", "run", "run",
    Http("POST", "/v1/runs/{run_id}/cancel", "cancel_run",
         "Cancel a run. After the answer no later result of it counts.", ok(Accepted, "The cancel is committed."),
         takes="CancelBody", apart=("command",), once="command", optional=True, refuses=(409,)),
)  # fmt: skip
RELEASE: Final = Verb(
    "release", NamedRun, "run", "run", "run",
    Http("POST", "/v1/runs/{run_id}/release", "release_run",
         "Let a run that was set aside go on, once what it lacked is there again.",
         ok(Accepted, "The run goes on, or had not been set aside."), refuses=(409,)),
)  # fmt: skip
REPIN: Final = Verb(
    "repin", RepinRun, "run", "run", "run",
    Http("POST", "/v1/runs/{run_id}/repin", "repin_run",
         "Give the jobs of a pinned run to workers of another build from now on. What workers have goes on there.",
         ok(Repinned, "The run is pinned to that build."), takes="RepinBody", refuses=(409,)),
)  # fmt: skip
TIMELINE: Final = Verb(
    "timeline", ShowTimeline, "view", "run", "run",
    Http("GET", "/v1/runs/{run_id}/timeline", "show_timeline", "List the events of a run in their order.",
         ok(Timeline, "Events after `after`."), wraps="events", defaults={"limit": EVENTS_MAX}),
)  # fmt: skip
WHY: Final = Verb(
    "why", NamedRun, "view", "run", "run",
    Http("GET", "/v1/runs/{run_id}/why", "explain_run", "Say in one sentence what a run waits for.",
         ok(Why, "The sentence and its details.")),
)  # fmt: skip
GRAPH: Final = Verb(
    "graph", ShowRun, "view", "run", "run",
    Http("GET", "/v1/runs/{run_id}/graph", "show_run_graph",
         "Show the graph of a run as it stands now, patches included, with the state of each visit.",
         ok(RunGraph, "The graph.")),
)  # fmt: skip
MESSAGE: Final = Verb(
    "message", SendMessage, "run", "run", "run",
    Http("POST", "/v1/runs/{run_id}/messages", "send_message", "Hand a message to a run that waits for it, or will.",
         ok(Accepted, "The message is committed."), takes="MessageBody", once="id", refuses=(409,)),
)  # fmt: skip
REPLAY: Final = Verb(
    "replay", ReplayRun, "view", "run", "run",
    Http("POST", "/v1/runs/{run_id}/replay", "replay_run",
         "Replay a run from a node in a shadow: recorded outputs stand, nothing outside is called.",
         ok(JsonObject, "The report: what was taken, computed, or is unknown."), takes="ReplayBody", refuses=(409,)),
)  # fmt: skip
FORK: Final = Verb(
    "fork", ForkRun, "run", "run", "run",
    Http("POST", "/v1/runs/{run_id}/fork", "fork_run",
         "Start a new run that copies what completed before a node and then acts for real.",
         ok(Forked, "The new run.", 201), takes="ForkBody", refuses=(409,)),
)  # fmt: skip
PRUNE: Final = Verb(
    "prune", PruneRuns, "admin", "run", "every",
    Http("POST", "/v1/runs:prune", "prune_runs",
         "Remove runs that ended before an instant, a step at a time; or say what would go.",
         ok(Pruned, "What this step removed, and the cursor of the next."), takes="PruneBody"),
)  # fmt: skip

FEED: Final = "RunFeedEvent"  # the schema of items in feeds of runs


def _feed(path: str, name: str, summary: str, text: str) -> Http:
    gives = (Gives(200, str, text, "text/event-stream", {"*": FEED}),)
    return Http("GET", path, name, summary, gives, headers=("Last-Event-ID",))


FOLLOW: Final = Verb(
    "follow", FollowRuns, "view", "run", "every",
    _feed("/v1/runs/{run_id}/events", "follow_run", "Follow the events of a run, past and to come, until it has ended.",
          "Events; `end` is the last one, `problem` says what broke."),
    _feed("/v1/runs/events", "follow_all", "Follow the events of all runs. Ordered within each run.",
          "Events; `problem` says what broke."),
    _feed("/v1/events", "follow_all_alias", "Follow the events of all runs, as `/v1/runs/events`, which it was called "
          "before.", "Events; `problem` says what broke."),
    streams=True,
)  # fmt: skip

VERBS: Final = (
    START, START_MANY, LIST, SHOW, WAIT, CANCEL, RELEASE, REPIN, TIMELINE, WHY, GRAPH, MESSAGE, REPLAY, FORK, PRUNE,
)  # fmt: skip
"""Without `FOLLOW`, which is listed with the feeds."""
