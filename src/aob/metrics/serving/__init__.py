"""Answers a caller's queries and searches, within his tenant only."""

from aob.metrics.serving.catalog import Catalog
from aob.metrics.serving.querying import MetricRows, Querying

__all__ = ["Catalog", "MetricRows", "Querying"]
