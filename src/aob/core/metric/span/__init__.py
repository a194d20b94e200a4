"""Windows and an instant flow in, the span of event time that they mean then flows out, with the next time it moves."""

from aob.core.metric.span.calendar import unit_span, zone_of
from aob.core.metric.span.span import Span, Step, span_of, step_of

__all__ = ["Span", "Step", "span_of", "step_of", "unit_span", "zone_of"]
