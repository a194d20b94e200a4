"""Every measure of the bench runs once, small: it works, gives all its figures and loses nothing; no time counts.

A measure raises when something is lost, or when a server or a process that it starts says anything on stderr.
"""

import math
from typing import Final

import pytest

from bench.frame import SMALL, AbsentError, Bench, Figure, available
from tests.servers.postgres import NoServerError

ROUNDS: Final = ("1k", "10k", "50k", "100k")
LAYOUTS: Final = ("msgpack_array", "json_array", "json_object")
APPENDS: Final = " ".join(
    f"appends.{{0}}.{group}.{figure}" for group in (1, 100, 1_000) for figure in ("cpu_us", "p50_ms")
) + " appends.{0}.read.cpu_us"  # fmt: skip
STARTS: Final = " ".join(
    f"cluster_{{0}}.{figure}" for figure in ("per_s", "cpu_us", "load.cpu_us", "postgres.cpu_us", "home.cpu_us")
)  # fmt: skip
FIGURES: Final = {
    "fsync": "fsync.p50_ms fsync.p99_ms",
    "calibration": "calibration.decodes_per_cpu_s",
    "encoding": " ".join(
        f"encoding.{layout}.{figure}" for layout in LAYOUTS for figure in ("bytes", "encode_us", "decode_us")
    ),
    "rows": "rows.batch.event_us rows.event.event_us",
    "starts": "starts.ndjson.per_s starts.ndjson.cpu_ms starts.lone.cpu_ms starts.lone.p50_ms starts.single.cpu_ms "
    "starts.single.p50_ms starts.many.cpu_ms starts.many.per_cpu_s",
    "http": "http.chain5.cpu_ms http.chain5.per_s http.chain5.p50_ms",
    "counted": "counted.chain5.full.bytecodes counted.platform.share "
    "counted.chain5.fast.bytecodes counted.start.bytecodes",
    "up": "up.ready.s up.idle.rss_mb",
    "fresh": " ".join(
        f"fresh.{rate}.{figure}"
        for rate in ROUNDS
        for figure in ("p50_ms", "p95_ms", "events_per_cpu_s", "read_p50_ms")
    ),
    "import_aob": "import_aob.s",
    "chain5": "chain5.full.cpu_ms chain5.full.per_s bytes.step chain5.fast.cpu_ms chain5.fast.per_s",
    "postgres": " ".join(
        f"postgres.commit.{shards}.{figure}" for shards in (1, 16, 64) for figure in ("p50_ms", "cpu_ms")
    )
    + " postgres.chain5.cpu_ms postgres.chain5.per_s postgres.hop.p50_ms",
    "hop": "hop.idle.p50_ms hop.idle.p99_ms",
    "fan": "fan.100.ms fan.10000.s",
    "long": "long.events long.first_tenth.cpu_us long.last_tenth.cpu_us long.read_back.s",
    "patch": "patch.200.p50_ms patch.200.p99_ms",
    "open": "open.first_workflow.s",
    "gate_fold": "gate_fold.events_per_cpu_s gate_fold.gate_us gate_fold.fold_us",
    "metric_read": "metric_read.p50_ms",
    "restart": "restart.1m.s",
    "cells": "cells.100k.mb",
    "overload": "overload.refused overload.ack_max_ms overload.ack_p50_ms overload.lost",
    "platform": "platform.cpu_share",
    "agents": "agents.batch.per_s agents.batch.cpu_us agents.hop.p50_ms",
    "appends_sqlite": APPENDS.format("sqlite"),
    "appends_postgres": APPENDS.format("postgres"),
    "topics": "topics.append.p50_ms topics.append.over_sync_ms topics.batches.per_s topics.read.per_s",
    "pool": "pool.job.cpu_us pool.suspended.cpu_us pool.thread.cpu_us",
    "saver": " ".join(
        f"saver.{kind}.{figure}" for kind in ("keep20", "all", "langgraph") for figure in ("step_ms", "step_bytes")
    ),
    "shards": "shards.1.per_s shards.1.cpu_ms shards.2.per_s shards.2.cpu_ms shards.2.ratio",
    "cluster_fresh": " ".join(
        f"cluster_fresh.{rate}.{figure}"
        for rate in ("1k", "10k")
        for figure in ("p50_ms", "p95_ms", "cpu_us", "load.cpu_us", "postgres.cpu_us", "home.cpu_us")
    ),
    "cluster_starts": STARTS.format("starts"),
    "cluster_api": STARTS.format("api") + " cluster_api.api.cpu_us",
    "cluster_wire": " ".join(f"cluster_wire.{kind}.{width}.cpu_us" for kind in ("plain", "tls") for width in (1, 64)),
    **{
        f"peer_{name}": f"peer_{name}.chain5.per_s peer_{name}.chain5.cpu_ms "
        + " ".join(f"peer_{name}.chain5.{process}.cpu_ms" for process in processes.split())
        for name, processes in {
            "aob": "home postgres",
            "dbos": "load postgres dbos",
            "restate": "load service server",
        }.items()
    },
    "cluster_workers": " ".join(
        f"cluster_workers.{width}.{figure}"
        for width in (4, 20, 500)
        for figure in ("cpu_ms", "home.cpu_ms", "postgres.cpu_ms", "worker.cpu_ms", "per_s", "items")
    )
    + " cluster_workers.hop.p50_ms",
}
"""The figures of each measure, in the order in which they come."""
MEASURES: Final = {measure.name: measure for measure in available()}


def test_every_measure_of_the_bench_is_run_here() -> None:
    assert MEASURES.keys() == FIGURES.keys()


def lost(figures: dict[str, Figure]) -> float:
    """What was acknowledged and not found again, of a measure that counts it."""
    return figures["overload.lost"].value if "overload.lost" in figures else 0


ON_SERVERS: Final = frozenset(
    {
        "postgres",
        "appends_postgres",
        "cluster_api",
        "cluster_fresh",
        "cluster_starts",
        "cluster_workers",
        "peer_aob",
        "peer_dbos",
    }
)


TRIES: Final = 3
"""A load comes at its times however slow the machine is just then: it may be refused, but not each time."""


def refused(figures: dict[str, Figure]) -> list[str]:
    """The figures of a load of which something was refused."""
    return [figure.name for figure in figures.values() if "refused" in figure.note]


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_a_measure_runs_once_small(name: str, request: pytest.FixtureRequest) -> None:
    if name in ON_SERVERS:
        request.getfixturevalue("postgres_url")  # skips where there is none
    for _ in range(TRIES):
        with Bench(SMALL) as bench:
            try:
                figures = {figure.name: figure for figure in MEASURES[name].take(bench)}
            except (NoServerError, AbsentError) as why:
                pytest.skip(str(why))
        if not refused(figures):
            break
    assert list(figures) == FIGURES[name].split()
    assert not [figure for figure in figures.values() if not math.isfinite(figure.value)]
    assert lost(figures) == 0
    assert not refused(figures), "a load that can be taken"
