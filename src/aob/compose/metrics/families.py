"""Families of numbers for Prometheus that every process has, and the text of them."""

import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from aob.compose.metrics.process import resident
from aob.core.errors import Unavailable
from aob.ports.telemetry import EDGES_S, WORKS, Stage

if TYPE_CHECKING:
    from prometheus_client.core import Metric


class Text:
    """Text of what `collect` gives."""

    _registry: Any = None

    def collect(self) -> "Iterator[Metric]":
        """Families of numbers for the library's registry."""
        raise NotImplementedError

    def text(self, as_open_metrics: bool = False) -> bytes:
        """The present numbers. Raises Unavailable when the library is not installed."""
        try:
            from prometheus_client import CollectorRegistry, generate_latest
            from prometheus_client.openmetrics.exposition import generate_latest as generate_open_metrics
        except ImportError as error:
            hint = "pip install 'agentic-orchestration-builder[metrics]'"
            raise Unavailable("prometheus-client is not installed", code="not_installed", hint=hint) from error
        if self._registry is None:
            self._registry = CollectorRegistry(auto_describe=False)
            self._registry.register(self)
        found: bytes = (generate_open_metrics if as_open_metrics else generate_latest)(self._registry)
        return found


def of_process(certificates: Mapping[str, float]) -> "Iterator[Metric]":
    """What a process is and uses, and when its certificates expire."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

    running = {"version": version("agentic-orchestration-builder")}
    yield InfoMetricFamily("aob", "The version that runs.", value=running)
    told = "When a certificate of this process's folder expires, in seconds since 1970."
    ends = GaugeMetricFamily("aob_certificate_expiry_timestamp_seconds", told, labels=["file"])
    for name, end in sorted(certificates.items()):
        ends.add_metric([name], end)
    yield ends
    yield CounterMetricFamily("process_cpu_seconds", "CPU time of this process.", value=time.process_time())
    yield GaugeMetricFamily("process_resident_memory_bytes", "Resident memory.", value=resident())


def staged(stages: Mapping[str, Stage]) -> "Iterator[Metric]":
    """How often, how long, how many failed, by stage."""
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

    seconds = HistogramMetricFamily("aob_stage_seconds", "How long each stage took.", labels=["stage"])
    units = CounterMetricFamily("aob_stage_units", "Events or requests that passed a stage.", labels=["stage"])
    errors = CounterMetricFamily("aob_stage_errors", "What failed in a stage.", labels=["stage"])
    for name, stage in stages.items():
        if name in WORKS:
            told = f"How long {name}s took that have ended."
            family = HistogramMetricFamily(f"aob_{name}_seconds", told)
            family.add_metric([], _buckets(stage), stage.seconds)
            yield family
            told = f"{name}s that failed or were cancelled.".capitalize()
            yield CounterMetricFamily(f"aob_{name}_not_completed", told, value=stage.errors)
            continue
        seconds.add_metric([name], _buckets(stage), stage.seconds)
        units.add_metric([name], stage.units)
        errors.add_metric([name], stage.errors)
    yield from (seconds, units, errors)


def _buckets(stage: Stage) -> list[tuple[str, float]]:
    total, buckets = 0, list[tuple[str, float]]()
    for edge, count in zip((*EDGES_S, float("inf")), stage.buckets, strict=True):
        total += count
        buckets.append(("+Inf" if edge == float("inf") else repr(edge), float(total)))
    return buckets
