"""Port `Telemetry` over OpenTelemetry: spans in batches, configured by the SDK's own environment variables."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from opentelemetry import trace as otel
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from aob.backends.memory.telemetry import MemoryTelemetry
from aob.ports.telemetry import TRACE, Trace


class OtelTelemetry(MemoryTelemetry):
    """Stages in memory, spans to a collector."""

    tracing = True

    def __init__(self, version: str, exporter: SpanExporter | None = None) -> None:
        super().__init__()
        self._provider = TracerProvider(resource=Resource.create({"service.name": "aob", "service.version": version}))
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("aob", version)
        self._closed = False

    @contextmanager
    def span(self, name: str, parent: Trace | None = None, **attributes: str | int | float) -> Iterator[Trace | None]:
        above = parent or TRACE.get()
        with self._tracer.start_as_current_span(name, context=_context(above), attributes=dict(attributes)) as span:
            here = _trace(span, above, attributes)
            token = TRACE.set(here)
            try:
                yield here
            finally:
                with suppress(ValueError):  # it is closed from another context
                    TRACE.reset(token)

    def record(
        self, name: str, parent: Trace | None, start_ns: int, end_ns: int, **attributes: str | int | float
    ) -> Trace | None:
        context = _context(parent)
        span = self._tracer.start_span(name, context=context, attributes=dict(attributes), start_time=start_ns)
        span.end(end_ns)
        return _trace(span, parent, attributes)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(self._provider.shutdown)


def _context(parent: Trace | None) -> Any:
    if parent is None:
        return otel.set_span_in_context(otel.INVALID_SPAN)
    above = otel.SpanContext(
        int(parent.trace_id, 16), int(parent.span_id, 16), is_remote=True, trace_flags=otel.TraceFlags(1)
    )
    return otel.set_span_in_context(otel.NonRecordingSpan(above))


def _trace(span: otel.Span, above: Trace | None, attributes: Mapping[str, str | int | float]) -> Trace:
    context = span.get_span_context()
    tenant = str(attributes.get("aob.tenant", "")) or (above.tenant if above else "")
    correlation = str(attributes.get("aob.correlation", "")) or (above.correlation if above else "")
    return Trace(otel.format_trace_id(context.trace_id), otel.format_span_id(context.span_id), tenant, correlation)
