"""Freshness on Postgres: from the scheduled send of an event to the delta of its metric at a subscriber."""

from collections.abc import Iterator

from bench.cluster import doors
from bench.frame import Bench, Figure, measure, percentile
from bench.measures.fresh import CONTRACTS, SECONDS, Load
from bench.measures.runs import run
from bench.processes import Taken, on_postgres

ROUNDS = (("1k", 1_000, 1, None), ("10k", 10_000, 100, 10.0))


async def taken(bench: Bench) -> list[tuple[Load, Taken]]:
    """The load and its CPU at each rate."""
    found = []
    with on_postgres(bench) as (at, url):
        async with doors.home(at, url) as door:
            (await door.client.put("/v1/contracts", json={"files": {"bench.yaml": CONTRACTS}})).raise_for_status()
            for number, (_, rate, batch, _) in enumerate(ROUNDS):
                load = Load(door, rate, batch, bench.seconds(SECONDS, 2.5), number)
                at.begin()
                await load.take()
                found.append((load, at.taken()))
    return found


@measure("cluster_fresh")
def fresh(bench: Bench) -> Iterator[Figure]:
    """Event to delta on Postgres at two rates: acknowledged durably, folded, pushed; with reads beside it."""
    for (name, _, _, p50), (load, cpu) in zip(ROUNDS, run(taken(bench)), strict=True):
        if load.lost:
            raise RuntimeError(f"{load.lost} of {load.total} events were not counted")
        note = f"{load.refused} calls got 429" if load.refused else ""
        yield Figure(f"cluster_fresh.{name}.p50_ms", percentile(load.fresh, 0.5) * 1e3, "ms", p50, note=note)
        yield Figure(f"cluster_fresh.{name}.p95_ms", percentile(load.fresh, 0.95) * 1e3, "ms")
        yield from cpu.figures(f"cluster_fresh.{name}", load.total, "us")
