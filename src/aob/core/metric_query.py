"""A query of a metric. Data only; the same for HTTP, the client, workflows and alerts."""

from collections.abc import Mapping

import msgspec


class MetricQuery(msgspec.Struct, frozen=True, omit_defaults=True):
    """`window` names a window of the contract (its first one if empty) or is a sliding duration (`15m`).

    `since_ms` and `until_ms` select a span of event time instead; `step` (a duration, or `month`, `2 weeks`) splits a
    span into a series. `by` groups by dimensions, `where` fixes dimensions to a value. `as_of_ms` is the event time
    used as now, `known_at_ms` the processing time up to which events count (a scan). `min_position` waits until the
    answer includes that position. `compare` = `previous` adds the previous window. `version` selects an older
    contract."""

    metric: str
    window: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    step: str = ""
    by: tuple[str, ...] = ()
    where: Mapping[str, str] = {}
    as_of_ms: int | None = None
    known_at_ms: int | None = None
    min_position: str = ""
    compare: str = ""
    version: int = 0
    limit: int = 1_000
