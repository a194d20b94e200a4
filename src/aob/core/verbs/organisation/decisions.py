"""Verbs of decisions: each call of a model, by agents of runs and of topics."""

from typing import Annotated, Final, TypeAlias

import msgspec

from aob.core.decision import answers
from aob.core.organisation import limits
from aob.core.verb import Http, Verb, ok

PAGE_MAX: Final = 1_000
Name: TypeAlias = Annotated[str, msgspec.Meta(max_length=limits.NAME_CHARS_MAX)]
Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=1_000)]
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

VERBS: Final = (LIST, SHOW)
