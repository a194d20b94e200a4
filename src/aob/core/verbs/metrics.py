"""Verbs of metrics and entities: list, read, read many at one position, explain a change."""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.metric_answers import Changelog, EntityIds, EntityView, MetricAnswer, Pushes
from aob.core.metric_query import MetricQuery
from aob.core.verb import LIVE, Gives, Http, NoArgs, Verb, ok
from aob.core.verbs.shapes import BatchAnswer, EntityTypes, Fresh, MetricList

READS_MAX: Final = 200


class ReadMetric(msgspec.Struct, frozen=True):
    """Which number."""

    query: MetricQuery


class ReadMany(msgspec.Struct, frozen=True):
    """Reads at one position: each the fields of a metric query (`metric`, `window`, `by`, `where`, `since_ms`, …), or
    `{"entity": type, "id": id}`."""

    reads: Annotated[list[JsonObject], msgspec.Meta(min_length=1, max_length=READS_MAX)]


class ReadEntity(msgspec.Struct, frozen=True):
    """The state of an entity now or as of an event time, with up to `history` of its changes."""

    type: str
    id: str
    as_of_ms: int | None = None
    history: int = 0
    min_position: str = ""


class ListEntities(msgspec.Struct, frozen=True):
    """Which page."""

    type: str
    after: Annotated[str, msgspec.Meta(max_length=1_000, description="`next` of the page before.")] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 100
    min_position: Fresh = ""


class ListPushes(msgspec.Struct, frozen=True):
    """What was pushed between two instants."""

    since_ms: int
    until_ms: int
    limit: int = 100


class ReadChangelog(msgspec.Struct, frozen=True):
    """Of which metric, between which instants, over which window of it."""

    metric: str
    since_ms: int
    until_ms: int
    where: Mapping[str, str] | None = None
    window: str = ""
    limit: int = 100


LIST: Final = Verb(
    "metrics", NoArgs, "view", "metric", "main",
    Http("GET", "/v1/metrics", "list_metrics", "List all metrics with their windows, dimensions and what moves them.",
         ok(MetricList, "The metrics."), wraps="metrics"),
)  # fmt: skip
READ: Final = Verb(
    "metric", ReadMetric, "view", "metric", "main",
    Http("GET", "/v1/metrics/{metric}", "read_metric",
         "Read a metric: its value, by dimensions or as a series, and all that one must know to trust it.",
         (Gives(200, MetricAnswer, "The number."), Gives(304, None, "It is what the caller's `If-None-Match` names.")),
         apart=("metric", "query"), refuses=(413,), headers=("If-None-Match",), cost=LIVE),
)  # fmt: skip
ENTITY_TYPES: Final = Verb(
    "entity_types", NoArgs, "view", "entity", "main",
    Http("GET", "/v1/entity", "list_entity_types", "List the types of entities that contracts speak of.",
         ok(EntityTypes, "The types."), wraps="types"),
)  # fmt: skip
ENTITIES: Final = Verb(
    "entity_ids", ListEntities, "view", "entity", "main",
    Http("GET", "/v1/entity/{type}", "list_entities", "List the entities of a type that there are, a page of ids.",
         ok(EntityIds, "A page.")),
)  # fmt: skip
ENTITY: Final = Verb(
    "entity", ReadEntity, "view", "entity", "main",
    Http("GET", "/v1/entity/{type}/{id}", "read_entity",
         "Read the state of an entity, now or as of an instant, and its history.", ok(EntityView, "The entity."),
         refuses=(413,), cost=LIVE),
)  # fmt: skip
PUSHES: Final = Verb("pushes", ListPushes, "view", "contract", "main", gives=Pushes)
"""Contracts, workflows, tags and defaults: by whom, when."""
CHANGELOG: Final = Verb(
    "changelog", ReadChangelog, "view", "metric", "main",
    Http("GET", "/v1/changelog", "read_changelog",
         "Say why a number moved: the events, restatements and contract changes between two instants. Without a "
         "metric: what was pushed (contracts, workflows), by whom, when, in the last day.",
         (Gives(200, Changelog, "What moved it; without a metric, what was pushed."), Gives(200, Pushes, "")),
         refuses=(404, 413)),
)  # fmt: skip
BATCH: Final = Verb(
    "batch", ReadMany, "view", "metric", "main",
    Http("POST", "/v1/batch", "read_batch",
         "Read many metrics and entities at one position. A wrong read gets its own error and fails no other.",
         ok(BatchAnswer, "An answer for each read, in order."), takes="BatchBody", cost=LIVE),
)  # fmt: skip

VERBS: Final = (LIST, READ, ENTITY_TYPES, ENTITIES, ENTITY, PUSHES, CHANGELOG, BATCH)
