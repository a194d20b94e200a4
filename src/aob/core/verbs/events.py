"""Verbs of events: send and follow; and of refused events, the dead letters."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec

from aob.core.answers import JsonValue
from aob.core.metric_answers import DeadLetterPage, DeadLetterRow, Ingested, MetricAnswer, Replayed
from aob.core.metric_query import MetricQuery
from aob.core.verb import Gives, Http, Verb, ok
from aob.core.verbs.shapes import AcceptedEvent, AlertNotice, DeadLetterGroups, Discarded

PAGE_MAX: Final = 500
NUMBERS_MAX: Final = 10_000
NUMBER_MAX: Final = 2**53

State = Annotated[
    Literal["open", "replayed", "discarded", ""], msgspec.Meta(description="What became of them since; empty: any.")
]
Numbers = Annotated[tuple[Annotated[int, msgspec.Meta(ge=0, le=NUMBER_MAX)], ...], msgspec.Meta(max_length=NUMBERS_MAX)]


class SendEvents(msgspec.Struct, frozen=True):
    """Events, one JSON object a line."""

    lines: bytes


class FollowEvents(msgspec.Struct, frozen=True):
    """What to follow: events of some types and of one subject, deltas of some metrics, changes of some alerts, or all
    events. With `place` the first item has no name and gives the feed's start."""

    types: frozenset[str] | None = None
    metrics: Sequence[MetricQuery] = ()
    alerts: frozenset[str] = frozenset()
    subject: str = ""
    position: str | None = None
    place: bool = False


class ListDeadLetters(msgspec.Struct, frozen=True):
    """Which dead letters, newest first."""

    state: State = "open"
    type: Annotated[str, msgspec.Meta(max_length=200, description="Only of this type of event.")] = ""
    reason: Annotated[str, msgspec.Meta(max_length=200, description="Only with this rule, or this word of it.")] = ""
    before: Annotated[int, msgspec.Meta(ge=0, le=NUMBER_MAX, description="`next` of the page before.")] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX)] = 50


class GroupDeadLetters(msgspec.Struct, frozen=True):
    """Which to count, and whether to show one of each."""

    state: State = "open"
    sample: bool = True


class NumberedDeadLetter(msgspec.Struct, frozen=True):
    """A dead letter by its number."""

    number: int


class ReplayDeadLetters(msgspec.Struct, frozen=True):
    """Which to replay: by number, or all open ones of a `type`, of a `reason`, or of both. `event` is the corrected
    form of a single one; a dry run changes nothing."""

    numbers: Sequence[int] = ()
    type: str = ""
    reason: str = ""
    event: JsonValue = None
    dry_run: bool = False


class DiscardDeadLetters(msgspec.Struct, frozen=True):
    """Which to discard, and why, for the record."""

    numbers: Numbers
    note: Annotated[str, msgspec.Meta(max_length=10_000)] = ""


INGEST: Final = Verb(
    "ingest", SendEvents, "run", "event", "main",
    Http("POST", "/v1/events", "ingest_events",
         "Send events: one, an array, or a line each (`application/x-ndjson`, the fastest); CloudEvents in "
         "structured, batched and binary mode (attributes in `ce-` headers). Answered once they are durable and "
         "counted. A single one that is refused is a 422 `event_rejected`.",
         ok(Ingested, "A verdict for each event, in order."), whole="lines"),
)  # fmt: skip
STREAM: Final = Verb(
    "stream", FollowEvents, "view", "event", "main",
    Http("GET", "/v1/stream/events", "stream_events",
         "Follow accepted events and the deltas of metrics as they happen. From a position on nothing is missed: "
         "events are read from the log, and a metric is told as it is now.",
         (Gives(200, str, "Events named `event`, `metric` or `alert`; `problem` says what broke.", "text/event-stream",
                {"event": AcceptedEvent, "metric": MetricAnswer, "alert": AlertNotice}),),
         refuses=(404, 409), headers=("Last-Event-ID",)),
    streams=True,
)  # fmt: skip
LIST_DEAD: Final = Verb(
    "deadletters", ListDeadLetters, "view", "deadletter", "main",
    Http("GET", "/v1/deadletter", "list_deadletters", "List refused events with their reasons, newest first.",
         ok(DeadLetterPage, "A page.")),
)  # fmt: skip
GROUP_DEAD: Final = Verb(
    "deadletter_groups", GroupDeadLetters, "view", "deadletter", "main",
    Http("GET", "/v1/deadletter/groups", "group_deadletters",
         "Count refused events by type and reason, with one of each.",
         ok(DeadLetterGroups, "The groups, largest first."), wraps="groups"),
)  # fmt: skip
SHOW_DEAD: Final = Verb(
    "deadletter", NumberedDeadLetter, "view", "deadletter", "main",
    Http("GET", "/v1/deadletter/{number}", "show_deadletter", "Show one refused event as it came.",
         ok(DeadLetterRow, "The event and why it was refused.")),
)  # fmt: skip
REPLAY_DEAD: Final = Verb(
    "replay_deadletters", ReplayDeadLetters, "run", "deadletter", "main",
    Http("POST", "/v1/deadletter/{number}/replay", "replay_deadletter",
         "Pass one through the gate again, as it came or mended. It keeps its event time and counts once.",
         ok(Replayed, "What became of it, or would."), apart=("number",), takes="OneAgain", refuses=(409,)),
    Http("POST", "/v1/deadletter:replay", "replay_deadletters",
         "Pass many through the gate again: by number, or all open ones of a type or a reason.",
         ok(Replayed, "What became of them, or would."), takes="ManyAgain", refuses=(404, 409)),
)  # fmt: skip
DISCARD_DEAD: Final = Verb(
    "discard_deadletters", DiscardDeadLetters, "run", "deadletter", "main",
    Http("POST", "/v1/deadletter:discard", "discard_deadletters",
         "Set refused events aside for good. They stay readable.", ok(Discarded, "How many."), takes="DiscardBody",
         refuses=(404, 409)),
)  # fmt: skip

VERBS: Final = (INGEST, LIST_DEAD, GROUP_DEAD, SHOW_DEAD, REPLAY_DEAD, DISCARD_DEAD)
"""Without `STREAM`, which is listed last."""
