"""`Serving` on DuckDB in a process of its own: rows of the event log go in, answers to SQL come out."""

from aob.backends.duckdb_serving.serving import DuckServing

__all__ = ["DuckServing"]
