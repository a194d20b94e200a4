"""The platform's own log: one JSON object a line, with its trace, tenant and correlation; and where its spans go."""

import logging
import os
import sys
from typing import Any, Final

from aob.backends.memory.telemetry import MemoryTelemetry
from aob.core.errors import Invalid, Problem
from aob.ports.logger import set_up_by
from aob.ports.telemetry import TRACE, Telemetry

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def set_up_log(level: str, *, pretty: bool) -> None:
    """Send the log to standard error: JSON for programs, plain lines for a terminal."""
    set_up_by(lambda: _set_up(level, pretty))


def open_telemetry() -> Telemetry:
    """Send spans to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names; without one only count stages."""
    if not (os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")):
        return MemoryTelemetry()
    try:
        from aob.backends.otel_telemetry import OtelTelemetry
    except ImportError as error:
        raise Invalid("spans cannot be sent", [
            Problem("OTEL_EXPORTER_OTLP_ENDPOINT", f"needs a package that is not installed ({error.name})",
                    "not_installed", hint="pip install 'agentic-orchestration-builder[trace]'")
        ]) from error  # fmt: skip
    from importlib.metadata import version

    return OtelTelemetry(version("agentic-orchestration-builder"))


def _set_up(level: str, pretty: bool) -> None:
    import structlog

    shown = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)] if pretty else [
        structlog.processors.format_exc_info, structlog.processors.JSONRenderer()
    ]  # fmt: skip
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _for_whom,
            *shown,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS.get(level, logging.INFO)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _for_whom(logger: Any, name: str, event: Any) -> Any:
    trace = TRACE.get()
    if trace is not None:
        event.setdefault("trace_id", trace.trace_id)
        event.setdefault("span_id", trace.span_id)
        if trace.tenant:
            event.setdefault("tenant", trace.tenant)
        if trace.correlation:
            event.setdefault("correlation_id", trace.correlation)
    return event
