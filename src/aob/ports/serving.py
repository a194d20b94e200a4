"""Port `Serving`: a tenant's accepted events, entities and dead letters as tables for SQL. Never the source of truth.
Built from the event log and disposable at any time. A query sees only its tenant. Also `MetricReader`: the present
number of a metric, for workflows and alerts."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.metric_query import MetricQuery
from aob.core.serving import View

ROWS_MAX: Final = 10_000  # rows of one answer
TIME_MAX_MS: Final = 10_000  # how long one statement may run

Loader = Callable[[str], Awaitable[Sequence[Mapping[str, JsonValue]]]]
"""A tenant's rows of a view that another room fills: by the names of its columns, times in ms."""


class Supply(msgspec.Struct, frozen=True):
    """A view whose rows are fetched anew for each query that reads it."""

    view: View
    load: Loader


class Question(msgspec.Struct, frozen=True):
    """A user's SQL and its bound values (a list for `?` and `$1`, an object for `$name`). `rows_min`: the answer must
    include these rows of the event log, one per partition; empty: all rows written when the query arrived."""

    tenant: str
    sql: str
    parameters: Sequence[JsonValue] | Mapping[str, JsonValue] = ()
    rows_max: int = ROWS_MAX
    time_max_ms: int = TIME_MAX_MS
    rows_min: tuple[int, ...] = ()


class Table(msgspec.Struct, frozen=True):
    """Rows of an answer. `read_to`: it includes each partition of the event log up to here. `sql`: the statement that
    was run."""

    columns: list[str]
    types: list[str]
    rows: list[list[JsonValue]]
    truncated: bool
    read_to: tuple[int, ...]
    took_ms: float
    views: list[str]
    sql: str


class Serving(Protocol):
    """Answers over tables that follow the event log. Starts at the first query; closing is idempotent."""

    async def query(self, question: Question) -> Table:
        """Answer a query. Raises Invalid `sql_wrong` (not readable, or wrong against the views) or `sql_refused` (asks
        for more than is allowed); TooLarge `query_too_slow`, `query_too_large` (memory, bytes); Busy when too many
        wait; Unavailable `serving_lost` when its process died (it is restarted), `serving_behind` when the row was not
        reached in time."""

    async def history(
        self,
        tenant: str,
        entity: str,
        id: str,
        *,
        until_ms: int | None = None,
        limit: int = 100,
        rows_min: tuple[int, ...] = (),
    ) -> list[JsonObject]:
        """The events of an entity, newest first: `{at, number, event, removed, changed}`; with `until_ms` up to this
        event time. Raises NotFound `entity_not_found` for an entity that no contract defines, and the errors of
        `query`."""

    async def entity(
        self, tenant: str, entity: str, id: str, *, as_of_ms: int | None = None, rows_min: tuple[int, ...] = ()
    ) -> JsonObject | None:
        """The state of an entity, now or as of an event time: `{state, changed_at}`; None if there is none."""

    async def views(self, tenant: str) -> list[View]:
        """The views of a tenant, by name."""

    def poke(self, tenant: str) -> None:
        """Note that a tenant's log has grown: a tenant with queries is then fed soon. Nearly free."""

    def figures(self) -> JsonObject:
        """Figures for health: `{state, starts, pid?, tenants, rows_fed, questions, refused, lag_rows}`."""

    async def close(self) -> None:
        """End its process."""


class MetricReader(Protocol):
    """Reads the live metrics of a tenant."""

    async def read_metric(self, tenant: str, query: MetricQuery) -> JsonObject:
        """The answer (see `MetricAnswer`). Raises NotFound `metric_not_found`, Invalid, TooLarge `scan_too_large`."""
