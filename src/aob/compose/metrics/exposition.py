"""The text of `GET /metrics` for Prometheus: sums over stages, the gate, folds and the journal."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from aob.compose.metrics.families import Text, of_process, staged
from aob.core.answers import JsonObject
from aob.ports.telemetry import Stage

if TYPE_CHECKING:
    from prometheus_client.core import Metric

Figures = Callable[[], JsonObject]
Workers = Callable[[], list[tuple[str, str, dict[tuple[str, str, str], float] | float]]]


class Exposition(Text):
    """Text for Prometheus. `figures` are the layer's numbers as in health, `journal` those of runs, `unmoved` counts by
    metric the values that could not move it, `replaced` counts replaced stuck connections by client, `certificates` are
    the ends of certificates by file, in seconds since 1970; `workers` are name, text and values of what waits for
    workers of other processes, and of what they have."""

    def __init__(
        self, stages: Mapping[str, Stage], figures: Figures, journal: Figures,
        unmoved: Callable[[], Mapping[str, int]] = dict, replaced: Callable[[], Mapping[str, int]] = dict,
        certificates: Callable[[], Mapping[str, float]] = dict, workers: Workers = list,
    ) -> None:  # fmt: skip
        self._stages, self._figures, self._journal, self._unmoved = stages, figures, journal, unmoved
        self._replaced, self._certificates, self._workers = replaced, certificates, workers

    def collect(self) -> "Iterator[Metric]":
        """Families of numbers for the library's registry."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        yield from staged(self._stages)
        gate = self._figures()
        for name, text in (("received", "came to the gate"), ("accepted", "were let through"),
                           ("duplicate", "had come before"), ("rejected", "were refused")):  # fmt: skip
            yield CounterMetricFamily(f"aob_events_{name}", f"Events that {text}.", value=gate["gate"][name])
        for name, text, value in (
            ("aob_ingest_waiting_bytes", "Bytes that wait for the gate.", gate["gate"].get("waiting_bytes", 0)),
            ("aob_cells", "Live cells of metrics.", gate["fold"]["cells"]),
            ("aob_entities", "Entities in memory.", gate["fold"]["entities"]),
            ("aob_fold_rows_behind_snapshot", "Rows that a restart would read again.", gate["fold"]["behind"]),
            ("aob_watched_metrics", "Numbers that somebody follows.", gate["fold"]["watched"]),
        ):
            yield GaugeMetricFamily(name, text, value=value)
        lost = CounterMetricFamily("aob_unmoved", "Values that could not move a metric.", labels=["metric"])
        for name, count in sorted(self._unmoved().items()):
            lost.add_metric([name], count)
        yield lost
        for name, text, value in (
            ("aob_rows_set_aside", "Rows of the event log that cannot be read.", gate["fold"]["aside"]),
            ("aob_fills_stuck", "Tenants whose metrics cannot be filled.", gate["fold"]["stuck"]),
        ):
            yield GaugeMetricFamily(name, text, value=value)
        for name, value in self._journal().items():
            yield CounterMetricFamily(f"aob_journal_{name}", f"The journal's {name.replace('_', ' ')}.", value=value)
        told = "Pools of connections that were stuck and replaced."
        stuck = CounterMetricFamily("aob_egress_pools_replaced", told, labels=["of"])
        for name, count in sorted(self._replaced().items()):
            stuck.add_metric([name], count)
        yield stuck
        for name, text, values in self._workers():
            if isinstance(values, dict):
                family = GaugeMetricFamily(name, text, labels=["handler", "labels", "build"])
                for lane, value in sorted(values.items()):
                    family.add_metric(lane, value)
                yield family
            else:
                yield GaugeMetricFamily(name, text, value=values)
        yield from of_process(self._certificates())
