"""Read-only views of records for people and tools: runs, lists, timelines, reasons."""

from aob.views.lists import next_page, read_from
from aob.views.reading import Views, run_graph
from aob.views.timeline import entry, events_schema, feed_schemas
from aob.views.why import why

__all__ = ["Views", "entry", "events_schema", "feed_schemas", "next_page", "read_from", "run_graph", "why"]
