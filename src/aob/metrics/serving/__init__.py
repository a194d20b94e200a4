"""Answers a caller's queries and searches, within his tenant only."""

from aob.metrics.serving.catalog import Catalog
from aob.metrics.serving.metric_rows import MetricRows
from aob.metrics.serving.querying import Querying

__all__ = ["Catalog", "MetricRows", "Querying"]
