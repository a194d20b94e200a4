"""`Serving` on DuckDB in a separate process: loads rows of the event log, answers SQL."""

from aob.backends.duckdb_serving.serving import DuckServing

__all__ = ["DuckServing"]
