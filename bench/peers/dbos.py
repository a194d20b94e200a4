"""DBOS on the same kind of Postgres server: a library in one process, as ours."""

import asyncio
from collections.abc import Iterator

from bench.frame import Bench, Figure, measure
from bench.peers.found import PROGRAMS, RUNS, python_with
from bench.processes import Taken, on_database, told


def taken(bench: Bench, count: int) -> tuple[float, Taken]:
    """Wall seconds and CPU of so many chains."""
    python = python_with("dbos")
    with on_database(bench) as (at, url):
        process = at.start("dbos", [str(python), str(PROGRAMS / "dbos_chain.py"), url, str(count)])
        assert process.stdin is not None
        asyncio.run(told(process, lambda line: line == b"ready\n"))
        at.begin()
        process.stdin.write(b"go\n")
        process.stdin.flush()
        wall_s = float(asyncio.run(told(process, lambda line: True)))
        return wall_s, at.taken()


@measure("peer_dbos")
def dbos_chains(bench: Bench) -> Iterator[Figure]:
    """Workflows of five steps on DBOS, 100 at a time."""
    count = bench.times(RUNS)
    wall_s, cpu = min((taken(bench, count) for _ in range(bench.rounds(3))), key=lambda each: each[1].whole)
    yield Figure("peer_dbos.chain5.per_s", count / wall_s, "/s")
    yield from cpu.figures("peer_dbos.chain5", count)
