"""Questions and searches of a caller go in; rows, and what may be asked for, come out. One tenant sees itself only."""

from aob.metrics.serving.catalog import Catalog
from aob.metrics.serving.metric_rows import MetricRows
from aob.metrics.serving.querying import Querying

__all__ = ["Catalog", "MetricRows", "Querying"]
