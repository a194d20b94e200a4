"""Ours as the others are measured: the same number of runs at a time, in a process on Postgres."""

import os
import time
from collections.abc import Iterator
from unittest.mock import patch

from bench import handlers
from bench.cluster.workers import side_by_side
from bench.frame import Bench, Figure, measure
from bench.measures.runs import run
from bench.peers.found import RUNS, WIDTH
from bench.processes import Taken, on_postgres, variables
from bench.workflows import chain


async def taken(bench: Bench, count: int) -> tuple[float, Taken]:
    """Wall seconds and CPU of so many chains."""
    import aob

    with on_postgres(bench) as (at, url), patch.dict(os.environ, variables(url)):
        at.own = "home"
        async with aob.open(bench.folder("home"), app=handlers) as app:
            await app.push(chain("chain", 5))
            await side_by_side(app, count // 10 + 1, WIDTH)
            at.begin()
            begun = time.perf_counter()
            await side_by_side(app, count, WIDTH)
            return time.perf_counter() - begun, at.taken()


@measure("peer_aob")
def aob_chains(bench: Bench) -> Iterator[Figure]:
    """Chains of five on Postgres in one process, 100 at a time, each started and waited for by itself."""
    count = bench.times(RUNS)
    wall_s, cpu = min((run(taken(bench, count)) for _ in range(bench.rounds(3))), key=lambda each: each[1].whole)
    yield Figure("peer_aob.chain5.per_s", count / wall_s, "/s")
    yield from cpu.figures("peer_aob.chain5", count)
