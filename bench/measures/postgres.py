"""Runs on a Postgres server of its own that syncs: a commit for several shards, a chain, a hop. CPU is that of this
process and of the server together."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from unittest.mock import patch

from aob.ports.store import Batch, Head
from bench.frame import Bench, Figure, measure, percentile
from bench.measures.runs import finish, home, hops_on, run
from bench.processes import POSTGRES, on_postgres, variables
from bench.workflows import chain

SHARDS: Final = (1, 16, 64)
HEADS, EVENTS = 40, 200  # of one call, over all its shards
EVENT: Final = b'[3,"fetch","a1",{"order_id":"o-17","amount":12.5,"region":"north"},"%064d"]'


@contextmanager
def on_server(bench: Bench, shards: int) -> Iterator[tuple[str, Callable[[], float]]]:
    """The URL of a fresh schema, and the CPU seconds of its server so far."""
    with on_postgres(bench, shards) as (at, url):
        yield url, lambda: ran_s(at.pids[POSTGRES])


def ran_s(server: int) -> float:
    """How long the processes of a server ran; none of them ends while it is measured."""
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    return sum(int(Path(f"/proc/{each}/schedstat").read_text().split()[0]) for each in children) / 1e9


def batch(epoch: int, row: int, shard: int, shards: int) -> Batch:
    """A shard's part of the events and heads of a call."""
    names = [f"run_{shard:02}{row:06}{number:03}" for number in range(max(1, HEADS // shards))]
    events = max(1, EVENTS // shards // len(names))
    parts = [
        b'["%b",0,[%b],7]' % (name.encode(), b",".join(EVENT % at for at in range(events))) for name in names
    ]  # fmt: skip
    at_ms = int(time.time() * 1_000)
    heads = [Head(name, "run", "default", "chain", "COMPLETED", "", at_ms, at_ms, events) for name in names]
    return Batch(epoch, row, at_ms, events * len(names), b"[" + b",".join(parts) + b"]", b'{"3":5}', heads)


@measure("postgres")
def postgres(bench: Bench) -> Iterator[Figure]:
    """A commit of 40 heads and 200 events for 1, 16 and 64 shards in one call; chains of five and hops on one shard."""
    yield from run(commits(bench))
    count = bench.times(5_000)
    wall, cpu, hops = run(chains(bench, count))
    yield Figure("postgres.chain5.cpu_ms", cpu / count * 1e3, "ms", 0.6)
    yield Figure("postgres.chain5.per_s", count / wall, "/s", 2_000, at_most=False)
    yield Figure("postgres.hop.p50_ms", percentile(hops, 0.5) * 1e3, "ms")


async def commits(bench: Bench) -> list[Figure]:
    """The figures of a commit."""
    from aob.backends.postgres.database import Database
    from aob.backends.postgres.store import PostgresStore

    found: list[Figure] = []
    with on_server(bench, max(SHARDS)) as (url, server_s):
        database = await Database.open(url, size=1)
        stores = [PostgresStore(database, shard) for shard in range(max(SHARDS))]
        epochs = [await store.take() for store in stores]
        rows = [0] * len(stores)
        for shards in SHARDS:
            walls: list[float] = []
            cpu = 0.0
            for at in range(-20, bench.times(400)):
                rows[:shards] = [row + 1 for row in rows[:shards]]
                made = [batch(epochs[n], rows[n], n, shards) for n in range(shards)]
                used, begun = server_s() + time.process_time(), time.perf_counter()
                await asyncio.gather(*(store.commit(each) for store, each in zip(stores, made, strict=False)))
                if at >= 0:
                    walls.append(time.perf_counter() - begun)
                    cpu += time.process_time() + server_s() - used
            name = f"postgres.commit.{shards}"
            found += [Figure(f"{name}.p50_ms", percentile(walls, 0.5) * 1e3, "ms"),
                      Figure(f"{name}.cpu_ms", cpu / len(walls) * 1e3, "ms")]  # fmt: skip
        await database.close()
    return found


async def chains(bench: Bench, count: int) -> tuple[float, float, list[float]]:
    """Wall and CPU seconds of so many chains, and how long each of some hops took on an idle home."""
    with on_server(bench, 1) as (url, server_s), patch.dict(os.environ, variables(url)):
        async with home(bench, chain("chain", 5), chain("hops", 6, "stamp")) as app:
            await finish(app, "chain", count // 10 + 1, "full")
            used, begun = server_s() + time.process_time(), time.perf_counter()
            await finish(app, "chain", count, "full")
            wall, cpu = time.perf_counter() - begun, time.process_time() + server_s() - used
            return wall, cpu, await hops_on(app, bench.times(60))
