"""Port `MetricReader`: the number of a metric as it is now, for workflows and alerts."""

from typing import Protocol

from aob.core.answers import JsonObject
from aob.core.metric_query import MetricQuery


class MetricReader(Protocol):
    """Whoever has the live metrics of a tenant."""

    async def read_metric(self, tenant: str, query: MetricQuery) -> JsonObject:
        """The answer (see `MetricAnswer`). Raises NotFound `metric_not_found`, Invalid, TooLarge `scan_too_large`."""
        ...
