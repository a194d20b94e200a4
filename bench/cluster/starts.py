"""Durable starts in batches on Postgres: by the process that holds the home, and through an api of its own."""

import json
from collections.abc import Iterator
from contextlib import AsyncExitStack

from bench.cluster import doors
from bench.frame import Bench, Figure, measure
from bench.measures.runs import run
from bench.measures.serving import CONNECTIONS, LINES, RUN_ID, load, post, push
from bench.processes import Taken, on_postgres
from bench.workflows import INPUTS, waiting
from tests.servers.ports import free_port


async def taken(bench: Bench, through_api: bool) -> tuple[int, float, Taken]:
    """Starts, wall seconds and CPU of a load of requests with 500 lines on a workflow that begins with a `wait`."""
    requests, runs = bench.times(80), set[bytes]()
    with on_postgres(bench) as (at, url):
        async with AsyncExitStack() as stack:
            peers = f"127.0.0.1:{free_port()}"
            words = ["--peers", peers] if through_api else []
            door = await stack.enter_async_context(doors.home(at, url, *words))
            await push(door.client, waiting("wait"))
            if through_api:
                door = await stack.enter_async_context(doors.api(at, peers, door.client.headers["X-API-Key"]))
            line = json.dumps({"workflow": "wait", "inputs": INPUTS}).encode()
            request = post(door, "/v1/runs", b"\n".join([line] * LINES), "application/x-ndjson")
            await load(door, request, CONNECTIONS, max(1, requests // 10), lambda _: None)
            at.begin()
            tally = await load(door, request, CONNECTIONS, requests, lambda told: runs.update(RUN_ID.findall(told)))
            cpu = at.taken()
    count = requests * LINES
    if len(runs) != count:
        raise RuntimeError(f"{count} starts began {len(runs)} runs")
    return count, tally.wall_s, cpu


def figures(bench: Bench, name: str, through_api: bool) -> Iterator[Figure]:
    """The best of some rounds."""
    rounds = [run(taken(bench, through_api)) for _ in range(bench.rounds(3))]
    count, wall_s, cpu = min(rounds, key=lambda each: each[2].whole)
    yield Figure(f"{name}.per_s", count / wall_s, "/s", 10_000, at_most=False, note="load and server share the cores")
    yield from cpu.figures(name, count, "us")


@measure("cluster_starts")
def starts(bench: Bench) -> Iterator[Figure]:
    """Durable starts on Postgres, 500 lines a request, by one process."""
    yield from figures(bench, "cluster_starts", through_api=False)


@measure("cluster_api")
def starts_through_an_api(bench: Bench) -> Iterator[Figure]:
    """The same through an api in a process of its own."""
    yield from figures(bench, "cluster_api", through_api=True)
