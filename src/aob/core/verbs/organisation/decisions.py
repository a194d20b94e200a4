"""Verbs of decisions: each call of a model, by agents of runs and of topics."""

from typing import Annotated, Final, TypeAlias

import msgspec

from aob.core.answers import JsonValue
from aob.core.decision import answers
from aob.core.organisation import limits
from aob.core.verb import Http, Verb, ok

PAGE_MAX: Final = 1_000
LOOK_MAX: Final = 100_000  # records that one trace looks at
Name: TypeAlias = Annotated[str, msgspec.Meta(max_length=limits.NAME_CHARS_MAX)]
Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=1_000)]
Prompt: TypeAlias = Annotated[str, msgspec.Meta(max_length=200_000)]
Calls: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=64)]
Instant: TypeAlias = Annotated[
    str, msgspec.Meta(max_length=50, description="An instant of RFC 3339, or a duration back from now such as `1h`.")
]


class ListDecisions(msgspec.Struct, frozen=True):
    """Decisions of an agent, a key, a run, a correlation, between two instants; of all where it is empty. `before` is
    `next` of the page before."""

    agent: Name = ""
    key: Text = ""
    run: Annotated[str, msgspec.Meta(max_length=100)] = ""
    correlation: Text = ""
    since: Instant = ""
    until: Instant = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX)] = 50
    before: Annotated[str, msgspec.Meta(max_length=8_000)] = ""


class NamedDecision(msgspec.Struct, frozen=True):
    """A decision by its id."""

    decision: Annotated[str, msgspec.Meta(max_length=100)]


class ChangedTool(msgspec.Struct, frozen=True):
    """Another version of a tool: its description, the JSON Schema of its arguments; what is left out stays."""

    description: Text | None = None
    schema: dict[str, JsonValue] | None = None


class ForkDecision(msgspec.Struct, frozen=True):
    """A decision, and what to ask instead: another `model`, another `system` prompt, another `task` (the first
    message), other versions of tools. `calls_max` bounds the calls of the model."""

    decision: Annotated[str, msgspec.Meta(max_length=100)]
    model: Annotated[str, msgspec.Meta(max_length=200)] = ""
    system: Prompt | None = None
    task: Prompt | None = None
    tools: Annotated[dict[str, ChangedTool], msgspec.Meta(max_length=100)] = {}
    calls_max: Calls = 8


class TryConversation(msgspec.Struct, frozen=True):
    """What a model is asked, as a conversation says it, and the results of tools that it may get; with another model
    where one is named."""

    asked: dict[str, JsonValue]
    results: Annotated[list[answers.RecordedResult], msgspec.Meta(max_length=1_000)] = []
    model: Annotated[str, msgspec.Meta(max_length=200)] = ""
    calls_max: Calls = 8


class DiffDecisions(msgspec.Struct, frozen=True):
    """Two decisions, from which on their conversations are compared; or two runs."""

    first: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    second: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class Trace(msgspec.Struct, frozen=True):
    """The id or correlation of a record, or the id of a run; records from `since` on, of these topics (empty: all), at
    most `look_max`."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
    since: Instant = "24h"
    topics: Annotated[tuple[Name, ...], msgspec.Meta(max_length=100)] = ()
    look_max: Annotated[int, msgspec.Meta(ge=1, le=LOOK_MAX)] = 20_000


LIST: Final = Verb(
    "decisions", ListDecisions, "view", "decision", "main",
    Http("GET", "/v1/decisions", "list_decisions",
         "List calls of models, newest first: who asked which model, what it chose, what it cost.",
         ok(answers.DecisionPage, "A page of decisions.")),
)  # fmt: skip
SHOW: Final = Verb(
    "decision", NamedDecision, "view", "decision", "main",
    Http("GET", "/v1/decisions/{decision}", "show_decision",
         "Show one call of a model, with all that it was asked and what it answered.",
         ok(answers.DecisionView, "The decision.")),
)  # fmt: skip

CONVERSATION: Final = Verb(
    "conversation", NamedDecision, "view", "decision", "main",
    Http("GET", "/v1/decisions/{decision}/conversation", "show_conversation",
         "Show a conversation from one decision on: what was asked, the results of tools, each choice.",
         ok(answers.Conversation, "The conversation.")),
)  # fmt: skip
FORK: Final = Verb(
    "fork_decision", ForkDecision, "run", "decision", "main",
    Http("POST", "/v1/decisions/{decision}/fork", "fork_decision",
         "Ask a model again from a decision on, with another prompt, model or version of a tool, and say where it "
         "chooses otherwise. Nothing outside is called: tools answer from the record or are refused, and no record "
         "is made.",
         ok(answers.Tried, "What it chooses now, and where that differs first."), takes="ForkDecisionBody",
         refuses=(409,)),
)  # fmt: skip
TRY: Final = Verb(
    "try_conversation", TryConversation, "run", "decision", "main",
    Http("POST", "/v1/decisions:try", "try_conversation",
         "Ask a model what a conversation says, as a fork does, of what the caller gives.",
         ok(answers.Tried, "What it chooses."), takes="TryBody"),
)  # fmt: skip
DIFF: Final = Verb(
    "diff_decisions", DiffDecisions, "view", "decision", "main",
    Http("GET", "/v1/decisions:diff", "diff_decisions",
         "Compare two conversations, or all those of two runs, at their first divergence.",
         ok(answers.DecisionDiff, "Where they differ first."), refuses=(404,)),
)  # fmt: skip
TRACE: Final = Verb(
    "trace", Trace, "view", "topic", "main",
    Http("GET", "/v1/trace", "trace",
         "Show what came of a record or a run: records, decisions and dead letters as a tree of causes.",
         ok(answers.CausalTree, "The tree, and what was not looked at."), refuses=(404,)),
)  # fmt: skip

VERBS: Final = (LIST, SHOW, CONVERSATION, FORK, TRY, DIFF, TRACE)
