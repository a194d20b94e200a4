"""Port `Telemetry`: how long each stage takes, and, with an exporter, spans that show causes. Stages are always
counted, in memory. Spans are free until an exporter is set. `TRACE` carries the trace of the present work, so that a
line of the log can name it (W3C Trace Context)."""

import re
from bisect import bisect_left
from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Final, Protocol

import msgspec

EDGES_S: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper edges of the histogram of a stage, in seconds."""
STAGES: Final = (
    "ingest", "gate", "enrich", "dedup", "store", "fold", "fan_out", "serve", "query", "http", "commit", "dispatch",
    "task", "plan",
)  # fmt: skip
"""The timed stages: events from arrival to the ack, and each part of that; reads, queries and other requests; commits
of runs and the dispatch after them; tasks and plans that have ended."""
WORKS: Final = ("task", "plan")
"""Stages that are shown as families of their own."""
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


class Trace(msgspec.Struct, frozen=True):
    """A position in a trace: 32 and 16 hexadecimal characters; `tenant` and `correlation` are carried for the log."""

    trace_id: str
    span_id: str
    tenant: str = ""
    correlation: str = ""


TRACE: Final[ContextVar[Trace | None]] = ContextVar("aob_trace", default=None)


class Stage:
    """One stage: how often, how long, how many failed."""

    __slots__ = ("buckets", "count", "errors", "seconds", "units")

    def __init__(self) -> None:
        self.count = self.errors = self.units = 0
        self.seconds = 0.0
        self.buckets = [0] * (len(EDGES_S) + 1)

    def add(self, seconds: float, units: int, errors: int) -> None:
        """Count one passage of so many units."""
        self.count += 1
        self.units += units
        self.errors += errors
        self.seconds += seconds
        self.buckets[bisect_left(EDGES_S, seconds)] += 1


class Telemetry(Protocol):
    """Stages and spans of one process."""

    tracing: bool

    @property
    def stages(self) -> Mapping[str, Stage]:
        """All stages by name."""

    def stage(self, name: str, seconds: float, units: int = 1, errors: int = 0) -> None:
        """Count the passage of so many events or requests through a stage."""

    def span(
        self, name: str, parent: Trace | None = None, **attributes: str | int | float
    ) -> AbstractContextManager[Trace | None]:
        """A span around a block; `TRACE` names it inside. Without `parent` its parent is `TRACE`."""

    def record(
        self, name: str, parent: Trace | None, start_ns: int, end_ns: int, **attributes: str | int | float
    ) -> Trace | None:
        """Record a finished span, from one instant to another (ns since 1970)."""

    async def close(self) -> None:
        """Flush what is pending. Idempotent."""


def traceparent(trace: Trace) -> str:
    """The header that carries a trace on."""
    return f"00-{trace.trace_id}-{trace.span_id}-01"


def traced(header: str | None) -> Trace | None:
    """The trace of a `traceparent` header; None for none or a malformed one."""
    found = _TRACEPARENT.fullmatch(header.strip()) if header else None
    if found is None or set(found[1]) == {"0"} or set(found[2]) == {"0"}:
        return None
    return Trace(found[1], found[2])
